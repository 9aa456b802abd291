"""What the vendor leaves open. A store can be set to do it either way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(slots=True)
class Habits:
    """The habits of one store; may be changed while it is served."""

    unordered: Literal["shuffled", "kept"] = "shuffled"
    """Rows that no `sort` orders, ties included: in another order on every page, or as they were made."""
    bounds: Literal["at", "after"] = "at"
    """Whether the filters `:min` and `:max` of dates contain the moment itself."""
    batches: Literal["whole", "row"] = "whole"
    """A batch of products with one bad row: refused as a whole, or the others are taken (207)."""
    idle_writes: bool = True
    """A write that changes nothing moves `date_modified` and is announced."""
    variants_touch: bool = True
    """A changed variant moves its product's `date_modified`, and the product is announced."""
    addresses_touch: bool = True
    """A changed address moves its customer's `date_modified`, and the customer is announced."""
    metafields_touch: bool = True
    """A metafield moves its order's `date_modified`, and the order is announced."""
    unknown_order: Literal["404", "empty"] = "404"
    """What metafields of an order that does not exist are."""
    refunded_tax_rows: Literal["lowered", "kept"] = "lowered"
    """A refund takes its part off the tax rows of what it gives back (the vendor: "order/taxes records" are updated,
    except by a refund whose totals the merchant typed), or leaves them. The header's tax stays what it was."""
    ignored: set[str] = field(default_factory=set)
    """Filters and sorts that are ignored in silence, as all are whose name is not understood."""
    untaken: set[str] = field(default_factory=set)
    """Fields of a product that fail to be saved after the rest was: the answer is 207."""

    def copied(self) -> Habits:
        """The same habits, to be changed apart from these."""
        return replace(self, ignored=set(self.ignored), untaken=set(self.untaken))
