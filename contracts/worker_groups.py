"""Worker groups: which workers call which connections, so that large customers do not fill everybody's workers."""

from typing import Annotated, Final

from pydantic import Field

from contracts.model import Frozen

DEFAULT_GROUP: Final = "default"
"""Holds every connection that no other group names."""


class WorkerGroup(Frozen):
    """Connections that `ml-connector worker --group NAME` serves: those named, and all of the tenants named."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    tenants: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()

    def holds(self, connection: str, tenant: str) -> bool:
        return connection in self.connections or tenant in self.tenants
