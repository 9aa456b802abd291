"""What steps of orders take and give."""

from contracts import names
from contracts.journal import Problem
from contracts.model import Frozen, Instant
from contracts.sale import OrderSnapshot
from contracts.steps.documents import Fetched, Lookups, PostedVersion


class FetchOrder(Frozen):
    integration: str
    connection: str
    order_id: str
    job: str = ""
    mapping_version: int | None = None


class FetchedOrder(Fetched):
    """`snapshot` unless `settled`."""

    snapshot: OrderSnapshot | None = None
    edited_after: PostedVersion | None = None
    """Set when the order was edited after it had been posted: this version is not mapped any more."""
    asks: Problem | None = None
    """Nothing of this version is posted by itself: a person has done by hand what it changes, or may have."""

    @property
    def modified_at(self) -> Instant | None:
        return self.snapshot.modified_at if self.snapshot else None


class NoteOrder(Frozen):
    """Have the order in the shop say what became of it, after this document of it was posted."""

    integration: str
    connection: str
    kind: str = names.ORDER
    document_id: str
    job: str = ""


class RecordUnnoted(Frozen):
    """The order in the shop does not say so, for the reason that the sentence gives."""

    note: NoteOrder
    sentence: str


class MapOrder(Frozen):
    integration: str
    snapshot: OrderSnapshot
    lookups: Lookups
    mapping_version: int | None = None
    follows: bool = False
    """Journals of the order are in the ledger: what is wanted is the difference."""


class PollOrders(Frozen):
    connection: str
    job: str
    since: Instant | None = None
    days: int | None = None


class Polled(Frozen):
    """What one poll did."""

    seen: int
    started: int
    refunds_seen: int = 0
    refunds_started: int = 0
    watermark: Instant | None = None
