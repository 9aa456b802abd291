"""Journals as they stand in Fusion, read back (Oracle Fusion: 4.2). There is no way to create or post one here."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import quote

from pydantic import ValidationError

from clients.errors import NotFound
from clients.oracle_fusion.models import FusionJournal, FusionLine
from clients.oracle_fusion.rest import (
    PAGE,
    FusionRest,
    Row,
    child_key,
    day,
    instant,
    moment_literal,
    money,
    quoted,
    text,
    whole,
)

_HEADERS_WITH_LINES: Final = 100
"""Headers a page when each brings its lines along."""


class PostedJournals:
    """Reads `journalBatches` with headers and, when asked, lines."""

    def __init__(self, rest: FusionRest) -> None:
        self._rest = rest

    async def journals(self, batch_prefix: str, *, lines: bool = False) -> tuple[FusionJournal, ...]:
        """All journals of the batches whose name is `batch_prefix`, decorated or not.

        One import makes several batches (period, currency), and Fusion may append source, request and group to the
        names; "MLC 12" does not find "MLC 123".
        """
        found: list[FusionJournal] = []
        batches = [
            row
            async for row in self._rest.rows(
                "journalBatches",
                subject=f"the journal batches {batch_prefix}",
                q=f"BatchName like {quoted(batch_prefix + '*')}",
                order_by="JeBatchId",
            )
            if _begins_with(text(row, "BatchName"), batch_prefix)
        ]
        for batch in batches:
            found += [journal async for journal in self._of_batch(batch, lines=lines)]
        return tuple(found)

    async def journals_of_source(
        self, source: str, *, since: dt.datetime, lines: bool = False
    ) -> AsyncIterator[FusionJournal]:
        """All journals of a journal source whose batch was created at or after `since`, oldest batch first."""
        async for batch in self._rest.rows(
            "journalBatches",
            subject=f"the journal batches of source {source}",
            q=f"UserJeSourceName={quoted(source)} and CreationDate >= {moment_literal(since)}",
            order_by="JeBatchId",
        ):
            created = instant(batch, "CreationDate")
            if created is None or created >= since:
                async for journal in self._of_batch(batch, lines=lines):
                    yield journal

    async def _of_batch(self, batch: Row, *, lines: bool) -> AsyncIterator[FusionJournal]:
        batch_id = whole(batch, "JeBatchId")
        subject = f"the journals of batch {text(batch, 'BatchName')}"
        if batch_id is None:
            raise self._rest.http.bad_answer(subject, "the batch has no id")
        headers = self._rest.rows(
            f"journalBatches/{batch_id}/child/journalHeaders",
            subject=subject,
            order_by="JournalName",
            expand="journalLines" if lines else "",
            links=True,
            limit=_HEADERS_WITH_LINES if lines else PAGE,
        )
        try:
            async for header in headers:
                key = child_key(header)
                found = await self._lines(header, batch_id, key, subject) if lines else ()
                try:
                    yield _journal(batch, header, batch_id, key, found)
                except (ValueError, ValidationError):
                    raise self._rest.http.bad_answer(subject, "a journal lacks its name or an amount") from None
        except NotFound:
            # The batch was deleted between the two reads: nothing of it exists any more.
            return

    async def _lines(self, header: Row, batch_id: int, key: str, subject: str) -> tuple[FusionLine, ...]:
        """The lines that came along, or all of them page by page when they did not all fit."""
        expanded = header.get("journalLines")
        if isinstance(expanded, dict) and not expanded.get("hasMore") and isinstance(expanded.get("items"), list):
            rows = expanded["items"]
        elif isinstance(expanded, list):
            rows = expanded
        else:
            rows = [
                row
                async for row in self._rest.rows(
                    f"journalBatches/{batch_id}/child/journalHeaders/{quote(key, safe='')}/child/journalLines",
                    subject=subject,
                    order_by="JeLineNumber",
                )
            ]
        try:
            return tuple(sorted((_line(row) for row in rows), key=lambda line: line.number))
        except (ValueError, ValidationError):
            raise self._rest.http.bad_answer(subject, "a journal line lacks its number or an amount") from None


def _begins_with(name: str, prefix: str) -> bool:
    return name.startswith(prefix) and not name[len(prefix) : len(prefix) + 1].isalnum()


def _journal(batch: Row, header: Row, batch_id: int, key: str, lines: tuple[FusionLine, ...]) -> FusionJournal:
    name = text(header, "JournalName", "Name")
    if not name:
        raise ValueError("a journal has no name")
    return FusionJournal(
        header_key=key,
        header_id=whole(header, "JeHeaderId"),
        batch_id=batch_id,
        batch_name=text(batch, "BatchName"),
        name=name,
        external_reference=text(header, "ExternalReference"),
        description=text(header, "JournalDescription", "Description"),
        status=text(batch, "Status").strip().upper()[:1],
        status_meaning=text(batch, "StatusMeaning"),
        source=text(batch, "UserJeSourceName"),
        ledger=text(header, "LedgerName"),
        period=text(header, "PeriodName") or text(batch, "DefaultPeriodName"),
        accounting_date=day(header, "DefaultEffectiveDate", "AccountingDate", "EffectiveDate"),
        currency=text(header, "CurrencyCode"),
        debit=money(header, "RunningTotalDr"),
        credit=money(header, "RunningTotalCr"),
        created_at=instant(batch, "CreationDate"),
        error=text(batch, "ErrorMessage"),
        lines=lines,
    )


def _line(row: Row) -> FusionLine:
    number = whole(row, "JeLineNumber", "JeLineNum")
    if number is None:
        raise ValueError("a line has no number")
    return FusionLine(
        number=number,
        account=text(row, "AccountCombination"),
        debit=money(row, "EnteredDr"),
        credit=money(row, "EnteredCr"),
        description=text(row, "Description"),
    )
