"""`ml-connector audit`: the whole life of one document, and whether the trail is what was written."""

import datetime as dt
import json
import os
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from activities.converging.customer_accounts import RESOURCE as ACCOUNTS
from contracts import names
from contracts.configuration import Configuration
from mapping.entries import plain
from runtime.commands.audit_chain import seal_trail, verify_trail
from runtime.commands.audit_counts import show_counts
from runtime.commands.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    configured,
    fail,
    indented,
    output,
    print_history_link,
    run,
)
from runtime.operations.document_life import BookedInvoice, BookedJournal, DocumentUnknownError, Life, life_of
from runtime.parts import open_store
from store import KeyRing

WITHOUT_PAYLOAD: Final = {"events": {"__all__": {"payload"}}}


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The audit trail.", no_args_is_help=True)
    group.command("show")(show_life)
    group.command("counts")(show_counts)
    group.command("verify")(verify_trail)
    group.command("seal")(seal_trail)
    app.add_typer(group, name="audit")


def show_life(
    order: Annotated[str, typer.Argument(help="Order id, CONNECTION/ORDER, or the workflow's id.")],
    connection: Annotated[str | None, typer.Option(help="The shop, where several have an order of this id.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    payload: Annotated[
        bool, typer.Option("--payload", help="Show the original as the shop sent it, decrypted.")
    ] = False,
    zone: Annotated[str, typer.Option("--timezone", help="Show times in this zone, e.g. America/Chicago.")] = "UTC",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show everything that happened to an order: deliveries, versions, lines and their rules, groups, fates, decisions.

    Exit code 1 when nothing is known of it.
    """
    configuration = configured(config).configuration
    try:
        life = run(_life(configuration, order, connection, payload))
    except DocumentUnknownError as unknown:
        fail(str(unknown))
    if as_json:
        content = life.model_dump(mode="json", exclude=None if payload else WITHOUT_PAYLOAD)
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    print_life(life, output, _zone(zone))
    print_history_link(configuration, life.workflow_id, output)
    if payload:
        typer.echo(_original(life))


async def _life(configuration: Configuration, order: str, connection: str | None, payload: bool) -> Life:
    async with open_store(configuration, KeyRing.from_environment(os.environ)) as store:
        return await life_of(store, configuration, order, connection=connection, payloads=payload)


def print_life(life: Life, console: Console, zone: dt.tzinfo = dt.UTC) -> None:
    """Deliveries, events and groups in order of time, then each journal with its lines."""
    document = life.document
    state = f"{document.state.value.replace('_', ' ')}: {document.reason}" if document else "not settled yet"
    console.print(f"[bold]{escape(life.title)}[/], workflow {life.workflow_id}")
    console.print(escape(state), highlight=False)
    moments = Table(box=None, header_style="bold", pad_edge=False)
    moments.add_column("time", no_wrap=True)
    moments.add_column("what", no_wrap=True)
    moments.add_column("", overflow="fold", ratio=1)
    moments.add_column("by", no_wrap=True, max_width=20)
    for moment in life.moments:
        local = moment.at.astimezone(zone)
        # A delivery names itself in its sentence.
        by = moment.who or ("" if moment.what == "received" else moment.job)
        what = moment.what.replace("_", " ")
        moments.add_row(f"{local:%Y-%m-%d %H:%M:%S %Z}", what, escape(moment.sentence), escape(by))
    console.print(moments)
    for link in life.links:
        state = link.state.value.replace("_", " ") if link.state else "unknown"
        posted = f" ({', '.join(link.references)})" if link.references else ""
        told = f"{link.kind} {link.document_id}: {state}, {link.sentence}{posted}"
        console.print(f"{'of ' if link.kind == names.ORDER else ''}{escape(told)}", highlight=False)
    for booked in life.journals:
        _print_journal(booked, console)
    for billed in life.invoices:
        _print_invoice(billed, console)
    if life.review is not None:
        for problem in life.review.problems:
            console.print(f"[bold red]In review:[/] {escape(problem.sentence)}", highlight=False)
            console.print(indented(escape(problem.remedy)), highlight=False)
        console.print(f"    {life.review.command}", highlight=False, soft_wrap=True, markup=False)


def _print_journal(booked: BookedJournal, console: Console) -> None:
    posting, journal = booked.posting, booked.journal
    console.print(f"\n[bold]Journal {escape(posting.reference)}[/] {posting.state.value}", highlight=False)
    if posting.fate and posting.fate.journal_name:
        console.print(
            f"in Fusion ({posting.key.fusion}): {escape(posting.fate.journal_name)} {escape(posting.fate.period)}",
            highlight=False,
        )
    for word, references in (("takes back", filter(None, [booked.takes_back])), ("refunded by", booked.taken_back_by)):
        for reference in references:
            console.print(f"{word} {escape(reference)}", highlight=False, soft_wrap=True)
    if journal is None:
        console.print(escape(posting.fate.sentence if posting.fate else "no content was ever staged"), highlight=False)
        return
    moved = " (moved)" if journal.date_moved else ""
    console.print(
        f"{plain(journal.total)} {journal.currency} in {escape(journal.ledger)}, {escape(journal.journal_source)} / "
        f"{escape(journal.journal_category)}, accounting date {journal.accounting_date}{moved}: "
        f"{escape(journal.date_reason)}",
        highlight=False,
    )
    lines = Table("#", "purpose", "account", "debit", "credit", "rule", "of", box=None, header_style="bold")
    for name in ("debit", "credit"):
        next(column for column in lines.columns if column.header == name).justify = "right"
    for number, line in enumerate(journal.lines, start=1):
        rule = f"{line.rule.mapping_set} v{line.rule.version} {line.rule.rule}" if line.rule else "no rule: suspense"
        lines.add_row(
            str(number),
            line.purpose.value,
            escape("-".join(line.segments)),
            f"{line.debit:f}" if line.debit else "",
            f"{line.credit:f}" if line.credit else "",
            escape(rule),
            escape(line.source_key),
        )
    console.print(lines)


def _print_invoice(billed: BookedInvoice, console: Console) -> None:
    creation, invoice = billed.creation, billed.invoice
    what, key = ("Customer account", "account") if creation.resource == ACCOUNTS else ("Invoice", "transaction")
    console.print(f"\n[bold]{what} {escape(creation.reference)}[/] {creation.state.value}", highlight=False)
    if creation.target_id:
        there = f"{creation.target_number} ({key} {creation.target_id})"
        console.print(f"in Fusion ({creation.key.fusion}): {escape(there)}", highlight=False)
    if creation.sentence:
        console.print(escape(creation.sentence), highlight=False)
    if invoice is None:
        return
    moved = " (moved)" if invoice.date_moved else ""
    console.print(
        f"{plain(invoice.total)} {invoice.currency} in {escape(invoice.business_unit)}, "
        f"{escape(invoice.transaction_source)} / {escape(invoice.transaction_type)}, customer account "
        f"{escape(invoice.customer_account)}, accounting date {invoice.accounting_date}{moved}: "
        f"{escape(invoice.date_reason)}",
        highlight=False,
    )
    lines = Table("#", "purpose", "account", "amount", "rule", "of", box=None, header_style="bold")
    lines.columns[3].justify = "right"
    for line in invoice.lines:
        rule = f"{line.rule.mapping_set} v{line.rule.version} {line.rule.rule}" if line.rule else "no rule: suspense"
        lines.add_row(
            str(line.number),
            line.purpose.value,
            escape("-".join(line.segments)),
            f"{line.amount:f}",
            escape(rule),
            escape(line.source_key),
        )
    console.print(lines)


def _original(life: Life) -> str:
    original = life.original
    if original is None:
        return "No original of this document is kept."
    try:
        return json.dumps(json.loads(original), indent=2, ensure_ascii=False)
    except ValueError:
        return original


def _zone(name: str) -> dt.tzinfo:
    try:
        return dt.UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise typer.BadParameter(f"{name} is not an IANA name.", param_hint="--timezone") from None
