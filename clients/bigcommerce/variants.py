"""Variants: all of some products, and changes."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final

from clients.bigcommerce.batches import Batch, Written
from clients.bigcommerce.wire import Reader
from clients.http import VendorHttp
from contracts.bigcommerce_catalog import Variant, VariantChange, guarded

MOST_CHANGED: Final = 50
"""BigCommerce: variants in one `PUT /catalog/variants`."""
_CHUNK: Final = 100
"""Product ids in one question; keeps the address short."""
_PATH: Final = "v3/catalog/variants"


class Variants:
    """Reads and writes variants of one store."""

    def __init__(self, http: VendorHttp, reader: Reader) -> None:
        self._reader = reader
        self._batch = Batch(http, reader, path=_PATH, model=Variant, most=MOST_CHANGED, params={})

    async def of(self, product_ids: Collection[int]) -> dict[int, tuple[Variant, ...]]:
        """All variants by product id, each product's by ascending id. A product that is gone has none.

        BigCommerce: variants have neither a date nor a sort of their own, so they are read for the products that
        changed, and a list of many pages until it is complete. With `include=variants` a page of products is cut to ten
        and counts its pages wrong; they are asked for by themselves.
        """
        subject = "the variants of products"
        wanted = sorted(set(product_ids))
        found: dict[int, list[Variant]] = {one: [] for one in wanted}
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            rows = self._reader.every_v3(
                _PATH,
                Variant,
                subject=subject,
                key=lambda row: row.id,
                params={"product_id:in": ",".join(map(str, chunk))},
            )
            async for row in rows:
                if row.product_id not in chunk:
                    raise self._reader.ignored(subject, "the filter by product")
                found[row.product_id].append(row)
        return {one: tuple(sorted(rows, key=lambda row: row.id)) for one, rows in found.items()}

    async def change(
        self, changes: Sequence[VariantChange], *, prices: bool = False, stock: bool = False
    ) -> AsyncIterator[Written[Variant]]:
        """Write owned fields, fifty variants to a call; one answer for each. As `Products.change`."""
        for one in changes:
            if closed := guarded(one.fields(), prices=prices, stock=stock):
                raise ValueError(f"Nobody asked to write {', '.join(sorted(closed))}.")
        async for written in self._batch.write([one for one in changes if one.fields()], "the changed variants"):
            yield written
