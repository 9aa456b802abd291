"""`ml-connector review`: what waits for a person, and a person's decisions."""

import datetime as dt
import json
import os
from enum import StrEnum
from functools import partial
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contracts.causes import CAUSES, Choice, cause_of
from contracts.configuration import Configuration
from contracts.flow import Decided
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
from runtime.operations.ages import age
from runtime.operations.cause_table import markdown
from runtime.operations.decided_before import decided_before
from runtime.operations.deciding import (
    DecisionError,
    NotInReviewError,
    ReviewItem,
    UnansweredError,
    decide,
    decision_on,
    find_item,
    require_words,
    resolving_command,
)
from runtime.operations.naming import named
from runtime.operations.review_pages import PAGE, ReviewPage, WaitingCause, review_page, waiting_causes
from runtime.parts import open_store
from runtime.temporal.connect import connect
from store import KeyRing

UNANSWERED: Final = 3
PATIENCE: Final = 15.0
"""Seconds that Temporal has to accept a connection; a person waits."""


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
    group.command("causes")(list_causes)
    app.add_typer(group, name="review")


def list_reviews(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    code: Annotated[
        str | None, typer.Option(help='Only those with this problem; "vendor_*" for all that begin like it.')
    ] = None,
    by_cause: Annotated[bool, typer.Option("--by-cause", help="Only how many there are of each cause.")] = False,
    page: Annotated[int, typer.Option(min=1, help="Which page.")] = 1,
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"Reviews on a page; {PAGE} by default, with --json all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List what waits, longest first, each with its reason, what to do, who does it, and the command that resolves it.

    A list of more than one page begins with how many reviews there are of each cause.
    """
    configuration = configured(config).configuration
    if tenant is not None and tenant not in {one.id for one in configuration.tenants}:
        fail(f"There is no tenant {tenant}. Tenants are: {', '.join(one.id for one in configuration.tenants)}.", code=2)

    async def read() -> tuple[ReviewPage | None, tuple[WaitingCause, ...]]:
        size = limit or (None if as_json else PAGE)
        async with open_store(configuration, KeyRing.from_environment(os.environ)) as store:
            found = None
            if not by_cause:
                found = await review_page(store, configuration, tenant=tenant, code=code, number=page, limit=size)
            causes: tuple[WaitingCause, ...] = ()
            if found is None or (found.pages > 1 and not as_json):
                causes = await waiting_causes(store, configuration, tenant=tenant, code=code)
            return found, causes

    found, causes = run(read())
    now = dt.datetime.now(dt.UTC)
    if as_json:
        plain = [_plain(item) for item in found.items] if found else [_plain_cause(one) for one in causes]
        typer.echo(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    if causes:
        print_causes(causes, output, now=now)
    if found:
        print_reviews(found, output, now=now)
    elif not causes:
        output.print("Nothing is in review.")


def list_causes(
    as_markdown: Annotated[bool, typer.Option("--markdown", help="As the table of the documentation.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """List every cause there is: what its code means, what to do, who does it, and what is usually decided."""
    if as_markdown:
        typer.echo(markdown())
    elif as_json:
        typer.echo(json.dumps([one.model_dump(mode="json") for one in CAUSES], indent=2, ensure_ascii=False))
    else:
        for cause in CAUSES:
            title = "why a decision is refused" if cause.refuses else f"{cause.actor}, usually {_typed(cause.usual)}"
            output.print(f"[bold]{escape(cause.code)}[/] ({title})", highlight=False)
            output.print(indented(f"{escape(cause.means)} {escape(cause.remedy)}"), highlight=False)


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
        str | None,
        typer.Option(
            help="The journal batch or the invoice's number in Fusion, for mark-posted. It is verified there."
        ),
    ] = None,
    decision_id: Annotated[
        str | None, typer.Option("--id", help="Ask again for a decision that was not answered; exit code 3 printed it.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Decide. A decision that was not answered is asked for again with its --id, and taken once.

    A review whose workflow is gone is begun anew for the decision.

    Exit code 1: refused, or nothing of this name is in review. 3: no answer in time; how to ask again is printed.
    """
    configuration = configured(config).configuration
    choice = CHOICES[decision]
    try:
        decided = run(
            _resolve(
                configuration,
                document,
                choice,
                who=who,
                why=why,
                mapping_version=mapping_version,
                target=target,
                decision_id=decision_id,
            )
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
    decision_id: str | None,
) -> Decided:
    """Whatever can be told without Temporal is told before it is asked."""
    require_words(who, why)
    keys = KeyRing.from_environment(os.environ)
    async with open_store(configuration, keys) as store:
        before = partial(decided_before, store, configuration, named(document), kind=choice, who=who, why=why)
        if decision_id and (known := await before(decision_id=decision_id)):
            return known
        try:
            item = await find_item(store, configuration, document)
        except NotInReviewError:
            if known := await before():
                return known
            raise
        decision = decision_on(item, choice, who=who, why=why, mapping_version=mapping_version, target_id=target)
        if decision_id not in (None, decision.id):
            raise DecisionError(
                f"{item.name} has not been decided by {decision_id}, and that was about another review of it or said "
                f"something else. Look at it again (`ml-connector review show {item.short_ids[0]}`), then decide "
                f"without --id."
            )
        client = await connect(configuration.temporal, keys, patience=PATIENCE)
        return await decide(client, item, decision, store=store)


def print_causes(causes: tuple[WaitingCause, ...], console: Console, *, now: dt.datetime) -> None:
    """One line per cause: how many, since when, what it means and who acts."""
    table = Table("count", "oldest", "code", "what it means", "who", box=None, header_style="dim")
    table.columns[0].justify = table.columns[1].justify = "right"
    for one in causes:
        table.add_row(str(one.count), age(now - one.oldest), one.code, escape(one.cause.means), one.cause.actor)
    console.print(table)
    console.print()


def print_reviews(found: ReviewPage, console: Console, *, now: dt.datetime) -> None:
    """One block per review: since when, why, what to do, who acts, the command."""
    if not found.total:
        console.print("Nothing is in review.")
        return
    for item in found.items:
        problem = item.problems[0]
        more = f" (and {len(item.problems) - 1} more: `review show`)" if len(item.problems) > 1 else ""
        console.print(f"[bold]{escape(item.name)}[/], for {age(now - item.since)}", highlight=False)
        console.print(indented(f"{escape(problem.sentence)}{escape(more)}"), highlight=False)
        console.print(
            indented(f"{escape(problem.remedy)} [dim]({problem.code}: {item.cause.actor})[/]"), highlight=False
        )
        console.print(f"    [cyan]{escape(item.command)}[/]", highlight=False, soft_wrap=True)
    console.print(f"\n{found.total} in review", highlight=False)
    if found.pages > 1:
        onward = f"; go on with --page {found.number + 1}" if found.number < found.pages else ""
        console.print(f"page {found.number} of {found.pages}{onward}", highlight=False)


def print_review(item: ReviewItem, console: Console, *, now: dt.datetime) -> None:
    console.print(f"[bold]{escape(item.name)}[/], for {age(now - item.since)}", highlight=False)
    console.print(f"workflow {escape(item.workflow_id)}, tenant {escape(item.tenant)}", highlight=False, soft_wrap=True)
    for problem in item.problems:
        cause = cause_of(problem.code)
        heals = " Released by itself when a new version of the mapping set is deployed." if cause.mapping_heals else ""
        console.print(f"\n[red]{escape(problem.code)}[/]: {escape(problem.sentence)}", highlight=False)
        console.print(indented(f"{escape(problem.remedy)}{heals}"), highlight=False)
        console.print(indented(f"[dim]{escape(cause.means)} Who acts: {cause.actor}.[/]"), highlight=False)
    console.print("\nDecisions:")
    choices = tuple(CHOICES.values()) if item.kind == "document" else (CHOICES[Resolution.RETRY],)
    for choice in choices:
        usual = "  (usual)" if choice == (item.cause.usual if item.kind == "document" else "retry") else ""
        command = resolving_command(item.short_ids[0], choice)
        console.print(f"    [cyan]{escape(command)}[/]{usual}", highlight=False, soft_wrap=True)


def _typed(choice: Choice) -> str:
    return choice.replace("_", "-")


def _plain(item: ReviewItem) -> dict[str, object]:
    causes = [cause_of(problem.code) for problem in item.problems]
    return {
        **item.model_dump(mode="json"),
        "causes": [one.model_dump(mode="json", include={"code", "means", "actor", "mapping_heals"}) for one in causes],
        "actor": item.cause.actor.value,
        "command": item.command,
    }


def _plain_cause(one: WaitingCause) -> dict[str, object]:
    return {**one.cause.model_dump(mode="json"), **one.model_dump(mode="json")}
