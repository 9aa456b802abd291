"""`ml-connector reconcile`: what the shops sold against what the ledger holds."""

import datetime as dt
import json
import os
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Final, NamedTuple

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from temporalio.service import RPCError

from clients.errors import VendorError
from contracts.configuration import Configuration, Integration
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, fail, indented, output, run
from runtime.operations.reconciliation import CurrencyTotals, ReconciledOrder, ReconciledStore, Verdict, reconcile
from runtime.parts import open_parts
from store import KeyRing

SHOWN: Final = 50
"""Orders of one kind that are printed; `--json` has all of them."""

TITLES: Final = (
    (Verdict.LOST, "Lost: to be posted, and nowhere", "red"),
    (Verdict.DUPLICATE, "In the ledger more than once", "red"),
    (Verdict.DIFFERS, "In the ledger with another amount", "red"),
    (Verdict.UNEXPECTED, "In the ledger, but not a sale in the shop", "red"),
    (Verdict.IN_REVIEW, "In review", "yellow"),
    (Verdict.OPEN, "Still open", "yellow"),
    (Verdict.SKIPPED, "Skipped by decision", "yellow"),
    (Verdict.UNPOSTED, "Imported, not posted yet", "yellow"),
)


class _Shown(NamedTuple):
    """Columns that are not always there."""

    opened: bool
    skipped: bool


def register(app: typer.Typer) -> None:
    app.command("reconcile")(reconcile_books)


def reconcile_books(
    integration: Annotated[str | None, typer.Option(help="Only this integration.")] = None,
    since: Annotated[
        dt.datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
            help="Orders placed from then on, UTC where no offset is given; else everything since the cut-over.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Compare the shops with the ledger, order by order, both read anew. The result is kept in the store.

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
    """One row per shop and currency, then the orders behind everything that is not simply posted."""
    every = [totals for result in results for totals in result.totals]
    # Most days nothing is open and nothing was skipped by decision: the columns come when they say something.
    shown = _Shown(opened=any(one.open for one in every), skipped=any(one.skipped for one in every))
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("store")
    table.add_column("currency")
    for header in (
        "orders",
        "source total",
        "in review",
        *(["open"] if shown.opened else []),
        *(["skipped"] if shown.skipped else []),
        "ledger total",
        "difference",
        "duplicates",
        "lost",
    ):
        table.add_column(header, justify="right", no_wrap=True)
    for result in results:
        for totals in result.totals:
            table.add_row(*_row(result, totals, shown))
        if not result.totals:
            table.add_row(escape(result.connection), "-", "0", *("-" * (len(table.columns) - 3)))
    console.print(table)
    for verdict, title, color in TITLES:
        _print_orders(title, color, [order for result in results for order in result.of(verdict)], console)
    agreed = all(result.agrees for result in results)
    console.print("[bold green]The books agree.[/]" if agreed else "[bold red]The books do not agree.[/]")


def _row(result: ReconciledStore, totals: CurrencyTotals, shown: _Shown) -> tuple[str, ...]:
    mine = [order for order in result.orders if order.currency == totals.currency]
    in_review = sum(order.verdict is Verdict.IN_REVIEW for order in mine)
    duplicates = sum(len(order.journals) > 1 for order in mine)
    lost = sum(order.verdict is Verdict.LOST for order in mine)
    return (
        escape(result.connection),
        totals.currency,
        str(totals.source_count),
        _money(totals.source_total),
        f"{_money(totals.in_review)} ({in_review})",
        *([_money(totals.open)] if shown.opened else []),
        *([_money(totals.skipped)] if shown.skipped else []),
        _money(totals.ledger_total),
        _alarm(_money(totals.difference), bad=bool(totals.difference)),
        _alarm(str(duplicates), bad=duplicates > 0),
        _alarm(str(lost), bad=lost > 0),
    )


def _print_orders(title: str, color: str, orders: Sequence[ReconciledOrder], console: Console) -> None:
    if not orders:
        return
    console.print(f"\n[bold {color}]{title}[/] ({len(orders)})", highlight=False)
    for order in orders[:SHOWN]:
        amounts = f"{_money(order.source_amount)} {order.currency}"
        if order.journals and order.ledger_amount != order.source_amount:
            amounts += f", ledger {_money(order.ledger_amount)}"
        console.print(f"  {escape(order.connection)}/{escape(order.order_id)}  {amounts}", highlight=False)
        console.print(indented(escape(order.reason), 6), highlight=False)
        if order.command:
            console.print(f"      [cyan]{escape(order.command)}[/]", highlight=False, soft_wrap=True)
    if len(orders) > SHOWN:
        console.print(f"  ... and {len(orders) - SHOWN} more; --json lists all", highlight=False)


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
