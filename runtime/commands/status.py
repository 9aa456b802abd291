"""`ml-connector status`: where everything stands."""

import datetime as dt
import os
from collections.abc import Iterable
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from activities.alignment.keeping import in_words as alignment_in_words
from activities.orders.tally import in_words
from contracts.configuration import Configuration
from contracts.flow import State
from mapping.entries import plain
from runtime.checking.check_alignment import alignment_findings
from runtime.checking.check_hooks import hook_findings, not_delivering
from runtime.checking.check_loss import loss_findings, store_name
from runtime.checking.check_marks import lasting, mark_findings
from runtime.checking.findings import EXIT_CODES, Finding, Level, worst
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, output, run
from runtime.operations.ages import age
from runtime.operations.alignment_standing import AlignmentStanding
from runtime.operations.hook_standing import ShopHooks
from runtime.operations.loss_standing import LossStanding
from runtime.operations.standing import IntegrationStanding, Standing, standing
from runtime.parts import open_store
from runtime.temporal.connect import connect
from store import KeyRing
from store.creating.creation import CreationRow
from store.rows import ConnectionHealth, PostingRow

_RECORD_STATES: Final = {
    State.POSTED: "agree",
    State.NEEDS_REVIEW: "in review",
    State.SKIPPED: "left as they are",
}


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

    Exit code 0: nothing is wrong with a connection, or not for long. 1: a connection is refused and waits for a person,
    orders of a shop are still missing after they were started, a webhook has not delivered for an hour, or an account
    or a business unit is named that Fusion would refuse. 3: a connection has been unavailable for longer than its
    `outage_alert`.
    """
    stands = run(_read(configured(config).configuration, days))
    if as_json:
        typer.echo(stands.model_dump_json(indent=2))
    else:
        print_standing(stands, output)
    raise typer.Exit(EXIT_CODES[worst(_findings(stands))])


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
        table = _table("Created in Fusion", "fusion", "resource", "state", "count", "oldest")
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
    for kind, counts in one.records.items():
        told = ", ".join(f"{counts[state]:,} {word}" for state, word in _RECORD_STATES.items() if state in counts)
        console.print(f"{kind.capitalize()}s in both systems: {told}\n", highlight=False)
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
    for shop in stands.hooks:
        console.print(f"Webhooks of {shop.connection}: {_hooks(shop, stands.at)}", highlight=False, soft_wrap=True)
    for counted in stands.loss:
        _print_loss(counted, stands.at, console)
    for compared in stands.alignments:
        _print_alignment(compared, stands.at, console)
    for connection in stands.connections:
        color = "green" if connection.state is ConnectionHealth.WORKING else "red"
        console.print(
            f"Connection {connection.connection}: [{color}]{connection.state.value}[/] {escape(lasting(connection))}",
            highlight=False,
            soft_wrap=True,
        )


def _print_loss(counted: LossStanding, now: dt.datetime, console: Console) -> None:
    if not counted.enabled:
        console.print(f"Orders of {counted.connection}: not counted, as configured", highlight=False)
    elif not counted.stores:
        console.print(f"Orders of {counted.connection}: not counted yet", highlight=False)
    for row in counted.stores if counted.enabled else ():
        console.print(
            f"Orders of {row.connection}, {escape(store_name(counted, row))}, placed since {row.since:%Y-%m-%d}: "
            f"{in_words(row)}; counted {age(now - row.at)} ago",
            highlight=False,
            soft_wrap=True,
        )


def _print_alignment(compared: AlignmentStanding, now: dt.datetime, console: Console) -> None:
    told = "not compared, as configured" if not compared.enabled else "not compared yet"
    if (row := compared.newest) is not None:
        told = f"{alignment_in_words(row)}; {age(now - row.at)} ago"
    console.print(f"Alignment of {compared.integration}: {escape(told)}", highlight=False, soft_wrap=True)


def _hooks(shop: ShopHooks, now: dt.datetime) -> str:
    if not shop.hooks:
        return "none is registered, orders are found by poll"
    if shop.down:
        return f"[bold red]{escape(not_delivering(shop))}[/]; orders are found by poll meanwhile"
    oldest = min(one.checked_at for one in shop.hooks)
    deliver = f"{len(shop.hooks)} deliver, looked at {age(now - oldest)} ago"
    healed = shop.healed(now)
    if not healed:
        return deliver
    swept = "the gap is still to be read" if any(one.gap_from for one in healed) else "the gap was read by poll"
    lost = max(one.lost_at for one in healed if one.lost_at)
    return f"{deliver}; [yellow]{len(healed)} did not and were healed {age(now - lost)} ago[/], {swept}"


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


def _findings(stands: Standing) -> list[Finding]:
    return [
        *mark_findings(stands.connections),
        *loss_findings(stands.loss),
        *hook_findings(stands.hooks, stands.at),
        *alignment_findings(stands.alignments),
    ]


def _print_alarms(stands: Standing, console: Console) -> None:
    """First of all, what keeps whole connections from working and will not end by itself, orders that were lost,
    webhooks that do not deliver, and what Fusion would refuse."""
    found = _findings(stands)
    alarms = [one for one in found if one.level in (Level.UNPROVED, Level.MISTAKE)]
    # An outage that is not long yet is told with its connection.
    short = mark_findings(stands.connections)
    warnings = [one for one in found if one.level is Level.WARNING and one not in short]
    for finding in (*alarms, *warnings):
        color = "yellow" if finding.level is Level.WARNING else "red"
        console.print(
            f"[bold white on {color}] {escape(finding.subject)} [/] [bold {color}]{escape(finding.sentence)}[/]\n"
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
