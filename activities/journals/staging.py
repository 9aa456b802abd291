"""Staging: a journal waits in the store's outbox for its group, and its document for the journal's fate."""

from temporalio import activity

from activities import epochs
from activities.collaborators import Collaborators
from activities.decisions import record_decision
from activities.failures import explained, review
from activities.journals.groups import wake_groups
from activities.posting.subject import posted_elsewhere
from activities.trail import KIND, event_of, job_of, settle, turn_of
from contracts.configuration import Integration
from contracts.flow import State
from contracts.journal import FateKind, JournalFate
from contracts.steps import KnownFate, ReadFate, Settled, SettleDocument, Staged, StageJournal
from store.creating.creation import CreationRow, CreationState
from store.creating.elsewhere import PostedElsewhere
from store.rows import AuditEvent, PostingState
from store.turns import Superseded


class StagingActivities:
    """All run as local activities: short, on our own store, any number of times."""

    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="stage_journal")
    async def stage_journal(self, wanted: StageJournal) -> Staged:
        """Idempotent on the journal's reference."""
        with explained(f"Order {wanted.order_id} ({wanted.connection})"):
            try:
                return await self._stage(wanted)
            except Superseded:
                return Staged(outcome="superseded", reference=wanted.journal.reference)
            except PostedElsewhere as elsewhere:
                name = f"Order {wanted.order_id} ({wanted.connection})"
                raise review(posted_elsewhere(name, "journal", elsewhere)) from elsewhere

    async def _stage(self, wanted: StageJournal) -> Staged:
        if behind := await self._parts.epochs.behind(wanted.epoch):
            until = self._parts.clock() + epochs.REST
            return Staged(outcome="behind", reference=wanted.journal.reference, sentence=behind, until=until)
        if self._parts.epochs.recovered_since(wanted.epoch):
            return Staged(outcome="superseded", reference=wanted.journal.reference)
        journals = self._parts.store.journals
        integration = self._parts.configuration.integration(wanted.integration)
        staged = await journals.stage(
            wanted.journal,
            tenant=integration.tenant,
            integration=integration.id,
            connection=wanted.connection,
            fusion=integration.fusion,
            kind=KIND,
            document_id=wanted.order_id,
            purpose="sale",
            ordinal=wanted.ordinal,
            fingerprint=wanted.fingerprint,
            job=job_of(wanted.job),
            now=self._parts.clock(),
            turn=turn_of(wanted.connection, wanted.order_id, wanted.decided_at),
            event=self._staged_event(integration, wanted),
        )
        # An attempt that staged it may have died before its row or its wake-up: each is made good here.
        if staged.outcome in ("staged", "unchanged"):
            await self._record_staged(integration, wanted, new=staged.outcome == "staged")
        if staged.outcome in ("staged", "unchanged", "in_group"):
            await wake_groups(self._parts, integration, wanted.journal.ledger, wanted.journal.journal_source)
        fate = staged.fate if staged.outcome == "fated" else await journals.fate(wanted.journal.reference)
        if staged.outcome in ("fated", "unchanged") and fate and fate.kind is FateKind.POSTED:
            await self._settle(integration, wanted, State.POSTED, _posted(fate))
        return staged

    @activity.defn(name="read_fate")
    async def read_fate(self, wanted: ReadFate) -> KnownFate:
        """What the store knows; a journal that is still in the outbox wakes its groups once more."""
        journals = self._parts.store.journals
        fate = await journals.fate(wanted.reference)
        posting = None if fate else await journals.posting(wanted.reference)
        if posting and posting.state is PostingState.STAGED:
            integration = self._parts.configuration.integration(posting.key.integration)
            await wake_groups(self._parts, integration, posting.ledger, posting.source)
        return KnownFate(fate=fate)

    @activity.defn(name="settle_document")
    async def settle_document(self, wanted: SettleDocument) -> Settled:
        """The document's run ends or parks here: one row and one audit event."""
        try:
            return await self._settle_document(wanted)
        except Superseded:
            return Settled(superseded=True)

    async def _settle_document(self, wanted: SettleDocument) -> Settled:
        integration = self._parts.configuration.integration(wanted.integration)
        withdrawn = await self._withdraw(wanted)
        standing = withdrawn.standing
        # A person may skip what is in Fusion (an edit settled by hand), nobody what is on its way there.
        if standing and wanted.state == "skipped" and not (wanted.who and standing.fate):
            return withdrawn
        known = await self._parts.store.documents.get(wanted.connection, KIND, wanted.order_id)
        await settle(
            self._parts,
            integration,
            wanted.order_id,
            state=State(wanted.state),
            reason=wanted.sentence,
            modified_at=wanted.modified_at or (known.modified_at if known else self._parts.clock()),
            fingerprint=wanted.fingerprint,
            problems=wanted.problems,
            job=wanted.job,
            decided_by=wanted.who,
            turn=turn_of(wanted.connection, wanted.order_id, wanted.decided_at),
            event=event_of(
                self._parts,
                integration,
                wanted.order_id,
                action=wanted.state,
                sentence=wanted.sentence,
                details={
                    "problems": [one.code for one in wanted.problems],
                    **({"who": wanted.who, "why": wanted.why} if wanted.who else {}),
                },
                job=wanted.job,
            ),
        )
        if wanted.who and wanted.state == "skipped":
            await record_decision(
                self._parts,
                integration,
                wanted.order_id,
                kind="skip",
                who=wanted.who,
                why=wanted.why,
                job=wanted.job,
            )
        return Settled(creating=withdrawn.creating)

    async def _withdraw(self, wanted: SettleDocument) -> Settled:
        """A version that waits must not be posted any more; what is on its way, or there, cannot be called back."""
        journals, creations = self._parts.store.journals, self._parts.store.creations
        turn = turn_of(wanted.connection, wanted.order_id, wanted.decided_at)
        for posting in await journals.postings_of(wanted.connection, KIND, wanted.order_id):
            if not await journals.withdraw(posting.reference, turn=turn):
                fate = await journals.fate(posting.reference)
                standing = Staged(outcome="fated" if fate else "in_group", reference=posting.reference, fate=fate)
                return Settled(standing=standing)
        for creation in await creations.creations_of(wanted.connection, KIND, wanted.order_id):
            skipped, by_person = wanted.state == "skipped", bool(wanted.who)
            if not await creations.withdraw(creation.reference, skipped=skipped, by_person=by_person, turn=turn):
                return _standing(creation, parks=wanted.state == "needs_review")
        return Settled()

    async def _record_staged(self, integration: Integration, wanted: StageJournal, *, new: bool) -> None:
        known = await self._parts.store.documents.get(wanted.connection, KIND, wanted.order_id)
        if new or known is None or (known.state, known.fingerprint) != (State.WAITING_IMPORT, wanted.fingerprint):
            await self._settle(integration, wanted, State.WAITING_IMPORT, f"staged as {wanted.journal.reference}")

    def _staged_event(self, integration: Integration, wanted: StageJournal) -> AuditEvent:
        journal = wanted.journal
        return event_of(
            self._parts,
            integration,
            wanted.order_id,
            action="staged",
            sentence=f"{journal.total} {journal.currency} for {journal.accounting_date} ({journal.date_reason})",
            details={
                "reference": journal.reference,
                "mapping_set": journal.mapping_set,
                "mapping_version": journal.mapping_version,
                "suspense": journal.suspense,
                "date_moved": journal.date_moved,
            },
            job=wanted.job,
        )

    async def _settle(self, integration: Integration, wanted: StageJournal, state: State, reason: str) -> None:
        await settle(
            self._parts,
            integration,
            wanted.order_id,
            state=state,
            reason=reason,
            modified_at=wanted.modified_at,
            fingerprint=wanted.fingerprint,
            job=wanted.job,
            turn=turn_of(wanted.connection, wanted.order_id, wanted.decided_at),
        )


def _standing(creation: CreationRow, *, parks: bool) -> Settled:
    """What a creation is to its document: there, or with an outcome that is to be found out."""
    reference = creation.reference
    if not creation.final:
        # Nobody looks before a document is parked because it was looked for long enough.
        creating = creation.key.fusion if creation.state is CreationState.SENDING or not parks else ""
        return Settled(standing=Staged(outcome="in_group", reference=reference), creating=creating)
    fate = JournalFate(
        reference=reference,
        kind=FateKind.POSTED,
        group_id=0,
        at=creation.posted_at or creation.created_at,
        journal_name=creation.target_number,
        sentence=creation.sentence,
    )
    return Settled(standing=Staged(outcome="fated", reference=reference, fate=fate))


def _posted(fate: JournalFate) -> str:
    return f"posted in {fate.period} as {fate.journal_name}" if fate.period else fate.sentence
