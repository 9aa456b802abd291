"""Signed-in clients for commands that look at systems without running a flow."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from activities.access.descriptions import StoreKeeper
from activities.access.sharing import Sharing
from clients.bigcommerce import BigCommerceClient
from clients.oracle_fusion import FusionClient
from contracts.configuration import BigCommerceConnection, Configuration, FusionConnection
from contracts.secret_names import ACCESS_TOKEN, CLIENT_SECRET, WEBHOOK_HEADER
from runtime.checking.findings import Finding, Level
from runtime.parts import open_store, secret_of
from store import KeyRing, Store, StoreOutdated


@dataclass
class OpenProbes:
    """Clients by connection id, and what kept a connection from getting one."""

    fusions: dict[str, FusionClient] = field(default_factory=dict)
    shops: dict[str, BigCommerceClient] = field(default_factory=dict)
    missing: list[tuple[str, str, str]] = field(default_factory=list)
    """Connection, name of the secret, and what it is needed for."""
    store: Store | None = None
    """None when it cannot be used."""
    outdated: str = ""
    """Why the store cannot be read by this version; no connection has a client then."""


@asynccontextmanager
async def open_probes(
    configuration: Configuration, *, only: str | None = None, environment: Mapping[str, str] = os.environ
) -> AsyncIterator[OpenProbes]:
    """Clients of all connections, or of the one named. Changes nothing, not even an outdated store's tables; what
    resources say of themselves is kept for others.

    Raises `store.KeyRingError` and `store.StoreError`.
    """
    keys = KeyRing.from_environment(environment)
    opened = OpenProbes()
    async with AsyncExitStack() as stack:
        try:
            store = await stack.enter_async_context(open_store(configuration, keys))
        except StoreOutdated as error:
            opened.outdated = str(error)
            yield opened
            return
        opened.store = store
        sharing = await stack.enter_async_context(Sharing(store.presence, configuration.group_of))
        for connection in configuration.connections:
            if only not in (None, connection.id):
                continue
            absent = {
                name: purpose
                for name, purpose in needed_secrets(connection).items()
                if not await store.secrets.get(connection.tenant, connection.id, name)
            }
            opened.missing += [(connection.id, name, purpose) for name, purpose in absent.items()]
            if isinstance(connection, FusionConnection):
                if CLIENT_SECRET not in absent:
                    pod = FusionClient(
                        connection,
                        secret_of(store, connection, CLIENT_SECRET),
                        share=sharing.share(connection.id),
                        keeper=StoreKeeper(store, connection),
                    )
                    stack.push_async_callback(pod.aclose)
                    opened.fusions[connection.id] = pod
            elif ACCESS_TOKEN not in absent:
                shop = BigCommerceClient(
                    connection, secret_of(store, connection, ACCESS_TOKEN), share=sharing.share(connection.id)
                )
                stack.push_async_callback(shop.aclose)
                opened.shops[connection.id] = shop
        yield opened


def needed_secrets(connection: FusionConnection | BigCommerceConnection) -> dict[str, str]:
    """The secrets that this connection cannot work without, by name, with what fails otherwise."""
    if isinstance(connection, FusionConnection):
        return {CLIENT_SECRET: "it cannot sign in"}
    needed = {ACCESS_TOKEN: "it cannot sign in"}
    unverified = "its webhooks cannot be verified and are refused"
    if connection.webhooks.method in ("standard-webhooks", "both"):
        needed[CLIENT_SECRET] = unverified
    if connection.webhooks.method in ("custom-header", "both"):
        needed[WEBHOOK_HEADER] = unverified
    return needed


def secret_findings(opened: OpenProbes) -> list[Finding]:
    """What could not be tried, and the command that changes it."""
    found = [
        Finding(
            level=Level.MISTAKE,
            subject=connection,
            sentence=f"No {name} is set, so {purpose}.",
            remedy=f"Set it: ml-connector secrets set {connection} {name}",
        )
        for connection, name, purpose in opened.missing
    ]
    if opened.outdated:
        found.append(
            Finding(
                level=Level.MISTAKE,
                subject="store",
                sentence=opened.outdated,
                remedy="A new store is made ready by the first `ml-connector secrets set`.",
            )
        )
    return found
