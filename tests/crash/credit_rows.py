"""Refunds that become credit memos in Receivables: created by one call, and applied to the invoice by another."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from crash.books import Document, Entry, Invoices
from crash.change_rows import cancelled, posted_before
from crash.invoice_rows import AFTER_MARK, billed
from crash.invoice_rows import WAY as INVOICE_WAY
from crash.posting import Posting
from crash.refund_rows import REFUND_WAY, RefundDocument, refunded_morning
from crash.scene import Scene
from crash.settings import patient
from crash.strikes import Call, ResetWhenFinished
from support.refunds import announce_refund
from support.stack import Stack

from contracts import names
from sandbox.fusion.receivables.demo import AUTOMATIC_SOURCE, MANUAL_SOURCE

WAY: Final = (
    *INVOICE_WAY,
    *REFUND_WAY,
    "post_credit_memo",
    "map_application",
    "apply_credit_memo",
)

MEMO: Final = "/receivablesCreditMemos$"
LOOK: Final = Call("looking for the credit memo", "fusion", "GET", MEMO, paused_at=("answering",))
CREATE: Final = Call(
    "creating the credit memo", "fusion", "POST", MEMO, paused_at=("received", "committed", "answering")
)
APPLY: Final = Call(
    "applying the credit memo",
    "fusion",
    "POST",
    "CreditMemoService",
    paused_at=("received", "committed", "answering"),
)
STEPS: Final = (
    "store/creation_lease/after",
    "store/creation_mark/before",
    AFTER_MARK,
    "store/creation_confirmed/before",
)


class InvoicesAndRefunds(Invoices):
    """Receivables: of each order one invoice, and of its refund one credit memo of the same amount.

    A memo counts when all of it is applied to its order's invoice; one that is applied twice is there twice.
    """

    def entries(self, stack: Stack, document: Document) -> Sequence[Entry]:
        if not isinstance(document, RefundDocument):
            return super().entries(stack, document)
        ours = f"/{document.connection}/refund/{document.refund}/credit/"
        number, found = str(document.number), list[Entry]()
        for memo in stack.fusion.credit_memos.all():
            if ours not in str(memo.given.get("Comments")):
                continue
            applied = [one for one in stack.fusion.applications() if one.memo is memo]
            whole = [one for one in applied if one.invoice.given.get("PurchaseOrder") == number]
            done = sum((one.amount for one in whole), start=Decimal(0)) == -memo.amount
            found += [Entry(memo.currency, -memo.amount, done and memo.status == "Complete")] * max(1, len(applied))
        return found


class InvoicesTakenBack(Invoices):
    """Receivables: of each order one invoice, less the credit memo that took it back.

    A memo counts when all of it is applied to that invoice. A second one of an order is there twice.
    """

    def entries(self, stack: Stack, document: Document) -> Sequence[Entry]:
        billed_ = list(super().entries(stack, document))
        ours = f"/{document.connection}/order/{document.number}/reversal/"
        memos = [one for one in stack.fusion.credit_memos.all() if ours in str(one.given.get("Comments"))]
        applied = [one for one in stack.fusion.applications() if one.memo in memos]
        if len(billed_) != 1 or len(memos) != 1 or len(applied) != 1:
            return [*billed_, *(Entry(one.currency, one.amount, False) for one in memos)]
        (invoice,), (memo,) = billed_, memos
        done = applied[0].amount == -memo.amount and applied[0].invoice.given.get("PurchaseOrder") == str(
            document.number
        )
        return [Entry(invoice.currency, invoice.amount + memo.amount, invoice.counts and done)]


async def refunded_later(scene: Scene) -> None:
    """All of each order is given back, after it was billed."""
    for order in list(scene.documents):
        refund = scene.lane.stack.shop(order.connection).refund(order.number, everything=True)
        scene.documents.append(RefundDocument(order.connection, order.number, refund=refund.id))
        await announce_refund(scene.lane.stack, refund.id, order.connection)


CREDITED: Final = Posting(
    "a refund to its credit memo, numbered by us",
    refunded_morning,
    way=WAY,
    calls=(LOOK, CREATE, APPLY),
    strikes=(ResetWhenFinished(names.REFUND_TO_JOURNAL),),
    books=InvoicesAndRefunds(),
    setting=billed("transaction_number", MANUAL_SOURCE, patient(hours=1), credits=True),
    decisions=0,
)

REFERENCED: Final = replace(
    CREDITED,
    name="a refund to its credit memo, numbered by Fusion",
    calls=(CREATE,),
    strikes=(),
    setting=billed("cross_reference", AUTOMATIC_SOURCE, credits=True),
)

STEP_BY_STEP: Final = replace(
    CREDITED,
    name="a refund of an invoice, to its credit memo, numbered by us",
    arrange=refunded_later,
    earlier=posted_before,
    way=(),
    calls=(),
    steps=STEPS,
    strikes=(),
)
"""The invoice is there, so what is passed in the store is of the memo."""

TAKEN_BACK: Final = Posting(
    "an invoiced order that is cancelled",
    cancelled,
    earlier=posted_before,
    way=(*INVOICE_WAY, "map_reversal", "post_credit_memo", "map_application", "apply_credit_memo"),
    special=frozenset({"apply_credit_memo"}),
    books=InvoicesTakenBack(),
    setting=billed("transaction_number", MANUAL_SOURCE, patient(hours=1), credits=True),
    decisions=0,
)
"""Its memo and application are those of refunds; what is new is that they settle the order."""

CREDIT_POSTINGS: Final = (CREDITED, REFERENCED, STEP_BY_STEP, TAKEN_BACK)
