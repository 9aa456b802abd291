"""`ml-connector version`."""

import platform
from importlib.metadata import PackageNotFoundError, version

import temporalio
import typer

from runtime.commands.common import output
from runtime.temporal.temporal_cli import VERSION


def register(app: typer.Typer) -> None:
    app.command("version")(show_version)


def show_version() -> None:
    """Show the version of ml-connector and of what it runs on."""
    try:
        own = version("ml-connector")
    except PackageNotFoundError:
        own = "not installed (running from the source tree)"
    output.print(f"ml-connector {own}", highlight=False)
    output.print(
        f"Python {platform.python_version()}, Temporal SDK {temporalio.__version__}, dev server CLI {VERSION}",
        highlight=False,
    )
