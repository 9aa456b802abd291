"""`ml-connector review`: what waits for a person, and a person's decisions."""

import datetime as dt
import json
import os
from enum import StrEnum
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from contracts.configuration import Configuration
from contracts.flow import Decided
from runtime.commands.ages import age
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
from runtime.operations.deciding import (
    Choice,
    DecisionError,
    ReviewItem,
    UnansweredError,
    decide,
    decision_on,
    find_item,
    resolving_command,
    review_items,
)
from runtime.parts import open_parts, open_store
from store import KeyRing

UNANSWERED: Final = 3


class Resolution(StrEnum):
    """Decisions as they are typed."""

    RETRY = "retry"
    RETRY_WITH_MAPPING = "retry-with-mapping"
    MARK_POSTED = "mark-posted"
    SKIP = "skip"


CHOICES: dict[Resolution, Choice] = {
    Resolution.RETRY: "retry",
    Resolution.RETRY_WITH_MAPPING: "retry_with_mapping",
    Resolution.MARK_POSTED: "mark_posted",
    Resolution.SKIP: "skip",
}

ItemArgument = Annotated[str, typer.Argument(help="CONNECTION/ORDER, order id, group id, or the workflow's id.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Documents and journal groups that wait for a person.", no_args_is_help=True)
    group.command("list")(list_reviews)
    group.command("show")(show_review)
    group.command("resolve")(resolve_review)
    app.add_typer(group, name="review")


def list_reviews(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List what waits, longest first, each with its reason, what to do, and the command that resolves it."""
    configuration = configured(config).configuration
    if tenant is not None and tenant not in {one.id for one in configuration.tenants}:
        fail(f"There is no tenant {tenant}. Tenants are: {', '.join(one.id for one in configuration.tenants)}.", code=2)

    async def read() -> tuple[ReviewItem, ...]:
        async with open_store(configuration, KeyRing.from_environment(os.environ)) as store:
            return await review_items(store, configuration, tenant)

    items = run(read())
    if as_json:
        typer.echo(json.dumps([_plain(item) for item in items], indent=2, ensure_ascii=False))
        return
    print_reviews(items, output, now=dt.datetime.now(dt.UTC))


def show_review(
    item: ItemArgument,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show one review with everything that was wrong, and every decision that can be taken."""
    configuration = configured(config).configuration

    async def read() -> ReviewItem:
        async with open_store(configuration, KeyRing.from_environment(os.environ)) as store:
            return await find_item(store, configuration, item)

    try:
        found = run(read())
    except DecisionError as error:
        fail(str(error))
    if as_json:
        typer.echo(json.dumps(_plain(found), indent=2, ensure_ascii=False))
        return
    print_review(found, output, now=dt.datetime.now(dt.UTC))
    print_history_link(configuration, found.workflow_id, output)


def resolve_review(
    document: ItemArgument,
    decision: Annotated[Resolution, typer.Argument(help="What to do with it.")],
    who: Annotated[str, typer.Option(help="Who decides; kept in the audit trail.")],
    why: Annotated[str, typer.Option(help="Why; kept in the audit trail.")],
    mapping_version: Annotated[
        int | None, typer.Option(min=1, help="Version of the mapping set, for retry-with-mapping.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="The journal batch in Fusion, for mark-posted. It is verified there.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Decide. The same decision asked for twice is taken once, so a lost answer is asked for again.

    Exit code 1: refused, or nothing of this name is in review. 3: no answer in time; run the same command again.
    """
    configuration = configured(config).configuration
    choice = CHOICES[decision]
    try:
        decided = run(
            _resolve(configuration, document, choice, who=who, why=why, mapping_version=mapping_version, target=target)
        )
    except DecisionError as error:
        fail(str(error), code=UNANSWERED if isinstance(error, UnansweredError) else 1)
    output.print(escape(decided.sentence), highlight=False, soft_wrap=True)


async def _resolve(
    configuration: Configuration,
    document: str,
    choice: Choice,
    *,
    who: str,
    why: str,
    mapping_version: int | None,
    target: str | None,
) -> Decided:
    async with open_parts(configuration, KeyRing.from_environment(os.environ)) as parts:
        item = await find_item(parts.store, configuration, document)
        decision = decision_on(item, choice, who=who, why=why, mapping_version=mapping_version, target_id=target)
        return await decide(parts.temporal, item, decision)


def print_reviews(items: tuple[ReviewItem, ...], console: Console, *, now: dt.datetime) -> None:
    """One block per review: who, since when, why, what to do, the command."""
    if not items:
        console.print("Nothing is in review.")
        return
    for item in items:
        problem = item.problems[0]
        more = f" (and {len(item.problems) - 1} more: `review show`)" if len(item.problems) > 1 else ""
        console.print(f"[bold]{escape(item.name)}[/], for {age(now - item.since)}", highlight=False)
        console.print(indented(f"{escape(problem.sentence)}{escape(more)}"), highlight=False)
        console.print(indented(escape(problem.remedy)), highlight=False)
        console.print(f"    [cyan]{escape(item.command)}[/]", highlight=False, soft_wrap=True)
    count = len(items)
    console.print(f"\n{count} in review", highlight=False)


def print_review(item: ReviewItem, console: Console, *, now: dt.datetime) -> None:
    console.print(f"[bold]{escape(item.name)}[/], for {age(now - item.since)}", highlight=False)
    console.print(f"workflow {escape(item.workflow_id)}, tenant {escape(item.tenant)}", highlight=False, soft_wrap=True)
    for problem in item.problems:
        console.print(f"\n[red]{escape(problem.code)}[/]: {escape(problem.sentence)}", highlight=False)
        console.print(indented(escape(problem.remedy)), highlight=False)
    console.print("\nDecisions:")
    choices = tuple(CHOICES.values()) if item.kind == "document" else (CHOICES[Resolution.RETRY],)
    for choice in choices:
        command = resolving_command(item.short_ids[0], choice) + _EXTRA.get(choice, "")
        console.print(f"    [cyan]{escape(command)}[/]", highlight=False, soft_wrap=True)


_EXTRA: dict[str, str] = {"retry_with_mapping": " --mapping-version VERSION", "mark_posted": " --target BATCH"}


def _plain(item: ReviewItem) -> dict[str, object]:
    return {**item.model_dump(mode="json"), "command": item.command}
