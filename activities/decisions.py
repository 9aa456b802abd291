"""Decisions: what a person decided is on record, whatever it leads to."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from temporalio import activity

from activities.collaborators import Collaborators
from activities.trail import event_of
from contracts import names
from contracts.configuration import Integration
from contracts.steps.documents import RecordDecision

DECIDED: Final = "decided"


class DecisionActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="record_decision")
    async def record_decision(self, wanted: RecordDecision) -> None:
        """For decisions that nothing is done for at once. Runs as a local activity."""
        await record_decision(
            self._parts,
            self._parts.configuration.integration(wanted.integration),
            wanted.order_id,
            of=wanted.kind,
            kind=wanted.decision.kind,
            who=wanted.decision.who,
            why=wanted.decision.why,
            job=names.decision_job(wanted.decision.id),
            details={"mapping_version": wanted.decision.mapping_version} if wanted.decision.mapping_version else {},
        )


async def record_decision(
    parts: Collaborators,
    integration: Integration,
    order_id: str,
    *,
    of: str = names.ORDER,
    kind: str,
    who: str,
    why: str,
    job: str,
    details: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """One audit event per decision (`kind`) about a document (`of` its kind), however often its step is repeated.

    `job` is that of the decision.
    """
    event = event_of(
        parts,
        integration,
        order_id,
        kind=of,
        action=DECIDED,
        sentence=sentence_of(kind, who, why),
        details={"decision": kind, "who": who, "why": why, **details},
        job=job,
    )
    await parts.store.audit.append_once([event])


def sentence_of(kind: str, who: str, why: str) -> str:
    """E.g. `retry decided by Ann: the account is enabled`."""
    return f"{kind.replace('_', ' ')} decided by {who}: {why}"
