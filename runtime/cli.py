"""The command line: `ml-connector COMMAND`."""

import sys
from collections.abc import Callable
from typing import Annotated, Final

import typer

from runtime.commands import (
    alignment,
    audit,
    check,
    connections,
    console,
    demo,
    fusion,
    hooks,
    items,
    keys,
    migrate,
    reconcile,
    recover,
    review,
    secrets,
    serve,
    status,
    version,
)
from runtime.commands.common import errors
from runtime.observing.logs import Form, configure_logs
from runtime.observing.redaction import redactor
from runtime.parts import SecretMissingError
from runtime.temporal.connect import SearchAttributesError, TemporalUnreachableError
from runtime.temporal.devserver import DevServerError
from runtime.temporal.temporal_cli import TemporalCliMissing
from store import KeyRingError, StoreError, Unsealable

COMMANDS: Final[tuple[Callable[[typer.Typer], None], ...]] = (
    serve.register,
    console.register,
    demo.register,
    status.register,
    review.register,
    audit.register,
    reconcile.register,
    recover.register,
    check.register,
    connections.register,
    secrets.register,
    hooks.register,
    alignment.register,
    fusion.register,
    items.register,
    keys.register,
    migrate.register,
    version.register,
)
"""A new command is one module with `register`, and one line here."""

KNOWN_FAILURES: Final = (
    DevServerError,
    KeyRingError,
    SearchAttributesError,
    SecretMissingError,
    StoreError,
    TemporalCliMissing,
    TemporalUnreachableError,
    Unsealable,
)
"""Failures whose sentence says all that a person needs: no traceback."""


_FORMS: Final[dict[str, Form | None]] = {"json": "json", "text": "text", "auto": None}


def application() -> typer.Typer:
    app = typer.Typer(
        name="ml-connector",
        help="Durable integration between Oracle Fusion Cloud ERP and commerce and procurement systems.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,  # its tracebacks print local variables, and those may be secrets
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for register in COMMANDS:
        register(app)
    return app


def _options(
    log_level: Annotated[str, typer.Option(envvar="ML_CONNECTOR_LOG_LEVEL", help="DEBUG, INFO, WARNING.")] = "INFO",
    log_form: Annotated[
        str, typer.Option(envvar="ML_CONNECTOR_LOG_FORM", help="json, text, or auto: text at a terminal.")
    ] = "auto",
) -> None:
    if log_form not in _FORMS:
        raise typer.BadParameter("Use json, text or auto.", param_hint="--log-form")
    if log_level.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise typer.BadParameter("Use DEBUG, INFO, WARNING or ERROR.", param_hint="--log-level")
    configure_logs(form=_FORMS[log_form], level=log_level.upper())


def main() -> None:
    """The console script."""
    try:
        application()()
    except KNOWN_FAILURES as error:
        errors.print(redactor(str(error)), markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
