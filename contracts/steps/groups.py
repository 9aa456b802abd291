"""What steps of a group of journals and of its import take and give."""

from typing import Literal

from contracts.journal import FateKind, Problem
from contracts.model import Frozen, Instant


class SealGroup(Frozen):
    fusion: str
    ledger: str
    source: str
    flush_after: float
    flush_count: int
    limit: int
    workflow_id: str
    epoch: int = 0
    """The highest the workflow saw."""


class SealedGroup(Frozen):
    """`group_id` when a group was sealed; else seconds until the oldest journal is due, or nothing waits."""

    group_id: int | None = None
    journals: int = 0
    due_in: float | None = None
    epoch: int = 0
    """The store's, after sealing: every sealed group advances it."""
    behind: str = ""
    """Set when the store was restored from a backup: nothing is sealed until it is recovered; the sentence says what
    to do, `due_in` when to look again."""


class GroupStep(Frozen):
    """Input of every step of one group's import."""

    fusion: str
    ledger: str
    source: str
    group_id: int
    epoch: int = 0
    """Of the sealing; a store that is behind it sends nothing."""


class Submission(Frozen):
    """What is known of a group's import request.

    `submitted`: Fusion has it, as `request_id` · `in_doubt`: sent or being sent, look again at `until` ·
    `unknown`: not found within the limit; `problem` says what is known · `behind`: the store was restored from a
    backup, nothing was sent; `sentence` says what to do.
    """

    state: Literal["submitted", "in_doubt", "unknown", "behind"]
    sentence: str = ""
    request_id: int | None = None
    until: Instant | None = None
    problem: Problem | None = None


class FollowJob(Frozen):
    step: GroupStep
    request_id: int


class FollowedJob(Frozen):
    """A terminal ESS job."""

    state: str
    succeeded: bool


class ReadOutcome(Frozen):
    step: GroupStep
    request_id: int
    state: str
    succeeded: bool
    declared_absent: bool = False
    """A person has looked: what is not in the ledger now is to be sent again."""


class ImportOutcome(Frozen):
    """What a terminal import made of its group. The fates themselves are in the store."""

    imported: int = 0
    refused: int = 0
    requeued: int = 0
    unexplained: int = 0
    """Size of a group that was refused without a journal being named; it is then found by halving."""


class CloseGroup(Frozen):
    """Apply the fates that were read. With `who`, a person declares that the group never reached Fusion."""

    step: GroupStep
    who: str = ""
    why: str = ""
    decision: str = ""
    """Id of that person's decision; the audit trail names it as the job."""


class ClosedGroup(Frozen):
    imported: int
    refused: int
    requeued: int


class FollowPosting(Frozen):
    step: GroupStep
    submit: bool
    """Start the posting job first, on pods without AutoPost."""


class PostingProgress(Frozen):
    total: int
    unposted: int


class TellDocuments(Frozen):
    """Signal the documents of a group whose journals have this fate."""

    step: GroupStep
    kind: FateKind


class ReviewGroup(Frozen):
    """A group enters review with a problem, or leaves it (`problem` None) by a person's decision."""

    step: GroupStep
    problem: Problem | None
    who: str = ""
    why: str = ""
    decision: str = ""
    """The decision's id."""
