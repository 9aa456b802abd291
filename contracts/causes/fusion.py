"""Causes that Fusion names, of one document or of a group of journals."""

from typing import Final

from contracts.causes.cause import FINANCE, OPERATOR, Cause

FUSION: Final = (
    # What Fusion says of one document
    Cause(
        code="refused_by_fusion",
        means="Fusion refused the document; nothing of it exists there.",
        remedy="Correct what Fusion's message names: an account, a period, a customer, or the mapping rule.",
        actor=FINANCE,
        usual="retry",
        mapping_heals=True,
    ),
    Cause(
        code="cannot_be_created",
        means="A value of the document does not fit into Fusion's fields; nothing was sent.",
        remedy="Correct the mapping or the order.",
        actor=OPERATOR,
        usual="retry",
        mapping_heals=True,
    ),
    Cause(
        code="posting_unknown",
        means="The document may have been sent, and Fusion shows none that carries its reference.",
        remedy=(
            "Look for it in Fusion. Found: mark as posted. Certainly not there: retry, which declares it absent and "
            "sends it once more."
        ),
        actor=FINANCE,
        usual="retry",
    ),
    Cause(
        code="posted_with_difference",
        means="Fusion created the document with another amount than expected, or it is gone since.",
        remedy="Correct it in Fusion and retry, or accept it and mark as posted; it is never sent again.",
        actor=FINANCE,
        usual="mark_posted",
    ),
    Cause(
        code="reference_taken",
        means="A document in Fusion that is not ours carries the reference that ours needs; nothing was created.",
        remedy="Give that document another number in Fusion.",
        actor=FINANCE,
        usual="retry",
    ),
    Cause(
        code="duplicate_in_erp",
        means="More than one document in Fusion carries the reference; nothing is sent meanwhile.",
        remedy="Credit or delete those that should not be there, then name the one that stays.",
        actor=FINANCE,
        usual="mark_posted",
    ),
    # Journal groups
    Cause(
        code="import_unknown",
        means="The group's import may have been sent, and Fusion shows neither a request nor a journal of it.",
        remedy=(
            "Look for the group in Fusion. Only when it is certainly not there, retry: after one more look its "
            "journals go to a new group."
        ),
        actor=FINANCE,
        usual="retry",
    ),
    Cause(
        code="import_unexplained",
        means="The group's import has ended, journals are missing in the ledger, and its report gives no reason.",
        remedy=(
            "Look for the batch in Fusion. Only when its journals are certainly not there, retry: they go to a new "
            "group."
        ),
        actor=FINANCE,
        usual="retry",
    ),
    Cause(
        code="ledger_differs",
        means="A journal in the ledger carries our reference and is not what was sent.",
        remedy="Compare it with the audit trail, and reverse it in Fusion if it is wrong.",
        actor=FINANCE,
        usual="retry",
    ),
    Cause(
        code="purge_failed",
        means="Rows of a refused group are still in Fusion's interface, where a person could import them.",
        remedy="Delete the group's journal import data in Fusion.",
        actor=FINANCE,
        usual="retry",
    ),
    Cause(
        code="cannot_be_imported",
        means="A value of the group does not fit into Fusion's import file; nothing was sent.",
        remedy="Correct the mapping or the order that the sentence names.",
        actor=OPERATOR,
        usual="retry",
    ),
)
