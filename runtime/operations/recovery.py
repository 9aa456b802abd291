"""Recovery: a store that was restored from a backup learns from Fusion what was posted since (design rule 3).

Until then nothing is posted. Journals are read back by their reference and recorded as what they are; imports that the
store has never heard of must have ended, and what they left in the interface is purged; groups that were merely sealed
in the backup are from now on only looked for. Invoices need no rebuilding: every create looks first. Then the epoch
rises above everything that was ever seen, and posting goes on.
"""

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import structlog
from temporalio.service import RPCError, RPCStatusCode

from activities.collaborators import Collaborators
from clients.errors import NotFound
from clients.oracle_fusion.gl_interface import batch_name
from clients.oracle_fusion.models import FusionJournal
from contracts import names
from contracts.configuration import Books, Integration
from contracts.flow import Remapped, State
from contracts.journal import FateKind, JournalFate
from contracts.model import Frozen, Instant
from store.recoveries import RecoveredJournal, lines_digest
from store.rows import AuditEvent, PostingKey

CLOCKS_APART: Final = dt.timedelta(hours=1)
"""Fusion is read from this much before the given moment: its clock is not ours."""
AT_ONCE: Final = 200
"""Journals that are recorded in one transaction."""
GROUP: Final = re.compile(r"\d{15}")
"""Group ids: milliseconds times a hundred, so fifteen digits for centuries."""

_log = structlog.stdlib.get_logger(__name__)


class StillRunning(Frozen):
    """An import from before the restore that has not ended: nothing can be said of its journals yet."""

    fusion: str
    request_id: int
    group_id: int
    state: str

    def sentence(self) -> str:
        return f"ESS request {self.request_id} ({self.fusion}) imports group {self.group_id} and is {self.state}."


class Recovery(Frozen):
    """What a recovery found and did."""

    since: Instant
    behind: str
    """Why nothing was posted before; empty when the store was not behind."""
    read: int = 0
    """Journals of ours in Fusion."""
    brought_back: tuple[str, ...] = ()
    """References that the store did not know to be posted."""
    unreadable: tuple[str, ...] = ()
    """Journals of our sources whose reference tells nobody whose they are."""
    doubted: tuple[int, ...] = ()
    """Groups that are only looked for from now on."""
    purged: tuple[int, ...] = ()
    """Groups of a later store whose refused rows were removed from the interface."""
    asked_again: int = 0
    """Documents in review that the store had forgotten, and that are looked at again."""
    running: tuple[StillRunning, ...] = ()
    """When there are any, posting stays stopped: recover again once they have ended."""
    epoch: int = 0
    """The store's, afterwards."""

    @property
    def done(self) -> bool:
        return not self.running


async def recover(parts: Collaborators, since: dt.datetime, *, now: dt.datetime | None = None) -> Recovery:
    """Rebuilds the postings since then, and lets posting go on. Safe to repeat and to interrupt.

    Raises `VendorError` while a pod cannot be asked; nothing is posted meanwhile.
    """
    moment = now or parts.clock()
    job = f"recover:{moment:%Y%m%dT%H%M%SZ}"
    behind = await parts.epochs.behind(at_most=0)
    begin = since - CLOCKS_APART
    running, purged = await _unknown_imports(parts, begin)
    found = _Found()
    for integration in parts.configuration.integrations:
        for source in sorted({books.journal_source for books in integration.books}):
            await _read_back(parts, integration, source, begin, moment, job, found)
    result = Recovery(
        since=since,
        behind=behind,
        read=found.read,
        brought_back=tuple(found.brought_back),
        unreadable=tuple(found.unreadable),
        running=running,
        purged=purged,
    )
    if running:
        return result.model_copy(update={"epoch": await parts.store.epochs.current()})
    doubted = await parts.store.recoveries.doubt_unsent_groups(moment) if behind else ()
    asked = await _ask_forgotten_reviews(parts)
    highest = max(await parts.epochs.kept(), await parts.epochs.current())
    # The keeper is told before the next group is sent, as before every group.
    epoch = await parts.store.epochs.recovered(highest, now=moment)
    return result.model_copy(update={"doubted": doubted, "asked_again": asked, "epoch": epoch})


class _Found:
    def __init__(self) -> None:
        self.read = 0
        self.brought_back: list[str] = []
        self.unreadable: list[str] = []
        self.seen: set[tuple[str, str]] = set()
        """Fusion connection and header key: several integrations may book through one journal source."""


async def _read_back(
    parts: Collaborators,
    integration: Integration,
    source: str,
    since: dt.datetime,
    now: dt.datetime,
    job: str,
    found: _Found,
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


async def _record(parts: Collaborators, batch: Sequence[RecoveredJournal], job: str, found: _Found) -> None:
    if not batch:
        return
    brought = await parts.store.recoveries.bring_back(batch, job)
    found.brought_back += [one.fate.reference for one in brought]
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
    )


def _may_be_ours(journal: FusionJournal) -> bool:
    return bool(_group_of(journal)) or journal.reference.startswith("mlc-")


def _of_another(parts: Collaborators, integration: Integration, journal: FusionJournal) -> bool:
    """Whether another integration of this deployment will recognise it."""
    others = {(one.tenant, one.source) for one in parts.configuration.integrations if one.id != integration.id}
    text = journal.description.rpartition("| ")[2] if journal.reference.startswith("mlc-") else journal.reference
    return tuple(text.strip().split("/")[:2]) in others


async def _unknown_imports(
    parts: Collaborators, since: dt.datetime
) -> tuple[tuple[StillRunning, ...], tuple[int, ...]]:
    """Imports of groups that this store has never heard of: those that still run, and those whose rows were purged."""
    running: list[StillRunning] = []
    purged: list[int] = []
    for fusion_id, fusion in parts.fusions.items():
        outlets = _outlets(parts.configuration.integrations, fusion_id)
        if not outlets:
            continue
        requests: dict[int, tuple[int, frozenset[str]]] = {}
        async for request in fusion.imports_since(since):
            for group_id in (int(one) for one in request.parameters if GROUP.fullmatch(one)):
                requests.setdefault(group_id, (request.request_id, request.parameters))
        known = await parts.store.recoveries.known_groups(requests)
        for group_id in sorted(requests.keys() - known):
            request_id, parameters = requests[group_id]
            try:
                job = await fusion.job(request_id)
            except NotFound:
                continue  # purged from the scheduler's history: it ended long ago
            if not job.terminal:
                running.append(
                    StillRunning(fusion=fusion_id, request_id=request_id, group_id=group_id, state=job.state.value)
                )
            elif (
                not job.succeeded
                and not await fusion.journals(batch_name(group_id))
                and await _purge(parts, fusion_id, outlets, group_id, parameters)
            ):
                purged.append(group_id)
    return tuple(running), tuple(purged)


def _outlets(integrations: Iterable[Integration], fusion_id: str) -> list[Books]:
    found: dict[tuple[str, str], Books] = {}
    for integration in integrations:
        if integration.fusion == fusion_id:
            for books in integration.books:
                found.setdefault((books.ledger, books.journal_source), books)
    return list(found.values())


async def _purge(
    parts: Collaborators, fusion_id: str, outlets: Sequence[Books], group_id: int, parameters: frozenset[str]
) -> bool:
    """What a refused import left in the interface could be imported by a person later."""
    if not parts.fusion_connection(fusion_id).journal_import.purge_job:
        return False
    fusion = parts.fusions[fusion_id]
    done = False
    for books in outlets:
        ledger = await fusion.ledger(books.ledger)
        if str(ledger.ledger_id) not in parameters:
            continue
        await fusion.purge_group(
            group_id,
            ledger=ledger,
            source_id=await fusion.journal_source_id(books.journal_source),
            data_access_set_id=await fusion.data_access_set_id(books.data_access_set),
        )
        done = True
    return done


async def _ask_forgotten_reviews(parts: Collaborators) -> int:
    """Documents whose run waits for a person while the store no longer says so: each looks at itself again."""
    known = {(row.connection, row.id) for row in await parts.store.documents.review_list()}
    asked = 0
    query = f"WorkflowType='{names.ORDER_TO_JOURNAL}' AND ExecutionStatus='Running' AND {names.SA_STATE}='needs_review'"
    async for run in parts.temporal.list_workflows(query):
        _, connection, document_id = run.id.split(":", 2)
        if (connection, document_id) in known:
            continue
        integrations = parts.configuration.integrations_of(connection)
        if not integrations:
            continue
        mapping_set = parts.configuration.mapping_set(integrations[0].mapping_set)
        signal = Remapped(mapping_set=mapping_set.id, version=mapping_set.version)
        try:
            await parts.temporal.get_workflow_handle(run.id).signal(names.REMAPPED, signal)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            continue
        asked += 1
    _log.info("reviews asked again", state=State.NEEDS_REVIEW.value, count=asked)
    return asked


def as_json(result: Recovery) -> dict[str, Any]:
    """For `--json`."""
    return {**result.model_dump(mode="json"), "done": result.done}
