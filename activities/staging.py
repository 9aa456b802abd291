"""Staging: a journal waits in the store's outbox for its group, and its document for the journal's fate."""

from temporalio import activity

from activities.collaborators import Collaborators
from activities.groups import wake_groups
from contracts.configuration import Integration
from contracts.flow import State
from contracts.steps import KnownFate, ReadFate, Settled, SettleDocument, Staged, StageJournal
from store.rows import AuditEvent, DocumentRow


class StagingActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="stage_journal")
    async def stage_journal(self, wanted: StageJournal) -> Staged:
        """Idempotent on the journal's reference. Runs as a local activity."""
        now = self._parts.clock()
        store = self._parts.store
        integration = self._parts.configuration.integration(wanted.integration)
        staged = await store.journals.stage(
            wanted.journal,
            tenant=integration.tenant,
            integration=integration.id,
            connection=wanted.connection,
            fusion=integration.fusion,
            kind="order",
            document_id=wanted.order_id,
            purpose="sale",
            ordinal=wanted.ordinal,
            fingerprint=wanted.fingerprint,
            job=wanted.job,
            now=now,
        )
        if staged.outcome == "staged":
            await self._record_staged(integration, wanted)
        if staged.outcome in ("staged", "unchanged", "in_group"):
            # Also when nothing is new: the attempt that staged it may have died before it could wake anybody.
            await wake_groups(self._parts, integration, wanted.journal.ledger, wanted.journal.journal_source)
        if staged.outcome == "unchanged":
            posting = await store.journals.posting(staged.reference)
            return staged.model_copy(update={"staged_at": posting.staged_at}) if posting else staged
        return staged.model_copy(update={"staged_at": now})

    @activity.defn(name="read_fate")
    async def read_fate(self, wanted: ReadFate) -> KnownFate:
        return KnownFate(fate=await self._parts.store.journals.fate(wanted.reference))

    @activity.defn(name="settle_document")
    async def settle_document(self, wanted: SettleDocument) -> Settled:
        """The document's run ends or parks here: one row and one audit event. Runs as a local activity."""
        now = self._parts.clock()
        integration = self._parts.configuration.integration(wanted.integration)
        standing = await self._withdraw(wanted)
        if standing and wanted.state == "skipped" and not wanted.who:
            return Settled(standing=standing)
        known = await self._parts.store.documents.get(wanted.connection, "order", wanted.order_id)
        modified_at = wanted.modified_at or (known.modified_at if known else now)
        await self._parts.store.documents.settle(
            DocumentRow(
                tenant=integration.tenant,
                integration=integration.id,
                connection=wanted.connection,
                kind="order",
                id=wanted.order_id,
                modified_at=modified_at,
                fingerprint=wanted.fingerprint,
                state=State(wanted.state),
                reason=wanted.sentence,
                problems=wanted.problems,
                job=wanted.job,
                at=now,
            )
        )
        await self._parts.store.audit.append(
            [
                AuditEvent(
                    tenant=integration.tenant,
                    connection=wanted.connection,
                    kind="order",
                    document_id=wanted.order_id,
                    at=now,
                    action=wanted.state,
                    sentence=wanted.sentence,
                    details={
                        "problems": [one.code for one in wanted.problems],
                        **({"who": wanted.who, "why": wanted.why} if wanted.who else {}),
                    },
                    job=wanted.job,
                )
            ]
        )
        return Settled()

    async def _withdraw(self, wanted: SettleDocument) -> Staged | None:
        """A version that waits in the outbox must not be posted any more; one on its way cannot be called back."""
        journals = self._parts.store.journals
        for posting in await journals.postings_of(wanted.connection, "order", wanted.order_id):
            if await journals.withdraw(posting.reference):
                continue
            fate = await journals.fate(posting.reference)
            return Staged(
                outcome="fated" if fate else "unchanged",
                reference=posting.reference,
                staged_at=posting.staged_at,
                fate=fate,
            )
        return None

    async def _record_staged(self, integration: Integration, wanted: StageJournal) -> None:
        now, journal = self._parts.clock(), wanted.journal
        await self._parts.store.documents.settle(
            DocumentRow(
                tenant=integration.tenant,
                integration=integration.id,
                connection=wanted.connection,
                kind="order",
                id=wanted.order_id,
                modified_at=wanted.modified_at,
                fingerprint=wanted.fingerprint,
                state=State.WAITING_IMPORT,
                reason=f"staged as {journal.reference}",
                job=wanted.job,
                at=now,
            )
        )
        await self._parts.store.audit.append(
            [
                AuditEvent(
                    tenant=integration.tenant,
                    connection=wanted.connection,
                    kind="order",
                    document_id=wanted.order_id,
                    at=now,
                    action="staged",
                    sentence=(
                        f"{journal.total} {journal.currency} for {journal.accounting_date} ({journal.date_reason})"
                    ),
                    details={
                        "reference": journal.reference,
                        "mapping_set": journal.mapping_set,
                        "mapping_version": journal.mapping_version,
                        "suspense": journal.suspense,
                        "date_moved": journal.date_moved,
                    },
                    job=wanted.job,
                )
            ]
        )
