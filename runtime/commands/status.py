"""`ml-connector status`: where everything stands."""

import datetime as dt
import os
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contracts.configuration import Configuration
from mapping.entries import plain
from runtime.checking.check_marks import lasting, mark_findings
from runtime.checking.findings import EXIT_CODES, Level, worst
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, output, run
from runtime.operations.ages import age
from runtime.operations.standing import IntegrationStanding, Standing, standing
from runtime.parts import open_store
from runtime.temporal.connect import connect
from store import KeyRing
from store.creating.creation import CreationRow
from store.rows import ConnectionHealth, PostingRow


def register(app: typer.Typer) -> None:
    app.command("status")(show_status)


def show_status(
    days: Annotated[
        int, typer.Option(min=1, help="How many days back journals with a moved date or on suspense are listed.")
    ] = 35,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show what is under way and for how long, what waits for Fusion, for posting or for a person.

    Exit code 0: nothing is wrong with a connection, or not for long. 1: a connection is refused and waits for a person.
    3: a connection has been unavailable for longer than its `outage_alert`.
    """
    stands = run(_read(configured(config).configuration, days))
    if as_json:
        typer.echo(stands.model_dump_json(indent=2))
    else:
        print_standing(stands, output)
    raise typer.Exit(EXIT_CODES[worst(mark_findings(stands.connections))])


async def _read(configuration: Configuration, days: int) -> Standing:
    keys = KeyRing.from_environment(os.environ)
    now = dt.datetime.now(dt.UTC)
    async with open_store(configuration, keys) as store:
        # Lazy: the status of the store is most wanted when Temporal is down.
        client = await connect(configuration.temporal, keys, lazy=True)
        return await standing(store, configuration, client, since=now - dt.timedelta(days=days), now=now)


def print_standing(stands: Standing, console: Console) -> None:
    now = stands.at
    _print_alarms(stands, console)
    for one in stands.integrations:
        _print_integration(one, now, console)
    if stands.temporal:
        console.print(f"[yellow]{escape(stands.temporal)}[/] Running workflows are not counted.", highlight=False)
    if stands.journals:
        table = _table("Journals", "fusion", "ledger", "source", "state", "count", "oldest")
        for count in stands.journals:
            table.add_row(
                count.fusion,
                escape(count.ledger),
                escape(count.source),
                count.state.value,
                str(count.count),
                age(now - count.oldest),
            )
        console.print(table)
    if stands.invoices:
        table = _table("Invoices", "fusion", "resource", "state", "count", "oldest")
        for created in stands.invoices:
            table.add_row(
                created.fusion, created.resource, created.state.value, str(created.count), age(now - created.oldest)
            )
        console.print(table)
    _print_groups(stands, console)
    _print_postings(
        "Imported, not posted in Fusion yet",
        ((posting, posting.fate.at if posting.fate else posting.staged_at, "") for posting in stands.unposted),
        now,
        console,
    )
    _print_postings(
        "Posted late or on suspense",
        ((posting, posting.staged_at, _why_noteworthy(posting)) for posting in stands.noteworthy),
        now,
        console,
    )
    _print_noteworthy_invoices(stands, console)
    _print_sources(stands, console)
    _print_trails(stands, console)


def _print_integration(one: IntegrationStanding, now: dt.datetime, console: Console) -> None:
    table = _table(f"Integration {one.integration}", "documents", "count", "oldest")
    for count in one.documents:
        table.add_row(count.state.value.replace("_", " "), str(count.count), age(now - count.oldest))
    console.print(table)
    if one.running is not None:
        counted = ", ".join(f"{number} {state.value.replace('_', ' ')}" for state, number in one.running.items())
        console.print(f"Workflows that run: {counted or 'none'}\n", highlight=False)


def _print_groups(stands: Standing, console: Console) -> None:
    if not stands.groups:
        return
    table = _table("Open journal groups", "group", "ledger", "source", "state", "journals", "sealed", "request", "")
    for group in stands.groups:
        table.add_row(
            str(group.group_id),
            escape(group.ledger),
            escape(group.source),
            group.state,
            str(group.journals),
            age(stands.at - group.sealed_at),
            str(group.request_id or ""),
            escape(group.sentence),
        )
    console.print(table)


def _print_postings(
    title: str, rows: Iterable[tuple[PostingRow, dt.datetime, str]], now: dt.datetime, console: Console
) -> None:
    listed = tuple(rows)
    if not listed:
        return
    table = _table(title, "order", "journal", "amount", "age", "")
    for posting, since, note in listed:
        table.add_row(
            escape(f"{posting.key.connection}/{posting.key.document_id}"),
            escape(posting.fate.journal_name if posting.fate else posting.reference),
            f"{plain(posting.total)} {posting.currency}",
            age(now - since),
            note,
        )
    console.print(table)


def _print_noteworthy_invoices(stands: Standing, console: Console) -> None:
    if not stands.noteworthy_invoices:
        return
    table = _table("Billed late or on suspense", "order", "invoice", "amount", "age", "")
    for creation in stands.noteworthy_invoices:
        table.add_row(
            escape(f"{creation.key.connection}/{creation.key.document_id}"),
            escape(creation.target_number or creation.reference),
            f"{plain(creation.total)} {creation.currency}",
            age(stands.at - creation.created_at),
            _why_noteworthy(creation),
        )
    console.print(table)


def _print_sources(stands: Standing, console: Console) -> None:
    waiting = f", oldest for {age(stands.at - stands.inbox_oldest)}" if stands.inbox_oldest else ""
    console.print(f"Inbox: {stands.inbox} deliveries wait for Temporal{waiting}", highlight=False)
    for poll in stands.polls:
        read = f"read up to {age(stands.at - poll.watermark)} ago" if poll.watermark else "never polled"
        console.print(f"Poll of {poll.connection}: {read}", highlight=False)
    for connection in stands.connections:
        color = "green" if connection.state is ConnectionHealth.WORKING else "red"
        console.print(
            f"Connection {connection.connection}: [{color}]{connection.state.value}[/] {escape(lasting(connection))}",
            highlight=False,
            soft_wrap=True,
        )


def _print_trails(stands: Standing, console: Console) -> None:
    for trail in stands.trails:
        waiting = "everything is sealed"
        if trail.oldest is not None:
            events = "1 event" if trail.unsealed == 1 else f"{trail.unsealed:,} events"
            waiting = f"{events} not sealed yet, the oldest for {age(stands.at - trail.oldest)}"
        console.print(f"Audit trail of {trail.tenant}: {waiting}", highlight=False, soft_wrap=True)
        if trail.overdue:
            console.print(
                f"    [bold red]Sealing has stopped.[/] {escape(trail.sentence)}", highlight=False, soft_wrap=True
            )


def _print_alarms(stands: Standing, console: Console) -> None:
    """First of all, what keeps whole connections from working and will not end by itself."""
    for finding in mark_findings(stands.connections):
        if finding.level in (Level.UNPROVED, Level.MISTAKE):
            console.print(
                f"[bold white on red] {escape(finding.subject)} [/] [bold red]{escape(finding.sentence)}[/]\n"
                f"    -> {escape(finding.remedy)}\n",
                highlight=False,
                soft_wrap=True,
            )


def _why_noteworthy(posting: PostingRow | CreationRow) -> str:
    return " and ".join(
        word for word, holds in (("date moved", posting.date_moved), ("on suspense", posting.suspense)) if holds
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(*columns, title=title, title_justify="left", title_style="bold", box=None, header_style="dim")
    for column in table.columns:
        if column.header in ("count", "journals", "amount", "oldest", "age"):
            column.justify = "right"
    return table
