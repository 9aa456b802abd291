"""What flows are started with, what they report, and what a person may decide."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import Field

from contracts import names
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
    noted: bool = False
    """The order in the shop shall say what becomes of the document."""


class DocumentInput(Frozen):
    """What the workflow of a document of any kind is started with."""

    integration: str
    connection: str
    job: str = ""
    """The poll, backfill or delivery that started it."""
    mapping_version: int | None = None
    """Version of the mapping set to use; the configured one when absent."""
    parked: Parked | None = None
    epoch: int = 0
    """The highest epoch of the store that earlier runs saw (design rule 3)."""
    open_since: Instant | None = None
    """Since when something of it may be on its way that one call creates."""
    missing_for: float = 0.0
    """Seconds for which Fusion has answered that something is missing, in runs before this one."""
    missing_at: Instant | None = None
    """When it last did."""

    @property
    def kind(self) -> str:
        """Of the document, as in `contracts.names.FLOWS`."""
        raise NotImplementedError

    @property
    def document_id(self) -> str:
        """The source's own id."""
        raise NotImplementedError


class OrderToJournalInput(DocumentInput):
    """Input of `order-to-journal`."""

    order_id: str

    @property
    def kind(self) -> str:
        return names.ORDER

    @property
    def document_id(self) -> str:
        return self.order_id


class RefundToJournalInput(DocumentInput):
    """Input of `refund-to-journal`."""

    refund_id: str
    order_id: str = ""
    """The order it is of, where whoever started it knew; the shop has the last word."""

    @property
    def kind(self) -> str:
        return names.REFUND

    @property
    def document_id(self) -> str:
        return self.refund_id


class ConvergeInput(DocumentInput):
    """Input of the flow of a record that two systems have, of any kind."""

    record_kind: str
    record_id: str
    """As `contracts.record_ids.record_id` makes it."""

    @property
    def kind(self) -> str:
        return self.record_kind

    @property
    def document_id(self) -> str:
        return self.record_id


def document_input(
    kind: str, document_id: str, *, parent_id: str = "", **given: Any
) -> OrderToJournalInput | RefundToJournalInput | ConvergeInput:
    """The input of the workflow of a document; `given` are the fields that all kinds have."""
    if kind in names.RECORDS:
        return ConvergeInput(record_kind=kind, record_id=document_id, **given)
    if kind == names.REFUND:
        return RefundToJournalInput(refund_id=document_id, order_id=parent_id, **given)
    return OrderToJournalInput(order_id=document_id, **given)


INPUTS: Final[Mapping[str, type[DocumentInput]]] = MappingProxyType(
    {
        names.ORDER: OrderToJournalInput,
        names.REFUND: RefundToJournalInput,
        **dict.fromkeys(names.RECORDS, ConvergeInput),
    }
)
"""The type of input by kind of document."""


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
