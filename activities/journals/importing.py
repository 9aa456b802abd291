"""Importing: one sealed group goes to Oracle Fusion once, and its import is followed to the end.

Journal import refuses no duplicate, so nothing is ever sent because nothing was found. A group is sent when this
attempt holds the lease and no earlier attempt reached the mark "about to send". Once marked it is only looked for,
until it is found, the marking attempt itself proves that nothing went out, Fusion answered that attempt with an error
and has nothing of it after the settle time, or a person decides.
"""

import asyncio
import secrets
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from temporalio import activity

from activities import epochs
from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.failures import review
from activities.heartbeat import beating, staying_alive
from activities.journals.ledgers import ledger_of
from clients.errors import InDoubt, NotFound, VendorError
from clients.oracle_fusion import Job
from clients.oracle_fusion.errors import ENDED_BY_FUSION
from clients.oracle_fusion.gl_interface import batch_name
from contracts.journal import Problem
from contracts.steps.groups import FollowedJob, FollowJob, GroupStep, Submission
from store.rows import Busy, Closed, GroupState, Leased, Marked, Sent

ANSWERED: Final = "answered_at"
"""Where a group's evidence keeps when Fusion itself ended its request with an error."""
LOOKED: Final = "looked_at"
"""When Fusion was last asked for the group and had nothing of it."""
ABSENT: Final = "absent_for"
"""Seconds for which it was asked again and again, and had nothing."""
LONGEST_GAP: Final = timedelta(minutes=5)
"""Between two looks; more than that is an outage of theirs or ours."""
UNKNOWN: Final = "import_unknown"
LOOK_AGAIN: Final = timedelta(seconds=60)
CLOCK_ALLOWANCE: Final = timedelta(minutes=15)
"""How much earlier than our own sealing Fusion's clock may date a request."""
VISIBLE_AFTER: Final = 20
"""Looks before a request that Fusion accepted, and then does not show, needs a person."""


def document(step: GroupStep) -> str:
    """How sentences name a group."""
    return f"Journal group {step.group_id} ({step.fusion}, {step.ledger})"


class ImportingActivities:
    """All run on the Fusion connection's queue."""

    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="submit_group")
    @staying_alive()
    async def submit_group(self, step: GroupStep) -> Submission:
        """Lease, look, mark, send. Any number of times; sends at most once per proof that nothing was sent."""
        return await pass_gate(self._parts, step.fusion, document(step), partial(self._submit, step))

    async def _submit(self, step: GroupStep) -> Submission:
        behind = await self._parts.epochs.behind(step.epoch)
        if not behind:
            # Durable outside the store before anything goes out: a store restored from before this is found behind.
            group = await self._parts.store.groups.group(step.group_id)
            behind = await self._parts.epochs.tell(group.epoch)
        if behind:
            return Submission(state="behind", sentence=behind, until=self._parts.clock() + epochs.REST)
        now = self._parts.clock()
        settings = self._parts.fusion_connection(step.fusion)
        token = secrets.token_hex(16)
        lease = await self._parts.store.groups.lease(
            step.group_id, token, now=now, until=now + timedelta(seconds=settings.import_timeout)
        )
        match lease:
            case Sent(request_id):
                return Submission(state="submitted", request_id=request_id)
            case Busy(until):
                return Submission(state="in_doubt", until=until + timedelta(seconds=settings.settle))
            case Marked():
                return await self._look_only(step, lease)
            case Leased():
                return await self._look_and_send(step, token, lease)
            case Closed():
                return await self._closed(step)

    async def _look_and_send(self, step: GroupStep, token: str, lease: Leased) -> Submission:
        groups = self._parts.store.groups
        settle = timedelta(seconds=self._parts.fusion_connection(step.fusion).settle)
        try:
            found = await self._look(step)
            if found is not None:
                return await self._submitted(step, found)
            ledger = await ledger_of(self._parts, step)
            journals = await groups.journals_in(step.group_id)
        except VendorError:
            await groups.release(step.group_id, token, not_sent=True)
            raise
        now = self._parts.clock()
        # A moment and not a number of seconds: a worker that is paused after the mark finds it over and sends nothing.
        ends = asyncio.get_running_loop().time() + (lease.until - now).total_seconds()
        # Checked right before the request: a worker that was paused since the look has lost its lease and stops here.
        if not await groups.mark_sending(step.group_id, token, now):
            return Submission(state="in_doubt", until=lease.until + settle)
        if self._parts.clock() >= lease.until:
            # The machine slept: the loop's clock stands still meanwhile, the world's does not.
            await groups.release(step.group_id, token, not_sent=True)
            return Submission(state="in_doubt", until=lease.until + settle)
        try:
            request_id = await self._parts.fusions[step.fusion].submit_journal_import(
                journals,
                group_id=step.group_id,
                ledger=ledger.facts,
                data_access_set_id=ledger.data_access_set_id,
                source_id=ledger.source_id,
                batch_name=batch_name(step.group_id),
                ends=ends,
            )
        except InDoubt as doubt:
            if doubt.status in ENDED_BY_FUSION:
                # Written down at once: whoever looks later, also after an outage, can finish the proof.
                evidence = {ANSWERED: self._parts.clock().isoformat(), "answer": doubt.sentence}
                await groups.set_state(step.group_id, GroupState.SENDING, evidence)
            return Submission(state="in_doubt", until=lease.until + settle)
        except VendorError:
            # Fusion declined, or nothing left this machine.
            await groups.release(step.group_id, token, not_sent=True)
            raise
        except ValueError as error:
            await groups.release(step.group_id, token, not_sent=True)
            raise review(
                Problem(
                    code="cannot_be_imported",
                    sentence=f"{document(step)}: {error}",
                    remedy="Correct the mapping or the order that the sentence names, then retry the group.",
                )
            ) from error
        return await self._submitted(step, request_id)

    async def _look_only(self, step: GroupStep, marked: Marked) -> Submission:
        """Marked: some attempt may have sent it. Found, it is ours; absent, that alone proves nothing."""
        found = await self._look(step)
        if found is not None:
            return await self._submitted(step, found)
        now = self._parts.clock()
        if await self._proved_absent(step, marked):
            return Submission(state="in_doubt", until=now)
        if await self._absent_for(step, marked, now) < timedelta(hours=self._parts.import_policy(step).unknown_limit):
            return Submission(state="in_doubt", until=max(marked.until, now + self._pause(now - marked.at)))
        return Submission(
            state="unknown",
            problem=Problem(
                code=UNKNOWN,
                sentence=(
                    f"{document(step)}: its import may have been sent at {marked.at:%Y-%m-%d %H:%M:%S} UTC; Fusion "
                    f"shows no ESS request with this group id and no journal of batch {batch_name(step.group_id)}."
                ),
                remedy=(
                    "Look in Fusion for scheduled processes and journals of that batch and for rows of the group in "
                    "the interface. If there are none, retry: its journals then go to a new group."
                ),
            ),
        )

    async def _proved_absent(self, step: GroupStep, marked: Marked) -> bool:
        """Fusion ended the only request with an error, and long after it could have settled has nothing of it.

        Then the group is given free, to be leased, looked for and sent once more.
        """
        group = await self._parts.store.groups.group(step.group_id)
        answered = group.evidence.get(ANSWERED)
        if answered is None or group.lease_token is None:
            return False
        patience = timedelta(seconds=2 * self._parts.fusion_connection(step.fusion).settle)
        if self._parts.clock() < max(marked.until, datetime.fromisoformat(answered)) + patience:
            return False
        await self._parts.store.groups.release(step.group_id, group.lease_token, not_sent=True)
        return True

    async def _absent_for(self, step: GroupStep, marked: Marked, now: datetime) -> timedelta:
        """How long Fusion has now answered without showing it. An outage does not use up anybody's patience."""
        group = await self._parts.store.groups.group(step.group_id)
        looked_at = group.evidence.get(LOOKED)
        since = datetime.fromisoformat(looked_at) if looked_at else marked.at
        absent = timedelta(seconds=group.evidence.get(ABSENT, 0.0)) + min(now - since, LONGEST_GAP)
        await self._parts.store.groups.set_state(
            step.group_id, GroupState.SENDING, {LOOKED: now.isoformat(), ABSENT: absent.total_seconds()}
        )
        return absent

    def _pause(self, waited: timedelta) -> timedelta:
        """Look again soon at first, then every minute."""
        return min(max(waited, timedelta(seconds=1)), LOOK_AGAIN)

    async def _look(self, step: GroupStep) -> int | None:
        """The group's ESS request, or 0 when only its journals are left to see (requests are purged in time)."""
        fusion = self._parts.fusions[step.fusion]
        group = await self._parts.store.groups.group(step.group_id)
        found = await fusion.find_import(step.group_id, since=group.sealed_at - CLOCK_ALLOWANCE)
        went_out = group.marked_at is not None or ANSWERED in group.evidence
        if found is None and went_out and await fusion.journals(batch_name(step.group_id)):
            return 0
        return found

    async def _submitted(self, step: GroupStep, request_id: int) -> Submission:
        await self._parts.store.groups.submitted(step.group_id, request_id, now=self._parts.clock())
        return Submission(state="submitted", request_id=request_id)

    async def _closed(self, step: GroupStep) -> Submission:
        """Only after a reset: the group has its fates already, and reading them again changes nothing."""
        group = await self._parts.store.groups.group(step.group_id)
        return Submission(state="submitted", request_id=group.request_id or 0)

    @activity.defn(name="follow_job")
    async def follow_job(self, wanted: FollowJob) -> FollowedJob:
        """Returns when the ESS request and all its children are terminal."""
        if wanted.request_id == 0:
            return FollowedJob(state="PURGED", succeeded=True)
        return await self._follow(wanted.step, wanted.request_id)

    @activity.defn(name="purge_group")
    async def purge_group(self, step: GroupStep) -> None:
        """Remove the rows of a refused group, so that nobody can import them later. Harmless when it runs twice."""
        if not self._parts.fusion_connection(step.fusion).journal_import.purge_job:
            return
        request_id = await pass_gate(self._parts, step.fusion, document(step), partial(self._purge, step))
        job = await self._follow(step, request_id)
        if not job.succeeded:
            raise review(
                Problem(
                    code="purge_failed",
                    sentence=(
                        f"{document(step)}: Fusion refused the group, and the purge of its rows (ESS request "
                        f"{request_id}) ended {job.state}: a person could still import them."
                    ),
                    remedy="Delete the group's journal import data in Fusion, then retry the group.",
                )
            )

    async def _purge(self, step: GroupStep) -> int:
        ledger = await ledger_of(self._parts, step)
        return await self._parts.fusions[step.fusion].purge_group(
            step.group_id,
            ledger=ledger.facts,
            source_id=ledger.source_id,
            data_access_set_id=ledger.data_access_set_id,
        )

    async def _follow(self, step: GroupStep, request_id: int) -> FollowedJob:
        fusion = self._parts.fusions[step.fusion]
        interval = self._parts.fusion_connection(step.fusion).journal_import.status_interval
        missing = 0

        async def look() -> Job | None:
            nonlocal missing
            try:
                return await fusion.job(request_id)
            except NotFound:
                missing += 1
                if missing > VISIBLE_AFTER:
                    raise
                return None

        async with beating():
            while True:
                job = await pass_gate(self._parts, step.fusion, document(step), look)
                if job is not None and job.terminal:
                    return FollowedJob(state=job.worst.value, succeeded=job.succeeded)
                await asyncio.sleep(interval)
