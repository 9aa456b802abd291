"""Posting: one document is created in the ERP by one call, once, whatever crashes, pauses or answers late.

    intent   written before anything is sent, unique on the reference
    lease    one attempt at a time may send
    look     every attempt, the first too; what is there is adopted when it agrees, else a person looks
    mark     durable, right before the request, while the lease holds by the clock
    send     its deadline ends with the lease
    confirm  what the ERP answered is read back and compared

A mark is never forgotten because nothing was found. What was sent is looked for until it is found, the ERP itself ended
the request and shows nothing of it long afterwards, or a person declares it absent. Only where the ERP refuses a second
document of the same reference (`Home.refuses_duplicates`) may the same step send again before that.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Generic

from activities import epochs
from activities.collaborators import Collaborators
from activities.importing import ANSWERED_BY_FUSION
from activities.resource import Document, Hit, Resource
from activities.subject import LONGEST_SENTENCE, Subject, posted_elsewhere
from clients.errors import BadAnswer, InDoubt, NotFound, Resolution, VendorError
from contracts.journal import Problem
from contracts.model import Frozen, Instant
from contracts.steps import Created
from store.creation import CreationRow, CreationState, Ended, Granted, Intent, Occupied, Unresolved
from store.elsewhere import PostedElsewhere
from store.epochs import StoreBehind
from store.turns import Superseded

LONGEST_PAUSE: Final = timedelta(minutes=10)
"""Between two looks for something that may never come."""
LONGEST_REST: Final = timedelta(minutes=15)
"""Between two sends to an ERP that refuses duplicates and does not say how it ends."""
LONGEST_GAP: Final = timedelta(minutes=15)
"""Between two looks, also after a rest that was a little late; more than that is an outage of theirs or ours."""
ABSENCE: Final = "absence"
"""Where a creation's evidence keeps its `Absence`."""


class Absence(Frozen):
    """For how long the ERP has answered, look by look, and shown nothing of what was sent."""

    token: str
    """Of the oldest send that is open."""
    looked_at: Instant
    seconds: float = 0.0


TOLD_EVERY: Final = 60.0
"""Seconds between two words to the keeper of epochs: every attempt looks before it sends anyway."""


class Posting(Generic[Document, Hit]):
    """One step of one document. Made anew for every attempt."""

    def __init__(self, parts: Collaborators, resource: Resource[Document, Hit], subject: Subject) -> None:
        self._parts = parts
        self._creations = parts.store.creations
        self._resource = resource
        self._subject = subject
        self._token = secrets.token_hex(16)
        self._epoch = 0

    async def create(self, document: Document) -> Created:
        """Create it, find it, or say what stands in the way. Any number of times; creates at most one."""
        if behind := await self._parts.epochs.behind(self._subject.epoch):
            return self._behind(behind)
        intent = self._intent(document)
        try:
            intended = await self._creations.intend(
                intent,
                now=self._parts.clock(),
                turn=self._subject.turn,
                seen=self._subject.epoch,
                declaration=self._subject.declaration,
                event=self._subject.event(
                    "intended",
                    f"{self._subject.what} over {intent.total:f} {intent.currency}",
                    self._subject.mapped,
                ),
                declared=self._subject.declared(),
            )
        except Superseded:
            return self._answer("superseded")
        except PostedElsewhere as elsewhere:
            problem = posted_elsewhere(self._subject.name, self._subject.what, elsewhere)
            return self._answer("review", problem=problem)
        except StoreBehind as behind_now:
            return self._behind(str(behind_now))
        row, self._epoch = intended.row, intended.epoch
        match intended.outcome:
            case "posted":
                return self._posted(row)
            case "other_version":
                return self._answer("edited_after_posting", row=row)
            case "differs":
                return await self._read_back(row)
        return await self._lease(document, again=False)

    async def resolve(self) -> Created:
        """Nothing is to be created any more: find out what became of what was sent."""
        row = await self._creations.creation(self._subject.reference)
        if row is None or not (row.final or row.open):
            return self._answer("absent")
        if row.open:
            found = await self._look_only(None, row, row.lease_until or row.sends[-1].at)
            if found.outcome != "posted":
                return found
        return self._answer("edited_after_posting", row=await self._row())

    async def _lease(self, document: Document, *, again: bool) -> Created:
        now = self._parts.clock()
        lease = await self._creations.lease(
            self._subject.reference, self._token, now=now, until=now + self._subject.deadline, again=again
        )
        match lease:
            case Granted(until):
                return await self._look_and_send(document, until)
            case Occupied(until):
                return self._in_doubt(until + self._subject.settle)
            case Unresolved(row, until):
                return await self._look_only(document, row, until)
            case Ended(row) if row.state is CreationState.WITHDRAWN:
                return self._answer("superseded")
            case Ended():
                # Another attempt found it since our intent: compare anew.
                return self._in_doubt(now)

    async def _look_and_send(self, document: Document, until: datetime) -> Created:
        try:
            row = await self._row()
            hits = await self._look(document, row)
        except BaseException:
            # Nothing was sent under this lease: whoever comes next need not wait for its end.
            await self._creations.release(self._subject.reference, self._token)
            raise
        if hits:
            await self._creations.release(self._subject.reference, self._token)
            return await self._adopt(hits, document, row)
        if row.sends and await self._overdue(row):
            await self._creations.release(self._subject.reference, self._token)
            return await self._unknown(row)
        return await self._send(document, until)

    async def _send(self, document: Document, until: datetime) -> Created:
        reference, later = self._subject.reference, until + self._subject.settle
        intent = self._intent(document)
        now = self._parts.clock()
        # A moment and not a number of seconds: a worker that is paused after the mark finds it over and sends nothing.
        ends = asyncio.get_running_loop().time() + (until - now).total_seconds()
        # Checked right before the request: a worker that was paused since the look has lost its lease and stops here.
        sent = self._subject.event(
            "sent", f"{self._subject.what} {intent.number}, to be answered by {until:%H:%M:%S} UTC"
        )
        epoch = await self._creations.mark_sent(intent, self._token, now=now, event=sent)
        if epoch is None:
            return self._in_doubt(later)
        self._epoch = epoch
        try:
            await self._parts.epochs.tell(epoch, every=TOLD_EVERY)
        except BaseException:
            await self._creations.release(reference, self._token)
            raise
        if self._parts.clock() >= until:
            # The machine slept: the loop's clock stands still meanwhile, the world's does not.
            await self._creations.release(reference, self._token)
            return self._in_doubt(later)
        try:
            hit = await self._resource.create(document, ends=ends)
        except (InDoubt, BadAnswer) as doubt:
            answered = self._parts.clock() if doubt.status in ANSWERED_BY_FUSION else None
            await self._doubt(self._token, doubt.sentence, answered_at=answered)
            return self._in_doubt(later)
        except VendorError as refusal:
            if self._resource.taken(refusal):
                return await self._look_after_refusal(document, refusal, later)
            # The vendor declined, or nothing left this machine.
            await self._creations.release(reference, self._token)
            if refusal.resolution is not Resolution.REVIEW:
                raise
            return await self._review(self._subject.refused(refusal), {"messages": list(refusal.messages)})
        except ValueError as error:
            await self._creations.release(reference, self._token)
            return await self._review(self._subject.cannot_be_carried(error))
        seen = self._resource.seen(hit)
        await self._creations.confirmed(
            reference, self._token, target_id=seen.target_id, target_number=seen.target_number
        )
        return await self._read_back(await self._row())

    async def _look_after_refusal(self, document: Document, refusal: VendorError, later: datetime) -> Created:
        """The reference exists: ours by an earlier request, or somebody else's. It may be shown late."""
        row = await self._row()
        try:
            hits = await self._look(document, row)
        except VendorError:
            hits = {}
        if not hits:
            await self._doubt(self._token, refusal.sentence, refused_as_duplicate=True)
            return self._in_doubt(later)
        await self._creations.release(self._subject.reference, self._token)
        return await self._adopt(hits, document, await self._row())

    async def _look_only(self, document: Document | None, row: CreationRow, until: datetime) -> Created:
        """Sent by some attempt. Found, it is settled; absent, that alone proves nothing."""
        if row.target_id:
            return await self._read_back(row)
        if row.evidence.get("doubted") != row.sends[-1].token:
            await self._doubt(row.sends[-1].token, "the attempt that sent it did not say how it ended")
        now = self._parts.clock()
        again = document is not None and await self._may_send_again(document)
        due = until + self._subject.settle
        if again:
            due = max(due, row.sends[-1].at + min((row.sends[-1].at - row.sends[0].at) / 2, LONGEST_REST))
        if now < due:
            return self._in_doubt(due)
        if document is not None and again:
            return await self._lease(document, again=True)
        hits = await self._look(document, row)
        if hits:
            return await self._adopt(hits, document, row)
        if self._proved_absent(row, until):
            absent = self._subject.event(
                "absent", f"Fusion had ended the request with an error and shows no {self._subject.what}"
            )
            await self._creations.absent(row, now=now, event=absent)
            return self._in_doubt(now)
        return await self._still_unknown(row)

    async def _may_send_again(self, document: Document) -> bool:
        """The vendor refuses a second one of this reference, and that is the reference which was sent."""
        home, sent = self._resource.home(document), await self._stored()
        return home.refuses_duplicates and sent is not None and self._resource.home(sent) == home

    def _proved_absent(self, row: CreationRow, until: datetime) -> bool:
        """The ERP itself ended every request, and long after they could have settled has nothing of them."""
        answers = [send.answered_at for send in row.sends]
        known = [answer for answer in answers if answer is not None]
        return len(known) == len(answers) and self._parts.clock() >= max(until, *known) + 2 * self._subject.settle

    async def _still_unknown(self, row: CreationRow) -> Created:
        if await self._overdue(row):
            return await self._unknown(await self._row())
        now = self._parts.clock()
        return self._in_doubt(now + min(max((now - row.sends[-1].at) / 4, timedelta(seconds=1)), LONGEST_PAUSE))

    async def _overdue(self, row: CreationRow) -> bool:
        """Whether the ERP has answered for long enough without showing it. An outage uses up nobody's patience."""
        now, first = self._parts.clock(), row.sends[0]
        known = row.evidence.get(ABSENCE)
        absence = Absence.model_validate(known) if known else Absence(token=first.token, looked_at=first.at)
        if absence.token != first.token:
            absence = Absence(token=first.token, looked_at=first.at)
        seconds = absence.seconds + min(now - absence.looked_at, LONGEST_GAP).total_seconds()
        absence = Absence(token=first.token, looked_at=now, seconds=seconds)
        await self._creations.note(self._subject.reference, {ABSENCE: absence.model_dump(mode="json")})
        return timedelta(seconds=seconds) >= self._subject.unknown_limit

    async def _unknown(self, row: CreationRow) -> Created:
        evidence = {"sent_at": [send.at.isoformat() for send in row.sends], "home": row.home, "number": row.number}
        return await self._review(self._subject.unknown(row), evidence, asks_absence=True)

    async def _look(self, document: Document | None, row: CreationRow) -> dict[str, Hit]:
        """By the vendor's key, so that one found in two homes is one. What was sent is looked for where it was sent."""
        wanted = [document] if document is not None else []
        if row.open or document is None:
            sent = await self._stored()
            if sent is not None and (document is None or self._resource.home(sent) != self._resource.home(document)):
                wanted.append(sent)
        hits: dict[str, Hit] = {}
        for one in wanted:
            found = await self._resource.look(one, thorough=row.open)
            hits |= {self._resource.seen(hit).target_id: hit for hit in found}
        return hits

    async def _adopt(self, hits: Mapping[str, Hit], document: Document | None, row: CreationRow) -> Created:
        """What carries our reference is ours when it agrees; two of them, or one that differs, a person looks at."""
        if len(hits) > 1:
            return await self._twice([self._resource.seen(hit).target_number for hit in hits.values()])
        (hit,) = hits.values()
        seen = self._resource.seen(hit)
        for send in row.sends:
            older = send.fingerprint != self._subject.fingerprint
            if older and (send.currency, send.total) == (seen.currency, seen.total):
                # Where an older version fits as well, the newer one is not claimed to be there.
                return await self._found(hit, send.fingerprint)
        meant = document if document is not None else await self._stored()
        difference = self._resource.difference(hit, meant) if meant is not None else ""
        if not difference or meant is None:
            return await self._found(hit, row.fingerprint if document is None else self._subject.fingerprint)
        if self._resource.is_ours(hit, meant) or any(not send.refused_as_duplicate for send in row.sends):
            return await self._differs(hit, difference, self._subject.fingerprint)
        return await self._review(self._subject.taken(row, seen, difference), {"target_id": seen.target_id})

    async def _read_back(self, row: CreationRow) -> Created:
        """The vendor said that it is there; that is believed when it shows it. Never sent again."""
        try:
            hit = await self._resource.read(row.target_id)
        except NotFound:
            if row.open:
                what = f"{self._subject.what} {row.target_number}"
                await self._doubt(row.sends[-1].token, f"Fusion says that {what} is created, and does not show it")
                return await self._still_unknown(row)
            return await self._review(self._subject.gone(row))
        document = await self._stored()
        difference = self._resource.difference(hit, document) if document is not None else ""
        if difference:
            return await self._differs(hit, difference, row.fingerprint)
        return await self._found(hit, row.fingerprint, created=True)

    async def _found(self, hit: Hit, fingerprint: str, *, created: bool = False) -> Created:
        seen = self._resource.seen(hit)
        sentence = f"{seen.sentence} created" if created else f"{seen.sentence} found by its reference"
        recorded = await self._creations.found(
            self._subject.reference,
            target_id=seen.target_id,
            target_number=seen.target_number,
            fingerprint=fingerprint,
            sentence=sentence,
            now=self._parts.clock(),
            event=self._subject.event(
                "posted" if created else "adopted",
                sentence,
                {"target_id": seen.target_id, "target_number": seen.target_number},
            ),
        )
        row = await self._row()
        if not recorded:
            return await self._twice([row.target_number, seen.target_number])
        if fingerprint != self._subject.fingerprint:
            return self._answer("edited_after_posting", row=row)
        return self._posted(row)

    async def _differs(self, hit: Hit, difference: str, fingerprint: str) -> Created:
        seen = self._resource.seen(hit)
        problem = self._subject.differs(seen, difference)
        target = {"target_id": seen.target_id, "target_number": seen.target_number}
        recorded = await self._creations.found(
            self._subject.reference,
            **target,
            fingerprint=fingerprint,
            sentence=problem.sentence,
            now=self._parts.clock(),
            differs=True,
            event=self._subject.event("posted", f"{seen.sentence} created; {difference}", target),
        )
        if not recorded:
            return await self._twice([(await self._row()).target_number, seen.target_number])
        return await self._review(problem, target)

    async def _twice(self, numbers: Sequence[str]) -> Created:
        problem = self._subject.twice(await self._row(), numbers)
        return await self._review(problem, {"numbers": list(numbers)})

    async def _review(
        self, problem: Problem, evidence: dict[str, Any] | None = None, *, asks_absence: bool = False
    ) -> Created:
        await self._creations.in_review(
            self._subject.reference,
            code=problem.code,
            sentence=problem.sentence,
            evidence=evidence,
            asks_absence=asks_absence,
            event=self._subject.event("review", problem.sentence, {"code": problem.code, **(evidence or {})}),
        )
        return self._answer("review", row=await self._row(), problem=problem)

    async def _doubt(
        self, token: str, sentence: str, *, answered_at: datetime | None = None, refused_as_duplicate: bool = False
    ) -> None:
        await self._creations.doubted(
            self._subject.reference,
            token,
            sentence=sentence[:LONGEST_SENTENCE],
            answered_at=answered_at,
            refused_as_duplicate=refused_as_duplicate,
            event=self._subject.event("in_doubt", sentence),
        )

    async def _row(self) -> CreationRow:
        row = await self._creations.creation(self._subject.reference)
        if row is None:
            raise LookupError(self._subject.reference)
        return row

    async def _stored(self) -> Document | None:
        """The version that was intended or sent last; None where a person or a recovery wrote the row."""
        text = await self._creations.content(self._subject.reference)
        return None if text is None else self._resource.load(text)

    def _intent(self, document: Document) -> Intent:
        facts, home = self._resource.facts(document), self._resource.home(document)
        if len(home.reference) > home.length:
            raise ValueError(f"{home.reference} does not fit into {home.name}, which holds {home.length} characters")
        return Intent(
            reference=facts.reference,
            key=self._subject.key,
            resource=self._resource.name,
            home=home.name,
            number=home.reference,
            currency=facts.currency,
            total=facts.total,
            accounting_date=facts.accounting_date,
            date_moved=facts.date_moved,
            suspense=facts.suspense,
            fingerprint=self._subject.fingerprint,
            job=self._subject.job,
            content=self._resource.dump(document),
        )

    def _posted(self, row: CreationRow) -> Created:
        return self._answer("posted", row=row, sentence=row.sentence)

    def _behind(self, sentence: str) -> Created:
        return self._answer("behind", sentence=sentence, until=self._parts.clock() + epochs.REST)

    def _in_doubt(self, until: Instant) -> Created:
        return self._answer("in_doubt", until=until)

    def _answer(self, outcome: Any, *, row: CreationRow | None = None, **more: Any) -> Created:
        return Created(
            outcome=outcome,
            reference=self._subject.reference,
            target_id=row.target_id if row else "",
            target_number=row.target_number if row else "",
            epoch=self._epoch,
            **more,
        )
