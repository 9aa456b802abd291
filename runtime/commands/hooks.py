"""`ml-connector hooks`: what the shops announce to our gateway, and whether they still do."""

import datetime as dt
import json
import os
from typing import Annotated, Final, NoReturn

import typer
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from activities.hooks.keeping import Kept, keep_hooks
from activities.hooks.plan import HeaderMissingError, HookPlan, plan_hooks
from clients.bigcommerce import BigCommerceClient
from clients.errors import Resolution, VendorError
from contracts import names
from contracts.bigcommerce import Hook
from contracts.configuration import BigCommerceConnection, Configuration
from contracts.hooks import EXCEPTION_SCOPE, public_address
from contracts.secret_names import ACCESS_TOKEN
from runtime.checking.probes import OpenProbes, open_probes
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, connection_named, fail, output, run
from runtime.operations.ages import age
from runtime.operations.hook_standing import HookStanding, ShopHooks, hook_standings
from runtime.parts import SecretMissingError, open_store
from store import KeyRing, Store

UNANSWERED: Final = frozenset({Resolution.RETRY, Resolution.WAIT, Resolution.IN_DOUBT})

ConnectionArgument = Annotated[str | None, typer.Argument(help="Id of one shop; all when left out.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Webhooks: how shops announce changes of orders.", no_args_is_help=True)
    group.command("register")(register_hooks)
    group.command("list")(list_hooks)
    group.command("status")(show_hooks)
    app.add_typer(group, name="hooks")


def register_hooks(
    connection: ConnectionArgument = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="The gateway's public address, https on port 443: https://hooks.example.com. Not needed where "
            "`hooks.destination` is set, or to register again."
        ),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Register what is missing and switch on what the shop has switched off. Safe to repeat.

    From then on workers look after them. Exit code 0: every shop announces its orders. 1: a shop refused. 3: a shop did
    not answer; run it again.
    """
    configuration = configured(config).configuration
    _only_a_shop(configuration, connection)
    address = _address(url)
    try:
        registered = run(_register(configuration, connection, address))
    except HeaderMissingError as error:
        fail(str(error))
    except VendorError as error:
        _refused(error)
    for plan, kept in registered:
        output.print(f"[bold]{plan.connection}[/] -> {escape(plan.destination)}", highlight=False, soft_wrap=True)
        for scope in kept.changed:
            output.print(f"    registered {scope}", highlight=False)
        if not kept.changed and not kept.down:
            output.print("    nothing to do: every scope is registered and active", highlight=False)
        for row in kept.rows:
            if row.scope in kept.down:
                output.print(f"    [red]{row.scope}:[/] {escape(row.sentence)}", highlight=False, soft_wrap=True)
    if any(kept.changed for _, kept in registered):
        output.print("Deliveries begin within a minute.")
    if any(kept.down for _, kept in registered):
        raise typer.Exit(1)


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


def show_hooks(
    connection: ConnectionArgument = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show how the webhooks were when workers looked at them last: asks the store, not the shops.

    Exit code 0: all of them deliver. 1: one does not.
    """
    configuration = configured(config).configuration
    _only_a_shop(configuration, connection)
    shops = [one for one in run(_standings(configuration)) if connection in (None, one.connection)]
    if as_json:
        typer.echo(json.dumps([hook.model_dump(mode="json") for shop in shops for hook in shop.hooks], indent=2))
    else:
        _print_standings(shops)
    raise typer.Exit(1 if any(shop.down for shop in shops) else 0)


def _print_standings(shops: list[ShopHooks]) -> None:
    """A block for each shop, no wider than 80 columns but for what has no spaces: people read it over a narrow line."""
    now = dt.datetime.now(dt.UTC)
    for number, shop in enumerate(shops):
        if number:
            output.print()
        if shop.hooks:
            _print_shop(shop, now)
        else:
            output.print(
                f"[bold]{shop.connection}[/]: no webhook has been registered from here. Do it with\n"
                f"  ml-connector hooks register {shop.connection} --url https://YOUR-GATEWAY",
                highlight=False,
                soft_wrap=True,
            )


def _print_shop(shop: ShopHooks, now: dt.datetime) -> None:
    looked = min(hook.checked_at for hook in shop.hooks)
    destination = next(
        (one.destination for one in shop.hooks if one.scope != EXCEPTION_SCOPE), shop.hooks[0].destination
    )
    output.print(f"[bold]{shop.connection}[/], looked at {age(now - looked)} ago, delivers to", highlight=False)
    output.print(f"  {escape(destination)}", highlight=False, soft_wrap=True)
    table = Table("scope", "id", "state", "last delivery", box=None, header_style="bold", padding=(0, 1, 0, 2))
    for hook in shop.hooks:
        table.add_row(
            escape(hook.scope),
            str(hook.id or ""),
            "active" if hook.active else f"[red]{hook.state.value.replace('_', ' ')}[/]",
            f"{age(now - hook.last_delivery)} ago" if hook.last_delivery else "never",
        )
    output.print(table)
    for hook in shop.hooks:
        if told := _told(hook):
            output.print(Padding(f"{escape(hook.scope)}: {told}", (0, 0, 0, 2)), highlight=False)


def _told(hook: HookStanding) -> str:
    """Why it does not deliver, when it was healed, and what of the gap is read; times in UTC."""
    said = []
    if not hook.active:
        said.append(f"[red]{escape(hook.sentence.rstrip('.'))}[/]")
    elif hook.healed_at:
        said.append(f"healed {_moment(hook.healed_at)}")
    if hook.gap_from:
        said.append(f"[yellow]gap open since {_moment(hook.gap_from)}[/]")
    elif hook.swept_from and hook.swept_until:
        said.append(f"gap read from {_moment(hook.swept_from)} to {_moment(hook.swept_until)}")
    return "; ".join(said)


def _moment(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _address(url: str | None) -> str | None:
    try:
        return None if url is None else public_address(url)
    except ValueError as error:
        fail(str(error), code=2)


async def _register(configuration: Configuration, only: str | None, address: str | None) -> list[tuple[HookPlan, Kept]]:
    async with open_probes(configuration, only=only) as opened:
        store = _signed_in(opened)
        plans = [await _plan(store, configuration, client.connection, address) for client in opened.shops.values()]
        now = dt.datetime.now(dt.UTC)
        job = names.command_job("hooks-register", now)
        return [
            (
                plan,
                await keep_hooks(
                    store, opened.shops[plan.connection], plan, job=job, clock=lambda: dt.datetime.now(dt.UTC)
                ),
            )
            for plan in plans
        ]


async def _plan(
    store: Store, configuration: Configuration, shop: BigCommerceConnection, address: str | None
) -> HookPlan:
    """Ends the command where it is not known where the gateway is, or known twice."""
    configured_address = shop.hooks.destination
    if address and configured_address and address != configured_address:
        fail(
            f"{shop.id} is to deliver to {configured_address}, as hooks.destination says, and not to {address}. "
            "Change the setting, or leave out --url.",
            code=2,
        )
    plan = await plan_hooks(store, configuration, shop, address=address)
    if plan is None:
        fail(
            f"Say where {shop.id} is to deliver: --url https://YOUR-GATEWAY, or the setting hooks.destination.", code=2
        )
    return plan


async def _list(configuration: Configuration, only: str | None) -> list[tuple[str, Hook]]:
    async with open_probes(configuration, only=only) as opened:
        _signed_in(opened)
        return [(shop, hook) for shop, client in opened.shops.items() for hook in await _sorted(client)]


async def _sorted(client: BigCommerceClient) -> list[Hook]:
    return sorted(await client.hooks(), key=lambda hook: (hook.destination, hook.scope))


async def _standings(configuration: Configuration) -> tuple[ShopHooks, ...]:
    async with open_store(configuration, KeyRing.from_environment(os.environ)) as store:
        return await hook_standings(store, configuration)


def _signed_in(opened: OpenProbes) -> Store:
    """Ends the command when a shop cannot be asked."""
    if opened.store is None:
        fail(opened.outdated)
    for connection, name, _ in opened.missing:
        if name == ACCESS_TOKEN:
            fail(str(SecretMissingError(connection, name)))
    return opened.store


def _only_a_shop(configuration: Configuration, connection: str | None) -> None:
    if connection is not None and not isinstance(connection_named(configuration, connection), BigCommerceConnection):
        fail(f"{connection} is not a shop; only shops send webhooks.", code=2)


def _refused(error: VendorError) -> NoReturn:
    fail(f"{error.sentence} {error.remedy}".strip(), code=3 if error.resolution in UNANSWERED else 1)
