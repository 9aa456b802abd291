"""One sealed group of journals is imported into Oracle Fusion and followed until every journal is posted.

`submit` (in doubt: look again, never send blindly) -> `follow` the ESS job -> `read` report and journals back ->
`close` the group in the store -> tell the waiting documents -> `follow posting`. One bad journal makes Fusion refuse
its whole group: the bad one is reported, its neighbours go back to the outbox, the interface is purged.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from contracts import names
from contracts.flow import (
    Decision,
    ImportResult,
    JournalImportInput,
    Parked,
    Released,
    State,
)
from contracts.journal import FateKind, Problem
from contracts.steps.groups import (
    ClosedGroup,
    CloseGroup,
    FollowJob,
    FollowPosting,
    GroupStep,
    ImportOutcome,
    ReadOutcome,
    ReviewGroup,
    Submission,
    TellDocuments,
)
from workflows import attributes
from workflows.patience import FOLLOW, STORE_STEP, VENDOR_STEP, problem_of, rest_until
from workflows.review import NeedsReviewError, Reviewed, renewed

with workflow.unsafe.imports_passed_through():
    from activities.journals.closing import ClosingActivities
    from activities.journals.importing import ImportingActivities
    from activities.journals.outcome import OutcomeActivities
    from activities.journals.posted import PostedActivities

DECISIONS = frozenset({"retry"})
ABSENT = frozenset({"import_unknown", "import_unexplained"})
"""Problems that ask a person whether the group is absent; a retry of any other declares nothing."""
UNPOSTED_PAUSE = timedelta(minutes=10)


@workflow.defn(name=names.JOURNAL_IMPORT)
class JournalImport(Reviewed):
    @workflow.init
    def __init__(self, group: JournalImportInput) -> None:
        document = f"Journal group {group.group_id} ({group.fusion}, {group.ledger})"
        super().__init__(document, group.parked, takes=DECISIONS, group_id=group.group_id)
        self.group = group
        self.step = GroupStep(
            fusion=group.fusion,
            ledger=group.ledger,
            source=group.source,
            group_id=group.group_id,
            epoch=group.epoch,
        )
        self.queue = names.vendor_queue(group.fusion)

    @workflow.run
    async def run(self, group: JournalImportInput) -> ImportResult:
        try:
            if group.following:
                return await self._follow(await self._close())
            declared = await self._wait_for_person(group.parked) if group.parked else None
            return await self._import(declared)
        except NeedsReviewError as review:
            await self._park(review.problems[0])
        raise AssertionError("a parked group continues as new")

    async def _import(self, declared: Decision | None) -> ImportResult:
        """`declared`: a person has looked and says that what is absent never reached the ledger."""
        submission = await self._submit()
        unexplained = 0
        if submission.state == "submitted":
            outcome = await self._outcome(submission.request_id or 0, declared)
            unexplained = outcome.unexplained
            if outcome.refused or outcome.requeued:
                await self._purge()
            closed = await self._close()
        elif declared:
            closed = await self._close(declared)
        elif submission.problem:
            raise NeedsReviewError(submission.problem)
        else:
            raise AssertionError("an unknown import comes with what is known of it")
        await self._release(unexplained)
        if closed.refused:
            await self._tell(FateKind.REFUSED)
        return await self._follow(closed)

    async def _follow(self, closed: ClosedGroup) -> ImportResult:
        """Created is not done (design rule 14): follow until every journal of the group is posted."""
        if closed.imported:
            await self._follow_posting()
            await self._tell(FateKind.POSTED)
        sentence = f"{closed.imported} posted, {closed.refused} refused, {closed.requeued} back to the outbox"
        self.show(State.POSTED, sentence)
        return ImportResult(
            group_id=self.group.group_id,
            posted=closed.imported,
            refused=closed.refused,
            requeued=closed.requeued,
            sentence=sentence,
        )

    async def _submit(self) -> Submission:
        """Lease, look, send. While the outcome is in doubt we look again and never send blindly."""
        while True:
            try:
                submission = await workflow.execute_activity_method(
                    ImportingActivities.submit_group,
                    self.step,
                    task_queue=self.queue,
                    summary="look for the group in Fusion, else submit it",
                    **VENDOR_STEP,
                )
            except ActivityError as error:
                raise NeedsReviewError(problem_of(error, self.document)) from error
            if submission.state == "behind":
                self._continue_if_long(following=False)
                self.show(State.RUNNING, submission.sentence)
                await workflow.sleep(rest_until(submission.until), summary="until the store is recovered")
                continue
            if submission.state != "in_doubt" or submission.until is None:
                return submission
            self._continue_if_long(following=False)
            self.show(State.IN_DOUBT, f"sent, answer unknown; looking again at {submission.until:%H:%M:%S} UTC")
            await workflow.sleep(rest_until(submission.until), summary="until the send has settled")

    async def _outcome(self, request_id: int, declared: Decision | None) -> ImportOutcome:
        self.show(State.WAITING_IMPORT, f"submitted as ESS request {request_id}")
        try:
            job = await workflow.execute_activity_method(
                ImportingActivities.follow_job,
                FollowJob(step=self.step, request_id=request_id),
                task_queue=self.queue,
                summary=f"follow ESS request {request_id}",
                **FOLLOW,
            )
            return await workflow.execute_activity_method(
                OutcomeActivities.read_outcome,
                ReadOutcome(
                    step=self.step,
                    request_id=request_id,
                    state=job.state,
                    succeeded=job.succeeded,
                    declared_absent=declared is not None,
                ),
                task_queue=self.queue,
                summary="read report and journals back",
                **VENDOR_STEP,
            )
        except ActivityError as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error

    async def _purge(self) -> None:
        """Refused rows stay in the interface, where a person could import them later: remove them first."""
        try:
            await workflow.execute_activity_method(
                ImportingActivities.purge_group,
                self.step,
                task_queue=self.queue,
                summary="purge the group from the interface",
                **FOLLOW,
            )
        except ActivityError as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error

    async def _close(self, declared: Decision | None = None) -> ClosedGroup:
        return await workflow.execute_activity_method(
            ClosingActivities.close_group,
            CloseGroup(step=self.step, who=declared.who, why=declared.why, decision=declared.id)
            if declared
            else CloseGroup(step=self.step),
            summary="write every journal's fate to the store",
            **STORE_STEP,
        )

    async def _release(self, unexplained: int) -> None:
        """Let the next group of this ledger and source go."""
        handle = workflow.get_external_workflow_handle(self.group.groups_workflow)
        try:
            await handle.signal(names.RELEASED, Released(group_id=self.group.group_id, unexplained=unexplained))
        except ApplicationError:
            # It has ended, or was reset: nobody waits for us. Staged journals start it anew.
            workflow.logger.info("journal-groups no longer waits for group %s", self.group.group_id)

    async def _tell(self, kind: FateKind) -> None:
        await workflow.execute_activity_method(
            ClosingActivities.tell_documents,
            TellDocuments(step=self.step, kind=kind),
            summary=f"tell the {kind} documents",
            **STORE_STEP,
        )

    async def _follow_posting(self) -> None:
        submit = not self.group.following
        while True:
            try:
                progress = await workflow.execute_activity_method(
                    PostedActivities.follow_posting,
                    FollowPosting(step=self.step, submit=submit),
                    task_queue=self.queue,
                    summary="follow until posted",
                    **FOLLOW,
                )
            except ActivityError as error:
                # They are in the ledger: whatever is wrong with looking at them, we come back.
                self.show(State.WAITING_IMPORT, problem_of(error, self.document).sentence)
            else:
                if not progress.unposted:
                    return
                submit = False
                sentence = f"imported; {progress.unposted} of {progress.total} journals are not posted yet"
                self.show(State.WAITING_IMPORT, sentence)
            self._continue_if_long(following=True)
            await workflow.sleep(UNPOSTED_PAUSE, summary="until looking for posting again")

    def _continue_if_long(self, *, following: bool) -> None:
        if workflow.info().is_continue_as_new_suggested():
            workflow.continue_as_new(self.group.model_copy(update={"parked": None, "following": following}))

    async def _park(self, problem: Problem) -> None:
        await self._review(ReviewGroup(step=self.step, problem=problem))
        # Only the next run is in review and takes decisions: one that this run took would be lost with it.
        attributes.upsert(State.NEEDS_REVIEW)
        await self._release(0)
        await workflow.wait_condition(workflow.all_handlers_finished)
        parked = Parked(problems=(problem,), since=workflow.now())
        workflow.continue_as_new(self.group.model_copy(update={"parked": parked}))

    async def _wait_for_person(self, parked: Parked) -> Decision | None:
        """The decision, where it may count as a declaration that the group is absent; else None: try again."""
        self.explain(parked)
        await self.sleep_in_review(lambda: False)
        if self.decision is None:
            workflow.continue_as_new(self.group.model_copy(update={"parked": renewed(parked)}))
        await self._review(
            ReviewGroup(
                step=self.step,
                problem=None,
                who=self.decision.who,
                why=self.decision.why,
                decision=self.decision.id,
            )
        )
        self.show(State.RUNNING, f"retried by {self.decision.who}")
        return self.decision if parked.problems[0].code in ABSENT else None

    async def _review(self, review: ReviewGroup) -> None:
        await workflow.execute_activity_method(
            ClosingActivities.review_group, review, summary="record the review", **STORE_STEP
        )
