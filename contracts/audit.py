"""Sealing of the audit trail: what its workflow is started with, and what it leaves behind."""

from typing import Final

from contracts.model import Frozen

CONNECTION_KIND: Final = "connection"
"""Kind of the audit events that are about a connection and no document."""


class AuditSealingInput(Frozen):
    """Input of `audit-sealing`: one per tenant."""

    tenant: str


class SealHead(Frozen):
    """The newest seal of a tenant's audit trail."""

    number: int
    digest: str


class SealAudit(Frozen):
    tenant: str
    job: str
    known: SealHead | None = None
    """The newest seal when this was done last, as Temporal remembers it: the store must still have it."""


class AuditSealed(Frozen):
    """What one sealing did. It is the workflow's result, so that Temporal keeps the head outside the store."""

    seals: int
    events: int
    head: SealHead | None = None
    lost: str = ""
    """Set when the store no longer has the seal that was known: it was restored, or its audit trail was cut."""
