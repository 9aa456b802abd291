"""Linking: the journal of a refund and the journal of its order name each other."""

from activities.collaborators import Collaborators
from contracts import names
from contracts.configuration import Integration
from store.rows import CrossReference

JOURNAL = "journal"
"""Kind of a record in Fusion; its id is the reference of a journal of ours."""


async def link_journals(
    parts: Collaborators, integration: Integration, connection: str, order_id: str, reference: str
) -> None:
    """Nothing where the order has no journal: it was placed before the cut-over."""
    booked = await parts.store.journals.booked(connection, names.ORDER, order_id)
    if booked:
        await parts.store.cross_references.put(
            CrossReference(
                tenant=integration.tenant,
                connection=integration.fusion,
                kind=JOURNAL,
                id=reference,
                target_connection=integration.fusion,
                target_kind=JOURNAL,
                target_id=booked[0].reference,
                at=parts.clock(),
            )
        )
