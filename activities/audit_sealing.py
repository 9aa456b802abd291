"""Sealing of the audit trail: what a tenant's documents left since the last time becomes part of the chain."""

import time
from typing import Final

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.collaborators import Collaborators
from activities.heartbeat import beating
from contracts.audit import AuditSealed, SealAudit, SealHead
from store.rows import AuditEvent
from store.trail.audit_rows import SEALS_LOST
from store.trail.seals import HeadLost

PATIENCE: Final = 240.0
"""Seconds after which the rest of a long tail is left to the next time."""
KIND: Final = "audit"
"""What such an event is of, as `order` is for others; its document is the tenant's trail."""

_log = structlog.stdlib.get_logger(__name__)


class AuditSealingActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="seal_audit")
    async def seal_audit(self, wanted: SealAudit) -> AuditSealed:
        """Seals the tail, and says so in the trail itself when a seal that was known is gone."""
        seals = self._parts.store.seals
        try:
            lost = await self._lost(wanted)
            count = events = 0
            ends = time.monotonic() + PATIENCE
            async with beating():
                while time.monotonic() < ends and (seal := await seals.seal(wanted.tenant, now=self._parts.clock())):
                    count, events = count + 1, events + seal.count
            head = await seals.head(wanted.tenant)
        except HeadLost as error:
            # No retry repairs it: the run fails where people see it, and so does every later one until it is repaired.
            _log.error("audit trail cannot be sealed", tenant=wanted.tenant, error=str(error))
            raise ApplicationError(str(error), type="AuditHeadLost", non_retryable=True) from error
        return AuditSealed(
            seals=count,
            events=events,
            head=SealHead(number=head.number, digest=head.digest) if head.number else None,
            lost=lost,
        )

    async def _lost(self, wanted: SealAudit) -> str:
        """Empty while the store has the seal that was the newest last time."""
        known = wanted.known
        if known is None or await self._parts.store.seals.has(wanted.tenant, known.number, known.digest):
            return ""
        sentence = (
            f"Audit seal {known.number} of tenant {wanted.tenant} (digest {known.digest}) was made and is not in the "
            "store: it was restored from an older backup, or its audit trail was cut."
        )
        _log.error("audit seal lost", tenant=wanted.tenant, seal=known.number, digest=known.digest)
        event = AuditEvent(
            tenant=wanted.tenant,
            connection="",
            kind=KIND,
            document_id=wanted.tenant,
            at=self._parts.clock(),
            action=SEALS_LOST,
            sentence=sentence,
            details={"seal": known.number, "digest": known.digest},
            job=wanted.job,
        )
        await self._parts.store.audit.append([event])
        return sentence
