"""`ml-connector secrets`: set by prompt, from an environment variable or standard input; listed, never shown."""

import datetime as dt
import os
import sys
from getpass import getpass, getuser
from typing import Annotated

import typer
from rich.table import Table

from contracts.configuration import BigCommerceConnection, FusionConnection
from contracts.secret_names import SECRETS_OF
from runtime.checking.probes import needed_secrets
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, connection_named, fail, output, run
from runtime.operations.sign_in import (
    AnotherAccountError,
    NotAcceptedError,
    Tried,
    keep_secret,
    signs_in,
    try_secret,
)
from runtime.parts import open_store
from store import KeyRing


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Credentials of connections, encrypted in the store.", no_args_is_help=True)
    group.command("set")(set_secret)
    group.command("list")(list_secrets)
    group.command("forget-old")(forget_old)
    app.add_typer(group, name="secrets")


ConnectionArgument = Annotated[str, typer.Argument(help="Id of the connection.")]
NameArgument = Annotated[str, typer.Argument(help="client_secret, access_token or webhook_header.")]


def set_secret(
    connection: ConnectionArgument,
    name: NameArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    from_env: Annotated[
        str | None, typer.Option("--from-env", metavar="VARIABLE", help="Take it from this environment variable.")
    ] = None,
    from_stdin: Annotated[bool, typer.Option("--stdin", help="Take the first line of standard input.")] = False,
    another_account: Annotated[
        bool, typer.Option("--another-account", help="It is meant to sign in to another pod, store or account.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Keep it without signing in.")] = False,
    who: Annotated[str, typer.Option(help="Who accepts another account; you, when left out.")] = "",
) -> None:
    """Add a value, which is used from now on. Older ones stay valid for webhooks until `secrets forget-old`.

    Asked for by prompt unless told otherwise; never an argument, where other users and the shell's history see it.
    A value that signs in is tried first: it must be accepted, and by the same pod or store and account as before.
    Documents that wait for it go on within seconds.
    """
    configuration = configured(config).configuration
    of = connection_named(configuration, connection)
    _known(of, name)
    value = _value(connection, name, from_env, from_stdin=from_stdin)

    tries = signs_in(of, name) and not offline

    async def put() -> tuple[Tried, int]:
        async with open_store(configuration, KeyRing.from_environment(os.environ), migrate=True) as store:
            tried = await try_secret(of, value) if tries else Tried()
            await keep_secret(store, of, name, value, tried, another=another_account, who=who or _user())
            return tried, len(await store.secrets.get(of.tenant, of.id, name))

    try:
        tried, valid = run(put())
    except NotAcceptedError as error:
        fail(f"{str(error).rstrip('.')}. Nothing was stored. With --offline it is kept without signing in.")
    except AnotherAccountError as error:
        fail(
            f"This {name} signs in to another account: {error}. Nothing was stored. What was posted so far is in the "
            "account before; if the new one is meant, run the command again with --another-account."
        )
    older = f" {valid - 1} older stay valid until `secrets forget-old`." if valid > 1 else ""
    output.print(f"{name} of {connection} is set.{older}", highlight=False)
    if tried.identity:
        output.print(f"It signs in: {tried.sentence}.", highlight=False)
    elif tries:
        output.print(
            f"[yellow]It is not proved:[/] {tried.sentence} The next worker that signs in makes sure of the account.",
            highlight=False,
            soft_wrap=True,
        )


def list_secrets(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show which secrets are set and how old they are. Never a value."""
    configuration = configured(config).configuration

    async def names() -> dict[tuple[str, str, str], tuple[int, dt.datetime]]:
        async with open_store(configuration, KeyRing.from_environment(os.environ)) as store:
            rows = await store.secrets.names()
            return {(row.tenant, row.connection, row.name): (row.values, row.newest) for row in rows}

    found = run(names())
    now = dt.datetime.now(dt.UTC)
    table = Table("connection", "secret", "set", "values", box=None, header_style="bold")
    for connection in configuration.connections:
        for name in SECRETS_OF[connection.system]:
            values, newest = found.pop((connection.tenant, connection.id, name), (0, now))
            if values or name in needed_secrets(connection):
                table.add_row(connection.id, name, _age(now - newest) if values else "[red]missing[/]", str(values))
    for (_, connection_id, name), (values, newest) in sorted(found.items()):
        table.add_row(connection_id, name, f"{_age(now - newest)}, not in this configuration", str(values))
    output.print(table)


def forget_old(connection: ConnectionArgument, name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """End a rotation: remove all but the newest value."""
    configuration = configured(config).configuration
    of = connection_named(configuration, connection)
    _known(of, name)

    async def remove() -> int:
        async with open_store(configuration, KeyRing.from_environment(os.environ)) as store:
            return await store.secrets.remove_old(of.tenant, of.id, name)

    removed = run(remove())
    output.print(f"{removed} old {'value' if removed == 1 else 'values'} of {name} removed.", highlight=False)


def _value(connection: str, name: str, variable: str | None, *, from_stdin: bool) -> str:
    if variable is not None and from_stdin:
        fail("Give --from-env or --stdin, not both.", code=2)
    if variable is not None:
        value = os.environ.get(variable, "")
        if not value:
            fail(f"The environment variable {variable} is not set or empty.")
        return value
    if from_stdin:
        value = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        value = getpass(f"{name} of {connection} (not shown): ")
        if value and value != getpass("Once more: "):
            fail("The two differ; nothing was stored.")
    else:
        fail("There is no terminal to ask at. Use --from-env VARIABLE or --stdin.", code=2)
    if not value.strip():
        fail("A secret cannot be empty; nothing was stored.")
    return value


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return "somebody"


def _known(connection: FusionConnection | BigCommerceConnection, name: str) -> None:
    names = SECRETS_OF[connection.system]
    if name not in names:
        fail(f'{connection.id} has no secret "{name}". It has: {", ".join(names)}.', code=2)


def _age(age: dt.timedelta) -> str:
    if age.days:
        return f"{age.days} {'day' if age.days == 1 else 'days'} ago"
    hours, minutes = divmod(int(age.total_seconds()) // 60, 60)
    return f"{hours} h {minutes:02d} min ago" if hours else f"{minutes} min ago"
