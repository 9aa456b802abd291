"""`ml-connector demo` and `sandbox`: the product without any account anywhere."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from runtime.commands.common import run
from runtime.demo.play import play
from runtime.observing.logs import configure_logs

WIDTH = 130
"""Columns where the output goes to a file: the tables need them."""


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Stay up afterwards, to look around.")] = False,
    directory: Annotated[Path, typer.Option(help="Where store, logs and keys of the demo lie; emptied first.")] = Path(
        ".ml-connector/demo"
    ),
) -> None:
    """Play a morning in two shops, with faults, and reconcile it to the cent. Exit code 0 when everything holds."""
    configure_logs(level="WARNING")
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    if not run(play(directory.absolute(), console, keep=keep)):
        raise typer.Exit(1)
