"""`ml-connector recover --since MOMENT`: after a restore, learn from Fusion what was posted, then go on."""

import datetime as dt
import json
import os
from typing import Annotated

import typer
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
    json_output: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """After the store was restored from a backup: read back from Fusion what was posted since, and let posting go on.

    Exit code 0: posting goes on. 1: imports from before the restore still run, recover again. 3: Fusion or Temporal
    could not be asked.
    """
    configuration = configured(config).configuration
    moment = since if since.tzinfo else since.replace(tzinfo=dt.UTC)

    async def work() -> Recovery:
        async with open_parts(configuration, KeyRing.from_environment(os.environ), migrate=True) as parts:
            return await recover(parts, moment)

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
    raise typer.Exit(0 if result.done else 1)


def print_recovery(result: Recovery) -> None:
    """What was found, and whether posting goes on."""
    output.print(result.behind or "The store was not behind; it is compared all the same.", highlight=False)
    output.print(
        f"{_count(result.read, 'journal')} of ours since {result.since:%Y-%m-%d %H:%M} UTC in Fusion; the store did "
        f"not know {len(result.brought_back)} of them.",
        highlight=False,
    )
    for reference in result.brought_back[:SHOWN]:
        output.print(f"  {reference}", highlight=False, markup=False)
    if len(result.brought_back) > SHOWN:
        output.print(f"  ... and {len(result.brought_back) - SHOWN} more; --json lists all", highlight=False)
    for name in result.unreadable:
        output.print(f"[yellow]Nobody knows whose journal {name} is: look at it in Fusion.[/]", highlight=False)
    for group_id in result.doubted:
        output.print(
            f"Group {group_id} was sealed and not sent when the backup was made: it is looked for, never sent blindly.",
            highlight=False,
        )
    if result.purged:
        output.print(f"Refused rows of {_count(len(result.purged), 'later group')} were purged.", highlight=False)
    if result.asked_again:
        output.print(f"{_count(result.asked_again, 'document')} in review asked to look again.", highlight=False)
    for request in result.running:
        output.print(f"[bold red]{request.sentence()}[/] Recover again when it has ended.", highlight=False)
    if result.done:
        output.print(f"[bold green]Recovered: posting goes on[/] (epoch {result.epoch}).", highlight=False)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
