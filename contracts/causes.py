"""Every cause for which a document, a journal group or a decision waits for a person, by its code.

A `contracts.journal.Problem` says what is wrong with one document; the cause says what its code means everywhere, who
can do something about it, what is usually decided, and whether a newer mapping set may be all it needs.
"""

from collections.abc import Iterable
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

from contracts.journal import Problem
from contracts.model import Frozen

Choice = Literal["retry", "retry_with_mapping", "mark_posted", "skip"]
"""Kinds of decisions, as in `contracts.flow.Decision`."""

NEEDS_REVIEW: Final = "needs_review"
"""The code of what waits without a problem of its own."""


class Actor(StrEnum):
    """Who can do something about a cause."""

    FINANCE = "finance"
    """Whoever keeps the books in Fusion and the rules they are posted by."""
    OPERATOR = "operator"
    """Whoever keeps the connector's configuration and connections, and the shop's settings."""
    ENGINEER = "engineer"
    """Whoever can read logs and histories."""


class Cause(Frozen):
    """What one code means."""

    code: str
    """snake_case. One that ends in `*` is a family: codes that begin like it and go on with a vendor's own code."""
    means: str
    """One sentence that is true of every document with this code."""
    remedy: str
    actor: Actor
    usual: Choice
    """What usually ends the review once the remedy is applied."""
    mapping_heals: bool = False
    """A newer version of the mapping set may be all that is needed: what waits is then tried again by itself."""
    refuses: bool = False
    """Nothing waits with this code: it is why a decision was not taken."""

    @property
    def is_family(self) -> bool:
        return self.code.endswith("*")

    def covers(self, code: str) -> bool:
        return code.startswith(self.code[:-1]) if self.is_family else code == self.code


_FINANCE, _OPERATOR, _ENGINEER = Actor.FINANCE, Actor.OPERATOR, Actor.ENGINEER

CAUSES: Final = (
    # Accounts and rules
    Cause(
        code="unmapped_account",
        means="No rule of the mapping set says which account an amount of the document goes to.",
        remedy="Add the rule in a new version of the mapping set.",
        actor=_FINANCE,
        usual="retry",
        mapping_heals=True,
    ),
    Cause(
        code="wrong_legal_entity",
        means="A rule books to another legal entity than the books of the document's channel.",
        remedy="Correct the rule's balancing segment in a new version of the mapping set.",
        actor=_FINANCE,
        usual="retry",
        mapping_heals=True,
    ),
    Cause(
        code="wrong_chart",
        means="The mapping set has another number of segments than the ledger's chart of accounts.",
        remedy="Use a mapping set that is written for this chart.",
        actor=_FINANCE,
        usual="retry",
        mapping_heals=True,
    ),
    Cause(
        code="invalid_mapping_set",
        means="The mapping set contradicts itself and cannot be used.",
        remedy="Correct it in a new version and prove it with `ml-connector check`.",
        actor=_FINANCE,
        usual="retry",
        mapping_heals=True,
    ),
    Cause(
        code="unknown_mapping_version",
        means="A person asked for a version of the mapping set that no worker ever had in its configuration.",
        remedy="Name a version that was configured, or configure that one.",
        actor=_FINANCE,
        usual="retry_with_mapping",
        mapping_heals=True,
    ),
    # Books
    Cause(
        code="no_books",
        means="The configuration has no books for the document's channel and currency.",
        remedy="Add the channel or its books to the configuration and restart the workers.",
        actor=_OPERATOR,
        usual="retry",
    ),
    Cause(
        code="no_receivable_books",
        means="The channel is billed in Receivables, and its books name no customer, source and type.",
        remedy="Add them to the books and restart the workers.",
        actor=_OPERATOR,
        usual="retry",
    ),
    Cause(
        code="wrong_ledger",
        means="The books name another ledger than the one Fusion answered for.",
        remedy="Correct the ledger's name in the books and restart the workers.",
        actor=_OPERATOR,
        usual="retry",
    ),
    Cause(
        code="no_conversion_type",
        means="The document is in a currency that is foreign to its ledger, and its books name no conversion type.",
        remedy="Set the conversion type of the books and restart the workers.",
        actor=_FINANCE,
        usual="retry",
    ),
    Cause(
        code="no_conversion_rate",
        means="Fusion had no conversion rate for the document's day within the time that one is waited for.",
        remedy="Load the rate in Fusion.",
        actor=_FINANCE,
        usual="retry",
    ),
    Cause(
        code="no_tax_code",
        means="Tax is to be sent as Fusion's own tax lines, and the books have no tax code for a tax of the shop.",
        remedy="Add the tax code to the books, or send tax as manual lines.",
        actor=_FINANCE,
        usual="retry",
    ),
    Cause(
        code="tax_without_line",
        means="Nothing but tax is left to bill, and Fusion's tax lines need a line that they belong to.",
        remedy="Send tax of this channel as manual lines.",
        actor=_FINANCE,
        usual="retry",
    ),
    # Dates
    Cause(
        code="unknown_timezone",
        means="The store's time zone is not one that is known, so no day can be told.",
        remedy="Correct the time zone in the store's settings.",
        actor=_OPERATOR,
        usual="retry",
    ),
    Cause(
        code="no_period",
        means="The ledger's calendar has no period for the document's day.",
        remedy="Extend the accounting calendar in Fusion and open the period.",
        actor=_FINANCE,
        usual="retry",
    ),
    Cause(
        code="period_not_opened",
        means="The period of the document's day was not opened within the time that it is waited for.",
        remedy="Open the period in Fusion.",
        actor=_FINANCE,
        usual="retry",
    ),
    Cause(
        code="period_closed",
        means="The period of the document's day is closed, and no later open one is near enough.",
        remedy="Open a period, or allow later posting in the posting policy.",
        actor=_FINANCE,
        usual="retry",
    ),
    # Amounts
    Cause(
        code="inexact_amount",
        means="An amount has more decimal places than its currency.",
        remedy="Correct the currency's decimal places in the shop.",
        actor=_OPERATOR,
        usual="retry",
    ),
    Cause(
        code="does_not_add_up",
        means="What was paid and what was sold differ.",
        remedy="Correct the order's payments or lines in the shop.",
        actor=_FINANCE,
        usual="retry",
    ),
    Cause(
        code="rounding_over_limit",
        means="Lines, fees and taxes differ from the document's total by more than the rounding limit.",
        remedy="Correct the order in the shop, or raise the limit in the posting policy.",
        actor=_FINANCE,
        usual="retry",
    ),
    Cause(
        code="negative_invoice",
        means="Less store credit and gift certificates, the invoice would come to a negative amount.",
        remedy="Correct the order in the shop, or bill it by hand.",
        actor=_FINANCE,
        usual="skip",
    ),
    # Changes
    Cause(
        code="edited_after_posting",
        means="The document was edited in the shop after it had been posted.",
        remedy="Post the difference by hand in Fusion, or restore the document in the shop.",
        actor=_FINANCE,
        usual="skip",
    ),
    Cause(
        code="posted_elsewhere",
        means="The sale is in Fusion as another kind of document: its channel was switched to another target.",
        remedy="Leave it as it is, or reverse the other document in Fusion and book the sale by hand.",
        actor=_FINANCE,
        usual="skip",
    ),
    # What Fusion says of one document
    Cause(
        code="refused_by_fusion",
        means="Fusion refused the document; nothing of it exists there.",
        remedy="Correct what Fusion's message names: an account, a period, a customer, or the mapping rule.",
        actor=_FINANCE,
        usual="retry",
        mapping_heals=True,
    ),
    Cause(
        code="cannot_be_created",
        means="A value of the document does not fit into Fusion's fields; nothing was sent.",
        remedy="Correct the mapping or the order.",
        actor=_OPERATOR,
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
        actor=_FINANCE,
        usual="retry",
    ),
    Cause(
        code="posted_with_difference",
        means="Fusion created the document with another amount than expected, or it is gone since.",
        remedy="Correct it in Fusion and retry, or accept it and mark as posted; it is never sent again.",
        actor=_FINANCE,
        usual="mark_posted",
    ),
    Cause(
        code="reference_taken",
        means="A document in Fusion that is not ours carries the reference that ours needs; nothing was created.",
        remedy="Give that document another number in Fusion.",
        actor=_FINANCE,
        usual="retry",
    ),
    Cause(
        code="duplicate_in_erp",
        means="More than one document in Fusion carries the reference; nothing is sent meanwhile.",
        remedy="Credit or delete those that should not be there, then name the one that stays.",
        actor=_FINANCE,
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
        actor=_FINANCE,
        usual="retry",
    ),
    Cause(
        code="import_unexplained",
        means="The group's import has ended, journals are missing in the ledger, and its report gives no reason.",
        remedy=(
            "Look for the batch in Fusion. Only when its journals are certainly not there, retry: they go to a new "
            "group."
        ),
        actor=_FINANCE,
        usual="retry",
    ),
    Cause(
        code="ledger_differs",
        means="A journal in the ledger carries our reference and is not what was sent.",
        remedy="Compare it with the audit trail, and reverse it in Fusion if it is wrong.",
        actor=_FINANCE,
        usual="retry",
    ),
    Cause(
        code="purge_failed",
        means="Rows of a refused group are still in Fusion's interface, where a person could import them.",
        remedy="Delete the group's journal import data in Fusion.",
        actor=_FINANCE,
        usual="retry",
    ),
    Cause(
        code="cannot_be_imported",
        means="A value of the group does not fit into Fusion's import file; nothing was sent.",
        remedy="Correct the mapping or the order that the sentence names.",
        actor=_OPERATOR,
        usual="retry",
    ),
    # Everything
    Cause(
        code="vendor_*",
        means="The shop or Fusion refused a call for a reason that another try does not change.",
        remedy="Read the vendor's message and correct what it names.",
        actor=_OPERATOR,
        usual="retry",
    ),
    Cause(
        code="cannot_be_processed",
        means="A setting is missing, or a value fits nowhere.",
        remedy="Correct the configuration or the order that the sentence names.",
        actor=_OPERATOR,
        usual="retry",
        mapping_heals=True,
    ),
    Cause(
        code="decision_lost",
        means="A restored store has forgotten how a person decided, and the decision cannot be recorded again.",
        remedy="Look at the document in Fusion, then decide once more.",
        actor=_FINANCE,
        usual="mark_posted",
    ),
    Cause(
        code="step_failed",
        means="A step ended in a way that it should not.",
        remedy="Read the sentence and the logs, and report it.",
        actor=_ENGINEER,
        usual="retry",
    ),
    Cause(
        code=NEEDS_REVIEW,
        means="It waits for a person, and its reason was told in a sentence only.",
        remedy="Repair what the sentence names.",
        actor=_OPERATOR,
        usual="retry",
    ),
    # Why a decision was not taken
    Cause(
        code="journal_not_found",
        means="Fusion has no journal of the right amount in the batch that a person named.",
        remedy="Give the batch's name as Fusion shows it.",
        actor=_FINANCE,
        usual="mark_posted",
        refuses=True,
    ),
    Cause(
        code="journal_of_another",
        means="The journal that a person named is that of another document.",
        remedy="Name the batch that carries this document, or skip it.",
        actor=_FINANCE,
        usual="mark_posted",
        refuses=True,
    ),
    Cause(
        code="on_its_way",
        means="What was sent of the document has no outcome yet: its request may still be under way, or is imported.",
        remedy="Decide when that has ended; the sentence says when.",
        actor=_FINANCE,
        usual="mark_posted",
        refuses=True,
    ),
    Cause(
        code="invoice_not_found",
        means="Fusion has no invoice of the right amount with the number that a person named.",
        remedy="Give the transaction number as Fusion shows it.",
        actor=_FINANCE,
        usual="mark_posted",
        refuses=True,
    ),
    Cause(
        code="invoice_of_another",
        means="The invoice that a person named is that of another document.",
        remedy="Name the invoice that carries this document, or skip it.",
        actor=_FINANCE,
        usual="mark_posted",
        refuses=True,
    ),
)

_BY_CODE: Final = MappingProxyType({cause.code: cause for cause in CAUSES})
_FAMILIES: Final = tuple(cause for cause in CAUSES if cause.is_family)


def cause_of(code: str) -> Cause:
    """The cause of a problem's code. A code that an older version wrote and this one does not know: `needs_review`."""
    known = _BY_CODE.get(code) or next((one for one in _FAMILIES if one.covers(code)), None)
    return known or _BY_CODE[NEEDS_REVIEW]


def mapping_heals(problems: Iterable[Problem]) -> bool:
    """Whether a newer mapping set may change anything for a document with these problems."""
    return any(cause_of(problem.code).mapping_heals for problem in problems)


def leading_cause(problems: Iterable[Problem]) -> Cause:
    """The cause that a document is listed under: that of its first problem."""
    first = next(iter(problems), None)
    return cause_of(first.code if first else NEEDS_REVIEW)
