"""Bringing back what a restored store has forgotten, from what the ERP shows by reference (design rule 3)."""

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, select, update

from contracts.flow import State
from contracts.journal import FateKind, Journal, JournalFate
from contracts.model import Amount, Frozen, Instant
from store.engine.database import Database, insert_into
from store.outbox.fates import apply_fates
from store.outbox.postings import FINAL, fate_columns, without_content
from store.recovered_creations import RecoveredCreations, settle_recovered
from store.rows import GroupState, PostingKey, PostingState
from store.schema import group_members, journal_groups, postings

UNSENT: Final = "unsent_unproved"
"""Why a group that was merely sealed in the backup is only looked for: it may have been sent since."""


RECOVERED: Final = "recovered"
"""When a group that a restored store had forgotten was adopted."""


class RecoveredJournal(Frozen):
    """A journal of ours as the ledger shows it."""

    key: PostingKey
    fate: JournalFate
    ledger: str
    source: str
    currency: str
    total: Amount
    accounting_date: dt.date | None = None
    lines: str = ""
    """`lines_digest` of its lines."""
    seen_at: Instant


class Recoveries(RecoveredCreations):
    """Writes of `ml-connector recover`. Each is one transaction and harmless when repeated."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._insert = insert_into(database, postings).on_conflict_do_nothing().returning(postings.c.reference)

    async def bring_back(self, journals: Sequence[RecoveredJournal], job: str) -> tuple[RecoveredJournal, ...]:
        """Record journals that are in the ledger; gives those that the store did not know to be there."""
        return await self._database.write(
            lambda connection: tuple(one for one in journals if self._bring_back(connection, one, job))
        )

    def _bring_back(self, connection: Connection, journal: RecoveredJournal, job: str) -> bool:
        fate = journal.fate
        reached = PostingState.POSTED if fate.kind is FateKind.POSTED else PostingState.IMPORTED
        row = without_content(fate.reference, journal.key, "", job, journal.seen_at)
        created = connection.execute(self._insert, {**row, **_as_shown(journal, reached)}).first() is not None
        if not created:
            if journal.key.parent_id:
                nobodys = _changed(fate.reference).where(postings.c.parent_id == "")
                connection.execute(nobodys.values(parent_id=journal.key.parent_id))
            known = connection.execute(
                select(postings.c.state, postings.c.group_id)
                .where(postings.c.reference == fate.reference)
                .with_for_update()
            ).one()
            if known.state in FINAL and (known.state == reached or known.state == PostingState.POSTED):
                return False
            if known.state == PostingState.GROUPED:
                apply_fates(connection, known.group_id, (fate,), journal.seen_at)
                connection.execute(_changed(fate.reference).values(**_as_shown(journal, reached)))
            else:
                connection.execute(_changed(fate.reference).values(group_id=None, **_as_shown(journal, reached)))
        settle_recovered(
            connection,
            self._settle,
            journal.key,
            # Created is not done: what is imported is followed until it is posted.
            state=State.POSTED if reached is PostingState.POSTED else State.WAITING_IMPORT,
            reason=f"recovered: {fate.sentence}",
            job=job,
            at=journal.seen_at,
            parent_id=journal.key.parent_id,
        )
        return True

    async def adopt(self, unposted: Sequence[RecoveredJournal], now: dt.datetime) -> frozenset[int]:
        """Journals in the ledger that are not posted yet get back the group they came in, where the store has forgotten
        it: closed, for nothing of it is under way any more. Gives those of their groups that are closed."""
        group = insert_into(self._database, journal_groups).on_conflict_do_nothing()
        member = insert_into(self._database, group_members).on_conflict_do_nothing()
        mine = [one for one in unposted if one.fate.group_id]

        def unit(connection: Connection) -> frozenset[int]:
            for one in mine:
                row = connection.execute(
                    select(postings.c.state, postings.c.group_id)
                    .where(postings.c.reference == one.fate.reference)
                    .with_for_update()
                ).one_or_none()
                if row is None or row.state != PostingState.IMPORTED or row.group_id is not None:
                    continue
                connection.execute(group, _closed(one, now))
                connection.execute(
                    member,
                    {
                        "group_id": one.fate.group_id,
                        "reference": one.fate.reference,
                        "fate": FateKind.IMPORTED.value,
                    },
                )
                connection.execute(_changed(one.fate.reference).values(group_id=one.fate.group_id))
                connection.execute(_one_more(one.fate.group_id))
            wanted = journal_groups.c.id.in_(sorted({one.fate.group_id for one in mine}))
            closed = select(journal_groups.c.id).where(wanted, journal_groups.c.state == GroupState.CLOSED)
            return frozenset(int(one) for one in connection.scalars(closed))

        return await self._database.write(unit)

    async def doubt_unsent_groups(self, now: dt.datetime) -> tuple[int, ...]:
        """Groups that were sealed and not sent when the backup was made: from now on they are only looked for.

        One that really was never sent is told so by a person, once its limit of being unknown is over.
        """
        table = journal_groups.c

        def unit(connection: Connection) -> tuple[int, ...]:
            rows = connection.execute(
                select(table.id, table.evidence)
                .where(table.state == GroupState.SEALED, table.request_id.is_(None), table.marked_at.is_(None))
                .with_for_update()
            ).all()
            for row in rows:
                connection.execute(
                    update(journal_groups)
                    .where(table.id == row.id)
                    .values(
                        state=GroupState.SENDING,
                        marked_at=now,
                        lease_until=now,
                        evidence={**row.evidence, UNSENT: now.isoformat()},
                    )
                )
            return tuple(int(row.id) for row in rows)

        return await self._database.write(unit)

    async def known_groups(self, ids: Iterable[int]) -> frozenset[int]:
        """Which of these groups the store knows."""
        wanted = sorted(set(ids))
        statement = select(journal_groups.c.id).where(journal_groups.c.id.in_(wanted))
        return await self._database.read(
            lambda connection: frozenset(int(one) for one in connection.scalars(statement)) if wanted else frozenset()
        )


def lines_digest(lines: Iterable[tuple[str, Decimal, Decimal]]) -> str:
    """Of what is booked where: accounts (their separators left out), debits and credits, in any order."""
    rows = sorted(f"{_NOT_VALUE.sub('', account)}|{_plain(debit)}|{_plain(credit)}" for account, debit, credit in lines)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def booked_digest(journal: Journal) -> str:
    """`lines_digest` of a journal that is about to be staged."""
    return lines_digest(("".join(line.segments), line.debit, line.credit) for line in journal.lines)


_NOT_VALUE: Final = re.compile(r"[^0-9A-Za-z]")


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}" if amount else "0"


def _changed(reference: str) -> Any:
    return update(postings).where(postings.c.reference == reference)


def _closed(journal: RecoveredJournal, now: dt.datetime) -> dict[str, Any]:
    return {
        "id": journal.fate.group_id,
        "fusion": journal.key.fusion,
        "ledger": journal.ledger,
        "source": journal.source,
        "state": GroupState.CLOSED,
        "count": 0,
        "epoch": 0,
        "sealed_at": now,
        "closed_at": now,
        "evidence": {RECOVERED: now.isoformat()},
    }


def _one_more(group_id: int) -> Any:
    """Only of a group that was adopted: of one that the store knew, every journal was counted when it was sealed."""
    adopted = (journal_groups.c.id == group_id, journal_groups.c.epoch == 0)
    return update(journal_groups).where(*adopted).values(count=journal_groups.c.count + 1)


def _as_shown(journal: RecoveredJournal, state: PostingState) -> dict[str, Any]:
    """The content is not known any more; what the ledger shows of it is what later versions are compared with."""
    return {
        "ledger": journal.ledger,
        "source": journal.source,
        "currency": journal.currency,
        "total": journal.total,
        "accounting_date": journal.accounting_date,
        "digest": journal.lines,
        "fingerprint": "",
        "state": state,
        "recovered_at": journal.seen_at,
        **fate_columns(journal.fate),
    }
