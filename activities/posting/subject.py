"""One document that is to be created: whose it is, how patient its posting is, and how its problems are told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from activities.posting.resource import Seen
from clients.errors import VendorError
from contracts.journal import Problem
from store.creating.creation import CreationRow, Declaration, Intent
from store.creating.elsewhere import PostedElsewhere
from store.rows import AuditEvent, PostingKey
from store.turns import Turn

UNKNOWN: Final = "posting_unknown"
"""The one problem that asks a person whether what was sent never arrived."""
DIFFERS: Final = "posted_with_difference"
TAKEN: Final = "reference_taken"
DUPLICATE: Final = "duplicate_in_erp"
REFUSED: Final = "refused_by_fusion"
ELSEWHERE: Final = "posted_elsewhere"
CANNOT: Final = "cannot_be_created"
LONGEST_SENTENCE: Final = 2000
"""Characters: it travels in a payload."""


class Tell(Protocol):
    """Makes an audit event of the document."""

    def __call__(self, action: str, sentence: str, details: Mapping[str, Any]) -> AuditEvent: ...


@dataclass(frozen=True)
class Subject:
    name: str
    """For people: "Order 1024 (bc-us)"."""
    what: str
    """What it becomes: "invoice"."""
    vendor: str
    """Where: "Fusion"."""
    key: PostingKey
    reference: str
    fingerprint: str
    job: str
    tell: Tell
    deadline: timedelta
    """Of the request; the lease lasts as long."""
    settle: timedelta
    """After a lease has ended, before anybody looks."""
    unknown_limit: timedelta
    """How long the outcome of a send may stay unknown before a person is asked."""
    mapped: Mapping[str, Any] = field(default_factory=dict)
    """How it came about: mapping set and version, and what people want to know of it."""
    turn: Turn | None = None
    epoch: int = 0
    open_since: datetime | None = None
    """Since when its flow knows that something may be on its way."""
    declaration: Declaration | None = None
    given: tuple[str, ...] = ()
    """References of what refunds of the order took back, which it reckons with (`store.creating.giving_way`)."""

    def intended(self, intent: Intent) -> str:
        """What the audit trail tells of an intent."""
        return f"{self.what} over {intent.total:f} {intent.currency}"

    def created(self, seen: Seen) -> str:
        """What the audit trail tells of a send that ended well."""
        return f"{seen.sentence} created"

    def event(self, action: str, sentence: str, details: Mapping[str, Any] | None = None) -> AuditEvent:
        return self.tell(action, sentence[:LONGEST_SENTENCE], {"reference": self.reference, **(details or {})})

    def declared(self) -> AuditEvent | None:
        """What the audit trail tells of the declaration, if there is one."""
        declaration = self.declaration
        if declaration is None:
            return None
        who = {"who": declaration.who, "why": declaration.why, "decision": declaration.decision}
        return self.event("declared_absent", f"{self.what} declared absent: {declaration.why}", who)

    def unknown(self, row: CreationRow) -> Problem:
        said = f" The last that was heard: {row.sentence.rstrip('.')}." if row.sentence else ""
        return Problem(
            code=UNKNOWN,
            sentence=(
                f"{self.name}: its {self.what} may have been sent at {row.sends[0].at:%Y-%m-%d %H:%M:%S} UTC as "
                f"{row.number}; {self.vendor} shows none that carries this reference.{said}"
            ),
            remedy=(
                f"Look for {self.what} {row.number} ({row.reference}) in {self.vendor}. If it is there, mark the "
                "document as posted with its number; if you are certain that it is not, retry: it is then sent once "
                "more."
            ),
        )

    def differs(self, seen: Seen, difference: str) -> Problem:
        return Problem(
            code=DIFFERS,
            sentence=f"{self.name}: {seen.sentence} was created, but {difference}.",
            remedy=(
                f"It is in {self.vendor} and stays there; nothing is sent again. Correct it there and retry, mark the "
                "document as posted with its number to accept it, or skip it with a reason."
            ),
        )

    def gone(self, row: CreationRow) -> Problem:
        return Problem(
            code=DIFFERS,
            sentence=f"{self.name}: {self.what} {row.target_number}, is not in {self.vendor} any more.",
            remedy=(
                "Nothing is sent again. Bill it by hand and mark it as posted with that number, or skip it with a "
                "reason."
            ),
        )

    def taken(self, row: CreationRow, seen: Seen, difference: str) -> Problem:
        return Problem(
            code=TAKEN,
            sentence=(
                f"{self.name}: {seen.sentence} carries the reference {row.number} and is not ours: {difference}."
            ),
            remedy=(
                f"Nothing was created. Give the other document another number in {self.vendor} and retry, or mark this "
                "one as posted if that document is its own."
            ),
        )

    def twice(self, row: CreationRow, numbers: Sequence[str]) -> Problem:
        return Problem(
            code=DUPLICATE,
            sentence=(
                f"{self.name}: {len(numbers)} documents in {self.vendor} carry the reference {row.number}: "
                f"{', '.join(numbers)}."
            ),
            remedy=(
                f"Credit or delete, in {self.vendor}, those that should not be there, then mark the document as posted "
                "with the number of the one that stays. Nothing is sent meanwhile."
            ),
        )

    def refused(self, refusal: VendorError) -> Problem:
        told = " / ".join(dict.fromkeys(refusal.messages)) or refusal.sentence
        return Problem(
            code=REFUSED,
            sentence=f"{self.name}: {self.vendor} refused its {self.what}: {told}"[:LONGEST_SENTENCE],
            remedy=f"{refusal.remedy} Nothing of it was created.",
        )

    def unfit(self, refusal: VendorError) -> Problem:
        told = " / ".join(dict.fromkeys(refusal.messages)) or refusal.sentence
        return Problem(
            code=CANNOT,
            sentence=f"{self.name}: its {self.what} does not fit what {self.vendor} takes: {told}"[:LONGEST_SENTENCE],
            remedy=f"{refusal.remedy} Nothing was sent.",
        )

    def cannot_be_carried(self, error: ValueError) -> Problem:
        return Problem(
            code=CANNOT,
            sentence=f"{self.name}: {error}",
            remedy="Correct the mapping or the order that the sentence names, then retry. Nothing was sent.",
        )


def posted_elsewhere(name: str, what: str, elsewhere: PostedElsewhere) -> Problem:
    """The sale is in Fusion, or on its way there, as another kind of document: its channel was switched."""
    return Problem(
        code=ELSEWHERE,
        sentence=f"{name}: no {what} is made of it, because {elsewhere}.",
        remedy=(
            "Its channel was switched to another target after that. Skip the order with a reason, or reverse the other "
            "document in Fusion and book it by hand."
        ),
    )
