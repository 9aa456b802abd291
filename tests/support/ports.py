"""Ports that nobody listens on."""

import contextlib
import random
import socket
from typing import Final

from runtime.temporal.devserver import PORTS

_given: Final[set[int]] = set()
"""By this process. Who was given one may not listen yet, or not at the moment."""


def free_ports(count: int, *, room: int = 1) -> list[int]:
    """All held while the others are chosen; none comes twice. `room`: each is the first of so many in a row."""
    with contextlib.ExitStack() as held:
        found: list[int] = []
        for port in random.sample(PORTS, len(PORTS)):
            block_of = range(port, port + room)
            if not _given.isdisjoint(block_of):
                continue
            with contextlib.ExitStack() as block:
                try:
                    for number in block_of:
                        block.enter_context(socket.socket()).bind(("127.0.0.1", number))
                except OSError:
                    continue
                held.enter_context(block.pop_all())
            found.append(port)
            _given.update(block_of)
            if len(found) == count:
                return found
    raise RuntimeError(f"{count} ports of {PORTS} are not free.")
