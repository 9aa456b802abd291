"""The other refunds of an order: what each took back, as it was booked, whatever the order has become since."""

from collections.abc import Iterable

from activities.receivables.credit_memos import credit_memo_reference
from contracts import names
from contracts.configuration import Integration
from contracts.credit_memo import CreditMemo
from contracts.refund import Refund, RefundSale
from store import Store
from store.outbox.booked import Booked


async def journals_of_refunds(store: Store, connection: str, refunds: Iterable[Refund]) -> tuple[Booked, ...]:
    """Those in the ledger, or on their way there."""
    return await store.journals.standing_of(connection, names.REFUND, [one.refund_id for one in refunds])


async def booked_refunds(store: Store, integration: Integration, refunds: Iterable[Refund]) -> dict[str, RefundSale]:
    """By id, of those that are in Fusion as a journal or a memo, or on their way there. Others are not in it: those of
    which nobody here knows what they booked, and those that a person booked."""
    wanted = tuple(refunds)
    found: dict[str, RefundSale] = {}
    for journal in await journals_of_refunds(store, integration.source, wanted):
        if isinstance(journal.sale, RefundSale):
            found[journal.document_id] = journal.sale
    memos = await store.creations.creations(credit_memo_reference(integration, one.refund_id) for one in wanted)
    for reference, row in memos.items():
        text = await store.creations.content(reference) if row.final or row.open else None
        memo = CreditMemo.model_validate_json(text) if text else None
        if memo is not None and memo.taken is not None:
            found[memo.refund_id] = memo.taken
    return found


def others(refund: Refund, known: Iterable[Refund]) -> tuple[Refund, ...]:
    return tuple(one for one in known if one.refund_id != refund.refund_id)
