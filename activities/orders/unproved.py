"""Orders that are said to be posted, and of which nothing is on record that was: neither believed nor posted again."""

from typing import Final

from activities.collaborators import Collaborators
from activities.decisions import DECIDED
from activities.trail import KIND
from contracts import names
from contracts.configuration import Integration
from contracts.flow import State
from contracts.journal import Problem
from contracts.sale import OrderSnapshot
from store.rows import DocumentRow

UNPROVED: Final = "posted_unproved"


async def unproved(
    parts: Collaborators, integration: Integration, known: DocumentRow | None, snapshot: OrderSnapshot
) -> Problem | None:
    """What a person is asked where the order's row says that it is posted and the outbox knows no journal and no
    invoice of it: a wrong row, or a lost posting. None also where a person said so, or has answered with a retry."""
    if known is None or not await _is_unproved(parts, known):
        return None
    if await parts.store.loss_counts.in_the_ledger(known.connection, KIND, [known.id]):
        return None
    reference = names.journal_reference(integration.tenant, known.connection, KIND, known.id, "sale", 1)
    return Problem(
        code=UNPROVED,
        sentence=(
            f"{snapshot.sale.title} is on record as posted, and no journal or invoice of it is, so nobody knows whether"
            " it is in Fusion."
        ),
        remedy=(
            f"Look in Fusion for {reference}. Found: mark it as posted. Only if it is certainly not there, retry: it is"
            " posted then."
        ),
    )


async def _is_unproved(parts: Collaborators, known: DocumentRow) -> bool:
    if known.state is State.POSTED:
        return not known.decided_by
    if known.state is not State.NEEDS_REVIEW or all(one.code != UNPROVED for one in known.problems):
        return False
    # That the order changes in the shop is no answer.
    events = await parts.store.audit.of(known.connection, KIND, known.id)
    return not any(event.action == DECIDED and event.at >= known.at for event in events)
