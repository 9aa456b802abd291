"""Signed-in clients for commands that look at systems without running a flow."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from clients.bigcommerce import BigCommerceClient
from clients.oracle_fusion import FusionClient
from contracts.configuration import BigCommerceConnection, Configuration, FusionConnection
from contracts.secret_names import ACCESS_TOKEN, CLIENT_SECRET
from runtime.findings import Finding, Level
from runtime.parts import open_store, secret_of
from store import KeyRing


@dataclass(frozen=True)
class OpenProbes:
    """Clients by connection id, and the secrets without which a connection got none."""

    fusions: dict[str, FusionClient] = field(default_factory=dict)
    shops: dict[str, BigCommerceClient] = field(default_factory=dict)
    missing: list[tuple[str, str]] = field(default_factory=list)
    """Connection and name of the secret."""


@asynccontextmanager
async def open_probes(
    configuration: Configuration, *, only: str | None = None, environment: Mapping[str, str] = os.environ
) -> AsyncIterator[OpenProbes]:
    """Clients of all connections, or of the one named. Raises `store.KeyRingError` and `store.StoreError`."""
    async with AsyncExitStack() as stack:
        keys = KeyRing.from_environment(environment)
        store = await stack.enter_async_context(open_store(configuration, keys, migrate=True))
        opened = OpenProbes()
        for connection in configuration.connections:
            if only not in (None, connection.id):
                continue
            name = sign_in_secret(connection)
            if not await store.secrets.get(connection.tenant, connection.id, name):
                opened.missing.append((connection.id, name))
            elif isinstance(connection, FusionConnection):
                pod = FusionClient(connection, secret_of(store, connection, name))
                stack.push_async_callback(pod.aclose)
                opened.fusions[connection.id] = pod
            else:
                shop = BigCommerceClient(connection, secret_of(store, connection, name))
                stack.push_async_callback(shop.aclose)
                opened.shops[connection.id] = shop
        yield opened


def sign_in_secret(connection: FusionConnection | BigCommerceConnection) -> str:
    """Name of the secret that the connection signs in with."""
    return CLIENT_SECRET if isinstance(connection, FusionConnection) else ACCESS_TOKEN


def secret_findings(opened: OpenProbes) -> list[Finding]:
    return [
        Finding(
            level=Level.MISTAKE,
            subject=connection,
            sentence=f"No {name} is set, so it cannot sign in.",
            remedy=f"Set it: ml-connector secrets set {connection} {name}",
        )
        for connection, name in opened.missing
    ]
