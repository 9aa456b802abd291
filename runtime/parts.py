"""Opens what a process works with: the store, the clients, Temporal. One set per process, closed in reverse order."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from temporalio.client import Client

from activities.access.descriptions import StoreKeeper
from activities.access.gates import Gate, Gates
from activities.access.marks import StoreMarks
from activities.access.proofs import Identify
from activities.access.sharing import Sharing
from activities.collaborators import Collaborators
from activities.orders.bigcommerce_shop import BigCommerceShop
from activities.orders.shops import Shop
from clients.bigcommerce import BigCommerceClient
from clients.errors import SignInRefused
from clients.limiter import Share
from clients.oracle_fusion import FusionClient
from contracts.configuration import BigCommerceConnection, Configuration, FusionConnection
from contracts.secret_names import ACCESS_TOKEN, CLIENT_SECRET, SIGN_IN_SECRET
from runtime.observing.redaction import redactor
from runtime.temporal.connect import connect
from runtime.temporal.starting import TemporalStarter
from store import KeyRing, Store, Vault


class SecretMissingError(SignInRefused):
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
    store: Store,
    connection: FusionConnection | BigCommerceConnection,
    name: str,
    *,
    uses: Callable[[str | None], None] = lambda _: None,
) -> Callable[[], Awaitable[str]]:
    """Reads the newest value when it is needed, so that rotation needs no restart; hides it from every log line.

    `uses` is told the id of the value that is about to be used, or that there is none.
    """

    async def newest() -> str:
        found = await store.secrets.newest(connection.tenant, connection.id, name)
        if found is None:
            uses(None)
            raise SecretMissingError(connection.id, name)
        value_id, value = found
        uses(value_id)
        redactor.remember(value)
        return value

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
        gates = Gates()
        sharing = await stack.enter_async_context(Sharing(store.presence, configuration.group_of))
        for connection in configuration.connections:
            if isinstance(connection, FusionConnection):
                fusion = _fusion(store, connection, gates, sharing.share(connection.id))
                stack.push_async_callback(fusion.aclose)
                fusions[connection.id] = fusion
            else:
                shop = _shop(store, connection, gates, sharing.share(connection.id))
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
            gates=gates,
            sharing=sharing,
        )


def _fusion(store: Store, connection: FusionConnection, gates: Gates, share: Share) -> FusionClient:
    gate = gates.add(_gate(store, connection, lambda: client.account()))
    secret = secret_of(store, connection, CLIENT_SECRET, uses=gate.uses)
    client = FusionClient(connection, secret, watch=gate, share=share, keeper=StoreKeeper(store, connection))
    return client


def _shop(store: Store, connection: BigCommerceConnection, gates: Gates, share: Share) -> BigCommerceClient:
    gate = gates.add(_gate(store, connection, lambda: client.account()))
    secret = secret_of(store, connection, ACCESS_TOKEN, uses=gate.uses)
    client = BigCommerceClient(connection, secret, watch=gate, share=share, client_id=connection.client_id)
    return client


def _gate(store: Store, connection: FusionConnection | BigCommerceConnection, identify: Identify) -> Gate:
    """The gate sees every call of the client, and asks it who signs in."""
    name = SIGN_IN_SECRET[connection.system]
    return Gate(
        connection.id,
        remedy=f"Set it again: ml-connector secrets set {connection.id} {name}",
        marks=StoreMarks(store, connection),
        identify=identify,
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
