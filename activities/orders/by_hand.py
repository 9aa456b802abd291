"""A status that a person set to Refunded moves no money: the order's record says so."""

from functools import partial

from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.failures import explained
from activities.trail import KIND, event_of
from contracts import names
from contracts.configuration import Integration
from contracts.sale import OrderSnapshot
from mapping.refund_journal import says_refunded, status_without_refund

NOTICED = "status_without_refund"


async def say_refunded_by_hand(
    parts: Collaborators, integration: Integration, snapshot: OrderSnapshot, *, job: str
) -> None:
    """An event, once for each version of the order that the shop shows so. Costs a call, and only in that status."""
    if not says_refunded(snapshot):
        return
    sale = snapshot.sale
    document = names.document_title(KIND, sale.connection, sale.order_id)
    with explained(document):
        refunds = await pass_gate(
            parts, sale.connection, document, partial(parts.shops[sale.connection].refunds_of, snapshot)
        )
    sentence = status_without_refund(snapshot, refunds)
    if not sentence:
        return
    told = await parts.store.audit.of(sale.connection, KIND, sale.order_id)
    if any(one.action == NOTICED and one.sentence == sentence for one in told):
        return
    event = event_of(
        parts,
        integration,
        sale.order_id,
        action=NOTICED,
        sentence=sentence,
        details={"status": snapshot.status},
        job=job,
    )
    await parts.store.audit.append_once([event])
