"""The one interface through which a shop's registered customers are reached, whatever system it runs on."""

from datetime import datetime
from typing import Protocol

from clients.bigcommerce.customers import Customers


class Clientele(Protocol):
    """Registered customers of one shop."""

    @property
    def customers(self) -> Customers: ...

    async def time(self) -> datetime:
        """The shop's own clock."""
        ...
