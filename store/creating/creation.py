"""A document that one call creates: intent, lease and outcome as values, and how rows become them."""

import datetime as dt
import hashlib
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import Field, TypeAdapter

from contracts.model import Amount, Frozen, Instant
from store.keys.rewrapping import Sealed
from store.keys.vault import Vault, binding
from store.rows import PostingKey
from store.schema import creations


class CreationState(StrEnum):
    """Where a creation stands."""

    INTENDED = "intended"
    """To be created; nothing of it is on its way."""
    SENDING = "sending"
    """A request was about to go out, so it may have; its outcome is open."""
    POSTED = "posted"
    """It is there, as it was meant."""
    DIFFERS = "differs"
    """We created it, and it is not as it was meant: a person must look. It is never sent again, changed or deleted."""
    REVIEW = "review"
    """Waits for a person. What is on its way, if anything, is in `sends`."""
    WITHDRAWN = "withdrawn"
    """Not to be created any more."""


FINAL: Final = frozenset({CreationState.POSTED, CreationState.DIFFERS})
DATE_MOVED: Final = "date_moved"
SUSPENSE: Final = "suspense"
"""Where a row's evidence keeps what accountants want to know of the version that it carries."""


class Send(Frozen):
    """A request that was about to go out, and of which nobody knows that nothing came."""

    token: str
    """Of the attempt that sent it."""
    at: Instant
    fingerprint: str
    """Of the version that it carried."""
    """Empty: a restored store has forgotten it, and its flow has not."""
    currency: str
    total: Amount
    refused_as_duplicate: bool = False
    """The vendor refused it, because its number is taken: what carries the number is not of this send."""
    answered_at: Instant | None = None
    """When the vendor itself ended the request with an error: nothing of it is in flight since."""


class Intent(Frozen):
    """What is to be created, and what is kept of it."""

    reference: str
    key: PostingKey
    resource: str
    """The vendor's name of what is created, e.g. `receivablesInvoices`."""
    home: str
    """Where it carries the reference."""
    number: str
    """The reference in the length of its home."""
    currency: str
    total: Amount
    accounting_date: dt.date | None = None
    fingerprint: str
    job: str = ""
    date_moved: bool = False
    """Its accounting date is in another period than the sale: accountants want to know."""
    suspense: bool = False
    """An amount of it is on the suspense account."""
    content: str = Field(repr=False)
    """The whole document as JSON. Kept sealed."""
    given: tuple[str, ...] = ()
    """Of what takes back the rest of a sale: references of what its refunds took back before."""

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content.encode()).hexdigest()


class Declaration(Frozen):
    """A person has looked: what was sent never arrived."""

    decision: str
    """Its id; it counts once."""
    who: str
    why: str


class CreationRow(Frozen):
    """Intent and outcome of one document, without its content."""

    reference: str
    key: PostingKey
    resource: str
    home: str
    number: str
    currency: str
    total: Amount
    accounting_date: dt.date | None
    fingerprint: str
    state: CreationState
    job: str
    created_at: Instant
    lease_until: Instant | None
    sent_at: Instant | None
    """Of the newest send whose outcome is open."""
    answered_at: Instant | None
    """When the vendor itself ended that request with an error."""
    target_id: str
    target_number: str
    posted_at: Instant | None
    sentence: str
    evidence: dict[str, Any]
    sends: tuple[Send, ...] = ()
    """Those whose outcome is open, oldest first."""
    recovered_at: Instant | None = None
    """When it was read back from the ERP after the store had been restored; its version is not known then."""

    @property
    def date_moved(self) -> bool:
        return bool(self.evidence.get(DATE_MOVED))

    @property
    def suspense(self) -> bool:
        return bool(self.evidence.get(SUSPENSE))

    @property
    def final(self) -> bool:
        return self.state in FINAL

    @property
    def open(self) -> bool:
        """It may be there, or come there, and nobody knows yet."""
        return bool(self.sends) and not self.final


@dataclass(frozen=True, slots=True)
class Intended:
    """What stands after an intent was told.

    `intended`: it may be created · `open`: a send of this or an older version has no known outcome · `posted`: this
    version is there · `differs`: it is there, and not as it was meant · `other_version`: another version is there ·
    `recovered`: it is there, and nobody knows which version.
    """

    outcome: Literal["intended", "open", "posted", "differs", "other_version", "recovered"]
    row: CreationRow
    epoch: int


@dataclass(frozen=True, slots=True)
class Granted:
    """The lease is ours: look, then `mark_sent`, then send before `until`."""

    until: dt.datetime


@dataclass(frozen=True, slots=True)
class Occupied:
    """Another attempt may be sending: come back at `until` plus the settle time."""

    until: dt.datetime


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A send whose outcome is open: look for it."""

    row: CreationRow
    until: dt.datetime
    """When the sender's lease ended."""


@dataclass(frozen=True, slots=True)
class Ended:
    """There is nothing to send: it is there, or it was withdrawn."""

    row: CreationRow


CreationLease = Granted | Occupied | Unresolved | Ended


class CreationCount(Frozen):
    """One row of the status overview."""

    fusion: str
    resource: str
    state: CreationState
    count: int
    oldest: Instant


_SENDS: Final = TypeAdapter(tuple[Send, ...])
_SENT: Final = "sends"
"""Where a row's evidence keeps its open sends."""
ROW_COLUMNS: Final = tuple(column for column in creations.c if column.name not in ("content", "lease_token"))


def creation_of(row: Any) -> CreationRow:
    """From a row that has `ROW_COLUMNS`."""
    evidence = dict(row.evidence)
    sends = _SENDS.validate_python(evidence.pop(_SENT, ()))
    return CreationRow(
        key=PostingKey(**{name: getattr(row, name) for name in PostingKey.model_fields}),
        evidence=evidence,
        sends=sends,
        **{
            name: getattr(row, name)
            for name in CreationRow.model_fields
            if name not in ("key", "evidence", "sends", "final", "open")
        },
    )


def evidence_of(row: CreationRow, *, sends: tuple[Send, ...] | None = None, **more: Any) -> dict[str, Any]:
    """The `evidence` column: what is known, with `more`, and the open sends."""
    kept = row.sends if sends is None else sends
    return {**row.evidence, **more, **({_SENT: _SENDS.dump_python(kept, mode="json")} if kept else {})}


def noted(intent: Intent) -> dict[str, Any]:
    """What the evidence tells of this version."""
    return {DATE_MOVED: intent.date_moved, SUSPENSE: intent.suspense}


def content_binding(tenant: str, reference: str) -> bytes:
    return binding("creation", tenant, reference)


SEALED: Final = Sealed(
    creations,
    "content",
    place=("tenant", "reference"),
    bind=lambda row: content_binding(row.tenant, row.reference),
)


def content_columns(intent: Intent, vault: Vault) -> dict[str, Any]:
    """Columns that a new version of the document replaces."""
    return {
        "resource": intent.resource,
        "home": intent.home,
        "number": intent.number,
        "currency": intent.currency,
        "total": intent.total,
        "accounting_date": intent.accounting_date,
        "fingerprint": intent.fingerprint,
        "digest": intent.digest,
        "job": intent.job,
        "content": vault.seal_text(content_binding(intent.key.tenant, intent.reference), intent.content),
    }


def blank_columns(key: PostingKey, job: str) -> dict[str, Any]:
    """Instead of `content_columns`: a person closes it before it was ever intended."""
    return {
        "resource": "",
        "home": "",
        "number": "",
        "currency": "",
        "total": Decimal(0),
        "accounting_date": None,
        "fingerprint": "",
        "digest": "",
        "job": job,
        "content": None,
        **key.model_dump(),
    }


NOTHING_KNOWN: Final[dict[str, Any]] = {
    "state": CreationState.INTENDED,
    "lease_token": None,
    "lease_until": None,
    "sent_at": None,
    "answered_at": None,
    "target_id": "",
    "target_number": "",
    "posted_at": None,
    "sentence": "",
    "evidence": {},
    "recovered_at": None,
}
