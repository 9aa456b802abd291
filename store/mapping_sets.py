# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""Every version of every mapping set ever used. A posted line names its version, so a version never changes."""

import datetime as dt
import hashlib

from sqlalchemy import Connection, select

from contracts.configuration import MappingSet
from store.database import Database, StoreError, insert_into
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


class MappingSets:
    """Append-only, by id and version."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = insert_into(database, mapping_sets).on_conflict_do_nothing().returning(mapping_sets.c.version)

    async def register(self, mapping_set: MappingSet, *, now: dt.datetime | None = None) -> bool:
        """Keep this version. True when it is new. Raises `MappingVersionConflict`."""
        content = mapping_set.model_dump_json()
        row = {
            "id": mapping_set.id,
            "version": mapping_set.version,
            "digest": hashlib.sha256(content.encode()).hexdigest(),
            "content": content,
            "registered_at": now or dt.datetime.now(dt.UTC),
        }
        known = select(mapping_sets.c.digest).where(
            mapping_sets.c.id == mapping_set.id, mapping_sets.c.version == mapping_set.version
        )

        def unit(connection: Connection) -> bool:
            if connection.execute(self._insert, row).first() is not None:
                return True
            if connection.execute(known).scalar() != row["digest"]:
                raise MappingVersionConflict(mapping_set.id, mapping_set.version)
            return False

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
