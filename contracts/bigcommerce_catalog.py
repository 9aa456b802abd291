"""Products, variants and categories as BigCommerce sends and takes them (catalog V3). Field names are the vendor's.

Prices and stock stand apart: whoever writes them has to say so. `None` in a change leaves a field as it is.
"""

import hashlib
import json
from collections.abc import Collection
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field

from contracts.bigcommerce import Flag, Id, Moment, OptionalId, OptionalMoment, Text, parse_amount
from contracts.model import Amount, Frozen, Wire

Number = Annotated[Amount | None, BeforeValidator(lambda value: None if value in (None, "") else parse_amount(value))]
"""A number that may be missing: a variant without a price of its own has its product's."""
Positive = Annotated[Amount, Field(ge=0)]
Numbers = Annotated[tuple[int, ...], BeforeValidator(lambda value: value or ())]

PRICES: Final = frozenset({"price", "cost_price", "retail_price", "sale_price", "map_price"})
STOCK: Final = frozenset({"inventory_tracking", "inventory_level", "inventory_warning_level"})


class Versioned(Wire):
    """A row whose fields are compared."""

    id: Id

    def fingerprint(self, fields: Collection[str]) -> str:
        """Digest of these fields' values: two documents that agree in them have the same. Raises `ValueError`.

        What our own write left behind is known by it: the digest of the shop's answer to the write is kept, and a
        later change with the same digest concerns nothing that we own. No id: of a person's few values it can be
        guessed.
        """
        if unknown := set(fields) - type(self).model_fields.keys():
            raise ValueError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}.")
        values = {name: _plain(getattr(self, name)) for name in sorted(fields)}
        return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Product(Versioned):
    """A product of the catalog. `sku` is that of the product itself; variants have their own."""

    name: Text = ""
    type: Text = ""
    """physical or digital."""
    sku: Text = ""
    description: Text = ""
    """HTML."""
    weight: Number = None
    width: Number = None
    depth: Number = None
    height: Number = None
    price: Number = None
    cost_price: Number = None
    retail_price: Number = None
    sale_price: Number = None
    map_price: Number = None
    tax_class_id: OptionalId = 0
    product_tax_code: Text = ""
    categories: Numbers = ()
    brand_id: OptionalId = 0
    inventory_tracking: Text = ""
    """none, product, variant."""
    inventory_level: int | None = None
    is_visible: Flag = False
    availability: Text = ""
    """available, disabled, preorder."""
    upc: Text = ""
    mpn: Text = ""
    gtin: Text = ""
    base_variant_id: OptionalId = 0
    """0 for a product with options."""
    date_created: OptionalMoment = None
    date_modified: Moment


PRODUCT_FIELDS: Final = tuple(name for name in Product.model_fields if name != "id")
"""What `include_fields` asks for. The id always comes, and is no value the vendor knows there."""


class OptionValue(Wire):
    """What tells a variant from its siblings: Size, L."""

    id: OptionalId = 0
    option_id: OptionalId = 0
    option_display_name: Text = ""
    label: Text = ""


class Variant(Versioned):
    """What is really sold: every product has at least one. BigCommerce: a variant has no date of its own."""

    product_id: Id
    sku: Text = ""
    sku_id: OptionalId = 0
    """0 for the base variant of a product without options."""
    option_values: Annotated[tuple[OptionValue, ...], BeforeValidator(lambda value: value or ())] = ()
    price: Number = None
    """None: the product's."""
    cost_price: Number = None
    retail_price: Number = None
    sale_price: Number = None
    weight: Number = None
    width: Number = None
    depth: Number = None
    height: Number = None
    upc: Text = ""
    bin_picking_number: Text = ""
    purchasing_disabled: Flag = False
    inventory_level: int | None = None


class SkuPlace(Frozen):
    """Where a SKU is used. BigCommerce: it is unique over products and variants, whatever the case of its letters."""

    sku: str
    """As the shop writes it."""
    product_id: int
    variant_id: int
    """0 where only the product carries it."""


class ProductDraft(Frozen):
    """A product to be made that no shopper sees: invisible, and not to be bought even by its address.

    BigCommerce demands a price: without one it is 0, which is why it must not be buyable.
    """

    name: Annotated[str, Field(min_length=1, max_length=250)]
    sku: Annotated[str, Field(min_length=1, max_length=255)]
    type: Literal["physical", "digital"] = "physical"
    weight: Positive = Decimal(0)
    description: str | None = None
    width: Positive | None = None
    depth: Positive | None = None
    height: Positive | None = None
    tax_class_id: int | None = None
    product_tax_code: str | None = None
    categories: tuple[int, ...] | None = None
    brand_id: int | None = None
    upc: Annotated[str, Field(max_length=14)] | None = None
    mpn: str | None = None
    gtin: Annotated[str, Field(max_length=14)] | None = None
    price: Positive | None = None
    cost_price: Positive | None = None
    inventory_tracking: Literal["none", "product", "variant"] | None = None
    inventory_level: Annotated[int, Field(ge=0)] | None = None

    def fields(self) -> dict[str, Any]:
        """What is said about the product, without what nobody asked for."""
        return self.model_dump(exclude_none=True)


class Change(Frozen):
    """New values of the fields that we own of one row; `None` leaves a field alone."""

    id: Id

    def fields(self) -> dict[str, Any]:
        """The fields that are to be written, without the id."""
        return self.model_dump(exclude={"id"}, exclude_none=True)

    def against(self, current: Versioned) -> Self | None:
        """What of it differs from the row as it is; `None` when nothing does.

        A write that changes nothing still announces a change.
        """
        differing = {
            name: value for name, value in self.fields().items() if _plain(value) != _plain(getattr(current, name))
        }
        return type(self).model_validate({"id": self.id, **differing}) if differing else None


class ProductChange(Change):
    """New values for a product. `categories` replaces all."""

    name: Annotated[str, Field(min_length=1, max_length=250)] | None = None
    sku: Annotated[str, Field(max_length=255)] | None = None
    description: str | None = None
    weight: Positive | None = None
    width: Positive | None = None
    depth: Positive | None = None
    height: Positive | None = None
    tax_class_id: int | None = None
    product_tax_code: str | None = None
    categories: tuple[int, ...] | None = None
    brand_id: int | None = None
    upc: Annotated[str, Field(max_length=14)] | None = None
    mpn: str | None = None
    gtin: Annotated[str, Field(max_length=14)] | None = None
    is_visible: bool | None = None
    availability: Literal["available", "disabled", "preorder"] | None = None
    price: Positive | None = None
    cost_price: Positive | None = None
    retail_price: Positive | None = None
    sale_price: Positive | None = None
    inventory_tracking: Literal["none", "product", "variant"] | None = None
    inventory_level: Annotated[int, Field(ge=0)] | None = None


class VariantChange(Change):
    """New values for a variant. BigCommerce: its SKU cannot be changed in a batch."""

    weight: Positive | None = None
    width: Positive | None = None
    depth: Positive | None = None
    height: Positive | None = None
    upc: Annotated[str, Field(max_length=14)] | None = None
    bin_picking_number: str | None = None
    purchasing_disabled: bool | None = None
    price: Positive | None = None
    cost_price: Positive | None = None
    retail_price: Positive | None = None
    sale_price: Positive | None = None
    inventory_level: Annotated[int, Field(ge=0)] | None = None


_CLOSED: Final = frozenset({"inactive", "disconnected", "archived", "deleted", "terminated"})


class StoreChannel(Wire):
    """Where a store sells: a storefront, a marketplace, a point of sale."""

    id: Id
    name: Text = ""
    type: Text = ""
    """storefront, marketplace, pos, marketing."""
    platform: Text = ""
    status: Text = ""
    """active, prelaunch, connected; or inactive, disconnected, archived, deleted, terminated."""

    @property
    def is_open(self) -> bool:
        """Whether it sells, or may begin to. BigCommerce: a marketing channel shows products, and takes no orders."""
        return self.type.lower() != "marketing" and self.status.lower() not in _CLOSED


class CategoryTree(Wire):
    """A tree of categories: each belongs to one or more channels."""

    id: Id
    name: Text = ""
    channels: Numbers = ()


def guarded(fields: Collection[str], *, prices: bool, stock: bool) -> frozenset[str]:
    """Which of the fields may not be written by who may not write prices, or stock."""
    closed = (frozenset() if prices else PRICES) | (frozenset() if stock else STOCK)
    return closed & frozenset(fields)


def _plain(value: Any) -> Any:
    """A value such that equal ones are written the same: 5.0 and 5, categories in any order."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, tuple | list):
        parts = [_plain(one) for one in value]
        return sorted(parts, key=repr)
    if isinstance(value, Wire):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    return value.isoformat() if hasattr(value, "isoformat") else value
