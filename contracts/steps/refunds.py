"""What steps of refunds take and give."""

from datetime import date
from typing import Literal

from contracts import names
from contracts.journal import Problem
from contracts.model import Frozen, Instant
from contracts.refund import Refund
from contracts.sale import OrderSnapshot
from contracts.steps.documents import Fetched, Lookups, Target


class FetchRefund(Frozen):
    integration: str
    connection: str
    refund_id: str
    order_id: str = ""
    """The order it is said to be of; empty when nobody has said."""
    job: str = ""


class RefundSnapshot(Frozen):
    """A refund with what it takes to book it."""

    refund: Refund
    order: OrderSnapshot
    """Its order as it stands."""
    known: tuple[Refund, ...] = ()
    """All refunds of that order."""


class OrderStanding(Frozen):
    """What a refund's order is to it.

    `ready`: it is in the ledger, or never will be (from before the cut-over, or booked by hand) · `skipped`: nothing of
    the refund is to be booked · `waiting`: not yet known · `superseded`: another step came later, nothing was done.
    """

    outcome: Literal["ready", "skipped", "waiting", "superseded"]
    sentence: str = ""
    rate_day: date | None = None
    """The day whose conversion rate the refund needs, once it is ready."""
    target: Target = ""
    """What the order became, once it is ready: the refund becomes the same."""


class FetchedRefund(Fetched):
    """`snapshot` unless `settled`."""

    snapshot: RefundSnapshot | None = None
    asks: Problem | None = None
    """Nothing follows by itself: the ledger has the refund, and the shop says by now that it was not paid back."""
    standing: OrderStanding | None = None
    """What its order is to it, where that is known already and the refund can be booked."""

    @property
    def modified_at(self) -> Instant | None:
        return self.snapshot.refund.created_at if self.snapshot else None

    @property
    def parent_id(self) -> str:
        return self.snapshot.refund.order_id if self.snapshot else ""


class AwaitOrder(Frozen):
    """Does a refund's order stand so that the refund can be booked? If not, it is recorded as waiting."""

    integration: str
    connection: str
    snapshot: RefundSnapshot
    fingerprint: str
    job: str = ""
    decided_at: Instant | None = None
    """As in `StageJournal`."""


class RecordWaiting(Frozen):
    """A document waits for something that may take long: its row says so."""

    integration: str
    connection: str
    order_id: str
    kind: str = names.ORDER
    """Of the document; `order_id` is its id, whatever it is."""
    parent_id: str = ""
    """The order, of a document that is not one itself."""
    state: Literal["running", "waiting_parent"]
    sentence: str
    modified_at: Instant
    fingerprint: str = ""
    job: str = ""
    decided_at: Instant | None = None
    """As in `StageJournal`."""


class MapRefund(Frozen):
    integration: str
    snapshot: RefundSnapshot
    lookups: Lookups
    rate_day: date | None = None
    mapping_version: int | None = None
    target: Target = ""
    """As of `OrderStanding`."""
