"""Ports that nobody listens on."""

import random
import socket
from typing import Final

_RANGE: Final = range(20_000, 32_000)
"""Below what the system gives to outgoing connections, one of which could take a port of a server that was killed. And
a Temporal server keeps its ports as SMALLINT in PostgreSQL."""


def free_ports(count: int) -> list[int]:
    """All held while the others are chosen, so that none comes twice."""
    probes: list[socket.socket] = []
    try:
        for port in random.sample(_RANGE, len(_RANGE)):
            probe = socket.socket()
            probes.append(probe)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                probes.pop().close()
            if len(probes) == count:
                break
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
