"""Items as a shop has them: a product, or one variant of a product that has options."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import httpx

from activities.converging.catalog import Catalog
from activities.converging.desks import NOT_TAKEN, Page, require_room, require_unchanged
from activities.converging.values import amount, line, text
from activities.failures import review, wait
from activities.heartbeat import sightings
from clients.errors import Rejected
from contracts.bigcommerce_catalog import Product, ProductChange, ProductDraft, Variant, VariantChange
from contracts.converging import FieldWrite, SeenRecord
from contracts.journal import Problem
from contracts.ownership import ItemPolicy

PAGE: Final = 250
"""Products handed on at a time: as many as the shop sends in one page."""
CALL: Final = 60.0
"""Seconds after which a new product may not be sent any more."""
VISIBLE_AFTER: Final = 24
"""Looks for a product that the shop says exists, five seconds apart."""
_LONGEST: Final = {"name": 250}
_LONGEST_SKU: Final = 255
CASE: Final = "sku_case_differs"


class ItemsAtShop:
    """A record's id is `product`, or `product/variant`; its parent is the product."""

    def __init__(self, catalog: Catalog, policy: ItemPolicy) -> None:
        self._catalog = catalog
        self._policy = policy
        self._owned = frozenset(policy.owner_of())

    async def read(self, name: str) -> SeenRecord:
        place = await self._catalog.products.place_of_sku(name)
        if place is None:
            return SeenRecord()
        found = await self.parts_of(str(place.product_id))
        for record in found:
            if record.name == name:
                return record
        if place.sku.strip() == name:
            # It was renamed or deleted between the two looks.
            return SeenRecord()
        return SeenRecord(
            id=f"{place.product_id}/{place.variant_id}" if place.variant_id else str(place.product_id),
            parent=str(place.product_id),
            name=place.sku,
            problem=Problem(
                code=CASE,
                sentence=f"Item {name} is written {place.sku} in the shop (product {place.product_id}).",
                remedy="Write it the same way in both systems, then retry; or skip it with a reason.",
            ),
        )

    async def parts_of(self, parent: str) -> tuple[SeenRecord, ...]:
        product_id = int(parent)
        product = (await self._catalog.products.of([product_id])).get(product_id)
        return (await self._records((product,))) if product is not None else ()

    async def changed(self, since: datetime | None, *, whole: bool) -> AsyncIterator[Page]:
        began = await self._catalog.time()
        start = None if whole or since is None else since - timedelta(seconds=self._policy.overlap)
        page: list[Product] = []
        async for product in self._catalog.products.changed(start):
            page.append(product)
            if len(page) == PAGE:
                yield Page(await self._records(tuple(page)))
                page = []
        yield Page(await self._records(tuple(page)), reached=began)

    async def write(self, seen: SeenRecord, writes: tuple[FieldWrite, ...]) -> SeenRecord:
        values = {one.field: one.value for one in writes}
        require_room(f"Item {seen.name}", values, _LONGEST, where="the shop")
        product_id, _, variant_id = seen.id.partition("/")
        product = (await self._catalog.products.of([int(product_id)])).get(int(product_id))
        if product is None:
            raise review(_gone(seen))
        if variant_id:
            return await self._write_variant(seen, writes, product, int(variant_id))
        require_unchanged(seen, self._product(product), writes)
        change = ProductChange(id=product.id, **_fields(values)).against(product)
        if change is None:
            return self._product(product)
        results = self._catalog.products.change([change], prices=self._policy.prices, stock=self._policy.stock)
        async for one in results:
            if one.error is not None:
                raise one.error
            if one.faults:
                raise review(_not_taken(seen, one.faults))
            return self._product(one.row or product)
        raise AssertionError("a change has an answer")

    async def make(self, model: SeenRecord) -> SeenRecord:
        there = await self.read(model.name)
        if there.there:
            return there
        begins = {**model.first_values, **model.values}
        title = f"Item {model.name}"
        require_room(title, {**begins, "SKU": model.name}, {**_LONGEST, "SKU": _LONGEST_SKU}, where="the shop")
        draft = ProductDraft(
            name=begins.get("name") or model.name,
            sku=model.name,
            weight=Decimal(begins.get("weight", "0")),
            description=begins.get("description") or None,
            **_sold(begins, self._policy),
        )
        try:
            written = await self._catalog.products.create_draft(
                draft,
                prices=self._policy.prices,
                stock=self._policy.stock,
                ends=asyncio.get_running_loop().time() + CALL,
            )
        except Rejected as refused:
            if refused.status != httpx.codes.CONFLICT:
                raise
            # The SKU is there, by an attempt whose answer was lost and may be shown late; or the name is another's.
            there = await self.read(model.name)
            if there.there:
                return there
            if any("sku" in one.casefold() for one in refused.messages) and sightings() < VISIBLE_AFTER:
                raise wait(f"{title} is not visible in the shop yet.", 5, kind="NotVisibleYet") from refused
            raise
        if written.faults:
            raise review(_not_taken(model, written.faults))
        return self._product(written.row) if written.row is not None else await self.read(model.name)

    async def _write_variant(
        self, seen: SeenRecord, writes: tuple[FieldWrite, ...], product: Product, variant_id: int
    ) -> SeenRecord:
        found = (await self._catalog.variants.of([product.id]))[product.id]
        variant = next((one for one in found if one.id == variant_id), None)
        if variant is None:
            raise review(_gone(seen))
        require_unchanged(seen, self._variant(product, variant), writes)
        values = {one.field: one.value for one in writes}
        change = VariantChange(id=variant.id, **_fields(values)).against(variant)
        if change is None:
            return self._variant(product, variant)
        results = self._catalog.variants.change([change], prices=self._policy.prices, stock=self._policy.stock)
        async for one in results:
            if one.error is not None:
                raise one.error
            if one.faults:
                raise review(_not_taken(seen, one.faults))
            return self._variant(product, one.row or variant)
        raise AssertionError("a change has an answer")

    async def _records(self, products: tuple[Product, ...]) -> tuple[SeenRecord, ...]:
        split = [product.id for product in products if not product.base_variant_id]
        variants = await self._catalog.variants.of(split) if split else {}
        found: list[SeenRecord] = []
        for product in products:
            if product.sku.strip():
                found.append(self._product(product))
            found += [self._variant(product, one) for one in variants.get(product.id, ()) if one.sku.strip()]
        return tuple(found)

    def _product(self, product: Product) -> SeenRecord:
        stock = product.inventory_level if product.inventory_tracking == "product" else None
        every = {
            "name": line(product.name),
            "description": text(product.description),
            "weight": amount(product.weight),
            "price": amount(product.price),
            "stock": amount(stock),
        }
        return SeenRecord(
            id=str(product.id),
            parent=str(product.id),
            name=product.sku.strip(),
            values=self._shared(every),
            first_values=self._first(line(product.name), product),
            changed_at=product.date_modified,
        )

    def _variant(self, product: Product, variant: Variant) -> SeenRecord:
        """A variant has no name or text of its own: these are its product's."""
        stock = variant.inventory_level if product.inventory_tracking == "variant" else None
        labels = " ".join(one.label for one in variant.option_values)
        every = {"weight": amount(variant.weight), "price": amount(variant.price), "stock": amount(stock)}
        return SeenRecord(
            id=f"{product.id}/{variant.id}",
            parent=str(product.id),
            name=variant.sku.strip(),
            values=self._shared(every),
            first_values=self._first(line(f"{product.name} {labels}"), product),
            changed_at=product.date_modified,
        )

    def _first(self, name: str, product: Product) -> dict[str, str]:
        """Only where items are made of products: texts may be long."""
        if not self._policy.makes("fusion"):
            return {}
        return {"name": name, "description": text(product.description)}

    def _shared(self, every: Mapping[str, str | None]) -> dict[str, str]:
        return {field: value for field, value in every.items() if field in self._owned and value is not None}


def _fields(values: Mapping[str, str]) -> dict[str, Any]:
    """As the shop names and types them."""
    found: dict[str, Any] = {field: value for field, value in values.items() if field in ("name", "description")}
    found |= {field: Decimal(value) for field, value in values.items() if field in ("weight", "price")}
    if "stock" in values:
        found["inventory_level"] = int(Decimal(values["stock"]))
    return found


def _sold(begins: Mapping[str, str], policy: ItemPolicy) -> dict[str, Any]:
    """What only who was asked to may say of a new product."""
    found: dict[str, Any] = {}
    if policy.prices and "price" in begins:
        found["price"] = Decimal(begins["price"])
    if policy.stock and "stock" in begins:
        found |= {"inventory_tracking": "product", "inventory_level": int(Decimal(begins["stock"]))}
    return found


def _not_taken(seen: SeenRecord, faults: tuple[str, ...]) -> Problem:
    return Problem(
        code=NOT_TAKEN,
        sentence=f"Item {seen.name}: the shop did not take a part of it: {' / '.join(faults)}",
        remedy="Correct what the shop names, in the system that owns it, then retry.",
    )


def _gone(seen: SeenRecord) -> Problem:
    return Problem(
        code=NOT_TAKEN,
        sentence=f"Item {seen.name}: product {seen.id} was deleted in the shop while it was looked at.",
        remedy="Retry: both sides are then looked at again.",
    )
