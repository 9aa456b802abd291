"""The one interface through which a shop's catalog is reached, whatever system it runs on."""

from datetime import datetime
from typing import Protocol

from clients.bigcommerce.products import Products
from clients.bigcommerce.variants import Variants


class Catalog(Protocol):
    """Products and variants of one shop."""

    @property
    def products(self) -> Products: ...

    @property
    def variants(self) -> Variants: ...

    async def time(self) -> datetime:
        """The shop's own clock."""
        ...
