"""What workflows and activities hand to each other: one model in, one model out."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from contracts.journal import Journal, JournalFate, LedgerFacts, Period, Problem
from contracts.model import Amount, Frozen, Instant
from contracts.sale import OrderSnapshot


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


class OrderToJournal(Frozen):
    """Input of `order-to-journal`."""

    integration: str
    connection: str
    order_id: str
    job: str = ""
    """The poll, backfill or delivery that started it."""
    epoch: int = 0
    """Highest store epoch seen (design rule 3)."""
    parked: "Parked | None" = None


class Parked(Frozen):
    """A document in review, small enough to continue-as-new for months."""

    problems: tuple[Problem, ...]
    since: Instant
    renewals: int = 0
    mapping_version: int | None = None


class FlowResult(Frozen):
    """How a document's run ended."""

    state: State
    sentence: str
    reference: str = ""
    journal_name: str = ""


class Decision(Frozen):
    """A person's decision on something in review. The update id is `id`."""

    id: str
    kind: Literal["retry", "retry_with_mapping", "mark_posted", "skip"]
    who: str = Field(min_length=1)
    why: str = Field(min_length=1)
    mapping_version: int | None = None
    """For `retry_with_mapping`."""
    target_id: str | None = None
    """For `mark_posted`: the journal's name in Fusion, verified there."""


class Lookups(Frozen):
    """Facts of the target system that mapping needs for one sale."""

    ledger: LedgerFacts
    periods: tuple[Period, ...]
    rate_available: bool = True
    """False when the sale's currency needs a conversion rate that Fusion does not have yet."""
    looked_up_at: Instant


class Mapped(Frozen):
    """What mapping made of a snapshot: a journal, or a reason for none."""

    journal: Journal | None = None
    skipped: str = ""
    """A reason with a name: "status Incomplete is not postable"."""
    problems: tuple[Problem, ...] = ()
    waiting: Problem | None = None
    """Not postable yet for a reason that heals by itself (no conversion rate)."""


class Staged(Frozen):
    """Answer of staging: where the journal stands."""

    outcome: Literal["staged", "unchanged", "in_group", "fated", "edited_after_posting"]
    reference: str
    fate: JournalFate | None = None


__all__ = [
    "Amount",
    "Decision",
    "FlowResult",
    "FlowState",
    "Lookups",
    "Mapped",
    "OrderSnapshot",
    "OrderToJournal",
    "Parked",
    "Staged",
    "State",
]
