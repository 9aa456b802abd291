"""`ml-connector audit counts`: what every count of a shop's orders found, as the audit trail has it."""

import datetime as dt
import os
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contracts.configuration import Configuration
from contracts.loss import COUNTED, INTEGRATION_KIND
from contracts.model import Frozen, Instant
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, fail, output, run
from runtime.parts import open_store
from store import KeyRing


class PastCount(Frozen):
    at: Instant
    job: str
    sentence: str
    missing: tuple[str, ...] = ()
    """The first of those that were missing, as `channel/order`."""


def show_counts(
    integration: Annotated[str, typer.Argument(help="Id of the integration.")],
    days: Annotated[int, typer.Option(min=1, help="How many days back.")] = 7,
    lost: Annotated[bool, typer.Option("--lost", help="Only counts that missed an order.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show what the hourly counts of a shop's orders against what was posted have found, newest first."""
    configuration = configured(config).configuration
    if integration not in {one.id for one in configuration.integrations}:
        fail(f"There is no integration {integration}.", code=2)
    counts = run(_past(configuration, integration, dt.datetime.now(dt.UTC) - dt.timedelta(days=days)))
    if lost:
        counts = [one for one in counts if one.missing]
    if as_json:
        typer.echo("[" + ", ".join(one.model_dump_json() for one in counts) + "]")
    else:
        _print(counts, output)


async def _past(configuration: Configuration, integration: str, since: dt.datetime) -> list[PastCount]:
    source = configuration.integration(integration).source
    async with open_store(configuration, KeyRing.from_environment(os.environ)) as store:
        events = await store.audit.of(source, INTEGRATION_KIND, integration)
    return [
        PastCount(
            at=event.at,
            job=event.job,
            sentence=event.sentence,
            missing=tuple(
                f"{channel}/{order_id}"
                for channel, store_count in event.details["stores"].items()
                for order_id in store_count["missing_ids"]
            ),
        )
        for event in reversed(events)
        if event.action == COUNTED and event.at >= since
    ]


def _print(counts: list[PastCount], console: Console) -> None:
    if not counts:
        console.print("No count.", highlight=False)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("time (UTC)", no_wrap=True)
    table.add_column("counted", overflow="fold", ratio=1)
    table.add_column("missing, by channel", overflow="fold")
    for one in counts:
        table.add_row(f"{one.at:%Y-%m-%d %H:%M}", escape(one.sentence), escape(", ".join(one.missing)))
    console.print(table)
