"""Opens what a process works with: the store, the clients, Temporal. One set per process, closed in reverse order."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from temporalio.client import Client

from activities.bigcommerce_shop import BigCommerceShop
from activities.collaborators import Collaborators
from activities.shops import Shop
from clients.bigcommerce import BigCommerceClient
from clients.errors import Unauthorized
from clients.oracle_fusion import FusionClient
from contracts.configuration import BigCommerceConnection, Configuration, FusionConnection
from contracts.secret_names import ACCESS_TOKEN, CLIENT_SECRET
from runtime.observing.redaction import redactor
from runtime.temporal.connect import connect
from runtime.temporal.starting import TemporalStarter
from store import KeyRing, Store, Vault


class SecretMissingError(Unauthorized):
    """A connection cannot sign in because a secret was never set. What waits for it goes on once it is."""

    def __init__(self, connection: str, name: str) -> None:
        super().__init__(
            connection,
            f"Connection {connection} has no {name}.",
            remedy=f"Set it with: ml-connector secrets set {connection} {name}",
        )

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}"


@asynccontextmanager
async def open_store(configuration: Configuration, keys: KeyRing, *, migrate: bool = False) -> AsyncIterator[Store]:
    """The store, its tables checked, or brought up to date with `migrate`."""
    async with Store.open(configuration.store.url, Vault(keys)) as store:
        if migrate:
            await store.migrate()
        else:
            await store.check()
        yield store


def secret_of(
    store: Store, connection: FusionConnection | BigCommerceConnection, name: str
) -> Callable[[], Awaitable[str]]:
    """Reads the newest value when it is needed, so that rotation needs no restart; hides it from every log line."""

    async def newest() -> str:
        values = await store.secrets.get(connection.tenant, connection.id, name)
        if not values:
            raise SecretMissingError(connection.id, name)
        redactor.remember(values[0])
        return values[0]

    return newest


@asynccontextmanager
async def open_parts(
    configuration: Configuration, keys: KeyRing, *, temporal: Client | None = None, migrate: bool = False
) -> AsyncIterator[Collaborators]:
    """Everything activities and commands may reach."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(configuration, keys, migrate=migrate))
        shops: dict[str, Shop] = {}
        fusions: dict[str, FusionClient] = {}
        for connection in configuration.connections:
            if isinstance(connection, FusionConnection):
                fusion = FusionClient(connection, secret_of(store, connection, CLIENT_SECRET))
                stack.push_async_callback(fusion.aclose)
                fusions[connection.id] = fusion
            else:
                shop = BigCommerceClient(connection, secret_of(store, connection, ACCESS_TOKEN))
                stack.push_async_callback(shop.aclose)
                shops[connection.id] = BigCommerceShop(
                    shop, customer_groups=_asks_for_customer_group(configuration, connection.id)
                )
        client = temporal or await connect(configuration.temporal, keys)
        yield Collaborators(
            configuration=configuration,
            store=store,
            shops=shops,
            fusions=fusions,
            temporal=client,
            starter=TemporalStarter(client),
        )


def _asks_for_customer_group(configuration: Configuration, connection: str) -> bool:
    """Whether a rule that can apply to this shop's orders has a condition on the customer's group."""
    sets = {integration.mapping_set for integration in configuration.integrations_of(connection)}
    return any(
        rule.when.customer_group
        for mapping_set in configuration.mapping_sets
        if mapping_set.id in sets
        for rule in mapping_set.rules
    )
