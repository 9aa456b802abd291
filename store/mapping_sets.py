# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""Every version of every mapping set ever used. A posted line names its version, so a version never changes."""

import datetime as dt
import hashlib

from sqlalchemy import Connection, select

from contracts.configuration import MappingSet
from contracts.model import Frozen, Instant
from store.engine.database import Database, StoreError, insert_into
from store.schema import mapping_sets


class MappingVersionConflict(StoreError):
    """The rules were changed without a new version."""

    def __init__(self, mapping_set: str, version: int) -> None:
        super().__init__(
            f"Mapping set {mapping_set} version {version} is in use with other rules. "
            f"Give the changed rules version {version + 1}."
        )


class MappingSetUnknown(StoreError):
    def __init__(self, mapping_set: str, version: int) -> None:
        super().__init__(f"Mapping set {mapping_set} has no version {version} in the store.")


class Registered(Frozen):
    """A version as the store knows it."""

    new: bool
    """Nobody had it before."""
    newest: bool
    """There is no later version: it is the one in effect, and not an old one that is configured again."""
    first: bool
    """There is no earlier version."""
    at: Instant
    """When it was registered first."""


class MappingSets:
    """Append-only, by id and version."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = insert_into(database, mapping_sets).on_conflict_do_nothing().returning(mapping_sets.c.version)

    async def register(self, mapping_set: MappingSet, *, now: dt.datetime | None = None) -> Registered:
        """Keep this version and say how it stands among the others. Raises `MappingVersionConflict`."""
        content = mapping_set.model_dump_json()
        row = {
            "id": mapping_set.id,
            "version": mapping_set.version,
            "digest": hashlib.sha256(content.encode()).hexdigest(),
            "content": content,
            "registered_at": now or dt.datetime.now(dt.UTC),
        }
        table = mapping_sets.c
        known = select(table.version, table.digest, table.registered_at).where(table.id == mapping_set.id)

        def unit(connection: Connection) -> Registered:
            new = connection.execute(self._insert, row).first() is not None
            versions = {one.version: one for one in connection.execute(known)}
            kept = versions[mapping_set.version]
            if kept.digest != row["digest"]:
                raise MappingVersionConflict(mapping_set.id, mapping_set.version)
            return Registered(
                new=new,
                newest=mapping_set.version == max(versions),
                first=mapping_set.version == min(versions),
                at=kept.registered_at,
            )

        return await self._database.write(unit)

    async def get(self, mapping_set: str, version: int) -> MappingSet:
        """Raises `MappingSetUnknown`."""
        statement = select(mapping_sets.c.content).where(
            mapping_sets.c.id == mapping_set, mapping_sets.c.version == version
        )
        content = await self._database.read(lambda connection: connection.execute(statement).scalar())
        if content is None:
            raise MappingSetUnknown(mapping_set, version)
        return MappingSet.model_validate_json(content)

    async def versions(self, mapping_set: str) -> tuple[int, ...]:
        """Known versions, newest first."""
        statement = (
            select(mapping_sets.c.version)
            .where(mapping_sets.c.id == mapping_set)
            .order_by(mapping_sets.c.version.desc())
        )
        return await self._database.read(lambda connection: tuple(connection.scalars(statement)))
