"""`ml-connector alignment`: whether a shop and a pod fit the books and rules between them."""

import asyncio
import datetime as dt
import os
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from activities.alignment.keeping import in_words, kept_row, told
from activities.alignment.sides import compare_pod, compare_shop
from activities.orders.bigcommerce_shop import BigCommerceShop
from clients.errors import Resolution, VendorError
from contracts import names
from contracts.alignment import Misfit, together
from contracts.configuration import Configuration, Integration
from contracts.secret_names import ACCESS_TOKEN, CLIENT_SECRET
from runtime.checking.probes import OpenProbes, open_probes
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, fail, indented, output, run
from runtime.operations.ages import age
from runtime.operations.fusion_answers import as_csv, as_json
from runtime.parts import SecretMissingError, open_store
from store import KeyRing, Store
from store.rows import AlignmentRow

TITLES: Final = {
    Misfit.SEGMENT_VALUE: "account",
    Misfit.BUSINESS_UNIT: "business unit",
    Misfit.CHANNEL_WITHOUT_BOOKS: "no books",
    Misfit.BOOKS_WITHOUT_CHANNEL: "no channel",
    Misfit.CATEGORY_WITHOUT_RULE: "no rule",
}
"""By what makes Fusion refuse a posting, and then by what sends orders to review."""
UNANSWERED: Final = frozenset({Resolution.RETRY, Resolution.WAIT, Resolution.IN_DOUBT})


def register(app: typer.Typer) -> None:
    app.command("alignment")(show_alignment)


def show_alignment(
    integration: Annotated[
        str | None, typer.Argument(help="Id of an integration; needed when there are several.")
    ] = None,
    last: Annotated[
        bool, typer.Option("--last", help="Show what was found last, by a worker or by this command; ask nobody.")
    ] = False,
    to_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    to_csv: Annotated[bool, typer.Option("--csv", help="For spreadsheets.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Compare a shop's channels and categories, and a pod's segment values and business units, with books and rules.

    Needs no Temporal, and so serves before go-live; what it finds is kept for `status`. Exit code 0: everything fits,
    or only single orders would go to review. 1: Fusion would refuse what is posted. 3: a system did not answer.
    """
    if to_json and to_csv:
        fail("Choose --json or --csv.", code=2)
    configuration = configured(config).configuration
    chosen = _chosen(configuration, integration)
    try:
        row = run(_last(configuration, chosen) if last else _compared(configuration, chosen))
    except VendorError as error:
        fail(f"{error.sentence} {error.remedy}".strip(), code=3 if error.resolution in UNANSWERED else 1)
    if to_json:
        typer.echo(as_json(row.model_dump(mode="json")))
    elif to_csv:
        typer.echo(as_csv(_rows(row), ("kind", "subject", "count", "sentence", "remedy")), nl=False)
    else:
        print_alignment(row, output)
    raise typer.Exit(1 if row.is_grave else 0)


def print_alignment(row: AlignmentRow, console: Console) -> None:
    """A line for each that does not fit, with what to do about it; readable at 80 columns."""
    since = f", since {row.bad_since:%Y-%m-%d}" if row.bad_since else ""
    console.print(f"[bold]{row.integration}[/]: {escape(in_words(row))}{since}", highlight=False, soft_wrap=True)
    if row.misalignments:
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column("", no_wrap=True)
        table.add_column("what", overflow="fold", max_width=22)
        table.add_column("why, and what to do", overflow="fold")
        order = list(TITLES)
        for one in sorted(row.misalignments, key=lambda one: order.index(one.kind)):
            color = "red" if one.is_grave else "yellow"
            table.add_row(
                f"[{color}]{TITLES[one.kind]}[/]",
                escape(one.subject),
                f"{escape(one.sentence)}\n[dim]-> {escape(one.remedy)}[/]",
            )
        console.print(table)
    for kind, more in row.unnamed.items():
        console.print(f"{more} more: {TITLES[kind]}", highlight=False)
    for note in row.notes:
        console.print(indented(escape(note), 2))
    console.print(f"Compared {age(dt.datetime.now(dt.UTC) - row.at)} ago.", style="dim", highlight=False)


def _rows(row: AlignmentRow) -> list[dict[str, Any]]:
    return [one.model_dump(mode="json") for one in row.misalignments]


def _chosen(configuration: Configuration, wanted: str | None) -> Integration:
    """Ends the command where it is not clear which."""
    named = [one for one in configuration.integrations if wanted in (None, one.id)]
    if len(named) == 1:
        return named[0]
    ids = ", ".join(one.id for one in configuration.integrations)
    if wanted is None:
        fail(f"Say which integration: {ids}.", code=2)
    return fail(f'There is no integration "{wanted}". Integrations are: {ids}.', code=2)


async def _last(configuration: Configuration, integration: Integration) -> AlignmentRow:
    async with open_store(configuration, KeyRing.from_environment(os.environ)) as store:
        row = await store.alignments.of(integration.id)
    if row is None:
        fail(f"{integration.id} has not been compared yet. Do it now: ml-connector alignment {integration.id}")
    return row


async def _compared(configuration: Configuration, integration: Integration) -> AlignmentRow:
    async with open_probes(configuration) as opened:
        store = _ready(opened, integration)
        now = dt.datetime.now(dt.UTC)
        shop, pod = opened.shops[integration.source], opened.fusions[integration.fusion]
        sides = await asyncio.gather(
            compare_shop(configuration, integration, BigCommerceShop(shop), now.date()),
            compare_pod(configuration, integration, pod, now.date()),
        )
        before = await store.alignments.of(integration.id)
        kept = kept_row(integration, together(*sides), before, job=names.command_job("alignment", now), at=now)
        await store.alignments.put(kept.row, told(kept))
        return kept.row


def _ready(opened: OpenProbes, integration: Integration) -> Store:
    """Ends the command where a side cannot be asked."""
    if opened.store is None:
        fail(opened.outdated)
    for connection, secret in ((integration.source, ACCESS_TOKEN), (integration.fusion, CLIENT_SECRET)):
        if connection not in (opened.shops.keys() | opened.fusions.keys()):
            fail(str(SecretMissingError(connection, secret)))
    return opened.store
