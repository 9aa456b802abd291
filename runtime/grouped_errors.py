"""Steps that run side by side fail as a group; people and retries need the one error that says why."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ungrouped(kind: type[Exception]) -> Iterator[None]:
    """Around an `asyncio.TaskGroup`: the first error of `kind` instead of a group in which all are of it.

    A group that holds anything else stays what it is: that must not be hidden.
    """
    try:
        yield
    except BaseExceptionGroup as several:
        expected, others = several.split(kind)
        if expected is None or others is not None:
            raise
        raise _first(expected) from several


def _first(several: BaseExceptionGroup[Exception]) -> Exception:
    error = several.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
