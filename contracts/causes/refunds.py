"""Causes that lie in refunds, and in what a shop changes after it was posted."""

from typing import Final

from contracts.causes.cause import FINANCE, OPERATOR, Cause

REFUNDS: Final = (
    # Refunds
    Cause(
        code="over_refund",
        means="The order's refunds come to more than the order was charged.",
        remedy="Correct the order or the refund in the shop, or book the refund by hand in Fusion.",
        actor=FINANCE,
        usual="skip",
    ),
    Cause(
        code="unknown_refund_item",
        means="The refund gives back something that the order does not have.",
        remedy="Book the refund by hand in Fusion, or restore the order's line in the shop.",
        actor=FINANCE,
        usual="skip",
    ),
    Cause(
        code="refund_on_its_way",
        means="The order was edited or cancelled while a refund of it is on its way into the ledger; that is posted "
        "after the refund.",
        remedy="Wait until the refund is posted.",
        actor=FINANCE,
        usual="retry",
    ),
    Cause(
        code="refunded_otherwise",
        means="A cancelled order's refunds gave back more in one way, such as store credit, than was paid so, and it "
        "was paid in several other ways.",
        remedy="Reverse what is left of the order by hand in Fusion.",
        actor=FINANCE,
        usual="skip",
    ),
    Cause(
        code="refund_by_hand",
        means="The order was cancelled, and a person skipped one of its refunds: what was booked of that by hand is "
        "not known here, so the rest of the order cannot be told.",
        remedy="Reverse by hand in Fusion what is left of the order.",
        actor=FINANCE,
        usual="skip",
    ),
    Cause(
        code="refund_of_reversed_order",
        means="The order was cancelled and reversed as it had been paid before its refund was booked, and the refund "
        "gave money back another way.",
        remedy="Book by hand in Fusion what was given back another way.",
        actor=FINANCE,
        usual="skip",
    ),
    Cause(
        code="refund_of_settled_order",
        means="The order was cancelled and a person settled that by hand, so it is not known here whether its refund "
        "is reversed with it.",
        remedy="Compare the order with its journals in Fusion; book the refund by hand only where it is not reversed.",
        actor=FINANCE,
        usual="skip",
    ),
    Cause(
        code="refund_of_unknown_lines",
        means="The refunded order was edited, and one of its journals, or of its refunds', was named by a person or "
        "read back after a restore, so what stands of it is not known.",
        remedy="Book the refund by hand in Fusion.",
        actor=FINANCE,
        usual="skip",
    ),
    Cause(
        code="no_credit_memo_type",
        means="A refund is to become a credit memo, and the books of its channel name no transaction type for one.",
        remedy="Add the type to the books and restart the workers.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="negative_credit_memo",
        means="With the store credit and certificates given back, the credit memo would charge the customer.",
        remedy="Correct the refund in the shop, or book it by hand in Fusion.",
        actor=FINANCE,
        usual="skip",
    ),
    Cause(
        code="refund_declined",
        means="A payment provider declined to pay the refund back, so no money has moved.",
        remedy="Repeat the payment in the shop.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="refund_changed",
        means="The refund is in the ledger, and a payment provider declined afterwards to pay it back, so no money has "
        "moved.",
        remedy="Repeat the payment in the shop. If it is not to be paid back, reverse the refund by hand in Fusion and "
        "skip it.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="refund_of_invoice",
        means="The order's invoice was named by a person, read back after a restore or is not as it was meant: its "
        "lines, which a credit memo takes back, are not known, or it was credited when the order was cancelled, "
        "and the order came back.",
        remedy="Credit the order's invoice by hand in Fusion, then skip the refund with a reason.",
        actor=FINANCE,
        usual="skip",
    ),
    Cause(
        code="credit_memo_on_account",
        means="The credit memo of the refund, or of the cancelled order, is in Receivables, on account, and could not "
        "be applied from there.",
        remedy="Retry: the memo is found and applied. What kept it from that is told by the document's other problem. "
        "After a restore, where the lines of its invoice are not known any more: apply it by hand, then skip it.",
        actor=FINANCE,
        usual="retry",
    ),
    # Changes
    Cause(
        code="edited_after_posting",
        means="The document was edited or cancelled in the shop after it had been posted, and what differs cannot be "
        "posted by itself: it is an edited invoice, or its journal or invoice was named by a person or read back after "
        "a restore.",
        remedy="Post the difference by hand in Fusion, or restore the document in the shop.",
        actor=FINANCE,
        usual="skip",
    ),
    Cause(
        code="credited_order_came_back",
        means="The order came back, or was refunded, after it had been cancelled and its invoice been credited.",
        remedy="Bill it by hand in Fusion if it is owed again, then skip it with a reason. If it is cancelled again in "
        "the shop, that is found by itself.",
        actor=FINANCE,
        usual="skip",
    ),
    Cause(
        code="settled_by_hand",
        means="The order came back, or was changed, after it had been cancelled and a person had decided what becomes "
        "of it, or may have; what was posted by hand then is not known here.",
        remedy="Compare the order with its journals in Fusion and post by hand what is missing, if anything.",
        actor=FINANCE,
        usual="skip",
    ),
    Cause(
        code="posted_unproved",
        means="The order is on record as posted, and no journal or invoice of it is, so nobody knows whether it is in "
        "Fusion.",
        remedy="Look for it in Fusion. Found: mark as posted. Certainly not there: retry, which posts it.",
        actor=FINANCE,
        usual="mark_posted",
    ),
    Cause(
        code="posted_elsewhere",
        means="The sale is in Fusion as another kind of document: its channel was switched to another target.",
        remedy="Leave it as it is, or reverse the other document in Fusion and book the sale by hand.",
        actor=FINANCE,
        usual="skip",
    ),
)
