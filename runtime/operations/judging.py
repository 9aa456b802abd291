"""Judging one order or refund: what the shop has of it, what Fusion has of it, and what explains the rest."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runtime.operations.booked_sales import BookedSale, BookedSide
from runtime.operations.deciding import ReviewItem
from runtime.operations.reconciled import EXPLAINED, ZERO, ReconciledOrder, ReconciledRefund, Verdict
from runtime.operations.sale_evidence import Evidence
from runtime.operations.source_refunds import SoldRefund
from runtime.operations.source_sales import Sold, SoldOrder


@dataclass(frozen=True)
class _Judged:
    verdict: Verdict
    reason: str
    sold: Sold | None
    booked: Sequence[BookedSale]
    review: ReviewItem | None = None

    def facts(self, evidence: Evidence) -> dict[str, object]:
        source_amount = ZERO if self.sold is None or self.verdict is Verdict.UNEXPECTED else self.sold.total
        # A review explains why one document is missing or old, never a second one.
        explained = source_amount - _amount(self.sold, self.booked[:1]) if self.verdict in EXPLAINED else ZERO
        return {
            "connection": evidence.integration.source,
            "currency": self.sold.currency if self.sold else self.booked[0].currency,
            "source_amount": source_amount,
            "ledger_amount": _amount(self.sold, self.booked),
            "explained": explained,
            "journals": tuple(one.name for one in self.booked),
            "verdict": self.verdict,
            "reason": self.reason,
            "command": self.review.command if self.review else "",
        }


async def judge_order(
    order_id: str, order: SoldOrder | None, booked: BookedSide, evidence: Evidence, given_back: Decimal
) -> ReconciledOrder | None:
    """None: nothing to post and nothing posted. `given_back`: what is booked of its refunds."""
    settled = order.settled if order else ZERO
    found = booked.of(order_id, evidence.posting(order_id), evidence.creation(order_id), settled)
    if order is not None and order.reversed and found:
        # Whatever it was worth: what is booked of it must have been taken back, by refunds and by its reversal.
        order = order.model_copy(update={"total": given_back, "contra": ZERO, "settled": ZERO})
    moved_on = order is not None and order.moved_on and bool(found)
    missing = "" if order else "the shop has no such order"
    judged = await _judged(order_id, order, found, evidence, missing=missing, stays=moved_on)
    if judged is None:
        return None
    return ReconciledOrder.model_validate({"order_id": order_id, **judged.facts(evidence)})


async def judge_refund(
    refund_id: str,
    refund: SoldRefund | None,
    booked: BookedSide,
    evidence: Evidence,
    order_booked: bool,
) -> ReconciledRefund | None:
    """None: nothing to post and nothing posted. `order_booked`: its order is in Fusion, or was."""
    found = booked.of_refund(
        refund_id,
        refund,
        evidence.posting(refund_id),
        evidence.creation(refund_id),
        done=evidence.posted(refund_id),
    )
    if refund is not None and not found and (refund.only_booked or (refund.only_with_order and not order_booked)):
        return None
    missing = "" if refund else "the shop has no such refund"
    judged = await _judged(refund_id, refund, found, evidence, missing=missing)
    if judged is None:
        return None
    order_id = refund.order_id if refund else ""
    return ReconciledRefund.model_validate({"refund_id": refund_id, "order_id": order_id, **judged.facts(evidence)})


async def _judged(
    document_id: str,
    sold: Sold | None,
    booked: Sequence[BookedSale],
    evidence: Evidence,
    *,
    missing: str,
    stays: bool = False,
) -> _Judged | None:
    """`stays`: what is booked of it is right, though it is not to be posted any more."""
    review = evidence.review(document_id)
    if sold is None or (sold.unpostable and not stays):
        if not booked:
            return None
        why = sold.unpostable if sold else missing
        return _Judged(Verdict.UNEXPECTED, f"posted, but {why}", sold, booked, review)
    if review is not None:
        reason = review.problems[0].sentence if review.problems else ""
        return _Judged(Verdict.IN_REVIEW, reason, sold, booked, review)
    if len(booked) > 1:
        return _Judged(Verdict.DUPLICATE, _counted(booked), sold, booked)
    if booked and _amount(sold, booked) == sold.total and booked[0].currency == sold.currency:
        verdict = Verdict.POSTED if booked[0].posted else Verdict.UNPOSTED
        return _Judged(verdict, (sold.unpostable if stays else "") or booked[0].status, sold, booked)
    if not booked and (reason := await evidence.skipped(document_id, sold)):
        return _Judged(Verdict.SKIPPED, reason, sold, booked)
    if booked and (reason := evidence.left_as_booked(document_id, sold)):
        return _Judged(Verdict.SKIPPED, reason, sold, booked)
    if reason := await evidence.open(document_id, sold):
        return _Judged(Verdict.OPEN, reason, sold, booked)
    if booked:
        return _Judged(Verdict.DIFFERS, f"Fusion has {booked[0].amount} {booked[0].currency}", sold, booked)
    return _Judged(Verdict.LOST, "not in Fusion, in review or under way", sold, booked)


def _amount(sold: Sold | None, booked: Iterable[BookedSale]) -> Decimal:
    """What is booked in the document's own currency and terms; in another currency it counts as nothing."""
    mine = (one for one in booked if sold is None or one.currency == sold.currency)
    return sum((one.comparable(sold) for one in mine), start=ZERO)


def _counted(booked: Sequence[BookedSale]) -> str:
    """ "2 journals", "1 journal, 1 invoice"."""
    counts = Counter(one.kind for one in booked)
    return ", ".join(f"{number} {kind}{'s' if number > 1 else ''}" for kind, number in counts.items())
