"""Causes that any document may have, and why a decision about it was not taken."""

from typing import Final

from contracts.causes.cause import ENGINEER, FINANCE, OPERATOR, Cause

NEEDS_REVIEW: Final = "needs_review"
"""The code of what waits without a problem of its own."""

GENERAL: Final = (
    Cause(
        code="vendor_*",
        means="The shop or Fusion refused a call for a reason that another try does not change.",
        remedy="Read the vendor's message and correct what it names.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="cannot_be_processed",
        means="A setting is missing, or a value fits nowhere.",
        remedy="Correct the configuration or the order that the sentence names.",
        actor=OPERATOR,
        usual="retry",
        mapping_heals=True,
    ),
    Cause(
        code="decision_lost",
        means="A restored store has forgotten how a person decided, and the decision cannot be recorded again.",
        remedy="Look at the document in Fusion, then decide once more.",
        actor=FINANCE,
        usual="mark_posted",
    ),
    Cause(
        code="step_failed",
        means="A step ended in a way that it should not.",
        remedy="Read the sentence and the logs, and report it.",
        actor=ENGINEER,
        usual="retry",
    ),
    Cause(
        code=NEEDS_REVIEW,
        means="It waits for a person, and its reason was told in a sentence only.",
        remedy="Repair what the sentence names.",
        actor=OPERATOR,
        usual="retry",
    ),
)

DECISIONS: Final = (
    Cause(
        code="journal_not_found",
        means="Fusion has no journal of the right amount in the batch that a person named.",
        remedy="Give the batch's name as Fusion shows it.",
        actor=FINANCE,
        usual="mark_posted",
        refuses=True,
    ),
    Cause(
        code="journal_of_another",
        means="The journal that a person named is that of another document.",
        remedy="Name the batch that carries this document, or skip it.",
        actor=FINANCE,
        usual="mark_posted",
        refuses=True,
    ),
    Cause(
        code="on_its_way",
        means="What was sent of the document has no outcome yet: its request may still be under way, or is imported.",
        remedy="Decide when that has ended; the sentence says when.",
        actor=FINANCE,
        usual="mark_posted",
        refuses=True,
    ),
    Cause(
        code="invoice_not_found",
        means="Fusion has no invoice of the right amount with the number that a person named.",
        remedy="Give the transaction number as Fusion shows it.",
        actor=FINANCE,
        usual="mark_posted",
        refuses=True,
    ),
    Cause(
        code="credit_memo_not_found",
        means="Fusion has no credit memo with the number or id that was named, or it is over another amount.",
        remedy="Give the transaction number as Fusion shows it, or the transaction's id.",
        actor=FINANCE,
        usual="mark_posted",
        refuses=True,
    ),
    Cause(
        code="credit_memo_of_another",
        means="The credit memo that was named belongs to another refund.",
        remedy="Name the credit memo that carries this refund, or skip it with a reason.",
        actor=FINANCE,
        usual="mark_posted",
        refuses=True,
    ),
    Cause(
        code="invoice_of_another",
        means="The invoice that a person named is that of another document.",
        remedy="Name the invoice that carries this document, or skip it.",
        actor=FINANCE,
        usual="mark_posted",
        refuses=True,
    ),
)
