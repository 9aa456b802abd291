"""Posting: one document is created in the ERP by one call, once, whatever crashes, pauses or answers late.

    intent   written before anything is sent, unique on the reference
    lease    one attempt at a time may send
    look     every attempt, the first too; what is there is adopted when it agrees, else a person looks
    check    what the ERP says of itself must let it be created; else a person is told everything that does not fit
    mark     durable, right before the request, while the lease holds by the clock
    send     its deadline ends with the lease
    confirm  what the ERP answered is read back and compared

A mark is never forgotten because nothing was found. What was sent is looked for until it is found, the ERP itself ended
the request and shows nothing of it long afterwards, or a person declares it absent. Only where the ERP refuses a second
document of the same reference (`Home.refuses_duplicates`) may the same step send again before that.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from activities.posting.findings import Findings
from activities.posting.resource import Document, Hit
from activities.posting.subject import posted_elsewhere
from clients.errors import BadAnswer, InDoubt, NotFound, Resolution, VendorError
from contracts.model import Frozen, Instant
from contracts.steps.documents import Created
from store.creating.creation import CreationRow, CreationState, Declaration, Ended, Granted, Occupied, Unresolved
from store.creating.elsewhere import PostedElsewhere
from store.epochs import StoreBehind
from store.recovered_creations import NUMBERS
from store.turns import Superseded

LONGEST_PAUSE: Final = timedelta(minutes=10)
"""Between two looks for something that may never come."""
LONGEST_REST: Final = timedelta(minutes=15)
"""Between two sends to an ERP that refuses duplicates and does not say how it ends."""
LONGEST_GAP: Final = timedelta(minutes=15)
"""Between two looks, also after a rest that was a little late; more than that is an outage of theirs or ours."""
TOLD_EVERY: Final = 60.0
"""Seconds between two words to the keeper of epochs: every attempt looks before it sends anyway."""
UNANSWERED: Final = "sent, answer unknown"
LOST_LEASE: Final = "not sent: the look took longer than its lease"
ABSENCE: Final = "absence"
"""Where a creation's evidence keeps its `Absence`."""


class Absence(Frozen):
    """For how long the ERP has answered, look by look, and shown nothing of what was sent."""

    token: str
    """Of the oldest send that is open."""
    looked_at: Instant
    seconds: float = 0.0


class Posting(Findings[Document, Hit]):
    """One step of one document. Made anew for every attempt."""

    async def create(self, document: Document) -> Created:
        """Create it, find it, or say what stands in the way. Any number of times; creates at most one."""
        if behind := await self.parts.epochs.behind(self.subject.epoch):
            return self.behind(behind)
        intent = self.intent(document)
        try:
            intended = await self.creations.intend(
                intent,
                now=self.parts.clock(),
                turn=self.subject.turn,
                seen=self.subject.epoch,
                open_since=self.subject.open_since,
                declaration=self.subject.declaration,
                event=self.subject.event(
                    "intended",
                    self.subject.intended(intent),
                    self.subject.mapped,
                ),
                declared=self.subject.declared(),
            )
        except Superseded:
            return self.answer("superseded")
        except PostedElsewhere as elsewhere:
            problem = posted_elsewhere(self.subject.name, self.subject.what, elsewhere)
            return self.answer("review", problem=problem)
        except StoreBehind as behind_now:
            return self.behind(str(behind_now))
        row, self.epoch = intended.row, intended.epoch
        match intended.outcome:
            case "posted":
                return self.posted(row)
            case "other_version":
                return self.answer("edited_after_posting", row=row)
            case "differs":
                return await self._read_back(row)
            case "recovered":
                return await self._recovered(row, document)
        return await self._lease(document, again=False)

    async def resolve(self) -> Created:
        """Nothing is to be created any more: find out what became of what was sent, or be told by a person."""
        row = await self.creations.creation(self.subject.reference)
        if row is not None and row.open and self.subject.declaration is not None:
            row = await self._told_absent(row, self.subject.declaration)
        if row is None or not (row.final or row.open):
            return self.answer("absent")
        if row.open:
            found = await self._look_only(None, row, row.lease_until or row.sends[-1].at)
            if found.outcome != "posted":
                return found
        return self.answer("edited_after_posting", row=await self.row())

    async def _told_absent(self, row: CreationRow, declaration: Declaration) -> CreationRow | None:
        """A person may be mistaken, or it came since: what shows itself after all is not declared away."""
        if await self._look(None, row):
            return row
        return await self.creations.declared_absent(
            row.reference, declaration, now=self.parts.clock(), event=self.subject.declared()
        )

    async def _lease(self, document: Document, *, again: bool) -> Created:
        now = self.parts.clock()
        lease = await self.creations.lease(
            self.subject.reference, self.token, now=now, until=now + self.subject.deadline, again=again
        )
        match lease:
            case Granted(until):
                return await self._look_and_send(document, until)
            case Occupied(until):
                why = f"another attempt may be sending it until {until:%H:%M:%S} UTC"
                return self.in_doubt(until + self.subject.settle, why)
            case Unresolved(row, until):
                return await self._look_only(document, row, until)
            case Ended(row) if row.state is CreationState.WITHDRAWN:
                return self.answer("superseded")
            case Ended():
                # Another attempt found it since our intent: compare anew.
                return self.in_doubt(now, "another attempt has found out what became of it")

    async def _look_and_send(self, document: Document, until: datetime) -> Created:
        try:
            row = await self.row()
            hits = await self._look(document, row)
        except BaseException:
            # Nothing was sent under this lease: whoever comes next need not wait for its end.
            await self.creations.release(self.subject.reference, self.token)
            raise
        if hits:
            await self.creations.release(self.subject.reference, self.token)
            return await self._adopt(hits, document, row)
        if row.sends and await self._overdue(row):
            await self.creations.release(self.subject.reference, self.token)
            return await self._unknown(row)
        if not row.sends:
            unfit = await self._unfit(document)
            if unfit is not None:
                return unfit
        return await self._send(document, until)

    async def _unfit(self, document: Document) -> Created | None:
        """What the ERP's own description refuses is not sent: a person is told all of it at once."""
        try:
            await self.resource.check(document)
            return None
        except VendorError as refusal:
            await self.creations.release(self.subject.reference, self.token)
            if refusal.resolution is not Resolution.REVIEW:
                raise
            return await self.review(self.subject.unfit(refusal), {"messages": list(refusal.messages)})
        except ValueError as error:
            await self.creations.release(self.subject.reference, self.token)
            return await self.review(self.subject.cannot_be_carried(error))
        except BaseException:
            await self.creations.release(self.subject.reference, self.token)
            raise

    async def _send(self, document: Document, until: datetime) -> Created:
        reference, later = self.subject.reference, until + self.subject.settle
        intent = self.intent(document)
        now = self.parts.clock()
        # A moment and not a number of seconds: a worker that is paused after the mark finds it over and sends nothing.
        ends = asyncio.get_running_loop().time() + (until - now).total_seconds()
        # Checked right before the request: a worker that was paused since the look has lost its lease and stops here.
        sent = self.subject.event(
            "sent", f"{self.subject.what} {intent.number}, to be answered by {until:%H:%M:%S} UTC"
        )
        epoch = await self.creations.mark_sent(intent, self.token, now=now, event=sent)
        if epoch is None:
            return self.in_doubt(later, LOST_LEASE)
        self.epoch = epoch
        try:
            behind = await self.parts.epochs.tell(epoch, every=TOLD_EVERY)
        except BaseException as error:
            await self._not_sent(f"the keeper of epochs cannot be told: {type(error).__name__}")
            raise
        if behind:
            await self._not_sent(behind)
            return self.behind(behind)
        if self.parts.clock() >= until:
            # The machine slept: the loop's clock stands still meanwhile, the world's does not.
            await self._not_sent(LOST_LEASE)
            return self.in_doubt(later, LOST_LEASE)
        try:
            hit = await self.resource.create(document, ends=ends)
        except (InDoubt, BadAnswer) as doubt:
            answered = self.parts.clock() if self.resource.ended(doubt) else None
            await self.doubt(self.token, doubt.sentence, answered_at=answered)
            return self.in_doubt(later, UNANSWERED)
        except VendorError as refusal:
            if self.resource.taken(refusal):
                return await self._look_after_refusal(document, refusal, later)
            # The vendor declined, or nothing left this machine.
            if refusal.resolution is not Resolution.REVIEW:
                await self._not_sent(refusal.sentence)
                raise
            await self.creations.release(reference, self.token)
            return await self.review(self.subject.refused(refusal), {"messages": list(refusal.messages)})
        except ValueError as error:
            await self.creations.release(reference, self.token)
            return await self.review(self.subject.cannot_be_carried(error))
        seen = self.resource.seen(hit)
        await self.creations.confirmed(
            reference, self.token, target_id=seen.target_id, target_number=seen.target_number
        )
        return await self._read_back(await self.row())

    async def _not_sent(self, why: str) -> None:
        """The mark is taken back: this attempt knows that nothing comes of it."""
        told = self.subject.event("not_sent", f"{self.subject.what} was not created: {why}")
        await self.creations.release(self.subject.reference, self.token, event=told)

    async def _look_after_refusal(self, document: Document, refusal: VendorError, later: datetime) -> Created:
        """The reference exists: ours by an earlier request, or somebody else's. It may be shown late."""
        row = await self.row()
        try:
            hits = await self._look(document, row)
        except VendorError:
            hits = {}
        if not hits:
            await self.doubt(self.token, refusal.sentence, refused_as_duplicate=True)
            return self.in_doubt(later, f"{self.subject.vendor} says that its number exists, and does not show it")
        await self.creations.release(self.subject.reference, self.token)
        return await self._adopt(hits, document, await self.row())

    async def _look_only(self, document: Document | None, row: CreationRow, until: datetime) -> Created:
        """Sent by some attempt. Found, it is settled; absent, that alone proves nothing."""
        if row.target_id:
            return await self._read_back(row)
        if row.evidence.get("doubted") != row.sends[-1].token:
            await self.doubt(row.sends[-1].token, "the attempt that sent it did not say how it ended")
        now = self.parts.clock()
        again = document is not None and await self._may_send_again(document)
        due = until + self.subject.settle
        if again:
            due = max(due, row.sends[-1].at + min((row.sends[-1].at - row.sends[0].at) / 2, LONGEST_REST))
        if now < due:
            return self.in_doubt(due, UNANSWERED)
        if document is not None and again:
            return await self._lease(document, again=True)
        hits = await self._look(document, row)
        if hits:
            return await self._adopt(hits, document, row)
        if self._proved_absent(row, until):
            absent = f"{self.subject.vendor} had ended the request with an error and shows no {self.subject.what}"
            await self.creations.absent(row, now=now, event=self.subject.event("absent", absent))
            return self.in_doubt(now, absent)
        return await self._still_unknown(row)

    async def _may_send_again(self, document: Document) -> bool:
        """The vendor refuses a second one of this reference, and that is the reference which was sent."""
        home, sent = self.resource.home(document), await self.stored()
        return home.refuses_duplicates and sent is not None and self.resource.home(sent) == home

    def _proved_absent(self, row: CreationRow, until: datetime) -> bool:
        """The ERP itself ended every request, and long after they could have settled has nothing of them."""
        answers = [send.answered_at for send in row.sends]
        known = [answer for answer in answers if answer is not None]
        return len(known) == len(answers) and self.parts.clock() >= max(until, *known) + 2 * self.subject.settle

    async def _still_unknown(self, row: CreationRow) -> Created:
        if await self._overdue(row):
            return await self._unknown(await self.row())
        now = self.parts.clock()
        pause = min(max((now - row.sends[-1].at) / 4, timedelta(seconds=1)), LONGEST_PAUSE)
        return self.in_doubt(now + pause, UNANSWERED)

    async def _overdue(self, row: CreationRow) -> bool:
        """Whether the ERP has answered for long enough without showing it. An outage uses up nobody's patience."""
        now, first = self.parts.clock(), row.sends[0]
        known = row.evidence.get(ABSENCE)
        absence = Absence.model_validate(known) if known else Absence(token=first.token, looked_at=first.at)
        if absence.token != first.token:
            absence = Absence(token=first.token, looked_at=first.at)
        seconds = absence.seconds + min(now - absence.looked_at, LONGEST_GAP).total_seconds()
        absence = Absence(token=first.token, looked_at=now, seconds=seconds)
        await self.creations.note(self.subject.reference, {ABSENCE: absence.model_dump(mode="json")})
        return timedelta(seconds=seconds) >= self.subject.unknown_limit

    async def _unknown(self, row: CreationRow) -> Created:
        evidence = {"sent_at": [send.at.isoformat() for send in row.sends], "home": row.home, "number": row.number}
        return await self.review(self.subject.unknown(row), evidence, asks_absence=True)

    async def _look(self, document: Document | None, row: CreationRow) -> dict[str, Hit]:
        """By the vendor's key, so that one found in two homes is one. What was sent is looked for where it was sent."""
        wanted = [document] if document is not None else []
        if row.open or document is None:
            sent = await self.stored()
            if sent is not None and (document is None or self.resource.home(sent) != self.resource.home(document)):
                wanted.append(sent)
        hits: dict[str, Hit] = {}
        for one in wanted:
            found = await self.resource.look(one, thorough=row.open)
            hits |= {self.resource.seen(hit).target_id: hit for hit in found}
        return hits

    async def _adopt(self, hits: Mapping[str, Hit], document: Document | None, row: CreationRow) -> Created:
        """What carries our reference is ours when it agrees; two of them, or one that differs, a person looks at."""
        if len(hits) > 1:
            return await self.twice([self.resource.seen(hit).target_number for hit in hits.values()])
        (hit,) = hits.values()
        seen = self.resource.seen(hit)
        if not any(send.fingerprint for send in row.sends):
            return await self._recognise(hit, document, row)
        for send in row.sends:
            older = send.fingerprint != self.subject.fingerprint
            if older and (send.currency, send.total) == (seen.currency, seen.total):
                # Where an older version fits as well, the newer one is not claimed to be there.
                return await self.found(hit, send.fingerprint)
        meant = await self._sent_or(document, row)
        difference = self.resource.difference(hit, meant) if meant is not None else ""
        if not difference or meant is None:
            return await self.found(hit, row.fingerprint if document is None else self.subject.fingerprint)
        if self.resource.is_ours(hit, meant) or any(not send.refused_as_duplicate for send in row.sends):
            return await self.differs(hit, difference, self.subject.fingerprint)
        return await self.review(self.subject.taken(row, seen, difference), {"target_id": seen.target_id})

    async def _sent_or(self, document: Document | None, row: CreationRow) -> Document | None:
        """What was sent of this version: dates and customers may be mapped otherwise by now."""
        if document is None or row.fingerprint == self.subject.fingerprint:
            return await self.stored() or document
        return document

    async def _recognise(self, hit: Hit, document: Document | None, row: CreationRow) -> Created:
        """Nobody remembers sending it. It is this version when the sale is the same, however it was booked then."""
        meant = document if document is not None else await self.stored()
        seen = self.resource.seen(hit)
        if meant is None:
            return await self.found(hit, row.fingerprint)
        if not self.resource.is_ours(hit, meant):
            difference = self.resource.difference(hit, meant)
            if not difference:
                return await self.found(hit, self.subject.fingerprint)
            if row.sends:
                return await self.differs(hit, difference, self.subject.fingerprint)
            return await self.review(self.subject.taken(row, seen, difference), {"target_id": seen.target_id})
        if (seen.currency, seen.total) != self._amount(meant):
            difference = self.resource.difference(hit, meant)
            return await self.differs(hit, difference, self.subject.fingerprint)
        whole = await self.resource.read(seen.target_id, whole=True)
        another = self.resource.another_sale(whole, meant)
        return await self.found(whole, "" if another else self.subject.fingerprint)

    async def _recovered(self, row: CreationRow, document: Document) -> Created:
        """Read back from the ERP after the store had been restored: is it this version of the sale?"""
        if numbers := row.evidence.get(NUMBERS):
            return await self.twice(numbers)
        try:
            whole = await self.resource.read(row.target_id, whole=True)
        except NotFound:
            return await self.review(self.subject.gone(row))
        if self.resource.another_sale(whole, document):
            return self.answer("edited_after_posting", row=row)
        await self.creations.recognised(row.reference, self.subject.fingerprint)
        return self.posted(row)

    def _amount(self, document: Document) -> tuple[str, Decimal]:
        facts = self.resource.facts(document)
        return facts.currency, facts.total

    async def _read_back(self, row: CreationRow) -> Created:
        """The vendor said that it is there; that is believed when it shows it. Never sent again."""
        try:
            hit = await self.resource.read(row.target_id)
        except NotFound:
            if row.open:
                what = f"{self.subject.what} {row.target_number}"
                said = f"{self.subject.vendor} says that {what} is created, and does not show it"
                await self.doubt(row.sends[-1].token, said)
                return await self._still_unknown(row)
            return await self.review(self.subject.gone(row))
        document = await self.stored()
        difference = self.resource.difference(hit, document) if document is not None else ""
        if difference:
            return await self.differs(hit, difference, row.fingerprint)
        return await self.found(hit, row.fingerprint, created=True)
