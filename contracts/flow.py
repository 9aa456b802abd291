"""What flows are started with, what they report, and what a person may decide."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from contracts.journal import Problem
from contracts.model import Frozen, Instant


class State(StrEnum):
    """Values of the search attribute `MlcState` and of the query `state`."""

    RUNNING = "running"
    WAITING_PARENT = "waiting_parent"
    WAITING_IMPORT = "waiting_import"
    IN_DOUBT = "in_doubt"
    NEEDS_REVIEW = "needs_review"
    POSTED = "posted"
    SKIPPED = "skipped"
    REVERSED = "reversed"


class FlowState(Frozen):
    """Answer of the query `state`."""

    state: State
    sentence: str = ""
    problems: tuple[Problem, ...] = ()
    reference: str = ""
    group_id: int | None = None


class Remapped(Frozen):
    """Signal `remapped`: this version of the mapping set is in effect now."""

    mapping_set: str
    version: int


class Parked(Frozen):
    """A document in review, small enough to continue-as-new for months (design rule 13)."""

    problems: tuple[Problem, ...]
    since: Instant
    renewals: int = 0
    version: str = ""
    """What the shop showed when the document was parked; a webhook that brings the same again asks nobody."""
    fingerprint: str = ""
    """Of the accounting projection that was parked."""
    changed: bool = False
    """The document changed while it was being parked: look at it at once."""
    group_id: int = 0
    """The last group that refused its journal; fates of that and older groups are history."""
    remapped: Remapped | None = None
    """A newer mapping set came into effect while the document was being parked: try it at once."""


class OrderToJournalInput(Frozen):
    """Input of `order-to-journal`."""

    integration: str
    connection: str
    order_id: str
    job: str = ""
    """The poll, backfill or delivery that started it."""
    mapping_version: int | None = None
    """Version of the mapping set to use; the configured one when absent."""
    parked: Parked | None = None
    epoch: int = 0
    """The highest epoch of the store that earlier runs saw (design rule 3)."""
    open_since: Instant | None = None
    """Since when something of it may be on its way that one call creates."""


class FlowResult(Frozen):
    """How a document's run ended."""

    state: State
    sentence: str
    reference: str = ""
    journal_name: str = ""


class Decision(Frozen):
    """A person's decision on something in review. The update id is `id`, so asking twice decides once."""

    id: str
    kind: Literal["retry", "retry_with_mapping", "mark_posted", "skip"]
    who: str = Field(min_length=1)
    why: str = Field(min_length=1)
    mapping_version: int | None = None
    """For `retry_with_mapping`."""
    target_id: str | None = None
    """For `mark_posted`: the name of the journal's batch in Fusion, verified there."""


class Decided(Frozen):
    """Answer to a decision."""

    id: str
    sentence: str


class JournalGroupsInput(Frozen):
    """Input of `journal-groups`: one per ledger and journal source."""

    fusion: str
    ledger: str
    source: str
    flush_after: float
    """Seconds."""
    flush_count: int
    limit: int | None = None
    """Smaller groups while a refusal names no journal, so that the bad one is found by halving."""
    epoch: int = 0


class Released(Frozen):
    """Signal `released`: an import no longer occupies its ledger and source."""

    group_id: int
    unexplained: int = 0
    """Size of a group that was refused without a journal being named; 0 otherwise."""


class JournalImportInput(Frozen):
    """Input of `journal-import`: one per group."""

    fusion: str
    ledger: str
    source: str
    group_id: int
    groups_workflow: str
    parked: Parked | None = None
    following: bool = False
    """Imported and released; only the posting is still followed."""
    epoch: int = 0
    """Of its sealing."""


class ImportResult(Frozen):
    """How a group ended."""

    group_id: int
    posted: int
    refused: int
    requeued: int
    sentence: str


class PollInput(Frozen):
    """Input of `poll-orders` and `sweep-orders`."""

    connection: str
    since: Instant | None = None
    """Set by backfills: read from here and leave the watermark alone."""
    days: int | None = None
    """Set by sweeps: read this many days back and leave the watermark alone."""


class ReleaseReviewInput(Frozen):
    """Input of `release-review`: one per version of a mapping set that came into effect."""

    mapping_set: str
    version: int
    integrations: tuple[str, ...]
    """Those that use the set."""


class ReviewsReleased(Frozen):
    """How `release-review` ended."""

    released: int
    """Signals to documents in review; a document that went back and was told again counts twice."""


class StoreEpoch(Frozen):
    """How far the store has come: a number that rises with every group that is sealed."""

    number: int
