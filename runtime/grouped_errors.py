"""Steps that run side by side fail as a group; people and retries need the one error that says why."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ungrouped(kind: type[Exception]) -> Iterator[None]:
    """Around an `asyncio.TaskGroup`: the first error of `kind` in its group instead of the group.

    A group that holds nothing of the kind stays what it is.
    """
    try:
        yield
    except BaseExceptionGroup as several:
        first = _first(several, kind)
        if first is None:
            raise
        raise first from several


def _first(several: BaseExceptionGroup[BaseException], kind: type[Exception]) -> Exception | None:
    for error in several.exceptions:
        found = _first(error, kind) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(found, kind):
            return found
    return None
