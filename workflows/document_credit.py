"""What takes something back of an invoice in Receivables: a credit memo, created on account, then applied to it.

Two postings, each of which looks before it posts. Both are run again, in this order, whatever happened: what is there
is found, and what is missing is made.
"""

from functools import partial
from typing import Any

from temporalio import workflow

from contracts import names
from contracts.credit_memo import CreditApplication, CreditMemo
from contracts.flow import DocumentInput, FlowResult, State
from contracts.journal import Problem
from contracts.steps.documents import Created, Fetched
from contracts.steps.receivables import ApplyCreditMemo, MapApplication, MappedCredit, PostCreditMemo
from workflows.document_creation import CreationSteps
from workflows.document_steps import Found, Given, modified_at
from workflows.patience import LOCAL_FAILURES, LOCAL_STEP, VENDOR_CREATE, problem_of
from workflows.review import NeedsReviewError

with workflow.unsafe.imports_passed_through():
    from activities.receivables.refunds import RefundActivities
    from activities.refunds.mapping import RefundMappingActivities


class CreditSteps(CreationSteps[Given, Found]):
    """From a mapped credit memo to the one in Fusion, applied: of a refund, or of an order that was cancelled."""

    async def find_out(self, given: Given, fetched: Found, fusion_queue: str, seen: int) -> None:
        memo = await self.resolve_credit(given, fetched, fusion_queue, seen)
        if memo is not None:
            raise NeedsReviewError(self._on_account(memo))

    async def resolve_credit(self, given: Given, fetched: Found, fusion_queue: str, seen: int) -> Created | None:
        """What became of what was sent, where nothing is to be created for now. The memo, when it is there and on
        account; None when there is nothing half done, or that is not known."""
        memo = await self.until_known(partial(self._post, given, fetched, None, fusion_queue), seen)
        if memo is None:
            return None
        applied = await self.until_known(partial(self._apply, given, fetched, None, fusion_queue), seen)
        return memo if applied and applied.outcome == "absent" and memo.outcome != "absent" else None

    async def credit(
        self,
        given: Given,
        fetched: Found,
        mapped: MappedCredit,
        memo: CreditMemo,
        seen: int,
        *,
        ends: State = State.POSTED,
    ) -> FlowResult | None:
        """None: look at the document again, it changed while an outcome was open. `ends`: where it then stands."""
        queue = names.vendor_queue(mapped.fusion)
        post = partial(self._post, given, fetched, memo, queue, alone=mapped.alone)
        posted = await self.until_known(post, seen)
        if posted is None:
            return None
        if posted.outcome != "posted":
            raise NeedsReviewError(self.edited(posted.reference, "credit memo"))
        application = None if mapped.alone else await self._map_application(given, fetched, memo, posted)
        if application is None:
            return self.ended(ends, posted.sentence, posted.reference, posted.target_number)
        half = f"{posted.sentence}, still to be applied to invoice {application.invoice_number}"
        self.show(State.RUNNING, half, posted.reference)
        # Of the memo nothing is open any more. Should a restored store have forgotten an application, Fusion refuses a
        # second one by itself.
        apply = partial(self._apply, given, fetched, application, queue)
        applied = await self.until_known(apply, seen, after=f"{half}: ")
        if applied is None:
            return None
        if applied.outcome != "posted":
            raise NeedsReviewError(self.edited(applied.reference, "application"))
        return self.ended(ends, applied.sentence, posted.reference, posted.target_number)

    async def _map_application(
        self, given: Given, fetched: Found, memo: CreditMemo, posted: Created
    ) -> CreditApplication | None:
        try:
            mapped = await workflow.execute_local_activity_method(
                RefundMappingActivities.map_application,
                MapApplication(
                    integration=given.integration,
                    connection=given.connection,
                    **_whose(given, fetched),
                    credit_memo=memo,
                    target_id=posted.target_id,
                    target_number=posted.target_number,
                ),
                summary="how it is applied to the invoice",
                **LOCAL_STEP,
            )
        except LOCAL_FAILURES as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error
        return mapped.application

    async def _post(
        self,
        given: Given,
        fetched: Found,
        memo: CreditMemo | None,
        fusion_queue: str,
        *,
        alone: bool = False,
    ) -> Created:
        return await workflow.execute_activity_method(
            RefundActivities.post_credit_memo,
            PostCreditMemo(credit_memo=memo, alone=alone, **self._wanted(given, fetched)),
            task_queue=fusion_queue,
            summary="look for the credit memo in Fusion, else create it",
            **VENDOR_CREATE,
        )

    async def _apply(
        self,
        given: Given,
        fetched: Found,
        application: CreditApplication | None,
        fusion_queue: str,
    ) -> Created:
        return await workflow.execute_activity_method(
            RefundActivities.apply_credit_memo,
            ApplyCreditMemo(application=application, **self._wanted(given, fetched)),
            task_queue=fusion_queue,
            summary="look what of it is applied in Fusion, else apply it",
            **VENDOR_CREATE,
        )

    def _wanted(self, given: Given, fetched: Found) -> dict[str, Any]:
        declared = self.declared
        return {
            "integration": given.integration,
            "connection": given.connection,
            **_whose(given, fetched),
            "fingerprint": fetched.fingerprint,
            "modified_at": modified_at(fetched),
            "job": given.job,
            "decided_at": workflow.now(),
            "epoch": self.epoch,
            "open_since": self.open_since,
            "declared_absent": declared is not None,
            "who": declared.who if declared else "",
            "why": declared.why if declared else "",
            "decision": declared.id if declared else "",
        }

    def _on_account(self, memo: Created) -> Problem:
        return Problem(
            code="credit_memo_on_account",
            sentence=f"{self.document}: credit memo {memo.target_number} is in Fusion, and not applied to its invoice.",
            remedy="Retry: the memo is found and applied. Or apply it by hand in Fusion, then retry.",
        )


def _whose(given: DocumentInput, fetched: Fetched) -> dict[str, str]:
    """The order, and the refund, where the document is one."""
    if given.kind == names.REFUND:
        return {"order_id": fetched.parent_id, "refund_id": given.document_id}
    return {"order_id": given.document_id, "refund_id": ""}
