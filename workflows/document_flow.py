"""What the flow of a document of any kind goes through: posted, parked in review, decided, continued as new.

A `changed` signal makes the run fetch again before it ends; a person's decision is taken when the document is in
review.
"""

import asyncio
import contextlib
from functools import partial
from typing import NoReturn

from temporalio import workflow
from temporalio.exceptions import ActivityError

from contracts import names
from contracts.flow import Decision, FlowResult, Parked, Remapped, State
from contracts.journal import JournalFate, Problem
from contracts.steps.documents import SettleDocument
from contracts.steps.orders import NoteOrder, RecordUnnoted
from workflows import attributes
from workflows.document_steps import DocumentSteps, Found, Given
from workflows.patience import LOCAL_STEP, NOTE, rest_until, sentence_of_failure
from workflows.review import NeedsReviewError, renewed

with workflow.unsafe.imports_passed_through():
    from activities.decisions import sentence_of
    from activities.orders.noting import NotingActivities


class DocumentFlow(DocumentSteps[Given, Found]):
    """The life of a document's run around `post`."""

    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.remapped: Remapped | None = given.parked.remapped if given.parked else None

    async def post(self, given: Given, seen: int) -> FlowResult | None:
        """One pass over the newest version of the document. None: look at it again. Raises `NeedsReviewError`."""
        raise NotImplementedError

    async def live(self, given: Given) -> FlowResult:
        """The run: `post` until it has an end that is of the newest version."""
        if given.parked:
            ended = await self._wait_for_person(given, given.parked)
            if ended:
                seen = self.changes
                await self._note(given, ended, wanted=given.parked.noted)
                if self.changes == seen:
                    return ended
            given = self._released(given)
        news = False
        while True:
            # Counted before fetching: an edit that arrives later is not in what we read.
            seen = self.changes
            try:
                result = await self.post(given, seen)
            except NeedsReviewError as review:
                if self.changes == seen:
                    await self._park(given, review.problems, seen)
                result = None
            news = news or self._is_news()
            if result and self.changes == seen:
                await self._note(given, result, wanted=news)
                news = False
            if result and self.changes == seen:
                return result
            if workflow.info().is_continue_as_new_suggested():
                self._continue(given)

    def _is_news(self) -> bool:
        """Whether this pass led to what the order shall say. One that finds its version settled says nothing: our own
        word is a change of the order, and would be followed by another one."""
        return self.fetched is not None and self.fetched.noted and self.fetched.settled is None

    async def _note(self, given: Given, result: FlowResult, *, wanted: bool) -> None:
        """The order in the shop says what became of it. Posted is posted: that nobody could say so changes nothing."""
        if not wanted or result.state not in (State.POSTED, State.REVERSED):
            return
        note = NoteOrder(
            integration=given.integration,
            connection=given.connection,
            kind=given.kind,
            document_id=given.document_id,
            job=given.job,
        )
        try:
            await workflow.execute_activity_method(
                NotingActivities.note_order,
                note,
                task_queue=names.vendor_queue(given.connection),
                summary="the order says in its shop what became of it",
                **NOTE,
            )
        except ActivityError as error:
            sentence = f"The order in the shop does not say so: {sentence_of_failure(error)}"
            await workflow.execute_local_activity_method(
                NotingActivities.record_unnoted,
                RecordUnnoted(note=note, sentence=sentence),
                summary="record that the order does not say so",
                **LOCAL_STEP,
            )
            self.show(result.state, f"{result.sentence}. {sentence}", result.reference)

    async def _park(self, given: Given, problems: tuple[Problem, ...], seen: int) -> None:
        """Record why, then go on as a short run that only waits for a person or another version of it. Returns where a
        restored store does not know enough to ask anybody; the document is then to be looked at again.

        What may be on its way is looked for: nobody would while the document is parked for another reason. Where
        looking is what fails, once is enough.
        """
        fetched = self.fetched
        looks = 0
        while True:
            settled = await self.settle(
                SettleDocument(
                    integration=given.integration,
                    connection=given.connection,
                    order_id=given.document_id,
                    kind=given.kind,
                    parent_id=fetched.parent_id if fetched else "",
                    state="needs_review",
                    sentence=problems[0].sentence,
                    modified_at=fetched.modified_at if fetched else None,
                    fingerprint=fetched.fingerprint if fetched else "",
                    problems=problems,
                    job=given.job,
                    epoch=self.epoch,
                )
            )
            if settled.behind:
                self.epoch = max(self.epoch, settled.epoch)
                self.show(State.RUNNING, settled.behind)
                await self.sleep_until_change(seen, rest_until(settled.until))
                return
            if not (settled.creating and fetched and fetched.modified_at):
                break
            if looks and workflow.patched(_look_once(looks)):
                break
            try:
                await self.find_out(given, fetched, names.vendor_queue(settled.creating), seen)
            except NeedsReviewError as found:
                problems, looks = (*found.problems, *problems), looks + 1
            else:
                break
        # Only the next run is in review and takes decisions: one that this run took would be lost with it.
        attributes.upsert(State.NEEDS_REVIEW)
        await workflow.wait_condition(workflow.all_handlers_finished)
        parked = Parked(
            problems=problems,
            since=workflow.now(),
            version=fetched.version if fetched else "",
            fingerprint=fetched.fingerprint if fetched else "",
            changed=self.changes != seen,
            group_id=self.group_id,
            remapped=self.remapped,
            noted=fetched.noted if fetched else False,
        )
        self._continue(given, parked)

    async def _wait_for_person(self, given: Given, parked: Parked) -> FlowResult | None:
        """None: post again, by a person's decision, with a newer mapping, or because the source shows another version
        than the one parked, or may show one: a decision is about what was parked; what changed since is looked at."""
        self.explain(parked)
        looked_at = -1 if parked.changed else 0
        while not self.decided():
            woken = await self.sleep_in_review(partial(self._woken_since, looked_at))
            if self.decided() or self.remapped:
                break
            if not woken or workflow.info().is_continue_as_new_suggested():
                self._continue(given, renewed(parked, changed=self.changes != looked_at))
            seen = self.changes
            if await self._is_another(given, parked) is not False:
                break
            looked_at = seen
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._outcome_of(self.decision, changed=self.changes != looked_at)

    def _woken_since(self, seen: int) -> bool:
        return self.changes != seen or self.remapped is not None

    async def _is_another(self, given: Given, parked: Parked) -> bool | None:
        """Whether the source shows another version than the parked one. None: a decision did not wait for that."""
        looking = asyncio.create_task(self.fetch(given))
        await workflow.wait_condition(lambda: looking.done() or self.decided())
        if not looking.done():
            looking.cancel()
            with contextlib.suppress(NeedsReviewError, asyncio.CancelledError):
                await looking
            return None
        try:
            fetched = looking.result()
        except NeedsReviewError:
            # It cannot be read: what is in review stays there for the reason it has.
            return False
        return fetched.settled is not None or fetched.version != parked.version

    def _outcome_of(self, decision: Decision | None, *, changed: bool) -> FlowResult | None:
        """`changed`: a version that nobody has looked at yet may be in the shop."""
        if decision is None:
            mapped = self.remapped
            why = f"released by {mapped.mapping_set} version {mapped.version}" if mapped else "changed while in review"
            self.show(State.RUNNING, why)
            return None
        if decision.kind in ("retry", "retry_with_mapping"):
            self.declare(decision)
            self.show(State.RUNNING, f"retried by {decision.who}")
            return None
        if changed:
            self.show(State.RUNNING, f"{sentence_of(decision.kind, decision.who, decision.why)}; changed meanwhile")
            return None
        if decision.kind == "mark_posted":
            sentence = f"marked as posted by {decision.who}: {decision.why}"
            return self.ended(State.POSTED, sentence, target=decision.target_id or "")
        return self.ended(State.SKIPPED, f"skipped by {decision.who}: {decision.why}")

    def _released(self, given: Given) -> Given:
        """A newer mapping set that is in effect frees a document from a version that a person once chose."""
        version = self.decision.mapping_version if self.decision else None
        if self.decision is None and self.remapped:
            return given.model_copy(update={"parked": None, "mapping_version": None})
        return given.model_copy(update={"parked": None, "mapping_version": version or given.mapping_version})

    def _continue(self, given: Given, parked: Parked | None = None) -> NoReturn:
        # What a person has looked at is waited for with new patience.
        missing = {
            "missing_for": 0.0 if parked else self.missing_for.total_seconds(),
            "missing_at": None if parked else self.missing_at,
        }
        known = {"epoch": self.epoch, "open_since": self.open_since, **missing}
        workflow.continue_as_new(given.model_copy(update={"parked": parked, **known}))

    @workflow.signal(name=names.CHANGED)
    def changed(self) -> None:
        """The source may have changed: a webhook or a poll saw it."""
        self.changes += 1

    @workflow.signal(name=names.FATE)
    def learn_fate(self, fate: JournalFate) -> None:
        """Sent by the group's import after the fate was written to the store."""
        self.fate = fate

    @workflow.signal(name=names.REMAPPED)
    def learn_mapping(self, remapped: Remapped) -> None:
        """A newer version of the mapping set is in effect: what waited for it is posted again."""
        self.remapped = remapped


def _look_once(looks: int) -> str:
    """Of the change that one look is enough. A run that began before it looks again and again: the looks on record are
    replayed as they were, each with a name of its own, and the next one is not made."""
    return f"look-once-{looks}"
