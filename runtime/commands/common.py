"""What commands share: options, the console, and how a known failure is told."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, TypeVar
from urllib.parse import quote

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from contracts.configuration import BigCommerceConnection, Configuration, FusionConnection
from runtime.configuring.configuration import DEFAULT_PATH, PATH_VARIABLE, ConfigurationFile, read
from runtime.configuring.mistakes import ConfigurationErrors
from runtime.temporal.connect import connect_options

T = TypeVar("T")

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar=PATH_VARIABLE, help="The configuration file.", show_default=True)
]
DEFAULT_CONFIG: Final = DEFAULT_PATH

output: Final = Console()
errors: Final = Console(stderr=True)


def configured(path: Path) -> ConfigurationFile:
    """The configuration; ends the command with every mistake in it."""
    try:
        return read(path)
    except ConfigurationErrors as error:
        for mistake in error.mistakes:
            errors.print(
                f"[bold]{mistake.file}:{mistake.line}[/]: {_plain(mistake.sentence)}", highlight=False, soft_wrap=True
            )
            errors.print(f"    -> {_plain(mistake.remedy)}", highlight=False, soft_wrap=True)
        count = len(error.mistakes)
        errors.print(f"\n{count} {'mistake' if count == 1 else 'mistakes'}", highlight=False)
        raise typer.Exit(1) from None


def connection_named(configuration: Configuration, wanted: str) -> FusionConnection | BigCommerceConnection:
    """The connection; ends the command when there is none."""
    for connection in configuration.connections:
        if connection.id == wanted:
            return connection
    names = ", ".join(connection.id for connection in configuration.connections)
    return fail(f'There is no connection "{wanted}". Connections are: {names}.', code=2)


def print_history_link(configuration: Configuration, workflow_id: str, console: Console) -> None:
    """Where the Temporal UI shows the document's history, if its address is configured."""
    temporal = configuration.temporal
    if temporal.ui_url:
        namespace = connect_options(temporal)["namespace"]
        address = f"{temporal.ui_url.rstrip('/')}/namespaces/{namespace}/workflows/{quote(workflow_id, safe=':')}"
        console.print(f"\nHistory: {address}", highlight=False, markup=False, soft_wrap=True)


def fail(sentence: str, *, code: int = 1) -> NoReturn:
    """Ends the command with one sentence on standard error."""
    errors.print(_plain(sentence), highlight=False, soft_wrap=True)
    raise typer.Exit(code)


def indented(text: str, columns: int = 4) -> Padding:
    """A paragraph whose every line is indented, however narrow the terminal."""
    return Padding(Text.from_markup(text), (0, 0, 0, columns))


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a command's work to its end."""
    return asyncio.run(work)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
