"""The catalog of one store: products with their variants, made and changed by merchants and apps alike.

Values are what the wire shows. Every change moves `date_modified` (whole seconds) and is announced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.bigcommerce.habits import Habits
from sandbox.bigcommerce.money import number
from sandbox.bigcommerce.profiles import Profile
from sandbox.bigcommerce.refusals import RefusedError

Announce = Callable[[str, dict[str, Any]], None]

INVALID = "JSON data is missing or invalid"
LONG_AGO = datetime(2024, 1, 15, 9, tzinfo=UTC)
_TEXTS = {"name": 250, "sku": 255, "upc": 14, "gtin": 14, "mpn": 255, "bin_picking_number": 255, "description": 65535}
_NUMBERS = (
    *("price", "cost_price", "retail_price", "sale_price", "map_price"),
    *("weight", "width", "height", "depth", "tax_class_id", "inventory_level", "inventory_warning_level", "brand_id"),
)
_CHOICES = {
    "type": ("physical", "digital"),
    "availability": ("available", "disabled", "preorder"),
    "inventory_tracking": ("none", "product", "variant"),
}
_READ_ONLY = {"id", "date_created", "date_modified", "calculated_price", "base_variant_id", "product_id", "sku_id"}


@dataclass(slots=True)
class CatalogVariant:
    """What is sold. `fields` are those that were ever set."""

    id: int
    product_id: int
    fields: dict[str, Any]
    option: tuple[str, str] | None = None
    """Its option and value; None for the base variant of a product without options."""


@dataclass(slots=True)
class CatalogProduct:
    """A product. `fields` are those that were ever set."""

    id: int
    fields: dict[str, Any]
    created: datetime
    modified: datetime
    variants: list[CatalogVariant] = field(default_factory=list)
    visible_from: datetime | None = None
    """Others see it from then on; None: they do."""

    @property
    def simple(self) -> bool:
        return len(self.variants) == 1 and self.variants[0].option is None


class Catalog:
    """Products and variants of one store."""

    def __init__(
        self,
        profile: Profile,
        habits: Habits,
        *,
        now: Callable[[], datetime],
        announce: Announce,
        late_by: Callable[[], float] | None = None,
    ) -> None:
        self.products: dict[int, CatalogProduct] = {}
        self._profile = profile
        self._habits = habits
        self._now = now
        self._announce = announce
        self._late_by = late_by or (lambda: 0.0)
        self._skus: dict[str, int] = {}
        self._names: dict[str, int] = {}
        self._bearers: dict[str, list[int]] = {}
        """Products that have a SKU, or had it, on themselves or on a variant: it only saves time."""
        self._variants: dict[int, CatalogVariant] = {}
        self._last = self._last_variant = 0
        for known in profile.products:
            fields = {
                "name": known.name,
                "type": known.type,
                "sku": known.sku,
                "weight": 1 if known.type == "physical" else 0,
                "price": number(known.price),
                "cost_price": number(known.cost),
                "tax_class_id": known.tax_class_id,
                "categories": list(known.categories),
                "is_visible": True,
            }
            self._last = known.id
            self._add(known.id, fields, LONG_AGO, variant_id=known.variant_id)

    # Reading

    def seen(self, sku: str = "") -> Iterator[CatalogProduct]:
        """Products that others see by now, by id. With a SKU, those that may have it, and perhaps others."""
        now = self._now()
        rows: Iterable[CatalogProduct] = self._bearing(sku) if sku else self.products.values()
        return (row for row in rows if row.visible_from is None or row.visible_from <= now)

    def variants(self, sku: str = "") -> Iterator[CatalogVariant]:
        """Variants of products that others see by now; `sku` as in `seen`."""
        return (variant for row in self.seen(sku) for variant in row.variants)

    def get(self, product_id: int) -> CatalogProduct:
        """The product, or a 404 refusal."""
        row = self.products.get(product_id)
        if row is None or (row.visible_from is not None and row.visible_from > self._now()):
            raise RefusedError(404, f"A product was not found with id of {product_id}")
        return row

    # What others do

    def grow(self, count: int, *, options_every: int = 10, spread: timedelta = timedelta(days=300)) -> list[int]:
        """Add `count` products at once, changed at some time within `spread`; nobody is told. Returns their ids.

        Every `options_every`th comes in three sizes, with a SKU each.
        """
        made, categories = [], [known.id for known in self._profile.categories]
        for index in range(count):
            product_id = self._last + 1
            sku = f"GEN-{product_id:06}"
            fields = {
                "name": f"Article {product_id:06}",
                "type": "physical",
                "sku": sku,
                "weight": 1 + index % 7,
                "price": 5 + index % 90,
                "categories": [categories[index % len(categories)]],
                "is_visible": True,
            }
            modified = (LONG_AGO + spread * (index * 7919 % count / count)).replace(microsecond=0)
            self._last = product_id
            row = self._add(product_id, fields, LONG_AGO, modified=modified)
            if options_every and index % options_every == options_every - 1:
                self._split(row, ("S", "M", "L"))
            made.append(product_id)
        return made

    def edit(self, product_id: int, **fields: Any) -> CatalogProduct:
        """Somebody changes a product in the control panel."""
        return self.change(product_id, fields)

    def add_variants(self, product_id: int, count: int) -> None:
        """Somebody gives a product so many sizes, each with its own SKU."""
        row = self.get(product_id)
        self._split(row, [f"{index:03}" for index in range(count)])
        self._touch(row)

    def delete(self, product_id: int) -> None:
        row = self.get(product_id)
        del self.products[row.id]
        self._drop_variants(row)
        self._skus = {sku: owner for sku, owner in self._skus.items() if owner != row.id}
        self._names = {name: owner for name, owner in self._names.items() if owner != row.id}
        self._announce("store/product/deleted", {"type": "product", "id": row.id})

    # Writes of the API

    def create(self, body: object) -> tuple[CatalogProduct, dict[str, str]]:
        """A new product and what of it was not saved, or a refusal: 409 for a name or SKU in use, else 422."""
        fields = _object(body)
        missing = {name: "error.path.missing" for name in ("name", "type", "weight", "price") if name not in fields}
        if missing:
            raise RefusedError(422, INVALID, errors=missing)
        values, untaken = self._checked(fields, 0)
        self._last += 1
        row = self._add(self._last, {"is_visible": True, **values}, self._now().replace(microsecond=0))
        late = self._late_by()
        if late > 0:
            row.visible_from = self._now() + timedelta(seconds=late)
        self._announce("store/product/created", {"type": "product", "id": row.id})
        return row, untaken

    def change(self, product_id: int, body: object) -> CatalogProduct:
        """Set the fields that the body names, or a refusal."""
        return self.write(product_id, body)[0]

    def write(self, product_id: int, body: object) -> tuple[CatalogProduct, dict[str, str]]:
        """As `change`; also what of it was not saved."""
        row = self.get(product_id)
        values, untaken = self._checked(_object(body), row.id)
        if not self._habits.idle_writes and all(row.fields.get(name) == value for name, value in values.items()):
            return row, untaken
        if "name" in values:
            self._names.pop(str(row.fields["name"]).casefold(), None)
            self._names[values["name"].casefold()] = row.id
        if "sku" in values:
            self._rename(row, values["sku"])
        row.fields |= values
        self._touch(row)
        return row, untaken

    def check(self, product_id: int, body: object) -> None:
        """Raise what `write` would."""
        self._checked(_object(body), self.get(product_id).id)

    def change_variant(self, variant_id: int, body: object) -> CatalogVariant:
        """Set the fields that the body names, or a refusal."""
        variant = self.check_variant(variant_id, body)
        values = _values(_object(body))
        self._bears(variant.product_id, values.get("sku"))
        idle = all(variant.fields.get(name) == value for name, value in values.items())
        variant.fields |= values
        if idle and not self._habits.idle_writes:
            return variant
        sku = {"product_id": variant.product_id, "variant_id": variant.id}
        self._announce("store/sku/updated", {"type": "sku", "id": variant.id, "sku": sku})
        if self._habits.variants_touch:
            self._touch(self.products[variant.product_id])
        return variant

    def check_variant(self, variant_id: int, body: object) -> CatalogVariant:
        """The variant; raises what `change_variant` would."""
        _faults(_object(body))
        if variant_id not in self._variants:
            said = {"id": "The variant does not exist"}
            raise RefusedError(422, f"Variant {variant_id} does not exist.", errors=said)
        return self._variants[variant_id]

    # Inside

    def _checked(self, fields: Mapping[str, Any], own_id: int) -> tuple[dict[str, Any], dict[str, str]]:
        """The values to set, and those that are not saved; a refusal for what is wrong or in use."""
        _faults(fields)
        values = _values(fields)
        for name, used in (("name", self._names), ("sku", self._skus)):
            owner = used.get(str(values.get(name, "")).casefold(), own_id)
            if owner != own_id:
                said = f"The product {name} is a duplicate"
                raise RefusedError(409, said, errors={name: said})
        known = {category.id for category in self._profile.categories}
        if not set(values.get("categories", ())) <= known:
            raise RefusedError(409, "One or more categories do not exist", errors={"categories": "do not exist"})
        untaken = {name: f"{name} could not be saved" for name in values if name in self._habits.untaken}
        return {name: value for name, value in values.items() if name not in untaken}, untaken

    def _add(
        self,
        product_id: int,
        fields: dict[str, Any],
        created: datetime,
        *,
        modified: datetime | None = None,
        variant_id: int = 0,
    ) -> CatalogProduct:
        row = CatalogProduct(product_id, fields, created, modified or created)
        self._attach(row, {}, variant_id=variant_id)
        self.products[product_id] = row
        self._names[str(fields["name"]).casefold()] = product_id
        self._bears(product_id, fields.get("sku"))
        if fields.get("sku"):
            self._skus[str(fields["sku"]).casefold()] = product_id
        return row

    def _split(self, row: CatalogProduct, sizes: Sequence[str]) -> None:
        """Give the product sizes instead of its base variant, each with its own SKU."""
        self._drop_variants(row)
        for size in sizes:
            sku = f"{row.fields['sku']}-{size}"
            self._attach(row, {"sku": sku}, option=("Size", size))
            self._bears(row.id, sku)
            self._skus[sku.casefold()] = row.id

    def _attach(
        self,
        row: CatalogProduct,
        fields: dict[str, Any],
        *,
        variant_id: int = 0,
        option: tuple[str, str] | None = None,
    ) -> None:
        variant = CatalogVariant(variant_id or self._last_variant + 1, row.id, fields, option)
        self._last_variant = max(self._last_variant, variant.id)
        self._variants[variant.id] = variant
        row.variants.append(variant)

    def _drop_variants(self, row: CatalogProduct) -> None:
        for variant in row.variants:
            del self._variants[variant.id]
        row.variants.clear()

    def _rename(self, row: CatalogProduct, sku: str) -> None:
        self._skus.pop(str(row.fields.get("sku", "")).casefold(), None)
        self._bears(row.id, sku)
        if sku:
            self._skus[sku.casefold()] = row.id

    def _bears(self, product_id: int, sku: object) -> None:
        if sku:
            self._bearers.setdefault(str(sku).casefold(), []).append(product_id)

    def _bearing(self, sku: str) -> list[CatalogProduct]:
        known = sorted(set(self._bearers.get(sku.casefold(), ())))
        return [self.products[one] for one in known if one in self.products]

    def _touch(self, row: CatalogProduct) -> None:
        row.modified = max(self._now().replace(microsecond=0), row.modified)
        self._announce("store/product/updated", {"type": "product", "id": row.id})


def _object(body: object) -> dict[str, Any]:
    if not isinstance(body, Mapping):
        raise RefusedError(422, INVALID, errors={"": "error.expected.jsobject"})
    return dict(body)


def _faults(fields: Mapping[str, Any]) -> None:
    """Refuse what the vendor's document does not allow."""
    errors: dict[str, str] = {}
    for name, value in fields.items():
        if name in _TEXTS and (not isinstance(value, str) or len(value) > _TEXTS[name]):
            errors[name] = "error.expected.jsstring" if not isinstance(value, str) else "error.maxLength"
        elif name == "name" and not str(value).strip():
            errors[name] = "error.minLength"
        elif name in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            errors[name] = "error.expected.jsnumber" if not isinstance(value, int | float) else "error.min"
        elif name in _CHOICES and value not in _CHOICES[name]:
            errors[name] = "error.expected.validenumvalue"
        elif name == "is_visible" and not isinstance(value, bool):
            errors[name] = "error.expected.jsboolean"
        elif name == "categories" and not isinstance(value, list):
            errors[name] = "error.expected.jsarray"
    if errors:
        raise RefusedError(422, INVALID, errors=errors)


def _values(fields: Mapping[str, Any]) -> dict[str, Any]:
    """As the shop keeps them: text without blanks around it, numbers with four decimals, nothing read-only."""
    values: dict[str, Any] = {}
    for name, value in fields.items():
        if name in _READ_ONLY:
            continue
        if isinstance(value, str):
            value = value.strip()
        elif isinstance(value, float):
            value = round(value, 4)
        values[name] = value
    return values
