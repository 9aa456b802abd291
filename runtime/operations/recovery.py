"""Recovery: a store that was restored from a backup learns from Fusion what was posted since (design rule 3).

Until then nothing is posted. Journals, invoices and credit memos, with what of these is applied, are read back by their
reference and recorded as what they are; imports that the store has never heard of must have ended, and what they left
in the interface is purged; groups that were merely sealed in the backup are from now on only looked for; what people
decided is read from Temporal and recorded once more. Then the epoch rises far above everything that anybody can have
seen, and posting goes on.
"""

import datetime as dt
from typing import Any, Final

from activities.collaborators import Collaborators
from contracts.model import Frozen, Instant
from runtime.operations.recovering.credit_memos import bring_back_credit_memos
from runtime.operations.recovering.decided_runs import Unread, forgotten_before
from runtime.operations.recovering.decisions import record_decisions
from runtime.operations.recovering.imports import StillRunning, unknown_imports
from runtime.operations.recovering.invoices import bring_back_invoices
from runtime.operations.recovering.journals import bring_back_journals
from runtime.operations.recovering.parked_groups import park_groups
from runtime.operations.recovering.second_looks import ask_forgotten_reviews, document_of, look_again
from runtime.operations.recovering.transactions import Several
from runtime.operations.recovering.unposted import follow_unposted

CLOCKS_APART: Final = dt.timedelta(hours=1)
"""Fusion and Temporal are read from this much before the given moment: their clocks are not ours."""


class Recovery(Frozen):
    """What a recovery found and did."""

    since: Instant
    behind: str
    """Why nothing was posted before; empty when the store was not behind."""
    read: int = 0
    """Journals of ours in Fusion."""
    read_invoices: int = 0
    """Invoices of ours in Fusion."""
    read_credit_memos: int = 0
    """Credit memos of ours in Fusion."""
    brought_back: tuple[str, ...] = ()
    """References that the store did not know to be posted."""
    unreadable: tuple[str, ...] = ()
    """Journals, invoices and credit memos of our sources whose reference tells nobody whose they are."""
    several: tuple[Several, ...] = ()
    """References that more than one document in Fusion carries; each of these documents is in review."""
    doubted: tuple[int, ...] = ()
    """Groups that are only looked for from now on."""
    parked: tuple[int, ...] = ()
    """Groups that wait for a person, which the store had forgotten."""
    followed: tuple[int, ...] = ()
    """Groups whose journals are imported and not posted yet."""
    purged: tuple[int, ...] = ()
    """Groups of a later store whose refused rows were removed from the interface."""
    decided: tuple[str, ...] = ()
    """Decisions of people that the store had forgotten, recorded again."""
    undecided: tuple[str, ...] = ()
    """Decisions that could not be recorded again; each of these orders is in review."""
    asked_again: int = 0
    """Documents in review that the store had forgotten, and that are looked at again."""
    running: tuple[StillRunning, ...] = ()
    """When there are any, posting stays stopped: recover again once they have ended."""
    unread: tuple[Unread, ...] = ()
    """Runs since then that cannot be read; posting stays stopped unless it is to go on without them."""
    forgotten_before: Instant | None = None
    """Set when Temporal has forgotten runs since then: those that closed before this moment. As `unread`."""
    without_decisions: bool = False
    """Posting goes on although decisions may be missing."""
    epoch: int = 0
    """The store's, afterwards."""

    @property
    def done(self) -> bool:
        """Whether posting goes on."""
        return not self.running and (self.without_decisions or not self.decisions_missing)

    @property
    def decisions_missing(self) -> bool:
        return bool(self.unread) or self.forgotten_before is not None


async def recover(
    parts: Collaborators, since: dt.datetime, *, now: dt.datetime | None = None, without_decisions: bool = False
) -> Recovery:
    """Rebuilds what is posted and decided since then, and lets posting go on. Safe to repeat and to interrupt.

    `without_decisions`: also when decisions of people cannot be read any more. Raises `VendorError` while a pod cannot
    be asked, `RPCError` while Temporal cannot be; nothing is posted meanwhile.
    """
    moment = now or parts.clock()
    job = f"recover:{moment:%Y%m%dT%H%M%SZ}"
    behind = await parts.epochs.behind(at_most=0)
    begin = since - CLOCKS_APART
    running, purged = await unknown_imports(parts, begin)
    journals = await bring_back_journals(parts, begin, moment, job)
    invoices = await bring_back_invoices(parts, begin, moment, job)
    credits = await bring_back_credit_memos(parts, begin, moment, job)
    transactions = invoices.and_also(credits)
    decisions = await record_decisions(parts, begin, moment, job)
    kept_from = await forgotten_before(parts.temporal, moment)
    result = Recovery(
        since=since,
        behind=behind,
        read=journals.read,
        read_invoices=invoices.read,
        read_credit_memos=credits.read,
        brought_back=(*journals.brought_back, *transactions.brought_back),
        unreadable=(*journals.unreadable, *transactions.unreadable),
        several=transactions.several,
        decided=decisions.recorded,
        undecided=decisions.asked_again,
        unread=decisions.unread,
        forgotten_before=kept_from if since < kept_from else None,
        without_decisions=without_decisions,
        running=running,
        purged=purged,
    )
    if not result.done:
        return result.model_copy(update={"epoch": await parts.store.epochs.current()})
    doubted = await parts.store.recoveries.doubt_unsent_groups(moment) if behind else ()
    parked = await park_groups(parts)
    followed = await follow_unposted(parts, journals.unposted, moment)
    asked = await ask_forgotten_reviews(parts)
    epoch = await parts.store.epochs.recovered(await parts.epochs.highest(), now=moment)
    await parts.epochs.announce(epoch)
    documents = [document_of(one) for one in (*journals.documents, *transactions.documents)]
    await look_again(parts, (*documents, *asked), job, moment)
    groups = {"doubted": tuple(one for one in doubted if one not in parked), "parked": parked, "followed": followed}
    return result.model_copy(update={**groups, "asked_again": len(asked), "epoch": epoch})


def as_json(result: Recovery) -> dict[str, Any]:
    """For `--json`."""
    return {**result.model_dump(mode="json"), "done": result.done}
