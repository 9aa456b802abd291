"""What steps of every document take and give."""

from datetime import date
from typing import Literal

from contracts import names
from contracts.flow import Decision
from contracts.journal import Journal, LedgerFacts, Period, Problem
from contracts.model import Frozen, Instant
from contracts.receivable import Invoice
from contracts.refund import RefundSale
from contracts.sale import OrderSnapshot
from contracts.steps.journals import Staged

Target = Literal["", "journal", "receivable"]
"""What a sale became in Fusion: decided by what is there, or, where that is nothing (empty), by its channel."""


class Pace(Frozen):
    """How patient a waiting document is; from the integration's policies at the time of fetching."""

    quiet_period: float
    """Seconds without a change before fetching again."""
    reread_after: float
    """Seconds between two looks at the store while waiting for an import."""
    rate_wait: float
    """Hours to wait for a conversion rate."""


VERSION_UNKNOWN = "?"
"""Of a decision: nobody knows which version it was about."""


class SettledDocument(Frozen):
    """A document whose current version needs nothing more."""

    state: Literal["posted", "reversed", "skipped"]
    sentence: str
    reference: str = ""


class PostedVersion(Frozen):
    """Another version of the document that is in the ERP."""

    what: Literal["journal", "invoice"]
    reference: str
    cancelled: bool = False
    """The version in the source takes back what was posted."""
    rate_day: date | None = None
    """The conversion date of what was posted, in a foreign currency: what changes it later is converted alike."""


class Fetched(Frozen):
    """A document as its source shows it. `settled` when the accounting projection is the one already settled."""

    fingerprint: str
    """Of the accounting projection."""
    version: str = ""
    """The fingerprint together with the facts that decide whether the document is posted at all."""
    settled: SettledDocument | None = None
    pace: Pace
    epoch: int = 0
    """The store's, when it was read (design rule 3)."""
    noted: bool = False
    """The order in the shop shall say what becomes of the document."""

    @property
    def modified_at(self) -> Instant | None:
        """The source's stamp of this version; None where the version is settled and was not handed on."""
        raise NotImplementedError

    @property
    def parent_id(self) -> str:
        """The order, of a document that is not one itself."""
        return ""


class Lookups(Frozen):
    """Facts of the target system that mapping needs for one sale."""

    ledger: LedgerFacts
    periods: tuple[Period, ...]
    rate_available: bool = True
    """False when the sale's currency needs a conversion rate that Fusion does not have yet."""
    looked_up_at: Instant


class LookupFor(Frozen):
    """Whose facts to look up."""

    integration: str
    snapshot: OrderSnapshot
    fresh: bool = False
    """Read periods anew: Fusion refused a journal because its period had closed."""
    rate_day: date | None = None
    """The day whose conversion rate is needed, where it is not the sale's own."""
    target: Target = ""
    """Whose periods are needed."""


class CachedLookups(Frozen):
    """Answer of the local lookup: `lookups` when every fact is warm here, `problems` when books are missing."""

    fusion: str = ""
    """The connection to ask when not everything is warm."""
    lookups: Lookups | None = None
    problems: tuple[Problem, ...] = ()


class Mapped(Frozen):
    """What mapping made of a snapshot: exactly one of journal, invoice, skipped, problems and waiting."""

    journal: Journal | None = None
    purpose: str = ""
    """Of the journal: `delta` or `reversal`; empty for the first of its document."""
    ordinal: int = 1
    """Of the journal: how many with its purpose there are, this one included."""
    invoice: Invoice | None = None
    """For channels whose target is `receivable`."""
    fusion: str = ""
    """The connection the invoice is created at."""
    taken: RefundSale | None = None
    """What the journal of a refund takes back; none where the journal is another one."""
    skipped: str = ""
    """A reason with a name: "status Incomplete is not postable"."""
    problems: tuple[Problem, ...] = ()
    waiting: Problem | None = None
    """Not postable yet for a reason that heals by itself, e.g. no conversion rate."""
    standing: bool = False
    """It is skipped because the ledger shows it already: sold, or by its `purpose` taken back."""
    following: str = ""
    """Reference of the journal that shows it, while that is imported and not posted yet."""


class Created(Frozen):
    """Where a document stands that is created by one call (design rule 2).

    `posted`: it is there, as we meant it · `in_doubt`: sent or being sent, run the same step again at `until`, and
    `sentence` says what is waited for ·
    `edited_after_posting`: another version is there · `superseded`: another step came later, nothing was done ·
    `behind`: the store was restored from a backup · `review`: a person must look, `problem` says at what ·
    `absent`: nothing of it is there and nothing is on its way; only where nothing was to be created.
    """

    outcome: Literal["posted", "in_doubt", "edited_after_posting", "superseded", "behind", "review", "absent"]
    reference: str
    target_id: str = ""
    """The vendor's own key."""
    target_number: str = ""
    """The number people see."""
    sentence: str = ""
    until: Instant | None = None
    problem: Problem | None = None
    epoch: int = 0
    """The store's, after this step."""
    open_since: Instant | None = None
    """When the oldest send went out whose outcome nobody knows."""


class SettleDocument(Frozen):
    """A document's run ends, or parks, or waits for what is booked already to be posted: one row in `documents` and one
    audit event."""

    integration: str
    connection: str
    order_id: str
    state: Literal["skipped", "posted", "reversed", "waiting_import", "needs_review"]
    sentence: str
    modified_at: Instant | None = None
    fingerprint: str = ""
    reference: str = ""
    """The journal that is waited for, of a document that waits."""
    problems: tuple[Problem, ...] = ()
    job: str = ""
    who: str = ""
    why: str = ""
    decided_at: Instant | None = None
    """As in `StageJournal`."""
    kind: str = names.ORDER
    """Of the document; `order_id` is its id, whatever it is."""
    parent_id: str = ""
    """The order, of a document that is not one itself."""
    version: str = ""
    """`Fetched.version` of what `who` decided about."""
    epoch: int = 0
    """The highest epoch of the store that the document's run has seen."""


class RecordDecision(Frozen):
    """A person's decision about an order was taken: one audit event."""

    integration: str
    connection: str
    order_id: str
    decision: Decision
    kind: str = names.ORDER
    """Of the document; `order_id` is its id, whatever it is."""


class Settled(Frozen):
    """`standing` when the document cannot be skipped: a journal of it is in an import or in the ledger."""

    standing: Staged | None = None
    creating: str = ""
    """Set when what stands is a document that one call creates and whose outcome is open: the connection at which to
    find it out (`PostInvoice` without an invoice)."""
    superseded: bool = False
    """Another step came later; nothing was done."""
    behind: str = ""
    """Why nobody is asked now: the store was restored from a backup, and does not know enough, or did not when the
    document was read. It is read again after `until`."""
    until: Instant | None = None
    epoch: int = 0
    """With `behind`: the highest epoch known."""


class ReleaseReviews(Frozen):
    """Tell the documents in review of these integrations that a version of their mapping set is in effect."""

    mapping_set: str
    version: int
    integrations: tuple[str, ...]
    job: str
    since: Instant | None = None
    """Only what went into review at that moment or later."""
