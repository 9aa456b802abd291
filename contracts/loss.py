"""Loss measured from the source: what a shop lists as to be posted, against what is known of it here."""

from typing import Final

from pydantic import Field

from contracts.model import Frozen, Instant

INTEGRATION_KIND: Final = "integration"
"""Kind of the audit events that are about an integration and no document."""
COUNTED: Final = "orders_counted"
"""Action of the event that every count leaves."""
FOUND: Final = "orders_missing"
"""Action of the event that a count leaves before it starts what it found missing or edited unseen."""
NAMED: Final = 50
"""Missing orders of one store that are named, at most."""


class OrderTally(Frozen):
    """Orders that the shop lists as to be posted. Each is in exactly one of `posted` to `missing`."""

    postable: int = 0
    posted: int = 0
    """In the ledger, or billed; also by a person's word."""
    skipped: int = 0
    """Looked at and not posted, or taken back, with a reason: a test, nothing to book, a person's decision."""
    waiting: int = 0
    """On its way: its workflow runs, or its document waits for Fusion."""
    review: int = 0
    """Waits for a person."""
    recent: int = 0
    """Changed so lately that the next poll may still find it: no loss yet."""
    missing: int = 0
    """Nothing is known of it, or only of a version before the one that is to be posted, or it is said to be posted and
    nothing of it is in the ledger; and no workflow runs."""
    edited: int = 0
    """Of those posted or skipped: the shop has a newer version that nobody has looked at."""

    def plus(self, other: "OrderTally") -> "OrderTally":
        return OrderTally(**{name: getattr(self, name) + getattr(other, name) for name in OrderTally.model_fields})


class LossCountInput(Frozen):
    """Input of `loss-count`: one per integration."""

    integration: str
    connection: str
    """The shop."""


class CountLoss(Frozen):
    integration: str
    connection: str
    job: str


class LossCounted(OrderTally):
    """What one count found in all stores of a shop. What was `missing` or `edited` has been started."""

    since: Instant
    """Orders placed at that moment or later were counted."""


class CountProgress(Frozen):
    """How far a count has come: what an attempt that takes over goes on with."""

    since: Instant
    read_at: Instant
    """By the shop's clock: when the count began."""
    judged_until: Instant
    """What changed later than that is no loss yet."""
    next_id: int = 1
    """Orders below it are counted."""
    stores: dict[str, OrderTally] = Field(default_factory=dict)
    """By channel."""
    missing: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """By channel, the first of the orders that are missing."""

    def after(self, counted: "CountProgress") -> "CountProgress":
        """This, and what a page added to it."""
        stores, missing = dict(self.stores), dict(self.missing)
        for channel, tally in counted.stores.items():
            stores[channel] = stores.get(channel, OrderTally()).plus(tally)
        for channel, ids in counted.missing.items():
            missing[channel] = (*missing.get(channel, ()), *ids)[:NAMED]
        return self.model_copy(update={"next_id": counted.next_id, "stores": stores, "missing": missing})
