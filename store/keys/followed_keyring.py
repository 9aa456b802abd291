"""The key ring of a process that lives long: its file may change underneath it, and it takes up the change."""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from store.keys.keyring import KEY_FILE_VARIABLE, KEYS_VARIABLE, KeyRing, KeyRingError

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the file while nothing is missing: how long an old key goes on sealing."""

_log: Final = logging.getLogger(__name__)
_Mark = tuple[int, ...]


class FollowedKeyRing(KeyRing):
    """A ring that is what its file says. A key that is asked for and missing is looked for in the file at once.

    So a rotation needs no restart where processes share the file, and a lost key that is put back is found by what
    waits for it. A file that cannot be read, or is not a ring any more, leaves the last good ring in use and is
    reported once. Safe to use from several threads.
    """

    __slots__ = ("_clock", "_look_at", "_mark", "_path", "_turn")

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises `KeyRingError` when there is no ring at the start."""
        self._path = path
        self._clock = clock
        self._turn = threading.Lock()
        self._mark = _mark(path)
        self._edition = KeyRing.from_file(path)._edition
        self._look_at = clock() + LOOK_EVERY

    @property
    def current(self) -> str:
        self._look()
        return super().current

    @property
    def ids(self) -> tuple[str, ...]:
        self._look()
        return super().ids

    def derive(self, key_id: str, purpose: str, context: bytes | str = b"") -> bytes:
        if key_id not in self._edition.keys:
            self._look(at_once=True)
        return super().derive(key_id, purpose, context)

    def _look(self, *, at_once: bool = False) -> None:
        now = self._clock()
        if now < self._look_at and not at_once:
            return
        with self._turn:
            self._look_at = now + LOOK_EVERY
            mark = _mark(self._path)
            if mark == self._mark:
                return
            self._mark = mark
            try:
                ring = KeyRing.from_file(self._path)
            except KeyRingError as error:
                _log.error("the key ring stays as it was: %s", error)
                return
            before, self._edition = self._edition, ring._edition
        if (before.keys, before.current) != (self._edition.keys, self._edition.current):
            _log.info("key ring read again: current %s, keys %s", ring.current, ", ".join(ring.ids))


def follow_keys(environment: Mapping[str, str] = os.environ) -> KeyRing:
    """The ring for a process that serves: followed where it comes from a file, fixed where it comes from the variable.

    Raises `KeyRingError`.
    """
    path = environment.get(KEY_FILE_VARIABLE, "").strip()
    if path and not environment.get(KEYS_VARIABLE, "").strip():
        return FollowedKeyRing(Path(path))
    return KeyRing.from_environment(environment)


def _mark(path: Path) -> _Mark | None:
    """Changes whenever the file is written or replaced, and when its permissions are repaired."""
    try:
        found = path.stat()
    except OSError:
        return None
    # Some systems tell the time of a change to no more than some milliseconds.
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode
