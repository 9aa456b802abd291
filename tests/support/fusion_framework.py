"""A client of the pod's twin, and the resource `widgets` as it sees it."""

from typing import Any

from support.widgets import NAME, widgets

from clients.oracle_fusion import Collection, FusionClient
from clients.oracle_fusion.described import Keeper
from contracts.configuration import FusionConnection
from sandbox.fusion import FusionTwin

__all__ = ["NAME", "collection", "connected", "widgets"]


def connected(twin: FusionTwin, keeper: Keeper | None = None, **settings: Any) -> FusionClient:
    """`settings` of the connection besides its address and sign-in."""
    assert twin.listener is not None
    credentials = twin.world.credentials

    async def secret() -> str:
        return credentials.client_secret

    connection = FusionConnection.model_validate(
        {
            "system": "oracle_fusion",
            "id": "fusion-test",
            "tenant": "acme",
            "environment": "test",
            "base_url": twin.listener.url,
            "requests_per_minute": 600_000,
            "timeout": 600.0,
            "oauth": {
                "token_url": f"{twin.listener.url}/oauth2/v1/token",
                "client_id": credentials.client_id,
                "scope": credentials.scope,
            },
            **settings,
        }
    )
    return FusionClient(connection, secret, keeper=keeper)


def collection(fusion: FusionClient, **facts: Any) -> Collection:
    return fusion.collection(NAME, **{"key": "WidgetId", **facts})
