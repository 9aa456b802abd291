"""`ml-connector connections test`."""

import os
from collections.abc import Awaitable
from typing import Annotated

import typer

from clients.bigcommerce import BigCommerceClient
from clients.oracle_fusion import FusionClient
from contracts.audit import CONNECTION_KIND
from contracts.configuration import Configuration, ReceivableBooks
from runtime.checking.accounts import account_findings
from runtime.checking.connections_test import together, try_bigcommerce, try_fusion
from runtime.checking.findings import EXIT_CODES, Finding, Level, show, worst
from runtime.checking.probes import OpenProbes, open_probes, secret_findings
from runtime.checking.reference_homes import billings
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, connection_named, output, run
from runtime.parts import open_store
from store import KeyRing
from store.rows import AuditRow, ConnectionState


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The accounts at other systems.", no_args_is_help=True)
    group.command("test")(try_connections)
    group.command("list")(list_connections)
    group.command("show")(show_connection)
    app.add_typer(group, name="connections")


def try_connections(
    connection: Annotated[str | None, typer.Argument(help="Id of one connection; all when left out.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Sign in for real, try every path the flows use, and say what is missing and what to do.

    Exit code 0: everything works. 1: something is missing. 3: a system did not answer.
    """
    configuration = configured(config).configuration
    if connection is not None:
        connection_named(configuration, connection)
    findings = run(_test(configuration, connection))
    show(findings, output)
    raise typer.Exit(EXIT_CODES[worst(findings)])


def list_connections(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """List the configured connections."""
    for connection in configured(config).configuration.connections:
        output.print(
            f"{connection.id:<40} {connection.system:<14} {connection.environment:<10} {connection.base_url}",
            highlight=False,
            soft_wrap=True,
        )


def show_connection(
    connection: Annotated[str, typer.Argument(help="Id of the connection.")], config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Show how it is, which account it signs in to, and who accepted another one when."""
    configuration = configured(config).configuration
    connection_named(configuration, connection)

    async def read() -> tuple[ConnectionState | None, tuple[AuditRow, ...]]:
        async with open_store(configuration, KeyRing.from_environment(os.environ)) as store:
            return (
                await store.connections.state(connection),
                await store.audit.of(connection, CONNECTION_KIND, connection),
            )

    state, events = run(read())
    if state is None:
        output.print(f"{connection} has not been used yet.", highlight=False)
    else:
        output.print(f"{connection} is {state.state.value} since {state.since:%Y-%m-%d %H:%M} UTC", highlight=False)
        for line in (state.sentence, state.identity_sentence and f"It signs in to {state.identity_sentence}."):
            if line:
                output.print(line, highlight=False, markup=False, soft_wrap=True)
    for event in events:
        output.print(f"{event.at:%Y-%m-%d %H:%M} UTC {event.sentence}", highlight=False, markup=False, soft_wrap=True)


async def _test(configuration: Configuration, only: str | None) -> tuple[Finding, ...]:
    async with open_probes(configuration, only=only) as opened:
        tests: list[Awaitable[list[Finding]]] = [
            *(
                _test_fusion(client, opened, billings(configuration, client.connection.id))
                for client in opened.fusions.values()
            ),
            *(_test_bigcommerce(client, opened) for client in opened.shops.values()),
        ]
        return (*await together(tests), *secret_findings(opened))


async def _test_fusion(client: FusionClient, opened: OpenProbes, billed: tuple[ReceivableBooks, ...]) -> list[Finding]:
    found = await try_fusion(client.connection, client, billed)
    return found + await _account(client, opened, found)


async def _test_bigcommerce(client: BigCommerceClient, opened: OpenProbes) -> list[Finding]:
    found = await try_bigcommerce(client.connection, client)
    return found + await _account(client, opened, found)


async def _account(client: FusionClient | BigCommerceClient, opened: OpenProbes, found: list[Finding]) -> list[Finding]:
    """Who could not sign in does not try a second time."""
    if opened.store is None or not any(finding.level is Level.OK for finding in found):
        return []
    return await account_findings(opened.store, client.connection, client)
