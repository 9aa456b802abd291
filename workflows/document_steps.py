"""Steps that documents of every kind share: map when possible, settle, and what a decision needs done first."""

import contextlib
from datetime import datetime, timedelta
from typing import ClassVar, Generic, Literal, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, RetryState
from temporalio.exceptions import TimeoutError as StepTimeoutError

from contracts import names
from contracts.flow import Decision, DocumentInput, FlowResult, State
from contracts.journal import JournalFate, Problem
from contracts.model import Instant
from contracts.sale import Sale
from contracts.steps.documents import Fetched, LookupFor, Lookups, Mapped, RecordDecision, Settled, SettleDocument
from contracts.steps.journals import VerifyJournal
from workflows.patience import LOCAL_STEP, VENDOR_STEP, VERIFICATION, problem_of
from workflows.review import NeedsReviewError, Reviewed

with workflow.unsafe.imports_passed_through():
    from activities.decisions import DecisionActivities
    from activities.journals.staging import StagingActivities
    from activities.journals.verify import VerifyActivities
    from activities.orders.lookup import LookupActivities

Given = TypeVar("Given", bound=DocumentInput)
"""What the workflow is started with."""
Found = TypeVar("Found", bound=Fetched)
"""What it fetches."""

DECISIONS = frozenset({"retry", "retry_with_mapping", "mark_posted", "skip"})
LOOK_UP_AGAIN = timedelta(minutes=10)
_STRETCH = 4096
"""Events."""
LONGEST_GAP = timedelta(minutes=15)
"""Between two answers that say a rate is missing, also after one that was a little late; more is an outage."""
NO_RATE = "no_conversion_rate"
"""The one wait that ends by the integration's patience; the others end when mapping says so."""

PATIENCE_OF_RATES = "patience-of-rates"
"""Runs without this change count every wait."""

TURN_PAUSE = timedelta(seconds=1)


class DocumentSteps(Reviewed, Generic[Given, Found]):
    """What is known of one document, and the steps it goes through."""

    takes: ClassVar[frozenset[str]] = DECISIONS
    """Kinds of decisions that make sense for it."""

    def __init__(self, given: Given) -> None:
        title = names.document_title(given.kind, given.connection, given.document_id)
        super().__init__(title, given.parked, takes=self.takes)
        self.given = given
        self.changes = 0
        self.epoch = given.epoch
        """The highest epoch of the store that was seen: one that is behind it posts nothing (design rule 3)."""
        self.open_since: datetime | None = given.open_since
        """Since when something that one call creates may be on its way; a restored store does not know."""
        self.fetched: Found | None = None
        self.fate: JournalFate | None = None
        self.group_id = given.parked.group_id if given.parked else 0
        """The last group that refused our journal; fates of it and of older ones are history."""
        self.missing_at: datetime | None = given.missing_at
        """When Fusion last answered that a rate or an open period is missing."""
        self.missing_for = timedelta(seconds=given.missing_for)
        """How long it has answered so. A webhook meanwhile does not lengthen the patience, an outage does not use it
        up."""

    async def fetch(self, given: Given) -> Found:
        """The newest version, from the source. Raises `NeedsReviewError`."""
        raise NotImplementedError

    def lookup_for(self, given: Given, fetched: Found, *, fresh: bool) -> LookupFor:
        """Whose facts of the target system mapping needs."""
        raise NotImplementedError

    async def map(self, given: Given, fetched: Found, lookups: Lookups) -> Mapped:
        """Raises `NeedsReviewError`."""
        raise NotImplementedError

    def basis(self, fetched: Found) -> Sale | None:
        """The version of the sale that the ledger shows once a journal of what was fetched is posted."""
        return None

    async def find_out(self, given: Given, fetched: Found, fusion_queue: str, seen: int) -> None:
        """What became of something that one call creates, before the document is parked. Raises `NeedsReviewError`."""

    def declare(self, decision: Decision) -> None:
        """A person retries: what that says beyond trying again."""

    async def map_when_possible(self, given: Given, fetched: Found, seen: int, *, fresh: bool) -> Mapped | None:
        """Lookup and map; what is missing for now is waited for. None: look at the document again, also because the
        history has become long: some things are missing until a person has decided about another document."""
        while True:
            # What was missing before is asked for anew, and not of what a worker remembers.
            lookups = await self._look_up(given, fetched, fresh or self.missing_at is not None)
            mapped = await self.map(given, fetched, lookups)
            if mapped.waiting is None:
                break
            if not await self.wait_for(mapped.waiting, given, fetched, seen):
                return None
            if workflow.info().is_continue_as_new_suggested() and workflow.patched(_long_wait()):
                return None
        self.missing_at, self.missing_for = None, timedelta(0)
        if mapped.problems:
            raise NeedsReviewError(*mapped.problems)
        return mapped

    async def _look_up(self, given: Given, fetched: Found, fresh: bool) -> Lookups:
        wanted = self.lookup_for(given, fetched, fresh=fresh)
        cached = await workflow.execute_local_activity_method(
            LookupActivities.lookup_cached, wanted, summary="lookup (cached)", **LOCAL_STEP
        )
        if cached.problems:
            raise NeedsReviewError(*cached.problems)
        if cached.lookups:
            return cached.lookups
        try:
            return await workflow.execute_activity_method(
                LookupActivities.lookup,
                wanted,
                task_queue=names.vendor_queue(cached.fusion),
                summary="lookup ledger, periods and rate",
                **VENDOR_STEP,
            )
        except ActivityError as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error

    async def wait_for(self, missing: Problem, given: Given, fetched: Found, seen: int) -> bool:
        """Until it is worth looking up again. False: the document changed while it waited.

        Raises `NeedsReviewError` when patience is at an end.
        """
        now = workflow.now()
        if missing.code == NO_RATE or not workflow.patched(PATIENCE_OF_RATES):
            self.missing_for += min(now - (self.missing_at or now), LONGEST_GAP)
        self.missing_at = now
        left = LOOK_UP_AGAIN
        if missing.code == NO_RATE:
            left = timedelta(hours=fetched.pace.rate_wait) - self.missing_for
            if left <= timedelta(0):
                raise NeedsReviewError(missing)
        self.show(State.RUNNING, missing.sentence)
        await self.sleep_until_change(seen, min(left, LOOK_UP_AGAIN))
        return self.changes == seen

    async def sleep_until_change(self, seen: int, at_most: timedelta) -> None:
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(lambda: self.changes != seen, timeout=at_most)

    async def settle(self, document: SettleDocument) -> Settled:
        while True:
            settled = await workflow.execute_local_activity_method(
                StagingActivities.settle_document,
                document.model_copy(update={"decided_at": workflow.now()}),
                summary=f"settle as {document.state}",
                **LOCAL_STEP,
            )
            if not settled.superseded:
                return settled
            await self.wait_for_turn()

    async def settle_as(
        self,
        state: Literal["skipped", "posted", "reversed", "waiting_import"],
        sentence: str,
        given: Given,
        fetched: Found,
        *,
        reference: str = "",
    ) -> Settled:
        """What was fetched ends, or waits, so, and nothing is posted for it; unless something is on its way already."""
        return await self.settle(
            SettleDocument(
                integration=given.integration,
                connection=given.connection,
                order_id=given.document_id,
                kind=given.kind,
                parent_id=fetched.parent_id,
                state=state,
                sentence=sentence,
                reference=reference,
                modified_at=modified_at(fetched),
                fingerprint=fetched.fingerprint,
                job=given.job,
            )
        )

    async def wait_for_turn(self) -> None:
        """Only when the server's clock went back: a step of ours that came later is on record."""
        await workflow.sleep(TURN_PAUSE, summary="until this step is the latest")

    def ended(self, state: State, sentence: str, reference: str = "", target: str = "") -> FlowResult:
        """`target`: what people see in Fusion, the journal's name or the invoice's number."""
        self.show(state, sentence, reference)
        return FlowResult(state=state, sentence=sentence, reference=reference, journal_name=target)

    def edited(self, reference: str, what: str = "journal", *, how: str = "edited") -> Problem:
        return Problem(
            code="edited_after_posting",
            sentence=f"{self.document} was {how} after {what} {reference} had been posted.",
            remedy="Post the difference by hand in Fusion and skip with a reason, or restore the order.",
        )

    async def prepare(self, decision: Decision) -> None:
        if decision.kind == "mark_posted":
            await self._verify(decision)
        elif decision.kind == "skip":
            await self._skip_by(decision)
        else:
            await self._record(decision)

    async def _record(self, decision: Decision) -> None:
        """A retry leads to something later, or to the same review again; that it was decided is on record at once."""
        await workflow.execute_local_activity_method(
            DecisionActivities.record_decision,
            RecordDecision(
                integration=self.given.integration,
                connection=self.given.connection,
                order_id=self.given.document_id,
                kind=self.given.kind,
                decision=decision,
            ),
            summary=f"record the {decision.kind}",
            **LOCAL_STEP,
        )

    async def _verify(self, decision: Decision) -> None:
        """A journal or invoice that a person names must exist in Fusion before we believe it."""
        try:
            await workflow.execute_activity_method(
                VerifyActivities.verify_journal,
                VerifyJournal(
                    integration=self.given.integration,
                    connection=self.given.connection,
                    order_id=self.given.document_id,
                    kind=self.given.kind,
                    batch_name=decision.target_id or "",
                    fingerprint=self.given.parked.fingerprint if self.given.parked else "",
                    version=self.given.parked.version if self.given.parked else "",
                    who=decision.who,
                    why=decision.why,
                    decision=decision.id,
                ),
                summary="verify the journal or invoice in Fusion",
                **VERIFICATION,
            )
        except ActivityError as error:
            if isinstance(error.cause, StepTimeoutError) or error.retry_state is RetryState.TIMEOUT:
                raise ApplicationError(
                    f"{self.document}: Fusion cannot be asked for {decision.target_id}. Decide again when it answers.",
                    type="NotVerified",
                ) from error
            problem = problem_of(error, self.document)
            raise ApplicationError(f"{problem.sentence} {problem.remedy}", type=problem.code) from error

    async def _skip_by(self, decision: Decision) -> None:
        """The decision stands until the document itself changes. What is in an import cannot be called back."""
        settled = await self.settle(
            SettleDocument(
                integration=self.given.integration,
                connection=self.given.connection,
                order_id=self.given.document_id,
                kind=self.given.kind,
                state="skipped",
                sentence=f"skipped by {decision.who}: {decision.why}",
                fingerprint=self.given.parked.fingerprint if self.given.parked else "",
                job=f"decision:{decision.id}",
                who=decision.who,
                why=decision.why,
                version=self.given.parked.version if self.given.parked else "",
            )
        )
        if settled.standing:
            raise ApplicationError(
                f"{self.document}: {settled.standing.reference} is on its way into Fusion. Decide when it is done.",
                type="InImport",
            )


def _long_wait() -> str:
    """Of the change that a long wait continues as new. Runs that began before it went on with long histories: what they
    did is replayed as it was, and the next stretch of their history ends them."""
    return f"long-wait-continues-{workflow.info().get_current_history_length() // _STRETCH}"


def modified_at(fetched: Fetched) -> Instant:
    """The source's stamp of a version that is not settled."""
    if fetched.modified_at is None:
        raise AssertionError("an unsettled document comes with its snapshot")
    return fetched.modified_at
