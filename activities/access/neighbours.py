"""Who this process is, and whether another process of the same machine has ended without saying so.

Process ids mean something only within one boot and one namespace of process ids; both are part of the host's name.
Where the system does not tell (`/proc` is Linux), nobody is ever known to be gone.
"""

import os
import secrets
import socket
from functools import cache
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_ENDED: Final = "ZX"
"""States of a process that only waits for its parent to take note."""


@cache
def host() -> str:
    """This machine as others may know it: `worker-7f9c/4f1d02aa/4026531836`, or only its name."""
    name = socket.gethostname()[:80]
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text()[:8]
        namespace = os.readlink(_PROC / "self/ns/pid").strip("pid:[]")
    except OSError:
        return name
    return f"{name}/{boot}/{namespace}"


def new_identity() -> str:
    """Of a member in this process: process id, when the process started, and something random."""
    pid = os.getpid()
    return f"{pid}-{_started(pid) or 0}-{secrets.token_hex(4)}"


def is_gone(identity: str, where: str) -> bool:
    """Whether the process of this identity has surely ended."""
    if where != host() or "/" not in where:
        return False
    pid, started, _ = identity.split("-")
    return _started(int(pid)) != int(started)


def _started(pid: int) -> int | None:
    """Clock ticks from boot to the start of a process; None when there is no such process."""
    try:
        # The name in brackets may hold anything, brackets and spaces too.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in _ENDED else int(fields[19])
