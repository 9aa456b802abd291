"""Journals that are in the ledger are read back by their reference, and recorded as what they are."""

import datetime as dt
import re
from collections.abc import Sequence
from typing import Final

from activities.collaborators import Collaborators
from clients.errors import NotFound
from clients.oracle_fusion.models import FusionJournal
from contracts import names
from contracts.configuration import Integration
from contracts.journal import FateKind, JournalFate
from store.recoveries import RecoveredJournal, lines_digest
from store.rows import AuditEvent, PostingKey

AT_ONCE: Final = 200
"""Journals that are recorded in one transaction."""
ORDER_OF: Final = re.compile(r"Refund (?P<refund>\S+) of order (?P<order>\S+) \(")
"""How the description of a refund's journal begins (`contracts.refund.RefundSale.title`)."""
GROUP: Final = re.compile(r"\d{15}")
"""Group ids: milliseconds times a hundred, so fifteen digits for centuries."""


class JournalsRead:
    """What was found."""

    def __init__(self) -> None:
        self.read = 0
        self.brought_back: list[str] = []
        self.documents: list[PostingKey] = []
        """Whose those are."""
        self.unposted: list[RecoveredJournal] = []
        """Imported, and not posted yet."""
        self.unreadable: list[str] = []
        self.seen: set[tuple[str, str]] = set()
        """Fusion connection and header key: several integrations may book through one journal source."""


async def bring_back_journals(parts: Collaborators, since: dt.datetime, now: dt.datetime, job: str) -> JournalsRead:
    """Raises `VendorError` while a pod, or the shop of a refund, cannot be asked."""
    found = JournalsRead()
    for integration in parts.configuration.integrations:
        for source in sorted({books.journal_source for books in integration.books}):
            await _read_back(parts, integration, source, since, now, job, found)
    return found


async def _read_back(
    parts: Collaborators,
    integration: Integration,
    source: str,
    since: dt.datetime,
    now: dt.datetime,
    job: str,
    found: JournalsRead,
) -> None:
    fusion = parts.fusions[integration.fusion]
    batch: list[RecoveredJournal] = []
    async for journal in fusion.journals_of_source(source, since=since, lines=True):
        place = (integration.fusion, f"{journal.batch_id}/{journal.header_key}")
        key = await _key_of(parts, integration, journal)
        if key is None:
            if not _may_be_ours(journal):
                continue
            if place not in found.seen and not _of_another(parts, integration, journal):
                found.unreadable.append(journal.name)
                found.seen.add(place)
            continue
        if place in found.seen:
            continue
        found.seen.add(place)
        found.read += 1
        batch.append(_recovered(key, journal, now))
        if len(batch) == AT_ONCE:
            await _record(parts, batch, job, found)
            batch = []
    await _record(parts, batch, job, found)


async def _record(parts: Collaborators, batch: Sequence[RecoveredJournal], job: str, found: JournalsRead) -> None:
    if not batch:
        return
    brought = await parts.store.recoveries.bring_back(batch, job)
    found.brought_back += [one.fate.reference for one in brought]
    found.documents += [one.key for one in brought]
    found.unposted += [one for one in batch if one.fate.kind is FateKind.IMPORTED]
    await parts.store.audit.append([_event(one, job) for one in brought])


def _event(journal: RecoveredJournal, job: str) -> AuditEvent:
    return AuditEvent(
        tenant=journal.key.tenant,
        connection=journal.key.connection,
        kind=journal.key.kind,
        document_id=journal.key.document_id,
        at=journal.seen_at,
        action="recovered",
        sentence=f"{journal.total} {journal.currency}, {journal.fate.sentence}",
        details={"reference": journal.fate.reference, "journal_header_id": journal.fate.journal_header_id},
        job=job,
    )


def _recovered(key: PostingKey, journal: FusionJournal, now: dt.datetime) -> RecoveredJournal:
    kind = FateKind.POSTED if journal.posted else FateKind.IMPORTED
    words = "read back from Fusion as posted" if journal.posted else "read back from Fusion, not posted yet"
    fate = JournalFate(
        reference=journal.reference,
        kind=kind,
        group_id=_group_of(journal),
        at=now,
        journal_header_id=journal.header_id,
        journal_batch_id=journal.batch_id,
        journal_name=journal.name,
        period=journal.period,
        sentence=f"{words} in {journal.period} as {journal.name}",
    )
    return RecoveredJournal(
        key=key,
        fate=fate,
        ledger=journal.ledger,
        source=journal.source,
        currency=journal.currency,
        total=journal.debit,
        accounting_date=journal.accounting_date,
        lines=lines_digest((line.account, line.debit, line.credit) for line in journal.lines),
        seen_at=now,
    )


def _group_of(journal: FusionJournal) -> int:
    found = GROUP.search(journal.batch_name)
    return int(found[0]) if found else 0


async def _key_of(parts: Collaborators, integration: Integration, journal: FusionJournal) -> PostingKey | None:
    """Whose journal it is: by its reference, or by the description where the reference was too long to be readable."""
    text = journal.reference
    if text.startswith("mlc-"):
        posting = await parts.store.journals.posting(text)
        if posting is not None:
            return posting.key if posting.key.integration == integration.id else None
        text = journal.description.rpartition("| ")[2].strip()
    pieces = text.split("/")
    if len(pieces) != 6 or not pieces[5].isdigit():
        return None
    tenant, connection, kind, document_id, purpose, ordinal = pieces
    if (tenant, connection) != (integration.tenant, integration.source):
        return None
    if names.journal_reference(tenant, connection, kind, document_id, purpose, int(ordinal)) != journal.reference:
        return None
    return PostingKey(
        tenant=tenant,
        integration=integration.id,
        connection=connection,
        fusion=integration.fusion,
        kind=kind,
        document_id=document_id,
        purpose=purpose,
        ordinal=int(ordinal),
        parent_id=await _order_of(parts, integration, journal, document_id) if kind == names.REFUND else "",
    )


async def _order_of(parts: Collaborators, integration: Integration, journal: FusionJournal, refund_id: str) -> str:
    """Whose refund it is: a reversal of that order must not take back once more what it took.

    The description says so, unless somebody in Fusion has written another one; then the shop does.
    """
    told = ORDER_OF.match(journal.description)
    if told is not None and told["refund"] == refund_id:
        return told["order"]
    try:
        snapshot, _ = await parts.shops[integration.source].refund(refund_id)
    except NotFound:
        return ""
    return snapshot.refund.order_id


def _may_be_ours(journal: FusionJournal) -> bool:
    return bool(_group_of(journal)) or journal.reference.startswith("mlc-")


def _of_another(parts: Collaborators, integration: Integration, journal: FusionJournal) -> bool:
    """Whether another integration of this deployment will recognise it."""
    others = {(one.tenant, one.source) for one in parts.configuration.integrations if one.id != integration.id}
    text = journal.description.rpartition("| ")[2] if journal.reference.startswith("mlc-") else journal.reference
    return tuple(text.strip().split("/")[:2]) in others
