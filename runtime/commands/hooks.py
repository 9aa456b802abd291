"""`ml-connector hooks`: ask the shops to announce changes of orders to our gateway."""

import os
from collections.abc import Mapping
from typing import Annotated, Final, NoReturn
from urllib.parse import urlsplit

import typer
from rich.markup import escape
from rich.table import Table

from activities.orders.bigcommerce_shop import BigCommerceShop
from clients.bigcommerce import BigCommerceClient
from clients.errors import Resolution, VendorError
from contracts.bigcommerce import Hook
from contracts.configuration import BigCommerceConnection, Configuration
from contracts.secret_names import ACCESS_TOKEN, WEBHOOK_HEADER
from runtime.checking.probes import OpenProbes, open_probes
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, connection_named, fail, output, run
from runtime.parts import SecretMissingError, open_store, secret_of
from store import KeyRing

UNANSWERED: Final = frozenset({Resolution.RETRY, Resolution.WAIT, Resolution.IN_DOUBT})
HTTPS: Final = 443

Registered = tuple[BigCommerceConnection, str, tuple[str, ...]]
"""Connection, destination, and the scopes that were added or switched on again."""

ConnectionArgument = Annotated[str | None, typer.Argument(help="Id of one shop; all when left out.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Webhooks: how shops announce changes of orders.", no_args_is_help=True)
    group.command("register")(register_hooks)
    group.command("list")(list_hooks)
    app.add_typer(group, name="hooks")


def register_hooks(
    url: Annotated[
        str, typer.Option(help="The gateway's public address, https on port 443: https://hooks.example.com")
    ],
    connection: ConnectionArgument = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Register what is missing and switch on what the shop has switched off. Safe to repeat.

    Exit code 0: every shop announces its orders. 1: a shop refused. 3: a shop did not answer; run it again.
    """
    configuration = configured(config).configuration
    _only_a_shop(configuration, connection)
    base = public_address(url)
    try:
        registered = run(_register(configuration, connection, base))
    except VendorError as error:
        _refused(error)
    for shop, destination, scopes in registered:
        output.print(f"[bold]{shop.id}[/] -> {escape(destination)}", highlight=False, soft_wrap=True)
        for scope in scopes:
            output.print(f"    registered {scope}", highlight=False)
        if not scopes:
            output.print("    nothing to do: every scope is registered and active", highlight=False)
    if any(scopes for _, _, scopes in registered):
        output.print("Deliveries begin within a minute.")


def list_hooks(connection: ConnectionArgument = None, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """List the webhooks of our API accounts. A shop shows nobody the hooks of other accounts."""
    configuration = configured(config).configuration
    _only_a_shop(configuration, connection)
    try:
        found = run(_list(configuration, connection))
    except VendorError as error:
        _refused(error)
    if not found:
        output.print("No webhook is registered: orders are found by the poll only, minutes later.")
        output.print("Register them with: ml-connector hooks register --url https://YOUR-GATEWAY", highlight=False)
        return
    table = Table("connection", "scope", "state", "destination", box=None, header_style="bold")
    for shop, hook in found:
        state = "active" if hook.is_active else "[red]switched off[/]"
        table.add_row(shop, escape(hook.scope), state, escape(hook.destination))
    output.print(table)


def public_address(url: str) -> str:
    """The address without a trailing slash; ends the command when shops would not deliver there.

    BigCommerce: destinations are https on port 443 with a publicly trusted certificate.
    """
    address = urlsplit(url)
    try:
        port = address.port or HTTPS
    except ValueError:
        port = 0
    if address.scheme != "https" or not address.hostname or port != HTTPS:
        fail(f"{url} cannot receive webhooks: shops deliver to https on port 443 only.", code=2)
    if address.username or address.query or address.fragment:
        fail("Give the gateway's address alone: no user, no query, no fragment.", code=2)
    return f"https://{address.hostname}{address.path.rstrip('/')}"


async def _register(configuration: Configuration, only: str | None, base: str) -> list[Registered]:
    headers = await _headers(configuration, only)
    async with open_probes(configuration, only=only) as opened:
        _signed_in(opened)
        registered: list[Registered] = []
        for client in opened.shops.values():
            shop = client.connection
            destination = f"{base}/webhooks/{shop.tenant}/{shop.id}"
            scopes = await BigCommerceShop(client).register_webhooks(destination, headers[shop.id])
            registered.append((shop, destination, scopes))
        return registered


async def _list(configuration: Configuration, only: str | None) -> list[tuple[str, Hook]]:
    async with open_probes(configuration, only=only) as opened:
        _signed_in(opened)
        return [(shop, hook) for shop, client in opened.shops.items() for hook in await _sorted(client)]


async def _sorted(client: BigCommerceClient) -> list[Hook]:
    return sorted(await client.hooks(), key=lambda hook: (hook.destination, hook.scope))


async def _headers(configuration: Configuration, only: str | None) -> Mapping[str, Mapping[str, str]]:
    """The secret header that each shop shall send along, where it proves itself that way."""
    found: dict[str, Mapping[str, str]] = {}
    async with open_store(configuration, KeyRing.from_environment(os.environ)) as store:
        for shop in configuration.connections:
            if isinstance(shop, BigCommerceConnection) and only in (None, shop.id):
                by_header = shop.webhooks.method in ("custom-header", "both")
                found[shop.id] = (
                    {shop.webhooks.header: await secret_of(store, shop, WEBHOOK_HEADER)()} if by_header else {}
                )
    return found


def _signed_in(opened: OpenProbes) -> None:
    """Ends the command when a shop cannot be asked."""
    if opened.outdated:
        fail(opened.outdated)
    for connection, name, _ in opened.missing:
        if name == ACCESS_TOKEN:
            fail(str(SecretMissingError(connection, name)))


def _only_a_shop(configuration: Configuration, connection: str | None) -> None:
    if connection is not None and not isinstance(connection_named(configuration, connection), BigCommerceConnection):
        fail(f"{connection} is not a shop; only shops send webhooks.", code=2)


def _refused(error: VendorError) -> NoReturn:
    fail(f"{error.sentence} {error.remedy}".strip(), code=3 if error.resolution in UNANSWERED else 1)
