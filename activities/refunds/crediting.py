"""Crediting: what becomes of the refund of an order that is billed in Receivables, by what is on record there."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from activities.collaborators import Collaborators
from activities.failures import review
from activities.orders.mapping import mapping_set_of
from activities.posting.subject import DIFFERS
from activities.receivables.billed import Billed, Reversal, invoice_of, memo_of, reversal_of
from activities.receivables.credit_applications import application_reference
from activities.receivables.credit_memos import credit_memo_reference
from activities.receivables.credited import Credited
from activities.refunds.siblings import booked_refunds, others
from contracts import names
from contracts.configuration import Integration
from contracts.journal import Problem
from contracts.refund import Refund
from contracts.steps.documents import Mapped
from contracts.steps.receivables import MapApplication, MappedApplication, MappedCredit
from contracts.steps.refunds import MapRefund
from mapping.bigcommerce import is_reversed
from mapping.books import books_of
from mapping.credit_memo import credited_total, to_application, to_credit_memo
from mapping.refunds import earlier_refunds, later_refunds
from store.creating.creation import CreationRow, CreationState

ON_ACCOUNT: Final = "credit_memo_on_account"


async def map_credit(parts: Collaborators, wanted: MapRefund, integration: Integration) -> MappedCredit:
    """The credit memo of a refund. One that is in Fusion stays what the refund becomes, also where it could not be
    mapped any more: what is half done is completed."""
    refund = wanted.snapshot.refund
    billed = await invoice_of(parts, refund.connection, refund.order_id)
    mapped = await _map(parts, wanted, integration, billed)
    memo = mapped.credit_memo or await memo_of(parts, Credited(integration, refund.order_id, refund.refund_id))
    if memo is None:
        return await _read_back(parts, wanted, integration, billed) or mapped
    return MappedCredit(credit_memo=memo, fusion=integration.fusion, alone=billed is None)


async def map_application(parts: Collaborators, wanted: MapApplication, integration: Integration) -> MappedApplication:
    """How a memo that is in Fusion is applied. Raises a final failure when its invoice is not known any more."""
    billed = await invoice_of(parts, wanted.connection, wanted.order_id)
    if billed is None or billed.document is None:
        raise review(_unknown(Credited(integration, wanted.order_id, wanted.refund_id), billed))
    sent = await memo_of(parts, Credited(integration, wanted.order_id, wanted.refund_id)) or wanted.credit_memo
    application = to_application(
        sent,
        billed.document,
        tenant=integration.tenant,
        connection=wanted.connection,
        credit_memo_id=int(wanted.target_id),
        credit_memo_number=wanted.target_number,
        invoice_id=int(billed.row.target_id),
        invoice_number=billed.row.target_number,
        not_before=wanted.credit_memo.accounting_date,
    )
    return MappedApplication(application=application)


async def _map(
    parts: Collaborators, wanted: MapRefund, integration: Integration, billed: Billed | None
) -> MappedCredit:
    refund, sale = wanted.snapshot.refund, wanted.snapshot.order.sale
    if billed and billed.document is None:
        return MappedCredit(problems=(_unknown(Credited(integration, refund.order_id, refund.refund_id), billed),))
    reversal = await reversal_of(parts, integration, refund.order_id)
    if billed and reversal and not is_reversed(wanted.snapshot.order, integration.posting):
        return MappedCredit(problems=(_back_again(refund, billed, reversal),))
    books = books_of(sale, integration)
    if isinstance(books, Problem):
        return MappedCredit(problems=(books,))
    mapping_set = await mapping_set_of(parts, integration.mapping_set, wanted.mapping_version)
    if isinstance(mapping_set, Problem):
        return MappedCredit(problems=(mapping_set,))
    siblings = others(refund, wanted.snapshot.known)
    given = [await memo_of(parts, Credited(integration, one.order_id, one.refund_id)) for one in siblings]
    taken = await booked_refunds(parts.store, integration, siblings)
    return to_credit_memo(
        refund,
        sale,
        tenant=integration.tenant,
        integration=integration,
        books=books,
        mapping_set=mapping_set,
        lookups=wanted.lookups,
        earlier=earlier_refunds(refund, wanted.snapshot.known, sale, taken),
        later=later_refunds(refund, taken),
        invoice=billed.document if billed else None,
        given=[memo for memo in given if memo is not None],
        reversed_=reversal is not None,
    )


async def _read_back(
    parts: Collaborators, wanted: MapRefund, integration: Integration, billed: Billed | None
) -> MappedCredit | None:
    """A memo that was read back after a restore, of a refund that cannot be mapped: mostly because its invoice was read
    back, too. Nobody shall credit it once more by hand. None: there is no such memo."""
    refund, sale = wanted.snapshot.refund, wanted.snapshot.order.sale
    row = await parts.store.creations.creation(credit_memo_reference(integration, refund.refund_id))
    if row is None or row.state is not CreationState.POSTED or row.recovered_at is None or refund.declined:
        return None
    total = credited_total(refund)
    if (row.currency, row.total) != (sale.currency, total):
        return MappedCredit(problems=(_differs(row, refund, sale.currency, total),))
    applied = await parts.store.creations.creation(application_reference(integration, refund.refund_id))
    if applied is not None and applied.final:
        transaction = applied.target_id.rpartition("/")[2]
        if billed is not None and billed.row.target_id and transaction != billed.row.target_id:
            return MappedCredit(problems=(_elsewhere(row, applied, refund, billed),))
        row = row.model_copy(update={"sentence": f"{row.sentence}, {applied.sentence}"})
    elif billed is not None and row.total:
        return MappedCredit(problems=(_on_account(row, refund, billed),))
    return MappedCredit(skipped=row.sentence, standing=True, reference=row.reference)


def as_credit(mapped: Mapped) -> MappedCredit:
    """The same, of the type that `map_refund` answers with."""
    told: Mapping[str, Any] = {name: getattr(mapped, name) for name in Mapped.model_fields}
    return MappedCredit(**told)


def _unknown(credited: Credited, billed: Billed | None) -> Problem:
    number = f" as {billed.row.target_number}" if billed else ""
    title = names.document_title(credited.kind, credited.integration.source, credited.document_id)
    return Problem(
        code="refund_of_invoice",
        sentence=(
            f"{title}: order {credited.order_id} is billed in Receivables ({credited.integration.fusion}){number}; that"
            " invoice was named by a person, read back after a restore or is not as it was meant, so its lines are not"
            " known here."
        ),
        remedy=f"Credit the invoice by hand in Fusion, then skip the {credited.kind} with a reason.",
    )


def _back_again(refund: Refund, billed: Billed, reversal: Reversal) -> Problem:
    return Problem(
        code="refund_of_invoice",
        sentence=(
            f"{_title(refund)}: order {refund.order_id} came back after it had been cancelled, and credit memo"
            f" {reversal.memo.target_number or reversal.memo.number} took its invoice {billed.row.target_number} back;"
            " what it was billed as since then is not known here."
        ),
        remedy="Credit by hand in Fusion what the order was billed as, then skip the refund with a reason.",
    )


def _differs(row: CreationRow, refund: Refund, currency: str, total: Decimal) -> Problem:
    return Problem(
        code=DIFFERS,
        sentence=(
            f"{_title(refund)}: credit memo {row.target_number} over {row.total:f} {row.currency} was read back after a"
            f" restore, and the refund comes to {total:f} {currency}."
        ),
        remedy="Compare the two, correct what is wrong by hand in Fusion, then skip the refund with a reason.",
    )


def _elsewhere(row: CreationRow, applied: CreationRow, refund: Refund, billed: Billed) -> Problem:
    return Problem(
        code=DIFFERS,
        sentence=(
            f"{_title(refund)}: credit memo {row.target_number} over {row.total:f} {row.currency} was read back after a"
            f" restore; it is applied elsewhere ({applied.target_number}), not to its invoice"
            f" {billed.row.target_number}."
        ),
        remedy="Apply it to that invoice by hand in Fusion if that is what was meant, then skip the refund with a "
        "reason.",
    )


def _on_account(row: CreationRow, refund: Refund, billed: Billed) -> Problem:
    return Problem(
        code=ON_ACCOUNT,
        sentence=(
            f"{_title(refund)}: credit memo {row.target_number} over {row.total:f} {row.currency} was read back after a"
            f" restore; it is on account, and the lines of its invoice {billed.row.target_number} are not known here."
        ),
        remedy="Apply it to that invoice by hand in Fusion, then skip the refund with a reason.",
    )


def _title(refund: Refund) -> str:
    return names.document_title(names.REFUND, refund.connection, refund.refund_id)
