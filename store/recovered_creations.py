"""Bringing back what a restored store has forgotten of documents that one call creates, and of decisions about them."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Connection, select, update

from contracts.flow import State
from contracts.journal import FateKind, Problem
from contracts.model import Amount, Frozen, Instant
from store.creating.creation import NOTHING_KNOWN, CreationState, blank_columns, creation_of
from store.creating.creation_changes import FREE, change, known_row
from store.creating.elsewhere import REVENUE
from store.engine.database import Database, insert_into
from store.outbox.fates import close_when_known
from store.rows import PostingKey, PostingState
from store.schema import STAGED, creations, documents, group_members, postings

ANCIENT: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
"""Stamp of a recovered document: older than any version, so that the next poll reads it and compares."""
NUMBERS: Final = "numbers"
"""Where a creation's evidence keeps the numbers of all documents in the ERP that carry its reference."""
_CHUNK: Final = 500
_PROBLEMS: Final = TypeAdapter(tuple[Problem, ...])


class RecoveredCreation(Frozen):
    """A document of ours as the ERP shows it."""

    key: PostingKey
    reference: str
    resource: str
    home: str
    """Where it carries the reference."""
    number: str
    """As it stands there."""
    currency: str
    total: Amount
    accounting_date: dt.date | None = None
    target_id: str
    target_number: str
    sentence: str
    created_at: Instant | None = None
    """By the ERP's clock."""
    seen_at: Instant
    numbers: tuple[str, ...] = ()
    """Of all that carry the reference, when there are several; this is then one of them."""
    problems: tuple[Problem, ...] = ()
    """What a person is told of several."""
    parent_id: str = ""
    """The order, of a document that is not one itself, where the ERP tells it."""
    document_state: State = State.POSTED
    """Where its document stands, that being one of it; `running` when the other half is missing."""


class ForgottenReview(Frozen):
    """A document as it waited for a person when one decided, or as it waits again."""

    tenant: str
    integration: str
    connection: str
    kind: str
    id: str
    fingerprint: str
    problems: tuple[Problem, ...]
    job: str
    at: Instant


class RecoveredCreations:
    """Part of `store.recoveries.Recoveries`. Each write is one transaction and harmless when repeated."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert_creation = (
            insert_into(database, creations).on_conflict_do_nothing().returning(creations.c.reference)
        )
        self._settle = insert_into(database, documents).on_conflict_do_nothing()

    async def bring_back_creations(self, found: Sequence[RecoveredCreation], job: str) -> tuple[RecoveredCreation, ...]:
        """Record what is in the ERP; gives those that the store did not know to be there."""
        return await self._database.write(
            lambda connection: tuple(one for one in found if self._bring_back_creation(connection, one, job))
        )

    def _bring_back_creation(self, connection: Connection, found: RecoveredCreation, job: str) -> bool:
        shown = _as_shown(found)
        blank = {**NOTHING_KNOWN, **blank_columns(found.key, job), "created_at": found.seen_at}
        row = {"reference": found.reference, **blank, **shown}
        if connection.execute(self._insert_creation, row).first() is None:
            known = creation_of(known_row(connection, found.reference))
            if known.final:
                return False
            change(connection, known, **shown)
        self._withdraw_journals(connection, found.key)
        settle_recovered(
            connection,
            self._settle,
            found.key,
            state=State.NEEDS_REVIEW if found.numbers else found.document_state,
            reason=found.problems[0].sentence if found.problems else f"recovered: {found.sentence}",
            problems=found.problems,
            job=job,
            at=found.seen_at,
            parent_id=found.parent_id,
        )
        return True

    def _withdraw_journals(self, connection: Connection, key: PostingKey) -> None:
        """The invoice was intended only after its sale's journal had left the outbox, or had come back refused."""
        if key.purpose not in REVENUE:
            return
        mine = [
            *_of_document(postings, key.connection, key.kind, key.document_id),
            postings.c.purpose.in_(REVENUE),
        ]
        connection.execute(update(postings).where(*mine, STAGED).values(state=PostingState.WITHDRAWN))
        _leave_groups(connection, mine, at=dt.datetime.now(dt.UTC))

    async def reopen(self, review: ForgottenReview) -> None:
        """As it was in review when a person decided, so that the decision can be recorded once more.

        Nothing of it was on its way then that a person could not decide about; what the store says of older versions
        is not compared with what the person saw.
        """

        def unit(connection: Connection) -> None:
            self.put_in_review(connection, review)
            place = (review.connection, review.kind, review.id)
            _leave_groups(connection, _of_document(postings, *place), at=review.at)
            mine = _of_document(creations, *place)
            rows = connection.execute(select(creations.c.reference).where(*mine).with_for_update()).scalars().all()
            for reference in rows:
                row = creation_of(known_row(connection, reference))
                if row.final:
                    continue
                if row.open:
                    change(connection, row, state=CreationState.REVIEW)
                if row.fingerprint != review.fingerprint:
                    change(connection, row, currency="", total=Decimal(0))
                change(connection, row, **FREE)

        await self._database.write(unit)

    async def park(self, review: ForgottenReview) -> None:
        """The document waits for a person, whatever the store says of it."""
        place = {"connection": review.connection, "kind": review.kind, "id": review.id}

        def unit(connection: Connection) -> None:
            self.put_in_review(connection, review)
            mine = [documents.c[name] == value for name, value in place.items()]
            connection.execute(update(documents).where(*mine).values(**_in_review(review)))

        await self._database.write(unit)

    def put_in_review(self, connection: Connection, review: ForgottenReview) -> None:
        """Part of a transaction. A document that the store knows keeps its row."""
        place = {"connection": review.connection, "kind": review.kind, "id": review.id}
        connection.execute(
            self._settle,
            {**place, **_in_review(review), "tenant": review.tenant, "integration": review.integration}
            | {"modified_at": ANCIENT},
        )

    async def references_of_numbers(self, fusion: str, numbers: Iterable[str]) -> Mapping[str, str]:
        """Which reference was shortened to, or stood as, which of these numbers, as far as the store knows."""
        wanted = sorted(set(numbers))
        table = creations.c

        def unit(connection: Connection) -> dict[str, str]:
            found: dict[str, str] = {}
            for start in range(0, len(wanted), _CHUNK):
                statement = select(table.number, table.reference).where(
                    table.fusion == fusion, table.number.in_(wanted[start : start + _CHUNK])
                )
                found |= {row.number: row.reference for row in connection.execute(statement)}
            return found

        return await self._database.read(unit)


def settle_recovered(
    connection: Connection,
    insert: Any,
    key: PostingKey,
    *,
    state: State,
    reason: str,
    problems: Sequence[Problem] = (),
    job: str,
    at: dt.datetime,
    parent_id: str = "",
) -> None:
    """The row of a document of which the ERP shows something; one that stands there already is left alone."""
    words = {
        "tenant": key.tenant,
        "integration": key.integration,
        "state": state,
        "reason": reason,
        "problems": _PROBLEMS.dump_python(tuple(problems), mode="json"),
        "job": job,
        "decided_by": "",
        "at": at,
        "fingerprint": "",
        "modified_at": ANCIENT,
        **({"parent_id": parent_id} if parent_id else {}),
    }
    place = {"connection": key.connection, "kind": key.kind, "id": key.document_id}
    if connection.execute(insert, {**place, **words}).rowcount == 0:
        mine = [documents.c[name] == value for name, value in place.items()]
        connection.execute(update(documents).where(*mine, documents.c.state != state).values(**words))


def _leave_groups(connection: Connection, mine: Sequence[Any], *, at: dt.datetime) -> None:
    """Journals that were in an import when the backup was made, and are known to have left it since."""
    rows = connection.execute(
        select(postings.c.reference, postings.c.group_id)
        .where(*mine, postings.c.state == PostingState.GROUPED)
        .with_for_update()
    ).all()
    for row in rows:
        connection.execute(
            update(postings)
            .where(postings.c.reference == row.reference)
            .values(state=PostingState.WITHDRAWN, group_id=None)
        )
        connection.execute(
            update(group_members)
            .where(group_members.c.group_id == row.group_id, group_members.c.reference == row.reference)
            .values(fate=FateKind.REFUSED)
        )
        close_when_known(connection, row.group_id, at)


def _as_shown(found: RecoveredCreation) -> dict[str, Any]:
    """Its content and its version are not known any more. Of several nobody knows which one counts."""
    return {
        **FREE,
        "state": CreationState.DIFFERS if found.numbers else CreationState.POSTED,
        "resource": found.resource,
        "home": found.home,
        "number": found.number,
        "currency": found.currency,
        "total": found.total,
        "accounting_date": found.accounting_date,
        "fingerprint": "",
        "digest": "",
        "content": None,
        "sent_at": None,
        "answered_at": None,
        "target_id": found.target_id,
        "target_number": found.target_number,
        "posted_at": found.created_at or found.seen_at,
        "sentence": found.problems[0].sentence if found.problems else found.sentence,
        "evidence": {NUMBERS: list(found.numbers)} if found.numbers else {},
        "recovered_at": found.seen_at,
    }


def _of_document(table: Any, connection: str, kind: str, document_id: str) -> list[Any]:
    columns = table.c
    return [columns.connection == connection, columns.kind == kind, columns.document_id == document_id]


def _in_review(review: ForgottenReview) -> dict[str, Any]:
    return {
        "state": State.NEEDS_REVIEW,
        "reason": review.problems[0].sentence if review.problems else "in review",
        "problems": _PROBLEMS.dump_python(review.problems, mode="json"),
        "job": review.job,
        "decided_by": "",
        "at": review.at,
        "fingerprint": review.fingerprint,
    }
