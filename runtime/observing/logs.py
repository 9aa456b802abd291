"""Logging of every process: one JSON object a line on standard error, or columns for a person at a terminal.

All libraries log through it too. Each line carries the job, document and workflow it belongs to
(`runtime.observing.log_context`, or `bound`), and passes the redactor last, so that a secret cannot get out by a
message, a field or a traceback.
"""

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from runtime.observing.log_context import LOG_FIELDS
from runtime.observing.redaction import Redactor, redactor

Form = Literal["json", "text"]

_QUIETER: Final = {
    "httpx": logging.WARNING,  # one line per request, with its URL
    "httpcore": logging.WARNING,
    "aiosqlite": logging.WARNING,
    "asyncio": logging.WARNING,
    "sqlalchemy.engine": logging.WARNING,
    "alembic": logging.WARNING,
    "uvicorn.access": logging.WARNING,
}
"""Libraries whose INFO is not ours."""

_TEMPORAL_FIELDS: Final = ("temporal_workflow", "temporal_activity")


def configure_logs(
    *,
    form: Form | None = None,
    level: str = "INFO",
    stream: TextIO | None = None,
    hide: Redactor = redactor,
) -> None:
    """Sets up logging for this process. May be called again: the last call counts.

    `form`: by default text at a terminal and JSON everywhere else. `level`: name of a standard level.
    """
    target = sys.stderr if stream is None else stream
    chosen: Form = form or ("text" if target.isatty() else "json")
    shared: list[Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _context,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_repetition,
                _renderer(chosen, target),
                _Hidden(hide),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, quieter in _QUIETER.items():
        logging.getLogger(name).setLevel(max(quieter, root.level))
    logging.captureWarnings(True)


@contextlib.contextmanager
def bound(**fields: str | int) -> Iterator[None]:
    """Adds fields (job, document, connection) to every line inside, in this task and those it starts."""
    token = LOG_FIELDS.set({**LOG_FIELDS.get({}), **fields})
    try:
        yield
    finally:
        LOG_FIELDS.reset(token)


def _renderer(form: Form, target: TextIO) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=target.isatty())


def _context(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    for name, value in LOG_FIELDS.get({}).items():
        event.setdefault(name, value)
    return event


def _without_repetition(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """The SDK puts ids into a nested field and again behind the message: ours are flat already."""
    for name in _TEMPORAL_FIELDS:
        details = event.pop(name, None)
        if isinstance(details, dict):
            for key in ("workflow_id", "workflow_type", "activity_type", "attempt"):
                if key in details and key.removesuffix("_type") not in event:
                    event.setdefault(key, details[key])
    message = event.get("event")
    if isinstance(message, str) and message.endswith("})") and " ({'" in message:
        event["event"] = message[: message.rindex(" ({'")]
    return event


class _Hidden:
    """The last step: works on the finished line, wherever in it a secret may stand."""

    def __init__(self, hide: Redactor) -> None:
        self._hide = hide

    def __call__(self, logger: WrappedLogger, method: str, line: Any) -> str:
        return self._hide(str(line))
