"""`ml-connector reconcile`: what the shops sold against what the ledger holds."""

import datetime as dt
import json
import os
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from temporalio.service import RPCError

from clients.errors import VendorError
from contracts.configuration import Configuration, Integration
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, fail, indented, output, run
from runtime.operations.reconciled import CurrencyTotals, ReconciledOrder, ReconciledRefund, ReconciledStore, Verdict
from runtime.operations.reconciliation import reconcile
from runtime.parts import open_parts
from store import KeyRing

SHOWN: Final = 50
"""Documents of one verdict that are printed; `--json` has all of them."""

UNLIMITED: Final = 10_000
"""Columns: a table never wants as many."""

TITLES: Final = (
    (Verdict.LOST, "Lost: to be posted, and nowhere", "red"),
    (Verdict.DUPLICATE, "In the ledger more than once", "red"),
    (Verdict.DIFFERS, "In the ledger with another amount", "red"),
    (Verdict.UNEXPECTED, "In the ledger, but not a sale or refund in the shop", "red"),
    (Verdict.IN_REVIEW, "In review", "yellow"),
    (Verdict.OPEN, "Still open", "yellow"),
    (Verdict.SKIPPED, "Skipped by decision", "yellow"),
    (Verdict.UNPOSTED, "In Fusion, not posted or applied yet", "yellow"),
)


def register(app: typer.Typer) -> None:
    app.command("reconcile")(reconcile_books)


def reconcile_books(
    integration: Annotated[str | None, typer.Option(help="Only this integration.")] = None,
    since: Annotated[
        dt.datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
            help="Orders placed and refunds made from then on, UTC where no offset is given; else since the cut-over.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Compare the shops with the ledger, orders less refunds, both read anew. The result is kept in the store.

    Exit code 0: difference 0, nothing lost, nothing twice. 1: something is wrong. 3: a system could not be asked.
    """
    configuration = configured(config).configuration
    chosen = _chosen(configuration, integration)
    begin = since.replace(tzinfo=dt.UTC) if since is not None and since.tzinfo is None else since
    try:
        results = run(_reconcile(configuration, chosen, begin))
    except VendorError as error:
        fail(f"{error} {error.remedy}", code=3)
    except RPCError as error:
        fail(f"Temporal does not say what is under way ({error.status.name.lower()}). Run the command again.", code=3)
    if as_json:
        typer.echo(json.dumps([result.model_dump(mode="json") for result in results], indent=2, ensure_ascii=False))
    else:
        print_reconciliation(results, output)
    raise typer.Exit(0 if all(result.agrees for result in results) else 1)


async def _reconcile(
    configuration: Configuration, chosen: Sequence[Integration], since: dt.datetime | None
) -> tuple[ReconciledStore, ...]:
    async with open_parts(configuration, KeyRing.from_environment(os.environ)) as parts:
        return await reconcile(parts, chosen, since)


def print_reconciliation(results: Sequence[ReconciledStore], console: Console) -> None:
    """The sums of each shop and currency, then what is behind everything that is not simply posted."""
    print_sums(results, console)
    for verdict, title, color in TITLES:
        _print_documents(title, color, [one for result in results for one in result.of(verdict)], console)
    agreed = all(result.agrees for result in results)
    console.print("[bold green]The books agree.[/]" if agreed else "[bold red]The books do not agree.[/]")


def print_sums(results: Sequence[ReconciledStore], console: Console, **style: Any) -> None:
    """A table where it fits, with `style`; else a line for each of its columns."""
    table = _table(results, **style)
    if Measurement.get(console, console.options.update(width=UNLIMITED), table).maximum <= console.width:
        console.print(table)
    else:
        _print_lines(results, console)


def _table(results: Sequence[ReconciledStore], **style: Any) -> Table:
    """One row per shop and currency."""
    every = [totals for result in results for totals in result.totals]
    # Most days nothing is open and nothing was skipped by decision: the columns come when they say something.
    left_out = {name for name in ("open", "skipped") if not any(getattr(one, name) for one in every)}
    table = Table(**({"box": None, "header_style": "bold", "pad_edge": False} | style))
    rows = [(result, totals, _sums(result, totals)) for result in results for totals in result.totals]
    headers = [name for name, _ in rows[0][2] if name not in left_out] if rows else []
    for name in ("store", "currency"):
        table.add_column(name, no_wrap=True)
    for name in headers:
        table.add_column(name, justify="right", no_wrap=True)
    for result, totals, sums in rows:
        table.add_row(escape(result.connection), totals.currency, *(text for name, text in sums if name in headers))
    for result in results:
        if not result.totals:
            table.add_row(escape(result.connection), "-", *("-" for _ in headers))
    return table


def _print_lines(results: Sequence[ReconciledStore], console: Console) -> None:
    for result in results:
        if not result.totals:
            console.print(f"[bold]{escape(result.connection)}[/]\n  nothing to compare", highlight=False)
        for totals in result.totals:
            lines = Table(box=None, show_header=False, pad_edge=False, padding=(0, 0, 0, 2))
            lines.add_column()
            lines.add_column(justify="right", no_wrap=True)
            for name, text in _sums(result, totals):
                lines.add_row(name, text)
            console.print(f"[bold]{escape(result.connection)} {totals.currency}[/]", highlight=False)
            console.print(lines)


def _sums(result: ReconciledStore, totals: CurrencyTotals) -> list[tuple[str, str]]:
    """What is said of one shop and currency, in the order in which it adds up."""
    mine = [one for one in result.every if one.currency == totals.currency]
    in_review = sum(one.verdict is Verdict.IN_REVIEW for one in mine)
    duplicates = sum(len(one.journals) > 1 for one in mine)
    lost = sum(one.verdict is Verdict.LOST for one in mine)
    return [
        ("orders", f"{_money(totals.source_total)} ({totals.source_count})"),
        ("refunds", f"{_money(-totals.source_refunded)} ({totals.source_refunds})"),
        ("net source", _money(totals.source_net)),
        ("in review", f"{_money(totals.in_review)} ({in_review})"),
        ("open", _money(totals.open)),
        ("skipped", _money(totals.skipped)),
        ("net ledger", _money(totals.ledger_net)),
        ("difference", _alarm(_money(totals.difference), bad=bool(totals.difference))),
        ("duplicates", _alarm(str(duplicates), bad=duplicates > 0)),
        ("lost", _alarm(str(lost), bad=lost > 0)),
    ]


def _print_documents(
    title: str, color: str, documents: Sequence[ReconciledOrder | ReconciledRefund], console: Console
) -> None:
    if not documents:
        return
    console.print(f"\n[bold {color}]{title}[/] ({len(documents)})", highlight=False)
    for one in documents[:SHOWN]:
        amounts = f"{_money(one.source_amount)} {one.currency}"
        if one.journals and one.ledger_amount != one.source_amount:
            amounts += f", ledger {_money(one.ledger_amount)}"
        console.print(f"  {escape(one.name)}  {amounts}", highlight=False)
        console.print(indented(escape(one.reason), 6), highlight=False)
        if one.command:
            console.print(f"      [cyan]{escape(one.command)}[/]", highlight=False, soft_wrap=True)
    if len(documents) > SHOWN:
        console.print(f"  ... and {len(documents) - SHOWN} more; --json lists all", highlight=False)


def _money(amount: Decimal) -> str:
    """With thousands separators; at least two decimals so that columns line up, more where the currency has more."""
    exponent = amount.as_tuple().exponent
    digits = max(2, -exponent) if isinstance(exponent, int) else 2
    return f"{amount:,.{digits}f}"


def _alarm(text: str, *, bad: bool) -> str:
    return f"[bold red]{text}[/]" if bad else text


def _chosen(configuration: Configuration, wanted: str | None) -> tuple[Integration, ...]:
    chosen = tuple(one for one in configuration.integrations if wanted in (None, one.id))
    if not chosen:
        known = ", ".join(one.id for one in configuration.integrations)
        fail(f"There is no integration {wanted}. Integrations are: {known}.", code=2)
    return chosen
