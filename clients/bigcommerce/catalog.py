"""Categories of products, by full path, from memory where they are young enough."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from typing import Final

from clients.bigcommerce.wire import Reader
from contracts.bigcommerce import CatalogProduct, Category

LIFETIME: Final = 300.0
"""Seconds a product's categories and the category tree are kept."""
_CHUNK: Final = 100
"""Product ids in one request; keeps the address short."""


class Categories:
    """Which categories a product is in. One task reads, the others wait for what it read."""

    def __init__(self, reader: Reader, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._clock = clock
        self._turn = asyncio.Lock()
        self._products: dict[str, tuple[float, tuple[int, ...]]] = {}
        self._tree: dict[int, Category] = {}
        self._tree_read_at: float | None = None

    async def of(self, product_ids: Collection[str], *, fresh: bool = False) -> dict[str, tuple[str, ...]]:
        """Full category paths ("Apparel > Shirts") by product id, the most specific first.

        A product that no longer exists, or is in no category, has none. `fresh` reads everything anew.
        """
        wanted = sorted({one for one in product_ids if one and one != "0"})
        if not wanted:
            return {}
        async with self._turn:
            oldest = self._clock() - LIFETIME
            kept = {one: entry for one, entry in self._products.items() if entry[0] >= oldest}
            # A product without a category is asked for again: someone may be assigning one right now.
            missing = [one for one in wanted if fresh or one not in kept or not kept[one][1]]
            self._products = kept | await self._read_products(missing)
            found = {one: self._products[one][1] for one in wanted}
            named = {category for categories in found.values() for category in categories}
            stale = fresh or self._tree_read_at is None or self._tree_read_at < oldest
            if named and (stale or (missing and named - self._tree.keys())):
                await self._read_tree()
            return {one: self._paths(categories) for one, categories in found.items()}

    async def _read_products(self, product_ids: list[str]) -> dict[str, tuple[float, tuple[int, ...]]]:
        read_at = self._clock()
        read: dict[str, tuple[float, tuple[int, ...]]] = {}
        for start in range(0, len(product_ids), _CHUNK):
            chunk = product_ids[start : start + _CHUNK]
            rows = self._reader.every_v3(
                "v3/catalog/products",
                CatalogProduct,
                subject="product categories",
                key=lambda row: row.id,
                params={"id:in": ",".join(chunk), "include_fields": "categories"},
            )
            found = {str(row.id): row.categories async for row in rows}
            read.update({one: (read_at, found.get(one, ())) for one in chunk})
        return read

    async def every(self) -> tuple[Category, ...]:
        """All categories of all trees, read anew, by id."""
        async with self._turn:
            await self._read_tree()
            return tuple(self._tree[one] for one in sorted(self._tree))

    async def _read_tree(self) -> None:
        rows = self._reader.every_v3(
            "v3/catalog/trees/categories", Category, subject="the category tree", key=lambda row: row.category_id
        )
        self._tree = {row.category_id: row async for row in rows}
        self._tree_read_at = self._clock()

    def _paths(self, categories: Iterable[int]) -> tuple[str, ...]:
        paths = [steps for category in categories if (steps := self._steps(category))]
        return tuple(" > ".join(steps) for steps in sorted(paths, key=lambda steps: (-len(steps), steps)))

    def _steps(self, category_id: int) -> list[str]:
        steps: list[str] = []
        seen: set[int] = set()
        while (category := self._tree.get(category_id)) and category_id not in seen:
            seen.add(category_id)
            steps.insert(0, category.name)
            category_id = category.parent_id
        return steps
