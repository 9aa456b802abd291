"""`ml-connector check`."""

import datetime as dt
from typing import Annotated

import typer

from contracts.configuration import Configuration
from runtime.checking.check import Probes, check
from runtime.checking.check_marks import mark_findings
from runtime.checking.findings import EXIT_CODES, Finding, Level, show, worst
from runtime.checking.probes import OpenProbes, open_probes, secret_findings
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, output, run
from runtime.configuring.configuration import ConfigurationFile
from runtime.operations.connection_standing import connection_standings


def register(app: typer.Typer) -> None:
    app.command("check")(check_configuration)


def check_configuration(
    config: ConfigOption = DEFAULT_CONFIG,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no system; check the file only.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail the command too.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes of every group, instead of workers_expected.")
    ] = None,
) -> None:
    """Explain every mistake in the configuration, and prove it against the systems it names.

    Exit code 0: fine, perhaps with warnings. 1: mistakes. 3: a system could not be asked.
    """
    file = configured(config)
    findings = run(_findings(file, offline=offline, workers=workers))
    show(findings, output)
    level = worst(findings)
    raise typer.Exit(1 if strict and level is Level.WARNING else EXIT_CODES[level])


async def _findings(file: ConfigurationFile, *, offline: bool, workers: int | None) -> tuple[Finding, ...]:
    today = dt.datetime.now(dt.UTC).date()
    if offline:
        return await check(file, Probes(), today=today, workers=workers)
    async with open_probes(file.configuration) as opened:
        found = await check(file, Probes(opened.fusions, opened.shops), today=today, workers=workers)
        return (*found, *secret_findings(opened), *await _marks(file.configuration, opened))


async def _marks(configuration: Configuration, opened: OpenProbes) -> list[Finding]:
    if opened.store is None:
        return []
    states = await opened.store.connections.states()
    here = {one.id for one in configuration.connections}
    now = dt.datetime.now(dt.UTC)
    return mark_findings(
        connection_standings((one for one in states if one.connection in here), configuration, None, now)
    )
