"""Which queues a worker serves, and how many pollers it opens for them.

The server refuses polls beyond a number per namespace, and has nothing to say to most of them: a vendor's queue moves
as slowly as the vendor allows. So each worker opens few pollers for it, fewer where there are many queues.
"""

from collections.abc import Collection
from typing import Final

from contracts.configuration import BigCommerceConnection, Configuration, FusionConnection
from contracts.worker_groups import DEFAULT_GROUP

LIMIT: Final = 1000
"""Pollers of a namespace; beyond it the server answers polls with errors (its default is 1,200 of each kind)."""
WORKFLOW_POLLERS: Final = 10
"""For workflow tasks, in every worker."""
STORE_POLLERS: Final = 5
"""For steps that call no vendor, in every worker."""
VENDOR_POLLERS: Final = 5
"""For one connection's queue, at most."""
_VENDORS: Final = 600
"""For all connections' queues of the workers that are expected: half as many workers again still fit."""


def active_connections(configuration: Configuration) -> tuple[FusionConnection | BigCommerceConnection, ...]:
    """Connections that an integration uses: the others get no queue and no pollers."""
    used = {one.fusion for one in configuration.integrations} | {one.source for one in configuration.integrations}
    return tuple(connection for connection in configuration.connections if connection.id in used)


def groups(configuration: Configuration) -> tuple[str, ...]:
    """Worker groups with a connection to serve; those of the configuration first, in its order."""
    served = {configuration.group_of(one.id) for one in active_connections(configuration)}
    return tuple(name for name in (*(one.name for one in configuration.worker_groups), DEFAULT_GROUP) if name in served)


def served_by(
    configuration: Configuration, chosen: Collection[str]
) -> tuple[FusionConnection | BigCommerceConnection, ...]:
    """Connections whose queues a worker of these groups serves."""
    return tuple(one for one in active_connections(configuration) if configuration.group_of(one.id) in chosen)


def vendor_pollers(configuration: Configuration) -> int:
    """Pollers that a worker opens for each connection's queue."""
    queues = configuration.workers_expected * len(active_connections(configuration))
    return max(1, min(VENDOR_POLLERS, _VENDORS // max(1, queues)))


def planned(configuration: Configuration, workers: int) -> int:
    """Pollers in the namespace when every group has so many workers."""
    queues = len(active_connections(configuration))
    everywhere = (WORKFLOW_POLLERS + STORE_POLLERS) * max(1, len(groups(configuration)))
    return workers * (everywhere + queues * vendor_pollers(configuration))
