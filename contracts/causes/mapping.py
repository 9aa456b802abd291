"""Causes that lie in the books, rules, dates and amounts of a document."""

from typing import Final

from contracts.causes.cause import FINANCE, OPERATOR, Cause

MAPPING: Final = (
    # Accounts and rules
    Cause(
        code="unmapped_account",
        means="No rule of the mapping set says which account an amount of the document goes to.",
        remedy="Add the rule in a new version of the mapping set.",
        actor=FINANCE,
        usual="retry",
        mapping_heals=True,
    ),
    Cause(
        code="wrong_legal_entity",
        means="A rule books to another legal entity than the books of the document's channel.",
        remedy="Correct the rule's balancing segment in a new version of the mapping set.",
        actor=FINANCE,
        usual="retry",
        mapping_heals=True,
    ),
    Cause(
        code="wrong_chart",
        means="The mapping set has another number of segments than the ledger's chart of accounts.",
        remedy="Use a mapping set that is written for this chart.",
        actor=FINANCE,
        usual="retry",
        mapping_heals=True,
    ),
    Cause(
        code="invalid_mapping_set",
        means="The mapping set contradicts itself and cannot be used.",
        remedy="Correct it in a new version and prove it with `ml-connector check`.",
        actor=FINANCE,
        usual="retry",
        mapping_heals=True,
    ),
    Cause(
        code="unknown_mapping_version",
        means="A person asked for a version of the mapping set that no worker ever had in its configuration.",
        remedy="Name a version that was configured, or configure that one.",
        actor=FINANCE,
        usual="retry_with_mapping",
        mapping_heals=True,
    ),
    # Books
    Cause(
        code="no_books",
        means="The configuration has no books for the document's channel and currency.",
        remedy="Add the channel or its books to the configuration and restart the workers.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="no_receivable_books",
        means="The channel is billed in Receivables, and its books name no customer, source and type.",
        remedy="Add them to the books and restart the workers.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="wrong_ledger",
        means="The books name another ledger than the one Fusion answered for.",
        remedy="Correct the ledger's name in the books and restart the workers.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="no_conversion_type",
        means="The document is in a currency that is foreign to its ledger, and its books name no conversion type.",
        remedy="Set the conversion type of the books and restart the workers.",
        actor=FINANCE,
        usual="retry",
    ),
    Cause(
        code="no_conversion_rate",
        means="Fusion had no conversion rate for the document's day within the time that one is waited for.",
        remedy="Load the rate in Fusion.",
        actor=FINANCE,
        usual="retry",
    ),
    Cause(
        code="no_tax_code",
        means="Tax is to be sent as Fusion's own tax lines, and the books have no tax code for a tax of the shop.",
        remedy="Add the tax code to the books, or send tax as manual lines.",
        actor=FINANCE,
        usual="retry",
    ),
    Cause(
        code="tax_without_line",
        means="Nothing but tax is left to bill, and Fusion's tax lines need a line that they belong to.",
        remedy="Send tax of this channel as manual lines.",
        actor=FINANCE,
        usual="retry",
    ),
    # Dates
    Cause(
        code="unknown_timezone",
        means="The store's time zone is not one that is known, so no day can be told.",
        remedy="Correct the time zone in the store's settings.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="no_period",
        means="The ledger's calendar has no period for the document's day.",
        remedy="Extend the accounting calendar in Fusion and open the period.",
        actor=FINANCE,
        usual="retry",
    ),
    Cause(
        code="period_not_opened",
        means="The period of the document's day was not opened within the time that it is waited for.",
        remedy="Open the period in Fusion.",
        actor=FINANCE,
        usual="retry",
    ),
    Cause(
        code="period_closed",
        means="The period of the document's day is closed, and no later open one is near enough.",
        remedy="Open a period, or allow later posting in the posting policy.",
        actor=FINANCE,
        usual="retry",
    ),
    # Amounts
    Cause(
        code="inexact_amount",
        means="An amount has more decimal places than its currency.",
        remedy="Correct the currency's decimal places in the shop.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="does_not_add_up",
        means="What was paid and what was sold differ.",
        remedy="Correct the order's payments or lines in the shop.",
        actor=FINANCE,
        usual="retry",
    ),
    Cause(
        code="rounding_over_limit",
        means="Lines, fees and taxes differ from the document's total by more than the rounding limit.",
        remedy="Correct the order in the shop, or raise the limit in the posting policy.",
        actor=FINANCE,
        usual="retry",
    ),
    Cause(
        code="negative_invoice",
        means="Less store credit and gift certificates, the invoice would come to a negative amount.",
        remedy="Correct the order in the shop, or bill it by hand.",
        actor=FINANCE,
        usual="skip",
    ),
)
