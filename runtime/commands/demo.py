"""`ml-connector demo` and `sandbox`: the product without any account anywhere."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from runtime.commands.common import fail, run
from runtime.demo.play import play
from runtime.demo.stage import DirectoryTakenError, Setting
from runtime.observing.logs import configure_logs

WIDTH = 130
"""Columns where the output goes to a file: the tables need them."""


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Stay up afterwards, to look around.")] = False,
    directory: Annotated[
        Path, typer.Option(help="Where store, logs and keys of the demo lie. New, empty, or an earlier demo's.")
    ] = Path(".ml-connector/demo"),
    workers: Annotated[int, typer.Option(min=1, help="How many workers share the work.")] = 1,
    gateways: Annotated[int, typer.Option(min=1, help="How many gateways take webhooks.")] = 1,
    temporal: Annotated[
        str | None,
        typer.Option(help="A Temporal server that runs already, HOST:PORT; a namespace for the demo alone is best."),
    ] = None,
    store: Annotated[str | None, typer.Option(help="URL of an empty database, instead of a SQLite file.")] = None,
) -> None:
    """Play a morning in two shops, with faults, and reconcile it to the cent. Exit code 0 when everything holds."""
    configure_logs(level="WARNING")
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    setting = Setting(workers=workers, gateways=gateways, temporal=temporal, store=store)
    try:
        right = run(play(directory.absolute(), console, keep=keep, setting=setting))
    except DirectoryTakenError as taken:
        fail(str(taken), code=2)
    if not right:
        raise typer.Exit(1)
