"""What an attempt to create a document finds out, written down: rows of the store, audit events, the step's answer."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic

from activities import epochs
from activities.collaborators import Collaborators
from activities.posting.resource import Document, Hit, Resource
from activities.posting.subject import LONGEST_SENTENCE, Subject
from contracts.journal import Problem
from contracts.model import Instant
from contracts.steps.documents import Created
from store.creating.creation import CreationRow, Intent


class Findings(Generic[Document, Hit]):
    """One attempt at one document."""

    def __init__(self, parts: Collaborators, resource: Resource[Document, Hit], subject: Subject) -> None:
        self.parts = parts
        self.creations = parts.store.creations
        self.resource = resource
        self.subject = subject
        self.token = secrets.token_hex(16)
        self.epoch = 0

    async def found(self, hit: Hit, fingerprint: str, *, created: bool = False) -> Created:
        """It is there as the version of `fingerprint` meant it: `created` by this send, or found by its reference."""
        seen = self.resource.seen(hit)
        sentence = self.subject.created(seen) if created else f"{seen.sentence} found by its reference"
        recorded = await self.creations.found(
            self.subject.reference,
            target_id=seen.target_id,
            target_number=seen.target_number,
            fingerprint=fingerprint,
            sentence=sentence,
            now=self.parts.clock(),
            event=self.subject.event(
                "posted" if created else "adopted",
                sentence,
                {"target_id": seen.target_id, "target_number": seen.target_number},
            ),
        )
        row = await self.row()
        if not recorded:
            return await self.twice([row.target_number, seen.target_number])
        if fingerprint != self.subject.fingerprint:
            return self.answer("edited_after_posting", row=row)
        return self.posted(row)

    async def differs(self, hit: Hit, difference: str, fingerprint: str) -> Created:
        """We created it, and it is not as we meant it."""
        seen = self.resource.seen(hit)
        problem = self.subject.differs(seen, difference)
        target = {"target_id": seen.target_id, "target_number": seen.target_number}
        recorded = await self.creations.found(
            self.subject.reference,
            **target,
            fingerprint=fingerprint,
            sentence=problem.sentence,
            now=self.parts.clock(),
            differs=True,
            event=self.subject.event("posted", f"{seen.sentence} created; {difference}", target),
        )
        if not recorded:
            return await self.twice([(await self.row()).target_number, seen.target_number])
        return await self.review(problem, target)

    async def twice(self, numbers: Sequence[str]) -> Created:
        """Several carry our reference."""
        problem = self.subject.twice(await self.row(), numbers)
        return await self.review(problem, {"numbers": list(numbers)})

    async def review(
        self, problem: Problem, evidence: dict[str, Any] | None = None, *, asks_absence: bool = False
    ) -> Created:
        await self.creations.in_review(
            self.subject.reference,
            code=problem.code,
            sentence=problem.sentence,
            evidence=evidence,
            asks_absence=asks_absence,
            event=self.subject.event("review", problem.sentence, {"code": problem.code, **(evidence or {})}),
        )
        return self.answer("review", row=await self.row(), problem=problem)

    async def doubt(
        self, token: str, sentence: str, *, answered_at: datetime | None = None, refused_as_duplicate: bool = False
    ) -> None:
        await self.creations.doubted(
            self.subject.reference,
            token,
            sentence=sentence[:LONGEST_SENTENCE],
            answered_at=answered_at,
            refused_as_duplicate=refused_as_duplicate,
            event=self.subject.event("in_doubt", sentence),
        )

    async def row(self) -> CreationRow:
        row = await self.creations.creation(self.subject.reference)
        if row is None:
            raise LookupError(self.subject.reference)
        return row

    async def stored(self) -> Document | None:
        """The version that was intended or sent last; None where a person or a recovery wrote the row."""
        text = await self.creations.content(self.subject.reference)
        return None if text is None else self.resource.load(text)

    def intent(self, document: Document) -> Intent:
        facts, home = self.resource.facts(document), self.resource.home(document)
        if len(home.reference) > home.length:
            raise ValueError(f"{home.reference} does not fit into {home.name}, which holds {home.length} characters")
        return Intent(
            reference=facts.reference,
            key=self.subject.key,
            resource=self.resource.name,
            home=home.name,
            number=home.reference,
            currency=facts.currency,
            total=facts.total,
            accounting_date=facts.accounting_date,
            date_moved=facts.date_moved,
            suspense=facts.suspense,
            fingerprint=self.subject.fingerprint,
            job=self.subject.job,
            content=self.resource.dump(document),
            given=self.subject.given,
        )

    def posted(self, row: CreationRow) -> Created:
        return self.answer("posted", row=row, sentence=row.sentence)

    def behind(self, sentence: str) -> Created:
        return self.answer("behind", sentence=sentence, until=self.parts.clock() + epochs.REST)

    def in_doubt(self, until: Instant, why: str) -> Created:
        """`why`: what is waited for, one clause."""
        return self.answer("in_doubt", until=until, sentence=why)

    def answer(self, outcome: Any, *, row: CreationRow | None = None, **more: Any) -> Created:
        return Created(
            outcome=outcome,
            reference=self.subject.reference,
            target_id=row.target_id if row else "",
            target_number=row.target_number if row else "",
            epoch=self.epoch,
            **more,
        )
