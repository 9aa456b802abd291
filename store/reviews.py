"""Documents that wait for a person: counted, paged and found by the database, however many there are."""

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Text, cast, func, or_, select, tuple_

from contracts.causes import NEEDS_REVIEW
from contracts.flow import State
from contracts.model import Frozen, Instant
from store.engine.database import Database
from store.rows import DocumentRow
from store.schema import documents

_CHUNK: Final = 500
_IN_REVIEW: Final = documents.c.state == State.NEEDS_REVIEW
_KEY: Final = (documents.c.connection, documents.c.kind, documents.c.id)
_PROBLEMS: Final = cast(documents.c.problems, Text)
_LEADING: Final = documents.c.problems[(0, "code")].as_string()

DocumentKey = tuple[str, str, str]
"""Connection, kind and id."""


class ReviewCount(Frozen):
    """Documents in review whose first problem has this code."""

    code: str
    count: int
    oldest: Instant


class ReviewedDocuments:
    """Reads only. `tenant` and `code` narrow; a code ending in `*` stands for all that begin like it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def review_causes(self, tenant: str | None = None, code: str | None = None) -> tuple[ReviewCount, ...]:
        """How many wait under which leading code, most first."""
        oldest = func.min(documents.c.at, type_=documents.c.at.type)
        leading = func.coalesce(_LEADING, NEEDS_REVIEW)
        statement = (
            select(leading, func.count(), oldest)
            .where(*_wanted(tenant, code))
            .group_by(leading)
            .order_by(func.count().desc(), leading)
        )
        rows = await self._database.read(lambda at: at.execute(statement).all())
        return tuple(ReviewCount(code=found, count=count, oldest=since) for found, count, since in rows)

    async def review_page(
        self, tenant: str | None = None, code: str | None = None, *, limit: int, offset: int = 0
    ) -> tuple[DocumentRow, ...]:
        """Longest waiting first. `code` is that of any of a document's problems, not only of its first."""
        statement = (
            select(documents)
            .where(*_wanted(tenant, code))
            .order_by(documents.c.at, documents.c.id, documents.c.connection)
            .limit(limit)
            .offset(offset)
        )
        return await self._documents(statement)

    async def review_count(self, tenant: str | None = None, code: str | None = None) -> int:
        statement = select(func.count()).select_from(documents).where(*_wanted(tenant, code))
        return int(await self._database.read(lambda at: at.execute(statement).scalar_one()))

    async def in_review(self, document_id: str, connection: str | None = None) -> tuple[DocumentRow, ...]:
        """Those with this id, of one source connection or of all."""
        statement = select(documents).where(_IN_REVIEW, documents.c.id == document_id)
        if connection is not None:
            statement = statement.where(documents.c.connection == connection)
        return await self._documents(statement.order_by(documents.c.connection))

    async def in_review_among(self, connection: str, kind: str, ids: Iterable[str]) -> frozenset[str]:
        """Which of these documents wait for a person."""
        wanted = sorted(set(ids))
        place = (_IN_REVIEW, documents.c.connection == connection, documents.c.kind == kind)

        def unit(at: Connection) -> frozenset[str]:
            found: set[str] = set()
            for start in range(0, len(wanted), _CHUNK):
                some = documents.c.id.in_(wanted[start : start + _CHUNK])
                found.update(at.scalars(select(documents.c.id).where(*place, some)))
            return frozenset(found)

        return await self._database.read(unit)

    async def review_after(
        self,
        integrations: Iterable[str],
        after: DocumentKey | None,
        *,
        limit: int,
        since: dt.datetime | None = None,
    ) -> tuple[DocumentRow, ...]:
        """The next of these integrations by key, for whoever goes through all of them while they change.

        `since`: only what went into review at that moment or later.
        """
        statement = select(documents).where(_IN_REVIEW, documents.c.integration.in_(sorted(set(integrations))))
        if after is not None:
            statement = statement.where(tuple_(*_KEY) > tuple_(*after))
        if since is not None:
            statement = statement.where(documents.c.at >= since)
        return await self._documents(statement.order_by(*_KEY).limit(limit))

    async def _documents(self, statement: Any) -> tuple[DocumentRow, ...]:
        return await self._database.read(lambda at: tuple(document_of(row) for row in at.execute(statement)))


def document_of(row: Any) -> DocumentRow:
    return DocumentRow.model_validate(dict(row._mapping))


def _wanted(tenant: str | None, code: str | None) -> list[ColumnElement[bool]]:
    conditions = [_IN_REVIEW]
    if tenant is not None:
        conditions.append(documents.c.tenant == tenant)
    if code is not None:
        # As JSON stands in the column. A quotation mark inside a sentence is escaped there, so only keys match.
        opened = f'"code": "{code[:-1]}' if code.endswith("*") else f'"code": "{code}"'
        named = _PROBLEMS.contains(opened, autoescape=True)
        conditions.append(or_(named, _PROBLEMS == "[]") if code == NEEDS_REVIEW else named)
    return conditions
