"""A document that becomes a general ledger journal: staged, then waited for until its group is imported and posted."""

import contextlib
from datetime import timedelta

from temporalio import workflow

from contracts import names
from contracts.flow import FlowResult, State
from contracts.journal import FateKind, Journal, JournalFate, Problem
from contracts.steps.documents import Mapped, Pace
from contracts.steps.journals import ReadFate, Staged, StageJournal
from workflows.document_steps import DocumentSteps, Found, Given, modified_at
from workflows.patience import LOCAL_FAILURES, LOCAL_STEP, problem_of, rest_until
from workflows.review import NeedsReviewError

with workflow.unsafe.imports_passed_through():
    from activities.journals.staging import StagingActivities, posted_state

PERIOD_CLOSED = frozenset({"EP01", "EP02"})
"""Journal import errors that a newer look at the calendar may heal."""


def _final(fate: JournalFate | None) -> JournalFate | None:
    """Created is not done (design rule 14): an imported journal is waited for until it is posted."""
    return fate if fate and fate.kind in (FateKind.POSTED, FateKind.REFUSED) else None


class JournalSteps(DocumentSteps[Given, Found]):
    """From a mapped journal to its fate."""

    async def stage(self, given: Given, fetched: Found, mapped: Mapped, journal: Journal, seen: int) -> Staged | None:
        """None: the document changed while the store could not be posted from."""
        while True:
            staged = await self._stage_once(given, fetched, mapped, journal)
            if staged.outcome != "behind":
                return staged
            self.show(State.RUNNING, staged.sentence)
            await self.sleep_until_change(seen, rest_until(staged.until))
            if self.changes != seen:
                return None

    async def _stage_once(self, given: Given, fetched: Found, mapped: Mapped, journal: Journal) -> Staged:
        try:
            return await workflow.execute_local_activity_method(
                StagingActivities.stage_journal,
                StageJournal(
                    integration=given.integration,
                    connection=given.connection,
                    order_id=given.document_id,
                    kind=given.kind,
                    parent_id=fetched.parent_id,
                    journal=journal,
                    fingerprint=fetched.fingerprint,
                    modified_at=modified_at(fetched),
                    purpose=mapped.purpose or names.PURPOSES[given.kind],
                    ordinal=mapped.ordinal,
                    sale=mapped.taken or self.basis(fetched),
                    job=given.job,
                    decided_at=workflow.now(),
                    epoch=self.epoch,
                ),
                summary="stage for the next journal group",
                **LOCAL_STEP,
            )
        except LOCAL_FAILURES as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error

    async def follow(
        self, staged: Staged, mapped: Mapped, fetched: Found, seen: int, *, fresh: bool
    ) -> FlowResult | JournalFate | None:
        """Until the journal's fate is known. A fate: its period had closed, look it up anew. None: look at the
        document again, it changed or an older version was under way."""
        if staged.outcome == "superseded":
            await self.wait_for_turn()
            return None
        if staged.outcome == "edited_after_posting":
            if mapped.purpose:
                return None  # the ledger has come further than what was mapped
            raise NeedsReviewError(self.edited(staged.reference))
        fate = _final(staged.fate) or await self._wait_for_import(staged.reference, fetched.pace, seen)
        if fate is None or staged.outcome == "in_group":
            return None
        if fate.kind is FateKind.POSTED:
            sentence = f"posted in {fate.period} as {fate.journal_name}"
            return self.ended(posted_state(mapped.purpose), sentence, fate.reference, fate.journal_name)
        if fate.code not in PERIOD_CLOSED or fresh:
            raise NeedsReviewError(self._refused(fate))
        return fate

    async def _wait_for_import(self, reference: str, pace: Pace, seen: int) -> JournalFate | None:
        """Wait for the fate of our journal. None: it changed; fetch it again after a quiet moment."""
        self.show(State.WAITING_IMPORT, "staged; waiting for its journal group to be imported and posted", reference)
        while True:
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self.changes != seen or self._fate_of(reference) is not None,
                    timeout=timedelta(seconds=pace.reread_after),
                )
            fate = self._fate_of(reference) or await self._unsignalled_fate(reference, seen)
            if fate:
                self.group_id = fate.group_id
                return fate
            if self.changes != seen:
                await workflow.sleep(timedelta(seconds=pace.quiet_period), summary="quiet period after a change")
                return None

    async def _unsignalled_fate(self, reference: str, seen: int) -> JournalFate | None:
        """Signals are not lost, but a run that was reset may have had its signal before the reset point."""
        if self.changes != seen:
            return None
        known = await workflow.execute_local_activity_method(
            StagingActivities.read_fate, ReadFate(reference=reference), summary="read fate", **LOCAL_STEP
        )
        return _final(known.fate)

    def _fate_of(self, reference: str) -> JournalFate | None:
        """The signalled fate, if it is our journal's and newer than the refusal we know: group ids only rise."""
        fate = _final(self.fate)
        return fate if fate and fate.reference == reference and fate.group_id > self.group_id else None

    def _refused(self, fate: JournalFate) -> Problem:
        return Problem(
            code="refused_by_fusion",
            sentence=f"{self.document}: Fusion refused journal {fate.reference}: {fate.code} {fate.sentence}".strip(),
            remedy="Correct the account or period in Fusion, or the mapping rule, then retry.",
        )
