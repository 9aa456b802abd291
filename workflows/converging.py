"""A record that two systems have is brought to agree, whichever of them it was seen on.

`read` both sides -> `compare` by the owner of each field -> `write` what differs to the side that does not own it ->
`agree`. A conflict waits for a person; a retry settles it as the owner has it.
"""

from collections.abc import Mapping
from typing import Final, TypedDict

from temporalio import workflow
from temporalio.exceptions import ActivityError

from contracts import names
from contracts.converging import (
    AgreeRecord,
    CompareRecord,
    FetchedRecord,
    FieldWrite,
    ReadRecord,
    SeenRecord,
    WriteRecord,
    WrittenRecord,
)
from contracts.flow import ConvergeInput, Decision, FlowResult, State
from contracts.ownership import OTHER, SIDES, Side
from workflows.document_flow import DocumentFlow
from workflows.patience import LOCAL_FAILURES, LOCAL_STEP, VENDOR_CREATE, VENDOR_STEP, problem_of
from workflows.review import NeedsReviewError

with workflow.unsafe.imports_passed_through():
    from activities.converging.steps import ConvergingActivities


class RecordPlace(TypedDict):
    """Whose step it is, as keyword arguments."""

    integration: str
    connection: str
    kind: str
    record_id: str
    job: str


WHERE: Final[Mapping[Side, str]] = {"fusion": "Fusion", "shop": "the shop"}


class ConvergingFlow(DocumentFlow[ConvergeInput, FetchedRecord]):
    """The run of a record of any kind. A kind has a class of its own, for its name alone."""

    takes = frozenset({"retry", "skip"})

    def __init__(self, record: ConvergeInput) -> None:
        super().__init__(record)
        self.ruled = ""
        """The version of which a person has said that the owner is right."""
        self.accounts: dict[Side, str] = {"shop": record.connection}
        """Connections of the sides; which pod it is, is known once the shop was read."""
        self.sides: dict[Side, SeenRecord] = {}
        """As they were read last."""

    async def fetch(self, given: ConvergeInput) -> FetchedRecord:
        self.sides = {side: await self._read(given, side) for side in SIDES}
        try:
            fetched = await workflow.execute_local_activity_method(
                ConvergingActivities.compare_record,
                CompareRecord(**_step(given), shop=self.sides["shop"], fusion=self.sides["fusion"]),
                summary="compare by owner",
                **LOCAL_STEP,
            )
        except LOCAL_FAILURES as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error
        self.epoch = max(self.epoch, fetched.epoch)
        return fetched

    async def post(self, given: ConvergeInput, seen: int) -> FlowResult | None:
        self.remapped = None
        fetched = await self.fetch(given)
        self.fetched = fetched
        if fetched.settled:
            return self.ended(State(fetched.settled.state), fetched.settled.sentence)
        if fetched.problems:
            raise NeedsReviewError(*fetched.problems)
        comparison = fetched.comparison
        if comparison.conflicts:
            if fetched.version != self.ruled:
                raise NeedsReviewError(*fetched.conflicts)
            comparison = fetched.ruled
        sides = dict(self.sides)
        if fetched.make:
            made = await self._write(given, fetched.make, sides[OTHER[fetched.make]], make=True)
            sides[fetched.make] = made.seen or sides[fetched.make]
            if _differ(sides["fusion"], sides["shop"]):
                # What the new one has of its own, such as a number, is looked at like any other value.
                return None
        for side in SIDES:
            writes = tuple(one for one in comparison.writes if one.side == side)
            if writes:
                written = await self._write(given, side, sides[side], writes)
                if written.seen is None or not written.seen.there:
                    return None
                sides[side] = sides[side].written(written.seen, (one.field for one in writes))
        return await self._agree(given, fetched, sides, comparison.writes)

    def declare(self, decision: Decision) -> None:
        """A retry says that the owner is right about what was in review, and nothing of what came since."""
        parked = self.given.parked
        self.ruled = parked.version or parked.fingerprint if parked else ""

    async def _read(self, given: ConvergeInput, side: Side) -> SeenRecord:
        try:
            shown = await workflow.execute_activity_method(
                ConvergingActivities.read_record,
                ReadRecord(**_step(given), side=side),
                task_queue=names.vendor_queue(self.accounts[side]),
                summary=f"read it in {WHERE[side]}",
                **VENDOR_STEP,
            )
        except ActivityError as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error
        self.accounts["fusion"] = shown.fusion
        return shown.seen

    async def _write(
        self,
        given: ConvergeInput,
        side: Side,
        seen: SeenRecord,
        writes: tuple[FieldWrite, ...] = (),
        *,
        make: bool = False,
    ) -> WrittenRecord:
        what = "make it" if make else f"write {', '.join(one.field for one in writes)}"
        try:
            return await workflow.execute_activity_method(
                ConvergingActivities.write_record,
                WriteRecord(
                    **_step(given),
                    side=side,
                    seen=seen if make else seen.only(one.field for one in writes),
                    writes=writes,
                    make=make,
                    epoch=self.epoch,
                ),
                task_queue=names.vendor_queue(self.accounts[side]),
                summary=f"{what} in {WHERE[side]}",
                **VENDOR_CREATE,
            )
        except ActivityError as error:
            raise NeedsReviewError(problem_of(error, self.document)) from error

    async def _agree(
        self,
        given: ConvergeInput,
        fetched: FetchedRecord,
        sides: Mapping[Side, SeenRecord],
        writes: tuple[FieldWrite, ...],
    ) -> FlowResult:
        while True:
            agreed = await workflow.execute_local_activity_method(
                ConvergingActivities.agree_record,
                AgreeRecord(
                    **_step(given),
                    fusion=sides["fusion"],
                    shop=sides["shop"],
                    leave=fetched.leave,
                    writes=writes,
                    made=fetched.make,
                    decided_at=workflow.now(),
                ),
                summary="leave it" if fetched.leave else "take it for agreed",
                **LOCAL_STEP,
            )
            if not agreed.superseded:
                return self.ended(State.SKIPPED if fetched.leave else State.POSTED, agreed.sentence)
            await self.wait_for_turn()


def _differ(fusion: SeenRecord, shop: SeenRecord) -> bool:
    """In a field that both have. Whether that matters is for the comparison to say."""
    return any(fusion.values[field] != shop.values[field] for field in fusion.values.keys() & shop.values.keys())


def _step(given: ConvergeInput) -> RecordPlace:
    return {
        "integration": given.integration,
        "connection": given.connection,
        "kind": given.record_kind,
        "record_id": given.record_id,
        "job": given.job,
    }
