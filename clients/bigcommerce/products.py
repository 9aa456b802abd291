"""Products: those that changed, some by id, the place of a SKU; drafts and changes."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import httpx

from clients.bigcommerce.batches import Batch, Written, wire
from clients.bigcommerce.wire import SECOND, Reader, iso, said_in
from clients.http import VendorHttp
from contracts.bigcommerce_catalog import (
    PRODUCT_FIELDS,
    Product,
    ProductChange,
    ProductDraft,
    SkuPlace,
    Variant,
    guarded,
)

MOST_CHANGED: Final = 10
"""BigCommerce: products in one `PUT /catalog/products`."""
_CHUNK: Final = 100
"""Ids in one question; keeps the address short."""
_PATH: Final = "v3/catalog/products"
_FIELDS: Final = ",".join(PRODUCT_FIELDS)


class Products:
    """Reads and writes products of one store."""

    def __init__(self, http: VendorHttp, reader: Reader) -> None:
        self._http = http
        self._reader = reader
        self._batch = Batch(
            http, reader, path=_PATH, model=Product, most=MOST_CHANGED, params={"include_fields": _FIELDS}
        )

    async def changed(
        self, since: datetime | None = None, until: datetime | None = None, *, after: int = 0
    ) -> AsyncIterator[Product]:
        """Products modified at or after `since` (and at or before `until`), by ascending id; all without a date.

        Each page asks for ids above the last one, so products that change, come or go meanwhile push none over the edge
        of a page. One that changes behind the reader is there as it was: the next window starts before this reading
        began, by the shop's own clock. With `until`, one that changes ahead of the reader leaves for that next window.
        A reading that was broken off goes on `after` the last id it got. Raises `BadAnswer` when the shop ignores
        filter or sort. Memory is that of a page.
        """
        subject = "the list of changed products"
        params: dict[str, str | int | bool] = {"sort": "id", "direction": "asc", "include_fields": _FIELDS}
        # A second more at each end: the shop may understand its filters as "after" and "before".
        if since is not None:
            since = since.replace(microsecond=0)
            params["date_modified:min"] = iso(since - SECOND)
        if until is not None:
            params["date_modified:max"] = iso(until + SECOND)
        last = after
        while True:
            page = await self._reader.page_v3(_PATH, Product, subject=subject, params=params | {"id:greater": last})
            began = last
            for row in page.rows:
                if row.id == began:
                    continue
                if row.id <= last:
                    raise self._reader.ignored(subject, "the filter or sort by id")
                if since is not None and row.date_modified < since - SECOND:
                    raise self._reader.ignored(subject, "the filter by date_modified")
                last = row.id
                if (since is None or row.date_modified >= since) and (until is None or row.date_modified <= until):
                    yield row
            if last == began or page.is_all:
                return

    async def of(self, product_ids: Collection[int]) -> dict[int, Product]:
        """Products by id. One that is missing has been deleted: no window ever shows that."""
        subject = "products by id"
        wanted, found = sorted(set(product_ids)), dict[int, Product]()
        size = min(_CHUNK, self._reader.page_size)
        for start in range(0, len(wanted), size):
            chunk = wanted[start : start + size]
            rows = self._reader.every_v3(
                _PATH,
                Product,
                subject=subject,
                key=lambda row: row.id,
                params={"id:in": ",".join(map(str, chunk)), "include_fields": _FIELDS},
            )
            async for row in rows:
                if row.id not in chunk:
                    raise self._reader.ignored(subject, "the filter by id")
                found[row.id] = row
        return found

    async def place_of_sku(self, sku: str) -> SkuPlace | None:
        """Which product or variant has this SKU, in whatever case; `None` when none has, and it is free."""
        subject = f"the SKU {sku}"
        variant = await self._with_sku("v3/catalog/variants", Variant, "sku,product_id", sku, subject)
        if variant is not None:
            return SkuPlace(sku=variant.sku, product_id=variant.product_id, variant_id=variant.id)
        # The SKU of a product with options is on none of its variants.
        product = await self._with_sku(_PATH, Product, _FIELDS, sku, subject)
        return None if product is None else SkuPlace(sku=product.sku, product_id=product.id, variant_id=0)

    async def _with_sku(self, path: str, model: Any, fields: str, sku: str, subject: str) -> Any:
        page = await self._reader.page_v3(path, model, subject=subject, params={"sku": sku, "include_fields": fields})
        same = [row for row in page.rows if row.sku.casefold() == sku.casefold()]
        if page.rows and not same:
            raise self._reader.ignored(subject, "the filter by SKU")
        return same[0] if same else None

    async def create_draft(
        self, draft: ProductDraft, *, prices: bool = False, stock: bool = False, ends: float | None = None
    ) -> Written[Product]:
        """Make a product that no shopper sees or can buy. `prices` and `stock` allow a draft to say something of them.

        Not to be repeated: when the answer is lost (`InDoubt`), look with `place_of_sku` first. BigCommerce: a SKU or
        name that another product has is refused with 409 (`Rejected`), so that looking too early makes no second one.
        `ends` is the moment of the event loop's clock after which nothing may be sent.
        """
        fields = draft.fields()
        _check(fields, prices=prices, stock=stock)
        subject = f"the product {draft.sku}"
        answer = await self._http.send(
            "POST",
            _PATH,
            subject=subject,
            params={"include_fields": _FIELDS},
            body={"price": 0, **wire(fields), "is_visible": False, "availability": "disabled"},
            write=True,
            ends=ends,
        )
        body: Any = self._http.document(answer, subject)
        made = body.get("data") if isinstance(body, Mapping) else None
        # A batch answers with a list; some of the vendor's samples show one for a single product as well.
        row = self._reader.model(Product, made[0] if isinstance(made, list) and made else made, subject)
        partly = answer.status_code == httpx.codes.MULTI_STATUS and isinstance(body, Mapping)
        return Written(row.id, row, said_in(body.get("errors")) if partly else ())

    async def change(
        self, changes: Sequence[ProductChange], *, prices: bool = False, stock: bool = False
    ) -> AsyncIterator[Written[Product]]:
        """Write owned fields, ten products to a call, and nothing else of them; one answer for each.

        `prices` and `stock` allow changes of these; without, a change that has one is a `ValueError` before anything
        is sent. BigCommerce knows no versions: what somebody else writes to the same field in between is overwritten.
        """
        for one in changes:
            _check(one.fields(), prices=prices, stock=stock)
        async for written in self._batch.write([one for one in changes if one.fields()], "the changed products"):
            yield written


def _check(fields: Collection[str], *, prices: bool, stock: bool) -> None:
    if closed := guarded(fields, prices=prices, stock=stock):
        raise ValueError(f"Nobody asked to write {', '.join(sorted(closed))}.")
