"""What every flow does while its document waits for a person.

A document in review is a short run that continues as new (design rule 13): it waits for a decision, and renews itself
every thirty days. Only such a run takes decisions; one taken on the way there would be lost with the old run.
"""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.flow import Decided, Decision, FlowState, Parked, State
from contracts.journal import Problem
from workflows import attributes

with workflow.unsafe.imports_passed_through():
    from activities.decisions import sentence_of

RENEWAL: Final = timedelta(days=30)


class NeedsReviewError(Exception):
    """Control flow of workflows: the document cannot go on without a person."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems


class Reviewed:
    """Base of the workflows whose document can be put before a person."""

    def __init__(
        self, document: str, parked: Parked | None, *, takes: frozenset[str], group_id: int | None = None
    ) -> None:
        """`document` names it in sentences; `takes`: the kinds of decisions that make sense for it."""
        self.document = document
        self.decision: Decision | None = None
        self.deciding = ""
        """Who is deciding at this moment: a second decision could contradict what the first one has done already."""
        self._takes = takes
        self.standing = FlowState(
            state=State.NEEDS_REVIEW if parked else State.RUNNING,
            problems=parked.problems if parked else (),
            group_id=group_id,
        )

    def decided(self) -> bool:
        return self.decision is not None

    def show(self, state: State, sentence: str, reference: str = "") -> None:
        """Where the flow stands, for queries; as a search attribute when the state is another one."""
        if state is not self.standing.state:
            attributes.upsert(state, reference)
        self.standing = FlowState(
            state=state,
            sentence=sentence,
            reference=reference or self.standing.reference,
            group_id=self.standing.group_id,
        )

    def explain(self, parked: Parked) -> None:
        """The problems and remedies, as the Temporal UI shows them."""
        workflow.set_current_details("\n\n".join(f"**{one.sentence}**\n\n{one.remedy}" for one in parked.problems))

    async def sleep_in_review(self, woken: Callable[[], bool]) -> bool:
        """Until a decision, or `woken`. False: neither came, it is time to renew the run."""
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(lambda: self.decided() or woken(), timeout=RENEWAL)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.decided() or woken()

    async def prepare(self, decision: Decision) -> None:
        """What must have happened before the decision counts. Raises `ApplicationError` to refuse it."""

    @workflow.query(name=names.STATE)
    def state(self) -> FlowState:
        return self.standing

    @workflow.update(name=names.DECIDE)
    async def decide(self, decision: Decision) -> Decided:
        """A person's decision; the update id is the decision's, so that asking twice decides once."""
        told = sentence_of(decision.kind, decision.who, decision.why)
        self.deciding = decision.who
        try:
            await self.prepare(decision)
            self.decision = decision
        finally:
            self.deciding = ""
        return Decided(id=decision.id, sentence=f"{self.document}: {told}")

    @decide.validator
    def check_decision(self, decision: Decision) -> None:
        if self.standing.state is not State.NEEDS_REVIEW or self.decided():
            raise ApplicationError(
                f"{self.document} is not in review; it is {self.standing.state}.", type="NotInReview"
            )
        if self.deciding:
            raise ApplicationError(
                f"{self.document} is being decided by {self.deciding} at this moment. Look at it again, then decide.",
                type="BeingDecided",
            )
        if decision.kind not in self._takes:
            raise ApplicationError(f"{self.document} cannot be decided by {decision.kind}.", type="BadDecision")
        if decision.kind == "retry_with_mapping" and decision.mapping_version is None:
            raise ApplicationError("A retry with another mapping needs its version.", type="BadDecision")
        if decision.kind == "mark_posted" and not decision.target_id:
            raise ApplicationError(
                "Name what carries the document: the journal batch or the invoice's number, as Fusion shows it.",
                type="BadDecision",
            )


def renewed(parked: Parked, *, changed: bool = False) -> Parked:
    """The same review in a new run."""
    return parked.model_copy(update={"renewals": parked.renewals + 1, "changed": changed})
