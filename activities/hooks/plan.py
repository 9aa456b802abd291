"""What webhooks a shop shall have for us."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from contracts.configuration import BigCommerceConnection, Configuration, PollPolicy
from contracts.hooks import CUSTOMER_SCOPES, EXCEPTION_SCOPE, PRODUCT_SCOPES, STOCK_SCOPES, exceptions_of, route
from contracts.secret_names import WEBHOOK_HEADER
from store import Store

BY_HEADER = ("custom-header", "both")


class HeaderMissingError(Exception):
    """Deliveries shall prove themselves by a secret header, and there is no secret."""

    def __init__(self, connection: str) -> None:
        super().__init__(
            f"Connection {connection} has no {WEBHOOK_HEADER}, which its webhooks are to carry. "
            f"Set it with: ml-connector secrets set {connection} {WEBHOOK_HEADER}"
        )


@dataclass(frozen=True)
class HookPlan:
    """One hook per scope, all at `destination`."""

    tenant: str
    connection: str
    destination: str
    scopes: tuple[str, ...]
    exceptions: bool
    overlap: timedelta
    """Read again before any gap: the shop's own lists are a little late."""
    activation: timedelta
    """Until a hook that was created or switched on delivers."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What each delivery must carry; a secret."""

    def wanted(self) -> tuple[tuple[str, str], ...]:
        """Scope and destination of each."""
        orders = tuple((scope, self.destination) for scope in dict.fromkeys(self.scopes))
        return (*orders, (EXCEPTION_SCOPE, exceptions_of(self.destination))) if self.exceptions else orders


async def plan_hooks(
    store: Store, configuration: Configuration, connection: BigCommerceConnection, *, address: str | None = None
) -> HookPlan | None:
    """None where nobody has said where the gateway is: `address`, the configuration, or an earlier registration.

    Raises `HeaderMissingError`.
    """
    base = address or connection.hooks.destination
    destination = f"{base}{route(connection.tenant, connection.id)}" if base else await remembered(store, connection.id)
    if destination is None:
        return None
    return HookPlan(
        tenant=connection.tenant,
        connection=connection.id,
        destination=destination,
        scopes=scopes_of(configuration, connection),
        exceptions=connection.hooks.exceptions,
        overlap=overlap_of(configuration, connection.id),
        activation=timedelta(seconds=connection.hooks.activation),
        headers=await _headers(store, connection),
    )


def scopes_of(configuration: Configuration, connection: BigCommerceConnection) -> tuple[str, ...]:
    """What the shop shall announce: orders, and products and customers where somebody keeps them equal."""
    scopes: tuple[str, ...] = connection.hooks.scopes
    for integration in configuration.integrations_of(connection.id):
        if integration.items.enabled:
            scopes += PRODUCT_SCOPES + (STOCK_SCOPES if integration.items.stock else ())
        if integration.customers.enabled:
            scopes += CUSTOMER_SCOPES
    return tuple(dict.fromkeys(scopes))


def overlap_of(configuration: Configuration, connection: str) -> timedelta:
    """How far back polls of a shop read again."""
    policies = [one.poll for one in configuration.integrations_of(connection)] or [PollPolicy()]
    return timedelta(seconds=max(one.overlap for one in policies))


async def remembered(store: Store, connection: str) -> str | None:
    """Where the hooks of a shop were registered last."""
    rows = [row for row in await store.hooks.of(connection) if row.scope != EXCEPTION_SCOPE]
    return max(rows, key=lambda row: row.checked_at).destination if rows else None


async def _headers(store: Store, connection: BigCommerceConnection) -> Mapping[str, str]:
    if connection.webhooks.method not in BY_HEADER:
        return {}
    newest = await store.secrets.newest(connection.tenant, connection.id, WEBHOOK_HEADER)
    if newest is None:
        raise HeaderMissingError(connection.id)
    return {connection.webhooks.header: newest[1]}
