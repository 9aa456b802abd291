"""`ml-connector items`: which products of a shop are which items of Fusion."""

import csv
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from activities.converging.items_at_fusion import ItemsAtFusion
from activities.converging.items_at_shop import ItemsAtShop
from clients.errors import Resolution, VendorError
from contracts import names
from contracts.configuration import Configuration, Integration
from contracts.secret_names import ACCESS_TOKEN, CLIENT_SECRET
from runtime.checking.probes import open_probes
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, errors, fail, output, run
from runtime.operations.item_matching import WHAT_TO_DO, Matching, Mismatch, Unmapped
from runtime.operations.sheets import defused
from runtime.parts import SecretMissingError, open_store
from store import KeyRing
from store.rows import Agreement

UNANSWERED: Final = frozenset({Resolution.RETRY, Resolution.WAIT, Resolution.IN_DOUBT})
_UNMAPPED: Final = ("what", "sku", "product", "item")
_LINK: Final = ("sku", "product", "item", "state", "at")

IntegrationArgument = Annotated[str, typer.Argument(help="Id of the integration whose shop and pod are compared.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For machines.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="For spreadsheets.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Items of Fusion and products of a shop: what is linked, what is not.", no_args_is_help=True
    )
    group.command("unmapped")(unmapped)
    group.command("links")(links)
    app.add_typer(group, name="items")


def unmapped(
    integration: IntegrationArgument,
    limit: Annotated[int, typer.Option(min=1, help="Rows of each kind that the table shows.")] = 20,
    to_json: JsonOption = False,
    to_csv: CsvOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List SKUs without an item, items without a SKU, and what is nearly the same. Reads both systems, writes nothing.

    Run it before items.enabled is set. Exit code 0: every SKU is exactly one item's number. 1: not so, or refused.
    3: a system did not answer.
    """
    configuration = configured(config).configuration
    _one_form(to_json, to_csv)
    chosen = _integration(configuration, integration)
    matching = Matching()
    rows: list[Unmapped] = []
    write = _writer(_UNMAPPED, to_json=to_json, to_csv=to_csv)

    def take(one: Unmapped) -> None:
        if write is not None:
            write(one.model_dump(mode="json"))
        elif matching.found[one.what] <= limit:
            rows.append(one)

    try:
        run(_match(configuration, chosen, matching, take))
    except VendorError as error:
        fail(f"{error.sentence} {error.remedy}".strip(), code=3 if error.resolution in UNANSWERED else 1)
    finally:
        if write is not None:
            write(None)
    if write is None:
        _print_unmapped(rows)
    told = output if write is None else errors
    for line in _summary(matching, shown=limit if write is None else None):
        told.print(line, highlight=False)
    raise typer.Exit(1 if matching.found else 0)


def links(
    integration: IntegrationArgument,
    to_json: JsonOption = False,
    to_csv: CsvOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List which product or variant is which item, as the connector keeps it: asks the store, not the systems.

    What only one side has is listed as well, with the other one empty or `gone`.
    """
    configuration = configured(config).configuration
    _one_form(to_json, to_csv)
    chosen = _integration(configuration, integration)
    write = _writer(_LINK, to_json=to_json, to_csv=to_csv)
    table = Table("SKU", "product", "item", "state", "looked at", box=None, header_style="bold")

    def take(one: dict[str, str]) -> None:
        if write is not None:
            write(one)
        else:
            table.add_row(*(escape(one[name]) for name in _LINK))

    count = run(_links(configuration, chosen, take))
    if write is not None:
        write(None)
    elif count:
        output.print(table)
    else:
        output.print("Nothing is linked yet: items are not kept equal, or no poll has run.")


async def _match(
    configuration: Configuration, integration: Integration, matching: Matching, take: Callable[[Unmapped], None]
) -> None:
    async with _desks(configuration, integration) as (shop, fusion):
        async for one in matching.read(shop, fusion):
            take(one)


@asynccontextmanager
async def _desks(
    configuration: Configuration, integration: Integration
) -> AsyncIterator[tuple[ItemsAtShop, ItemsAtFusion]]:
    """Ends the command when a system cannot be asked."""
    async with open_probes(configuration) as opened:
        if opened.store is None:
            fail(opened.outdated)
        for connection, name in ((integration.source, ACCESS_TOKEN), (integration.fusion, CLIENT_SECRET)):
            if connection not in opened.shops and connection not in opened.fusions:
                fail(str(SecretMissingError(connection, name)))
        shop, pod = opened.shops[integration.source], opened.fusions[integration.fusion]
        yield ItemsAtShop(shop, integration.items), ItemsAtFusion(pod.items, integration.items)


async def _links(configuration: Configuration, integration: Integration, take: Callable[[dict[str, str]], None]) -> int:
    count = 0
    async with open_store(configuration, KeyRing.from_environment(os.environ)) as store:
        async for one in store.agreements.every(integration.source, names.ITEM):
            if one.integration == integration.id:
                take(_link(one))
                count += 1
    return count


def _link(one: Agreement) -> dict[str, str]:
    gone = [where for where, digests in (("shop", one.digests.shop), ("Fusion", one.digests.fusion)) if not digests]
    state = "linked" if not gone else f"not in {' and '.join(gone)}"
    if gone and one.linked:
        state = f"gone in {' and '.join(gone)}"
    return {
        "sku": one.name,
        "product": one.shop_id,
        "item": one.fusion_id,
        "state": state,
        "at": f"{one.at:%Y-%m-%d %H:%M}",
    }


def _print_unmapped(rows: list[Unmapped]) -> None:
    if not rows:
        return
    table = Table("what", "SKU", "product", "item", box=None, header_style="bold")
    order = list(Mismatch)
    for one in sorted(rows, key=lambda row: order.index(row.what)):
        table.add_row(one.what.value, escape(one.sku), one.product, escape(one.item))
    output.print(table)
    output.print()


def _summary(matching: Matching, *, shown: int | None) -> list[str]:
    lines = [f"{matching.skus:,} SKUs, {matching.items:,} items, {matching.linked:,} of them the same."]
    if matching.not_for_sale:
        lines.append(f"{matching.not_for_sale:,} items without a SKU are not for sale, so nothing becomes of them.")
    for what in Mismatch:
        count = matching.found[what]
        if count:
            more = f" (the first {shown} are shown; --csv lists all)" if shown is not None and count > shown else ""
            lines.append(f"[bold]{what.value}: {count:,}[/]{more}. {WHAT_TO_DO[what]}")
    if not matching.found:
        lines.append("Nothing is in the way: set items.enabled of the integration, and restart the workers.")
    return lines


def _writer(
    columns: tuple[str, ...], *, to_json: bool, to_csv: bool
) -> Callable[[Mapping[str, Any] | None], None] | None:
    """Writes row by row to standard output; None ends it."""
    if to_csv:
        sheet = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
        sheet.writeheader()
        return lambda row: (
            sheet.writerow({name: defused(str(value)) for name, value in row.items()}) if row is not None else None
        )
    if not to_json:
        return None
    begun = False

    def write(row: Mapping[str, Any] | None) -> None:
        nonlocal begun
        if row is None:
            typer.echo("\n]" if begun else "[]")
        else:
            typer.echo((",\n" if begun else "[\n") + json.dumps(dict(row), ensure_ascii=False), nl=False)
            begun = True

    return write


def _integration(configuration: Configuration, wanted: str) -> Integration:
    for integration in configuration.integrations:
        if integration.id == wanted:
            return integration
    known = ", ".join(one.id for one in configuration.integrations)
    return fail(f'There is no integration "{wanted}". Integrations are: {known}.', code=2)


def _one_form(to_json: bool, to_csv: bool) -> None:
    if to_json and to_csv:
        fail("Choose one of --json and --csv.", code=2)
