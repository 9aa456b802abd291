"""What steps of one journal take and give."""

from typing import Literal

from contracts import names
from contracts.journal import Journal, JournalFate
from contracts.model import Frozen, Instant
from contracts.names import SALE
from contracts.refund import RefundSale
from contracts.sale import Sale


class StageJournal(Frozen):
    integration: str
    connection: str
    order_id: str
    journal: Journal
    fingerprint: str
    modified_at: Instant
    purpose: str = SALE
    ordinal: int
    sale: RefundSale | Sale | None = None
    """The version that the ledger shows once this journal is posted; of a refund, what it takes back."""
    job: str = ""
    decided_at: Instant | None = None
    """The workflow's time; a step that another one followed meanwhile is refused."""
    epoch: int = 0
    """The highest the workflow saw; a store that is behind it posts nothing."""
    kind: str = names.ORDER
    """Of the document; `order_id` is its id, whatever it is."""
    parent_id: str = ""
    """The order, of a document that is not one itself."""


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
    version: str = ""
    """`Fetched.version` of it."""
    who: str
    why: str
    decision: str = ""
    """Id of the decision; the audit trail names it as the job."""
    kind: str = names.ORDER
    """Of the document; `order_id` is its id, whatever it is."""
