"""Where Fusion clients keep what resources say of themselves, and what a pod refused in spite of it."""

from typing import Final

from pydantic import ValidationError

from clients.oracle_fusion import ResourceFacts
from contracts.configuration import FusionConnection
from store import Store, StoreError

_ORIGIN_LENGTH: Final = 255


class StoreKeeper:
    """`clients.oracle_fusion.described.Keeper` of one connection in the store.

    A store that does not answer costs a question to the pod, never the step that needs it.
    """

    def __init__(self, store: Store, connection: FusionConnection) -> None:
        self._kept = store.resource_descriptions
        self._connection = connection.id
        # Another pod, or another version of its framework, says something else.
        self._origin = f"{connection.base_url} framework {connection.framework_version}"[:_ORIGIN_LENGTH]

    async def fetch(self, resource: str) -> ResourceFacts | None:
        try:
            content = await self._kept.get(self._connection, resource, origin=self._origin)
            return None if content is None else ResourceFacts.model_validate_json(content)
        except (StoreError, ValidationError):
            # A version that says more of a resource finds what an older one wrote unreadable, and writes it anew.
            return None

    async def keep(self, facts: ResourceFacts) -> None:
        try:
            await self._kept.put(
                self._connection, facts.resource, facts.model_dump_json(exclude_defaults=True), origin=self._origin
            )
        except StoreError:
            # The next time, then.
            return
