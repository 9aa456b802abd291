"""Settings of records that exist in a shop and in Fusion: who owns which field, and what happens where they differ.

A field has one owner. What the owner says is written to the other side, and nothing is ever written to the owner.
"""

from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from contracts.model import Frozen

Side = Literal["fusion", "shop"]
"""The two systems that have a record."""
OTHER: Final = MappingProxyType[Side, Side]({"fusion": "shop", "shop": "fusion"})
SIDES: Final[tuple[Side, ...]] = ("shop", "fusion")
"""In the order in which they are read."""

ItemField = Literal["name", "description", "weight", "price", "stock"]
"""Fields that an item in Fusion and a product in a shop have in common, by our names."""


class ConvergingPolicy(Frozen):
    """What holds for records of every kind."""

    enabled: bool = False
    on_conflict: Literal["review", "owner"] = "review"
    """What to do when a field was changed on the side that does not own it: ask a person, or write the owner's value
    over it."""
    cron: str = "*/15 * * * *"
    """When changes of either side are read; in the timezone of the polls."""
    sweep_cron: str = "40 2 * * *"
    """When everything is read and compared: what no change of a stamp shows."""
    overlap: int = Field(default=600, ge=1)
    """Seconds before the watermark that every poll reads again."""
    window: int = Field(default=7 * 86_400, ge=60)
    """Seconds of changes in Fusion that are read in one go at most; after an outage one window follows the other."""

    def owner_of(self) -> dict[str, Side]:
        """The owner of every field that is kept equal."""
        raise NotImplementedError

    def makes(self, side: Side) -> bool:
        """Whether a record that only the other side has is made on this one."""
        raise NotImplementedError

    def may_write(self, side: Side, field: str) -> bool:
        """Whether a value of this side can be replaced at all; where not, a person is asked."""
        return True

    def is_private(self, field: str) -> bool:
        """Whether its values tell of a person: then no sentence quotes them."""
        return False


def _owners() -> dict[ItemField, Side]:
    return {"name": "fusion"}


def _attributes() -> dict[ItemField, str]:
    return {"weight": "UnitWeightQuantity", "price": "ListPrice"}


class ItemPolicy(ConvergingPolicy):
    """Products of a shop and items of Fusion. A product is the item whose number is its SKU, letter for letter."""

    owners: dict[ItemField, Side] = Field(default_factory=_owners)
    """Fields that are not named are nobody's business: a shop's marketing texts, pictures and categories are its own.
    Weights are not compared unless they are named, because the two systems may use different units."""
    new_items: Literal["draft", "ignore"] = "draft"
    """What becomes of an item that no product of the shop has: a product that nobody sees or can buy, or nothing."""
    new_products: Literal["ignore", "create"] = "ignore"
    """What becomes of a SKU that no item has. Items are made with the connection's settings for items."""
    item_classes: tuple[str, ...] = ()
    """Only items of these classes become drafts; of all classes when empty."""
    item_statuses: tuple[str, ...] = ("Active",)
    """Only items of these statuses become drafts; of any status when empty."""
    prices: bool = False
    """Whether prices are kept equal. Unless this is so they are never written, on no side."""
    stock: bool = False
    """Whether stock levels are."""
    attributes: dict[ItemField, Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]] = Field(
        default_factory=_attributes
    )
    """Attributes of the pod that hold weight, price and stock. A pod that does not describe one has no such field."""

    @model_validator(mode="after")
    def _asked_for(self) -> "ItemPolicy":
        for field, allowed, setting in (("price", self.prices, "prices"), ("stock", self.stock, "stock")):
            if field in self.owners and not allowed:
                raise ValueError(f"{field} has an owner, but nobody asked to keep it equal: set {setting} = true")
        if self.stock and not self.attributes.get("stock"):
            raise ValueError("items of Fusion carry no stock: name the attribute that does in attributes.stock")
        return self

    def owner_of(self) -> dict[str, Side]:
        owned: dict[str, Side] = {str(field): side for field, side in self.owners.items()}
        if self.prices:
            owned.setdefault("price", "fusion")
        if self.stock:
            owned.setdefault("stock", "fusion")
        return owned

    def makes(self, side: Side) -> bool:
        return self.new_items == "draft" if side == "shop" else self.new_products == "create"

    def attribute(self, field: ItemField) -> str:
        """The pod's name of a field; empty where it has none."""
        return {**_attributes(), **self.attributes}.get(field, "")
