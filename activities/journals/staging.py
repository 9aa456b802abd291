"""Staging: a journal waits in the store's outbox for its group, and its document for the journal's fate."""

from temporalio import activity

from activities import epochs
from activities.collaborators import Collaborators
from activities.decisions import record_decision
from activities.failures import explained, review
from activities.journals.groups import wake_groups
from activities.posting.subject import posted_elsewhere
from activities.refunds.linking import link_journals
from activities.trail import event_of, job_of, settle, turn_of
from contracts import names
from contracts.configuration import Integration
from contracts.flow import State
from contracts.journal import FateKind, JournalFate
from contracts.steps.documents import VERSION_UNKNOWN, Settled, SettleDocument
from contracts.steps.journals import KnownFate, ReadFate, Staged, StageJournal
from mapping.deltas import REVERSAL
from store.creating.creation import CreationRow, CreationState
from store.creating.elsewhere import PostedElsewhere
from store.outbox.booked import in_turn
from store.rows import AuditEvent, PostingState
from store.turns import Superseded


class StagingActivities:
    """All run as local activities: short, on our own store, any number of times."""

    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="stage_journal")
    async def stage_journal(self, wanted: StageJournal) -> Staged:
        """Idempotent on the journal's reference."""
        with explained(names.document_title(wanted.kind, wanted.connection, wanted.order_id)):
            try:
                return await self._stage(wanted)
            except Superseded:
                return Staged(outcome="superseded", reference=wanted.journal.reference)
            except PostedElsewhere as elsewhere:
                name = names.document_title(wanted.kind, wanted.connection, wanted.order_id)
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
            kind=wanted.kind,
            document_id=wanted.order_id,
            parent_id=wanted.parent_id,
            purpose=wanted.purpose,
            ordinal=wanted.ordinal,
            fingerprint=wanted.fingerprint,
            basis=wanted.sale,
            job=job_of(wanted.job),
            now=self._parts.clock(),
            turn=turn_of(wanted.connection, wanted.order_id, wanted.decided_at, kind=wanted.kind),
            event=self._staged_event(integration, wanted),
        )
        if staged.outcome == "edited_after_posting" and await self._may_follow(wanted, staged):
            staged = staged.model_copy(update={"outcome": "in_group"})
        # An attempt that staged it may have died before its row or its wake-up: each is made good here.
        if staged.outcome in ("staged", "unchanged") and wanted.parent_id:
            await link_journals(self._parts, integration, wanted.connection, wanted.parent_id, wanted.journal.reference)
        if staged.outcome in ("staged", "unchanged") or _is_imported(staged):
            await self._record_staged(integration, wanted, staged)
        if staged.outcome in ("staged", "unchanged", "in_group"):
            await wake_groups(self._parts, integration, wanted.journal.ledger, wanted.journal.journal_source)
        fate = staged.fate if staged.outcome == "fated" else await journals.fate(wanted.journal.reference)
        if staged.outcome in ("fated", "unchanged") and fate and fate.kind is FateKind.POSTED:
            await self._settle(integration, wanted, posted_state(wanted.purpose), fate.told)
        return staged

    async def _may_follow(self, wanted: StageJournal, staged: Staged) -> bool:
        """An older version of the order arrived in the ledger while this one was mapped: once the order is looked at
        again, the difference follows it, and nobody is asked. What nobody knows the version of is for a person."""
        if wanted.kind != names.ORDER or wanted.purpose != names.SALE or staged.fate is None:
            return False
        there = await self._parts.store.journals.posting(staged.reference)
        return there is not None and bool(there.fingerprint)

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
        if wanted.state == "needs_review" and (restored := await self._restored(wanted.epoch)):
            return restored
        integration = self._parts.configuration.integration(wanted.integration)
        withdrawn = await self._withdraw(wanted)
        standing = withdrawn.standing
        # A person may skip what is in Fusion (an edit settled by hand), nobody what is on its way there.
        if standing and wanted.state == "skipped" and not (wanted.who and standing.fate):
            return withdrawn
        if standing and wanted.state in ("posted", "reversed") and not standing.fate:
            return withdrawn
        waits = wanted.state == "waiting_import"
        ahead = standing if waits and standing and standing.reference != wanted.reference else None
        known = await self._parts.store.documents.get(wanted.connection, wanted.kind, wanted.order_id)
        await settle(
            self._parts,
            integration,
            wanted.order_id,
            kind=wanted.kind,
            parent_id=wanted.parent_id,
            state=State(wanted.state),
            reason=wanted.sentence,
            modified_at=wanted.modified_at or (known.modified_at if known else self._parts.clock()),
            # The ledger will show another version: once it does, nobody may take this one for settled.
            fingerprint="" if ahead else wanted.fingerprint,
            problems=wanted.problems,
            job=wanted.job,
            decided_by=wanted.who,
            decided_version=(wanted.version or VERSION_UNKNOWN) if wanted.who else "",
            turn=turn_of(wanted.connection, wanted.order_id, wanted.decided_at, kind=wanted.kind),
            event=event_of(
                self._parts,
                integration,
                wanted.order_id,
                kind=wanted.kind,
                action=wanted.state,
                sentence=wanted.sentence,
                details={
                    "problems": [one.code for one in wanted.problems],
                    **({"who": wanted.who, "why": wanted.why} if wanted.who else {}),
                },
                job=wanted.job,
            ),
        )
        if waits:
            place = (wanted.connection, wanted.kind, wanted.order_id)
            await self._parts.store.journals.catch_up(place, self._parts.clock())
            return Settled(standing=ahead.model_copy(update={"outcome": "in_group"}) if ahead else None)
        if wanted.who and wanted.state == "skipped":
            await record_decision(
                self._parts,
                integration,
                wanted.order_id,
                of=wanted.kind,
                kind="skip",
                who=wanted.who,
                why=wanted.why,
                job=wanted.job,
            )
        return Settled(creating=withdrawn.creating)

    async def _restored(self, seen: int) -> Settled | None:
        """A store that was restored, or is being recovered, may know one half of a posting and not the other: what a
        person would be asked then may be wrong, and stay so."""
        guard, now = self._parts.epochs, self._parts.clock()
        if behind := await guard.behind(seen):
            return Settled(behind=behind, until=now + epochs.REST)
        if guard.recovered_since(seen):
            return Settled(behind="read anew: the store has been recovered", until=now, epoch=await guard.current())
        return None

    async def _withdraw(self, wanted: SettleDocument) -> Settled:
        """A version that waits must not be posted any more; what is on its way, or there, cannot be called back."""
        journals, creations = self._parts.store.journals, self._parts.store.creations
        turn = turn_of(wanted.connection, wanted.order_id, wanted.decided_at, kind=wanted.kind)
        standing: list[Staged] = []
        postings = await journals.postings_of(wanted.connection, wanted.kind, wanted.order_id)
        for posting in sorted(postings, key=lambda one: in_turn(one.key)):
            if not await journals.withdraw(posting.reference, turn=turn):
                fate = await journals.fate(posting.reference)
                standing.append(Staged(outcome="fated" if fate else "in_group", reference=posting.reference, fate=fate))
        if standing:
            # What is on its way comes before what is there: only that can still become something else.
            return Settled(standing=next((one for one in standing if not one.fate), standing[-1]))
        created: list[Settled] = []
        for creation in await creations.creations_of(wanted.connection, wanted.kind, wanted.order_id):
            skipped, by_person = wanted.state == "skipped", bool(wanted.who)
            if not await creations.withdraw(creation.reference, skipped=skipped, by_person=by_person, turn=turn):
                created.append(_standing(creation, parks=wanted.state == "needs_review"))
        # A refund is two of them, and the second may be on its way while the first is there.
        open_ones = (one for one in created if one.standing and not one.standing.fate)
        return next(open_ones, created[-1] if created else Settled())

    async def _record_staged(self, integration: Integration, wanted: StageJournal, staged: Staged) -> None:
        """The document waits: for its import, or for what was imported already to be posted."""
        place = (wanted.connection, wanted.kind, wanted.order_id)
        known = await self._parts.store.documents.get(*place)
        waits = known is not None and (known.state, known.fingerprint) == (State.WAITING_IMPORT, wanted.fingerprint)
        if not waits or staged.outcome == "staged":
            sentence = staged.fate.told if staged.fate else f"staged as {wanted.journal.reference}"
            await self._settle(integration, wanted, State.WAITING_IMPORT, sentence)
            await self._parts.store.journals.catch_up(place, self._parts.clock())

    def _staged_event(self, integration: Integration, wanted: StageJournal) -> AuditEvent:
        journal = wanted.journal
        return event_of(
            self._parts,
            integration,
            wanted.order_id,
            kind=wanted.kind,
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
            kind=wanted.kind,
            parent_id=wanted.parent_id,
            state=state,
            reason=reason,
            modified_at=wanted.modified_at,
            fingerprint=wanted.fingerprint,
            job=wanted.job,
            turn=turn_of(wanted.connection, wanted.order_id, wanted.decided_at, kind=wanted.kind),
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


def posted_state(purpose: str) -> State:
    """Of a document whose newest journal is posted."""
    return State.REVERSED if purpose == REVERSAL else State.POSTED


def _is_imported(staged: Staged) -> bool:
    return staged.outcome == "fated" and staged.fate is not None and staged.fate.kind is FateKind.IMPORTED
