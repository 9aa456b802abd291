"""A client of one store of the shop's twin."""

from typing import Any

import httpx

from clients.bigcommerce import BigCommerceClient
from contracts.configuration import BigCommerceConnection
from sandbox.bigcommerce import US_SHOP, BigCommerceTwin, Store, StoreSettings

__all__ = ["connected", "shop_twin", "store_of"]


def shop_twin(**settings: Any) -> BigCommerceTwin:
    """A twin with the US store alone, which nobody slows down."""
    return BigCommerceTwin([StoreSettings(US_SHOP, requests_per_window=1_000_000, **settings)])


def store_of(twin: BigCommerceTwin) -> Store:
    return twin.stores[US_SHOP.store_hash]


def connected(
    twin: BigCommerceTwin, *, client_id: str = "", transport: httpx.AsyncBaseTransport | None = None, **settings: Any
) -> BigCommerceClient:
    """A client of the US store. `settings` are those of its connection."""
    assert twin.listener is not None
    connection = BigCommerceConnection.model_validate(
        {
            "system": "bigcommerce",
            "id": "bc-us",
            "tenant": "acme",
            "environment": "test",
            "base_url": twin.listener.url,
            "store_hash": US_SHOP.store_hash,
            "requests_per_window": 1_000_000,
            "timeout": 600.0,
        }
        | settings
    )

    async def secret() -> str:
        return store_of(twin).accounts[0].access_token

    return BigCommerceClient(connection, secret, client_id=client_id, transport=transport)
