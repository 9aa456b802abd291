"""What the store gives back and takes, as values. Column types and SQL stay in this room's other modules."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import Field

from contracts.alignment import SideCompared
from contracts.converging import Digests
from contracts.flow import State
from contracts.journal import JournalFate, Problem
from contracts.loss import OrderTally
from contracts.model import Amount, Frozen, Instant


class PostingState(StrEnum):
    """Where a posting stands."""

    STAGED = "staged"
    """In the outbox, in no group: the next seal takes it."""
    GROUPED = "grouped"
    """In a group whose fate is open."""
    IMPORTED = "imported"
    POSTED = "posted"
    REFUSED = "refused"
    """Fusion refused it and nothing of it is left there; may be staged again under the same reference."""
    WITHDRAWN = "withdrawn"
    """Taken out of the outbox before it was in any group; may be staged again."""


class GroupState(StrEnum):
    """Where a journal group stands. The first four keep their ledger and journal source occupied."""

    SEALED = "sealed"
    SENDING = "sending"
    """Marked: the request was about to go out, so it may have."""
    SUBMITTED = "submitted"
    """Fusion answered with a request id, or it was found there."""
    RESOLVING = "resolving"
    """The job is terminal; report and journals are being read back."""
    REVIEW = "review"
    """Waits for a person. Others of its ledger and source go on."""
    CLOSED = "closed"
    """Every member has its fate."""


class PostingKey(Frozen):
    """Whose posting it is; together with the ordinal the parts of its reference."""

    tenant: str
    integration: str
    connection: str
    """The source connection."""
    fusion: str
    """The target connection."""
    kind: str
    document_id: str
    purpose: str
    ordinal: int
    parent_id: str = ""
    """The order, of a document that is not one itself."""


class PostingRow(Frozen):
    """Intent and outcome of one target document, without its content."""

    reference: str
    key: PostingKey
    ledger: str
    source: str
    currency: str
    total: Amount
    mapping_set: str
    mapping_version: int
    fingerprint: str
    state: PostingState
    job: str
    staged_at: Instant
    group_id: int | None
    fate: JournalFate | None
    date_moved: bool
    suspense: bool
    accounting_date: dt.date | None = None
    """None: read back after a restore from a ledger that does not show it."""


class GroupRow(Frozen):
    """A journal group without its journals."""

    group_id: int
    fusion: str
    ledger: str
    source: str
    state: GroupState
    count: int
    """Journals sealed into it."""
    epoch: int
    sealed_at: Instant
    lease_token: str | None = None
    lease_until: Instant | None = None
    marked_at: Instant | None = None
    request_id: int | None = None
    submitted_at: Instant | None = None
    closed_at: Instant | None = None
    evidence: dict[str, Any] = Field(default_factory=dict)


class Member(Frozen):
    """A journal that was sealed into a group, and what became of it there."""

    reference: str
    key: PostingKey
    job: str
    """What led to its staging."""
    currency: str
    total: Amount
    fate: str
    """A `FateKind` value for this group, or empty while open."""
    state: PostingState
    """Where the posting stands now; it may be in another group by now."""


@dataclass(frozen=True, slots=True)
class Leased:
    """The lease is ours: look, then `mark_sending`, then send before `until`."""

    until: Instant


@dataclass(frozen=True, slots=True)
class Busy:
    """Another attempt may be sending, or another group occupies the ledger: come back at `until` (plus settle time)."""

    until: Instant


@dataclass(frozen=True, slots=True)
class Sent:
    """Fusion has it."""

    request_id: int


@dataclass(frozen=True, slots=True)
class Marked:
    """An attempt marked that its request goes out, and never said how it ended. Only look; never send."""

    at: Instant
    until: Instant
    """When that attempt's lease ended."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Every member has its fate already."""


Lease = Leased | Busy | Sent | Marked | Closed


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording fates changed."""

    applied: tuple[JournalFate, ...]
    """Fates that were new. A repeated call applies none."""
    open: int
    """Members without a fate."""
    closed: bool
    """The group is closed, by this call or earlier."""


@dataclass(frozen=True, slots=True)
class Pending:
    """The outbox of one ledger and journal source."""

    count: int
    oldest: Instant | None


class PostingCount(Frozen):
    """One row of the status overview."""

    fusion: str
    ledger: str
    source: str
    state: PostingState
    count: int
    oldest: Instant


class DocumentRow(Frozen):
    """How a source document's newest fetched version ended or waits."""

    tenant: str
    integration: str
    connection: str
    kind: str
    id: str
    parent_id: str = ""
    """The order, of a document that is not one itself."""
    modified_at: Instant
    fingerprint: str = ""
    state: State
    reason: str = ""
    problems: tuple[Problem, ...] = ()
    job: str = ""
    decided_by: str = ""
    """Who skipped it or marked it as posted; such a decision stands until the order itself changes."""
    decided_version: str = Field(default="", max_length=120)
    """The version (`Fetched.version`) that a person decided about last; `?` where nobody knows which. Also while what
    came after that decision is in review, which does not undo what was done by hand."""
    at: Instant


class ConnectionHealth(StrEnum):
    WORKING = "working"
    UNAVAILABLE = "unavailable"
    """Outage: sends pause and are retried."""
    MISCONFIGURED = "misconfigured"
    """Sign-in or permission is refused: a person must act."""


class ConnectionState(Frozen):
    connection: str
    state: ConnectionHealth
    sentence: str
    since: Instant
    """When this state began."""
    marked_at: Instant
    """When it was last seen."""
    identity: str = ""
    """A hash of pod or store and account; empty before the first sign-in."""
    identity_sentence: str = ""
    """Which pod or store that is, for people."""


class ConnectionSigns(Frozen):
    """What tells a process that waits that somebody did something about a connection."""

    secret: str | None
    """Id of the newest value of the secret it signs in with; None when there is none."""
    state: ConnectionHealth | None


class SecretName(Frozen):
    """A secret without its value."""

    tenant: str
    connection: str
    name: str
    values: int
    """How many are valid at the moment; two during a rotation."""
    newest: Instant
    oldest: Instant


@dataclass(frozen=True, slots=True)
class Ring:
    """Answer of `wakeups.ring`."""

    number: int
    needed: bool
    """False: a confirmed start or signal has not been taken yet and will see this change as well."""


class HookState(StrEnum):
    """How a webhook was when it was looked at last."""

    ACTIVE = "active"
    MISSING = "missing"
    OFF = "switched_off"
    HEADER = "wrong_header"
    """It does not carry the secret header that the gateway asks for."""
    MOVED = "wrong_address"
    """It delivers to where the gateway was before."""
    BLOCKED = "blocked"
    """The shop sends nothing to the gateway's domain at the moment."""


class HookRow(Frozen):
    """One webhook that a shop shall have for us. Instants are of the shop's clock where it is said."""

    connection: str
    scope: str
    destination: str
    hook_id: int | None = None
    """The shop's; None while there is none."""
    state: HookState
    sentence: str = ""
    """Why it does not deliver, or could not be healed."""
    checked_at: Instant
    active_at: Instant | None = None
    """When it was seen to be as it should, by the shop's clock."""
    found_at: Instant | None = None
    """When it was last found not to deliver."""
    gap_from: Instant | None = None
    """Set until the gap is swept: what changed since then, by the shop's clock, may not have been announced."""
    healed_at: Instant | None = None
    """When it last was as it should again, by the shop's clock; None while a gap is open and nothing has healed it."""
    swept_from: Instant | None = None
    swept_until: Instant | None = None
    """The last gap that was swept, by the shop's clock, with those before it that end where it begins."""


class Receipt(Frozen):
    """Evidence of one webhook delivery, whatever its verdict."""

    tenant: str
    connection: str
    delivery_id: str
    verdict: str
    status: int
    """HTTP status of our answer."""
    workflow_id: str = ""
    received_at: Instant
    sentence: str = ""
    scope: str = ""
    """What it was about, in the sender's words; empty where it was not genuine."""


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """A start that Temporal has not confirmed yet."""

    id: int
    tenant: str
    connection: str
    workflow_id: str
    number: int
    """The ring to confirm once it is started; 0 for none."""
    request: str
    """The start request as JSON."""
    received_at: Instant


class AuditEvent(Frozen):
    """One thing that happened to a document."""

    tenant: str
    connection: str
    kind: str
    document_id: str
    at: Instant
    action: str
    """snake_case: fetched, mapped, staged, submitted, imported, posted, refused, skipped, decided, ..."""
    sentence: str
    details: dict[str, Any] = Field(default_factory=dict)
    """Ids, versions and counts; no personal data."""
    job: str = Field(min_length=1, max_length=200)
    """The poll, delivery, backfill, decision or command that led to it."""
    payload: str | None = Field(default=None, repr=False)
    """A document worth keeping as it was, e.g. the original of a refused one. Stored sealed."""


class AuditRow(AuditEvent):
    """An event as it was stored; `payload` only where the caller asked for it to be opened."""

    id: int
    job: str


class Agreement(Frozen):
    """What both sides of a record showed when it was looked at last, as digests by field."""

    tenant: str
    integration: str
    connection: str
    """The shop."""
    kind: str
    id: str
    name: str
    """What both sides know it by."""
    fusion_id: str = ""
    """Empty: Fusion had no such record."""
    shop_id: str = ""
    parent: str = ""
    """The shop's record that it is a part of."""
    digests: Digests = Digests()
    sent: dict[str, str] = Field(default_factory=dict)
    """Digests, by field, of values that are on their way to the side that does not own them. What that side shows while
    the owner still shows the same may be our own write, kept in the system's own way. Empty once they agree."""
    at: Instant

    @property
    def linked(self) -> bool:
        return bool(self.fusion_id and self.shop_id)


class CrossReference(Frozen):
    """Two records of two systems that are the same thing."""

    tenant: str
    connection: str
    kind: str
    id: str
    target_connection: str
    target_kind: str
    target_id: str
    at: Instant


class Reconciliation(Frozen):
    """Source total against ledger total of one currency and span of time."""

    tenant: str
    integration: str
    connection: str
    currency: str
    since: Instant
    until: Instant
    source_total: Amount
    ledger_total: Amount
    source_count: int
    ledger_count: int
    duplicates: int = 0
    missing: int = 0
    in_review: int = 0
    details: dict[str, Any] = Field(default_factory=dict)
    at: Instant


class LossCount(OrderTally):
    """The newest count of one store's postable orders against what is known of them here."""

    tenant: str
    integration: str
    connection: str
    channel: str
    since: Instant
    """Orders placed at that moment or later were counted."""
    at: Instant
    job: str
    missing_ids: tuple[str, ...] = ()
    """The first of those that are missing."""
    still_missing: int = 0
    """Of `missing_ids`, how many the count before had found missing, too: starting them did not help."""


class AlignmentRow(SideCompared):
    """The newest comparison of an integration's shop and pod with its books and rules."""

    tenant: str
    integration: str
    connection: str
    """The shop."""
    fusion: str
    at: Instant
    job: str
    misaligned: int
    """How many do not fit, those included that are not named."""
    bad_since: Instant | None = None
    """When a comparison first found that something does not fit; None while everything does."""

    @property
    def is_grave(self) -> bool:
        return any(one.is_grave for one in self.misalignments)


class KnownOrder(Frozen):
    """What is known of an order: the state of its newest version that was looked at."""

    state: State
    modified_at: Instant
    decided: bool
    """A person did."""
    at: Instant
    """Since when it is in this state."""
    booked: bool = False
    """A journal or an invoice of it is in the ERP, as far as the outbox knows."""


@dataclass(frozen=True, slots=True)
class Token:
    """A rotating token of one connection."""

    value: str
    expires_at: Instant | None

    def __repr__(self) -> str:
        return f"Token(value=..., expires_at={self.expires_at!r})"
