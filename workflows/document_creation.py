"""A document that one call creates: the same step again until its outcome is known."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError

from contracts.flow import Decision, State
from contracts.steps.documents import Created
from workflows.document_steps import DocumentSteps, Found, Given
from workflows.patience import problem_of, rest_until
from workflows.review import NeedsReviewError

ABSENT = frozenset({"posting_unknown"})
"""Problems that ask a person whether what was sent never arrived; a retry of any other declares nothing."""


class CreationSteps(DocumentSteps[Given, Found]):
    """What stands between a step that looks before it posts, and its outcome."""

    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.declared: Decision | None = None
        """A person has looked and says that what was sent never arrived."""

    def declare(self, decision: Decision) -> None:
        """Remember a retry that answers the question whether it is absent."""
        parked = self.given.parked
        if parked and parked.problems[0].code in ABSENT:
            self.declared = decision

    async def until_known(
        self, step: Callable[[], Awaitable[Created]], seen: int, *, after: str = ""
    ) -> Created | None:
        """`posted`, `edited_after_posting` or `absent`. `after`: what is done already, for people.

        None: look at the document again, it changed while the outcome was open. Raises `NeedsReviewError`.
        """
        while True:
            created = await self._once(step)
            match created.outcome:
                case "posted" | "edited_after_posting" | "absent":
                    return created
                case "superseded":
                    await self.wait_for_turn()
                    return None
                case "behind":
                    self.show(State.RUNNING, f"{after}{created.sentence}")
                    await self.sleep_until_change(seen, rest_until(created.until))
                    if self.changes != seen:
                        return None
                case "in_doubt":
                    await self._wait_in_doubt(created, after)
                case "review":
                    if created.problem is None:
                        raise AssertionError("a review comes with its problem")
                    raise NeedsReviewError(created.problem)
            if workflow.info().is_continue_as_new_suggested():
                return None

    async def _once(self, step: Callable[[], Awaitable[Created]]) -> Created:
        began = workflow.now()
        try:
            created = await step()
        except ActivityError as error:
            # An attempt before the last may have sent it.
            self.open_since = self.open_since or began
            raise NeedsReviewError(problem_of(error, self.document)) from error
        self.open_since = created.open_since
        self.epoch = max(self.epoch, created.epoch)
        return created

    async def _wait_in_doubt(self, created: Created, after: str) -> None:
        """Nothing is sent blindly: the same step looks again once the request must have settled."""
        until: datetime = created.until or workflow.now()
        state = State.IN_DOUBT if created.open_since else State.RUNNING
        self.show(state, f"{after}{created.sentence}; looking again at {until:%H:%M:%S} UTC", created.reference)
        await workflow.sleep(rest_until(until), summary="until the send has settled")
