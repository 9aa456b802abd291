"""What was found of ours in Receivables, and how it is recorded: invoices, credit memos, and applications of these."""

import datetime as dt
import re
from collections.abc import Sequence
from typing import Final

from activities.collaborators import Collaborators
from contracts.configuration import Integration
from contracts.model import Frozen
from contracts.receivable import NUMBER_LENGTH
from store.recovered_creations import RecoveredCreation
from store.rows import AuditEvent, CrossReference, PostingKey

AT_ONCE: Final = 200
"""Documents that are recorded in one transaction."""
HASHED: Final = "mlc-"
"""How a reference begins that was too long (`contracts.names.journal_reference`)."""
SHORTENED: Final = re.compile(rf"M[A-Z2-7]{{{NUMBER_LENGTH - 1}}}")
"""How a number looks that is a shortened reference (`contracts.names.short_reference`)."""


class Several(Frozen):
    """More than one document in Fusion carries a reference of ours."""

    reference: str
    numbers: tuple[str, ...]
    what: str = "invoices"

    def sentence(self) -> str:
        return f"{len(self.numbers)} {self.what} in Fusion carry {self.reference}: {', '.join(self.numbers)}."


class TransactionsRead(Frozen):
    """What was found."""

    read: int = 0
    """Documents of ours."""
    brought_back: tuple[str, ...] = ()
    """References that the store did not know to be there."""
    documents: tuple[PostingKey, ...] = ()
    """Whose those are."""
    unreadable: tuple[str, ...] = ()
    """Numbers of documents that look like ours and tell nobody whose they are."""
    several: tuple[Several, ...] = ()

    def and_also(self, other: "TransactionsRead") -> "TransactionsRead":
        """Both together."""
        return TransactionsRead(
            read=self.read + other.read,
            brought_back=(*self.brought_back, *other.brought_back),
            documents=(*self.documents, *other.documents),
            unreadable=(*self.unreadable, *other.unreadable),
            several=(*self.several, *other.several),
        )


async def record_all(
    parts: Collaborators,
    recovered: Sequence[RecoveredCreation],
    job: str,
    *,
    referred: bool = True,
) -> tuple[RecoveredCreation, ...]:
    """Some at a time; gives those that the store did not know to be there.

    `referred`: the store shall know which document of Fusion is whose.
    """
    brought: list[RecoveredCreation] = []
    for start in range(0, len(recovered), AT_ONCE):
        some = await parts.store.recoveries.bring_back_creations(recovered[start : start + AT_ONCE], job)
        for one in some if referred else ():
            integration = parts.configuration.integration(one.key.integration)
            await parts.store.cross_references.put(_cross_reference(integration, one, one.seen_at))
        await parts.store.audit.append([_event(one, job) for one in some])
        brought += some
    return tuple(brought)


def _cross_reference(integration: Integration, found: RecoveredCreation, at: dt.datetime) -> CrossReference:
    return CrossReference(
        tenant=integration.tenant,
        connection=integration.source,
        kind=found.key.kind,
        id=found.key.document_id,
        target_connection=integration.fusion,
        target_kind=found.resource,
        target_id=found.target_id,
        at=at,
    )


def _event(found: RecoveredCreation, job: str) -> AuditEvent:
    return AuditEvent(
        tenant=found.key.tenant,
        connection=found.key.connection,
        kind=found.key.kind,
        document_id=found.key.document_id,
        at=found.seen_at,
        action="recovered",
        sentence=found.problems[0].sentence if found.problems else found.sentence,
        details={
            "reference": found.reference,
            "target_id": found.target_id,
            "target_number": found.target_number,
            **({"numbers": list(found.numbers)} if found.numbers else {}),
        },
        job=job,
    )
