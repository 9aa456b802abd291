# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""Every version of every mapping set ever used. A posted line names its version, so a version never changes."""

import datetime as dt
import hashlib
from collections.abc import Mapping

from sqlalchemy import Connection, func, insert, select, update

from contracts.configuration import MappingSet
from contracts.flow import State
from contracts.model import Frozen, Instant
from store.engine.database import Database, StoreError, insert_into
from store.schema import documents, mapping_sets, mappings_in_effect


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


class InEffect(Frozen):
    """The version of a mapping set that an integration's documents are mapped by."""

    integration: str
    mapping_set: str
    version: int
    generation: int
    """How often any integration has changed to another version or set. 0: none was there before, and no document of
    the integration was in review, so that nothing waits for this one."""
    since: Instant


class MappingSets:
    """Append-only, by id and version; and which of them each integration uses now."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = insert_into(database, mapping_sets).on_conflict_do_nothing().returning(mapping_sets.c.version)

    async def register(self, mapping_set: MappingSet, *, now: dt.datetime | None = None) -> bool:
        """Keep this version. True: nobody had it before. Raises `MappingVersionConflict`."""
        content = mapping_set.model_dump_json()
        row = {
            "id": mapping_set.id,
            "version": mapping_set.version,
            "digest": hashlib.sha256(content.encode()).hexdigest(),
            "content": content,
            "registered_at": now or dt.datetime.now(dt.UTC),
        }
        table = mapping_sets.c
        kept = select(table.digest).where(table.id == mapping_set.id, table.version == mapping_set.version)

        def unit(connection: Connection) -> bool:
            new = connection.execute(self._insert, row).first() is not None
            if connection.execute(kept).scalar_one() != row["digest"]:
                raise MappingVersionConflict(mapping_set.id, mapping_set.version)
            return new

        return await self._database.write(unit)

    async def take_effect(self, wanted: Mapping[str, tuple[str, int]], *, now: dt.datetime) -> tuple[InEffect, ...]:
        """Put on record what these integrations are mapped by from now on: integration id -> mapping set and version.

        Gives what is in effect for each then. What has changed has a generation of its own, one for all that change
        together; what has not keeps its own, so that asking twice changes nothing.
        """
        table = mappings_in_effect.c

        def unit(connection: Connection) -> tuple[InEffect, ...]:
            if self._database.dialect == "postgresql":
                # Workers that start together take turns. SQLite has one writer at a time.
                connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("mappings_in_effect", 0))))
            rows = connection.execute(select(mappings_in_effect)).all()
            known = {row.integration: InEffect.model_validate(dict(row._mapping)) for row in rows}
            next_one = 1 + max((row.generation for row in rows), default=0)
            found = []
            for integration, (mapping_set, version) in sorted(wanted.items()):
                before = known.get(integration)
                if before and (before.mapping_set, before.version) == (mapping_set, version):
                    found.append(before)
                    continue
                waited = before is not None or self._waits(connection, integration)
                after = InEffect(
                    integration=integration,
                    mapping_set=mapping_set,
                    version=version,
                    generation=next_one if waited else 0,
                    since=now,
                )
                if before is None:
                    connection.execute(insert(mappings_in_effect), after.model_dump())
                else:
                    changed = update(mappings_in_effect).where(table.integration == integration)
                    connection.execute(changed.values(after.model_dump(exclude={"integration"})))
                found.append(after)
            return tuple(found)

        return await self._database.write(unit)

    def _waits(self, connection: Connection, integration: str) -> bool:
        table = documents.c
        statement = select(table.id).where(table.integration == integration, table.state == State.NEEDS_REVIEW)
        return connection.execute(statement.limit(1)).first() is not None

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
