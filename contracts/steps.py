"""Inputs and outputs of activities: one model in, one model out, so fields can be added compatibly."""

from typing import Literal

from contracts.flow import Decision
from contracts.journal import FateKind, Journal, JournalFate, LedgerFacts, Period, Problem
from contracts.model import Frozen, Instant
from contracts.receivable import Invoice
from contracts.sale import OrderSnapshot


class Pace(Frozen):
    """How patient a waiting document is; from the integration's policies at the time of fetching."""

    quiet_period: float
    """Seconds without a change before fetching again."""
    reread_after: float
    """Seconds between two looks at the store while waiting for an import."""
    rate_wait: float
    """Hours to wait for a conversion rate."""


class FetchOrder(Frozen):
    integration: str
    connection: str
    order_id: str
    job: str = ""
    mapping_version: int | None = None


class SettledDocument(Frozen):
    """A document whose current version needs nothing more."""

    state: Literal["posted", "skipped"]
    sentence: str
    reference: str = ""


class PostedVersion(Frozen):
    """Another version of the document that is in the ERP."""

    what: Literal["journal", "invoice"]
    reference: str


class FetchedOrder(Frozen):
    """`settled` when the accounting projection is the one already settled; else `snapshot`."""

    snapshot: OrderSnapshot | None = None
    fingerprint: str
    """Of the accounting projection."""
    version: str = ""
    """The fingerprint together with the facts that decide whether the order is posted at all."""
    settled: SettledDocument | None = None
    edited_after: PostedVersion | None = None
    """Set when the order was edited after it had been posted: this version is not mapped any more."""
    pace: Pace
    epoch: int = 0
    """The store's, when it was read (design rule 3)."""


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


class CachedLookups(Frozen):
    """Answer of the local lookup: `lookups` when every fact is warm here, `problems` when books are missing."""

    fusion: str = ""
    """The connection to ask when not everything is warm."""
    lookups: Lookups | None = None
    problems: tuple[Problem, ...] = ()


class MapOrder(Frozen):
    integration: str
    snapshot: OrderSnapshot
    lookups: Lookups
    ordinal: int
    mapping_version: int | None = None


class Mapped(Frozen):
    """What mapping made of a snapshot: exactly one of the five."""

    journal: Journal | None = None
    invoice: Invoice | None = None
    """For channels whose target is `receivable`."""
    fusion: str = ""
    """The connection the invoice is created at."""
    skipped: str = ""
    """A reason with a name: "status Incomplete is not postable"."""
    problems: tuple[Problem, ...] = ()
    waiting: Problem | None = None
    """Not postable yet for a reason that heals by itself, e.g. no conversion rate."""


class StageJournal(Frozen):
    integration: str
    connection: str
    order_id: str
    journal: Journal
    fingerprint: str
    modified_at: Instant
    ordinal: int
    job: str = ""
    decided_at: Instant | None = None
    """The workflow's time; a step that another one followed meanwhile is refused."""
    epoch: int = 0
    """The highest the workflow saw; a store that is behind it posts nothing."""


class Staged(Frozen):
    """Where the journal stands after staging.

    `staged`: its lines wait for the next group · `unchanged`: this version is staged or in a group already ·
    `in_group`: an earlier version is in an import whose fate is open · `fated`: this very version has a final fate ·
    `edited_after_posting`: another version is in the ledger · `superseded`: another step came later, nothing was done ·
    `behind`: the store was restored from a backup, nothing is posted until it is recovered; `sentence` says so.
    """

    outcome: Literal["staged", "unchanged", "in_group", "fated", "edited_after_posting", "superseded", "behind"]
    reference: str
    fate: JournalFate | None = None
    sentence: str = ""
    until: Instant | None = None
    """When to try again, for `behind`."""


class PostInvoice(Frozen):
    """Create one invoice, or find that it is there."""

    integration: str
    connection: str
    order_id: str
    invoice: Invoice | None
    """None: nothing is to be created any more; find out what became of what was sent."""
    fingerprint: str
    modified_at: Instant
    job: str = ""
    decided_at: Instant | None = None
    epoch: int = 0
    open_since: Instant | None = None
    """Since when something of it may be on its way, as far as its flow knows: a restored store has forgotten it."""
    declared_absent: bool = False
    """A person has looked: what was sent never arrived, and is to be sent again."""
    who: str = ""
    """Who declared it, and why: for the audit trail."""
    why: str = ""
    decision: str = ""
    """Id of that decision: it counts once, however often the step is repeated."""


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
    """A document's run ends, or parks, here: one row in `documents` and one audit event."""

    integration: str
    connection: str
    order_id: str
    state: Literal["skipped", "posted", "needs_review"]
    sentence: str
    modified_at: Instant | None = None
    fingerprint: str = ""
    reference: str = ""
    problems: tuple[Problem, ...] = ()
    job: str = ""
    who: str = ""
    why: str = ""
    decided_at: Instant | None = None
    """As in `StageJournal`."""


class RecordDecision(Frozen):
    """A person's decision about an order was taken: one audit event."""

    integration: str
    connection: str
    order_id: str
    decision: Decision


class Settled(Frozen):
    """`standing` when the document cannot be skipped: a journal of it is in an import or in the ledger."""

    standing: Staged | None = None
    creating: str = ""
    """Set when what stands is a document that one call creates and whose outcome is open: the connection at which to
    find it out (`PostInvoice` without an invoice)."""
    superseded: bool = False
    """Another step came later; nothing was done."""


class ReadFate(Frozen):
    reference: str


class KnownFate(Frozen):
    fate: JournalFate | None = None


class VerifyJournal(Frozen):
    """Does the journal that a person names exist in Fusion, and is it this document's?"""

    integration: str
    connection: str
    order_id: str
    batch_name: str
    """As Fusion shows it, decorations optional."""
    fingerprint: str = ""
    """Of the version that was in review."""
    who: str
    why: str
    decision: str = ""
    """Id of the decision; the audit trail names it as the job."""


class SealGroup(Frozen):
    fusion: str
    ledger: str
    source: str
    flush_after: float
    flush_count: int
    limit: int
    workflow_id: str
    epoch: int = 0
    """The highest the workflow saw."""


class SealedGroup(Frozen):
    """`group_id` when a group was sealed; else seconds until the oldest journal is due, or nothing waits."""

    group_id: int | None = None
    journals: int = 0
    due_in: float | None = None
    epoch: int = 0
    """The store's, after sealing: every sealed group advances it."""
    behind: str = ""
    """Set when the store was restored from a backup: nothing is sealed until it is recovered; the sentence says what
    to do, `due_in` when to look again."""


class GroupStep(Frozen):
    """Input of every step of one group's import."""

    fusion: str
    ledger: str
    source: str
    group_id: int
    epoch: int = 0
    """Of the sealing; a store that is behind it sends nothing."""


class Submission(Frozen):
    """What is known of a group's import request.

    `submitted`: Fusion has it, as `request_id` · `in_doubt`: sent or being sent, look again at `until` ·
    `unknown`: not found within the limit; `problem` says what is known · `behind`: the store was restored from a
    backup, nothing was sent; `sentence` says what to do.
    """

    state: Literal["submitted", "in_doubt", "unknown", "behind"]
    sentence: str = ""
    request_id: int | None = None
    until: Instant | None = None
    problem: Problem | None = None


class FollowJob(Frozen):
    step: GroupStep
    request_id: int


class FollowedJob(Frozen):
    """A terminal ESS job."""

    state: str
    succeeded: bool


class ReadOutcome(Frozen):
    step: GroupStep
    request_id: int
    state: str
    succeeded: bool
    declared_absent: bool = False
    """A person has looked: what is not in the ledger now is to be sent again."""


class ImportOutcome(Frozen):
    """What a terminal import made of its group. The fates themselves are in the store."""

    imported: int = 0
    refused: int = 0
    requeued: int = 0
    unexplained: int = 0
    """Size of a group that was refused without a journal being named; it is then found by halving."""


class CloseGroup(Frozen):
    """Apply the fates that were read. With `who`, a person declares that the group never reached Fusion."""

    step: GroupStep
    who: str = ""
    why: str = ""
    decision: str = ""
    """Id of that person's decision; the audit trail names it as the job."""


class ClosedGroup(Frozen):
    imported: int
    refused: int
    requeued: int


class FollowPosting(Frozen):
    step: GroupStep
    submit: bool
    """Start the posting job first, on pods without AutoPost."""


class PostingProgress(Frozen):
    total: int
    unposted: int


class TellDocuments(Frozen):
    """Signal the documents of a group whose journals have this fate."""

    step: GroupStep
    kind: FateKind


class ReviewGroup(Frozen):
    """A group enters review with a problem, or leaves it (`problem` None) by a person's decision."""

    step: GroupStep
    problem: Problem | None
    who: str = ""
    why: str = ""
    decision: str = ""
    """The decision's id."""


class PollOrders(Frozen):
    connection: str
    job: str
    since: Instant | None = None
    days: int | None = None


class Polled(Frozen):
    """What one poll did."""

    seen: int
    started: int
    watermark: Instant | None = None


class ReleaseReviews(Frozen):
    """Tell the documents in review of these integrations that a version of their mapping set is in effect."""

    mapping_set: str
    version: int
    integrations: tuple[str, ...]
    job: str
    since: Instant | None = None
    """Only what went into review at that moment or later."""
