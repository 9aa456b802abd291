"""Changing a key file, one at a time: whoever changes it reads it right before, so that no key is ever written over."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from store.keys.keyring import KeyRing, KeyRingError

PATIENCE: Final = 10.0
"""Seconds to wait for somebody else who changes the file; each holds it for milliseconds."""
_PAUSE: Final = 0.02

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def change_key_file(path: Path, change: Callable[[KeyRing], KeyRing]) -> KeyRing:
    """Apply one change to what is in the file now, and give the ring that was written.

    What `change` raises leaves the file as it is. Raises `KeyRingError` when there is no ring, or somebody else keeps
    the file locked.
    """
    with locked(path):
        ring = change(KeyRing.from_file(path))
        ring.write(path)
        return ring


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else changes the key file meanwhile. The lock is a file beside it, which stays; a process that ends, in
    whatever way, lets go of it. Reading needs no lock: the file is replaced as a whole.
    """
    beside = path.with_name(f".{path.name}.lock")
    try:
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise KeyRingError(f"Key file {path} cannot be changed: {beside}: {error.strerror}.") from None
    try:
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                _take(descriptor)
                break
            except OSError:
                if time.monotonic() > ends:
                    raise KeyRingError(
                        f"Key file {path} is being changed by another process, for {PATIENCE:.0f} s now. Try again."
                    ) from None
                time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)
