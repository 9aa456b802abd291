"""`ml-connector recover --since MOMENT`: after a restore, learn what was posted and decided, then go on."""

import datetime as dt
import json
import os
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.markup import escape
from temporalio.service import RPCError

from clients.errors import VendorError
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, fail, output, run
from runtime.operations.recovery import Recovery, as_json, recover
from runtime.parts import open_parts
from store import KeyRing

SHOWN = 20


def register(app: typer.Typer) -> None:
    app.command("recover")(command)


def command(
    since: Annotated[
        dt.datetime,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
            help="When the backup was made, or earlier (UTC unless it says otherwise). Earlier only costs time.",
        ),
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    without_decisions: Annotated[
        bool,
        typer.Option(
            "--without-decisions",
            help="Go on although people's decisions since then cannot be read from Temporal any more.",
        ),
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """After the store was restored from a backup: read back what was posted and decided since, and let posting go on.

    Exit code 0: posting goes on. 1: it stays stopped, because imports from before the restore still run or decisions of
    people cannot be read. 3: Fusion or Temporal could not be asked. 4: posting goes on, and some documents wait for a
    person because of the restore.
    """
    configuration = configured(config).configuration
    moment = since if since.tzinfo else since.replace(tzinfo=dt.UTC)

    async def work() -> Recovery:
        async with open_parts(configuration, KeyRing.from_environment(os.environ), migrate=True) as parts:
            return await recover(parts, moment, without_decisions=without_decisions)

    try:
        result = run(work())
    except VendorError as error:
        fail(f"{error} {error.remedy}", code=3)
    except RPCError as error:
        fail(f"Temporal cannot be asked ({error.status.name.lower()}). Run the command again.", code=3)
    if json_output:
        typer.echo(json.dumps(as_json(result), indent=2))
    else:
        print_recovery(result)
    raise typer.Exit(exit_code(result))


def exit_code(result: Recovery) -> int:
    """As the command's help tells."""
    if not result.done:
        return 1
    return 4 if result.undecided or result.several or result.unread else 0


def print_recovery(result: Recovery) -> None:
    """What was found, and whether posting goes on."""
    output.print(result.behind or "The store was not behind; it is compared all the same.", highlight=False)
    output.print(
        f"{_count(result.read, 'journal')}, {_count(result.read_invoices, 'invoice')} and "
        f"{_count(result.read_credit_memos, 'credit memo')} of ours since {result.since:%Y-%m-%d %H:%M} UTC in Fusion; "
        f"the store did not know {len(result.brought_back)} of them.",
        highlight=False,
    )
    _list(result.brought_back)
    for name in result.unreadable:
        output.print(
            f"[yellow]Nobody knows whose document {escape(name)} is: look at it in Fusion.[/]", highlight=False
        )
    for several in result.several:
        output.print(f"[yellow]{escape(several.sentence())}[/] It waits for a person.", highlight=False)
    for group_id in result.doubted:
        output.print(
            f"Group {group_id} was sealed and not sent when the backup was made: it is looked for, never sent blindly.",
            highlight=False,
        )
    for group_id in result.parked:
        output.print(f"Group {group_id} waits for a person: it is in the review list again.", highlight=False)
    if result.followed:
        output.print(
            f"{_count(len(result.followed), 'group')} imported and not posted yet: followed until posted.",
            highlight=False,
        )
    if result.purged:
        output.print(f"Refused rows of {_count(len(result.purged), 'later group')} were purged.", highlight=False)
    if result.asked_again:
        output.print(f"{_count(result.asked_again, 'document')} in review asked to look again.", highlight=False)
    if result.decided:
        output.print(
            f"{_count(len(result.decided), 'decision')} of people recorded again, which the store had forgotten:",
            highlight=False,
        )
        _list(result.decided)
    for sentence in result.undecided:
        output.print(f"[yellow]{escape(sentence)}[/] The order waits for a person again.", highlight=False)
    _print_missing(result)
    for request in result.running:
        output.print(f"[bold red]{request.sentence()}[/] Recover again when it has ended.", highlight=False)
    if result.done:
        output.print(f"[bold green]Recovered: posting goes on[/] (epoch {result.epoch}).", highlight=False)


def _print_missing(result: Recovery) -> None:
    """Decisions that nobody can read any more."""
    for unread in result.unread:
        output.print(
            f"[bold red]{escape(unread.workflow_id)}: how its last run ended cannot be read[/] ({escape(unread.why)}).",
            highlight=False,
        )
    if result.forgotten_before:
        output.print(
            f"[bold red]Temporal keeps no runs that closed before {result.forgotten_before:%Y-%m-%d %H:%M} UTC[/] (the "
            "namespace's retention). What people decided from the backup until then is lost.",
            highlight=False,
        )
    if result.decisions_missing and not result.without_decisions:
        output.print(
            "Nothing is posted: an order that a person skipped, or booked by hand, could be posted. Repair what can "
            "be read and recover again, or accept that with --without-decisions.",
            highlight=False,
        )


def _list(sentences: Sequence[str]) -> None:
    for sentence in sentences[:SHOWN]:
        output.print(f"  {sentence}", highlight=False, markup=False)
    if len(sentences) > SHOWN:
        output.print(f"  ... and {len(sentences) - SHOWN} more; --json lists all", highlight=False)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
