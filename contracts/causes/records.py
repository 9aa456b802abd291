"""Causes of records that two systems have: items, customers."""

from typing import Final

from contracts.causes.cause import OPERATOR, Cause

RECORDS: Final = (
    Cause(
        code="changed_where_not_owned",
        means="A field was changed in the system that does not own it; nothing was written.",
        remedy="Retry to write the owner's value over it, or first set the right one at the owner. Skip to leave both.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="changed_at_both",
        means="A field was changed in both systems since they last agreed; nothing was written.",
        remedy="Retry to keep the owner's value, or first set the right one at the owner. Skip to leave both.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="sku_case_differs",
        means="The shop writes the SKU with other capitals than Fusion the item's number, so they are not linked.",
        remedy="Write it the same way in both systems.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="customer_without_company",
        means="The customer is to have an account, which belongs to an organization, and has no company name.",
        remedy="Enter the company at the customer in the shop, or take the customer out of the group.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="address_does_not_fit",
        means="A name or an address of the customer is incomplete, or longer than Fusion takes; nothing was made.",
        remedy="Correct it at the customer in the shop.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="customer_differs",
        means="Shop and Fusion say something else of the customer, and where it is to be changed nothing is written.",
        remedy="Correct it in Fusion or in the shop, as the sentence says. Skip to leave both.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="no_such_attribute",
        means="The shop has no customer attribute of the configured name, which is to show the account.",
        remedy="Create the attribute in the shop, or correct its name in the configuration.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="value_does_not_fit",
        means="A value is longer than the other system takes; nothing was written.",
        remedy="Shorten it where it is owned, or take the field out of the owners in the configuration.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="value_not_taken",
        means="A system took the record but not a value of it, or the record was deleted while it was written.",
        remedy="Correct what the sentence names in the system that owns it.",
        actor=OPERATOR,
        usual="retry",
    ),
    Cause(
        code="record_unknown",
        means="The record's name is too long to be its id, and the store does not know it, as after a restore.",
        remedy="Change the record in either system, so that a poll sees it again, and skip this one.",
        actor=OPERATOR,
        usual="skip",
    ),
)
