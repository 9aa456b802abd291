"""The steps of a record: read on both sides, compared by owner, written where it differs, and taken for agreed."""

import hashlib
import json
from functools import partial
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import epochs
from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.converging.desks import ChangedMeanwhileError, Desk
from activities.converging.policies import connection_of, desk_of, policy_of
from activities.converging.values import shown
from activities.failures import explained, review, wait
from activities.heartbeat import staying_alive
from activities.trail import event_of, record, settle, turn_of
from contracts import names
from contracts.configuration import Integration
from contracts.converging import (
    AgreedRecord,
    AgreeRecord,
    CompareRecord,
    FetchedRecord,
    FieldConflict,
    FieldWrite,
    ReadRecord,
    RecordStep,
    SeenRecord,
    ShownRecord,
    WriteRecord,
    WrittenRecord,
)
from contracts.flow import State
from contracts.journal import Problem
from contracts.model import Instant
from contracts.ownership import OTHER, SIDES, ConvergingPolicy, Side
from contracts.record_ids import text_of
from contracts.steps.documents import Pace, SettledDocument
from mapping.customers import DIFFERS, hinted
from mapping.ownership import agreement, compare, digest
from store.rows import Agreement, CrossReference, DocumentRow
from store.turns import Superseded

CONFLICT: Final = "changed_at_both"
NOT_OWNED: Final = "changed_where_not_owned"
FORGOTTEN: Final = "record_unknown"
AGREES: Final = "agrees on both sides"
_WHERE: Final = {"fusion": "Fusion", "shop": "the shop"}


class ConvergingActivities:
    """`read_record` and `write_record` run on the queue of the side's account, the others as local activities."""

    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="read_record")
    @staying_alive()
    async def read_record(self, wanted: ReadRecord) -> ShownRecord:
        """Every wake-up announced so far is taken before the first byte is read, so a later one starts another look."""
        document = _title(wanted)
        with explained(document):
            integration, desk = self._desk(wanted, wanted.side)
            name = await self._name(wanted)
            if wanted.side == SIDES[0]:
                await self._parts.store.wakeups.take(
                    names.document_workflow_id(wanted.kind, wanted.connection, wanted.record_id)
                )
            connection = connection_of(integration, wanted.side)
            seen = await pass_gate(self._parts, connection, document, partial(desk.read, name))
        return ShownRecord(seen=seen, fusion=integration.fusion)

    @activity.defn(name="compare_record")
    async def compare_record(self, wanted: CompareRecord) -> FetchedRecord:
        """What is to be done about the two. Settled where that is nothing, and is on record."""
        with explained(_title(wanted)):
            integration = self._parts.configuration.integration(wanted.integration)
            policy = policy_of(integration, wanted.kind)
            # Before the store is read: what is recovered meanwhile makes this look an old one.
            epoch = await self._parts.epochs.current()
            known = await self._parts.store.agreements.get(wanted.connection, wanted.kind, wanted.record_id)
            row = await self._parts.store.documents.get(wanted.connection, wanted.kind, wanted.record_id)
        salt, fusion, shop = _salt(integration, wanted), wanted.fusion, wanted.shop
        fingerprint = _fingerprint(fusion, shop)
        judge = partial(
            compare,
            salt,
            fusion,
            shop,
            owners=policy.owner_of(),
            agreed=known.digests if known else None,
            sent=known.sent if known else {},
        )
        comparison = judge(on_conflict=policy.on_conflict)
        make, leave = _lone(policy, fusion, shop, known)
        ruled = judge(on_conflict="owner")
        title = _title(wanted)
        barred = [one for one in ruled.writes if not policy.may_write(one.side, one.field)]
        problems = (
            *(one.problem for one in (shop, fusion) if one.problem is not None),
            *(_barred(title, one, fusion, shop, policy) for one in barred),
        )
        quiet = not (problems or make or comparison.writes or comparison.conflicts)
        is_agreed = quiet and known is not None and not known.sent and known.digests == agreement(salt, fusion, shop)
        return FetchedRecord(
            fingerprint=fingerprint,
            version=fingerprint,
            settled=_settled(row, fingerprint, leave or AGREES, agreed=is_agreed),
            pace=Pace(
                quiet_period=integration.imports.quiet_period,
                reread_after=integration.imports.reread_after,
                rate_wait=integration.posting.rate_wait,
            ),
            epoch=epoch,
            changed_at=_latest(fusion, shop),
            comparison=comparison,
            ruled=ruled,
            make=make,
            problems=problems,
            conflicts=tuple(_conflict(title, one, policy) for one in comparison.conflicts),
            leave=leave,
        )

    @activity.defn(name="write_record")
    async def write_record(self, wanted: WriteRecord) -> WrittenRecord:
        """Repeating it is harmless: what has arrived is not sent again."""
        document = _title(wanted)
        with explained(document):
            integration, desk = self._desk(wanted, wanted.side)
            connection = connection_of(integration, wanted.side)
            # A restored store does not know what was agreed since: what it would write may be a person's to decide.
            if behind := await self._parts.epochs.behind(wanted.epoch):
                raise wait(f"{document}: {behind}", epochs.REST.total_seconds(), kind="StoreBehind")
            if self._parts.epochs.recovered_since(wanted.epoch):
                return WrittenRecord()
            async with staying_alive():
                if wanted.make:
                    seen = await pass_gate(self._parts, connection, document, partial(desk.make, wanted.seen))
                else:
                    try:
                        seen = await self._write(wanted, integration, desk)
                    except ChangedMeanwhileError:
                        return WrittenRecord()
            await record(
                self._parts,
                integration,
                wanted.record_id,
                kind=wanted.kind,
                action="made" if wanted.make else "written",
                sentence=_written(wanted.side, wanted.writes, made=wanted.make),
                details={"at": connection, "id": seen.id, "fields": _rules(wanted.writes)},
                job=wanted.job,
            )
        return WrittenRecord(seen=seen)

    async def _write(self, wanted: WriteRecord, integration: Integration, desk: Desk) -> SeenRecord:
        """Kept as on its way before it is sent, so that what a system makes of it is not taken for somebody's change
        by whoever looks after a worker died or an answer was lost."""
        agreements, salt = self._parts.store.agreements, _salt(integration, wanted)
        known = await agreements.get(wanted.connection, wanted.kind, wanted.record_id)
        before = known.sent if known else {}
        going = {one.field: digest(salt, one.field, one.value) for one in wanted.writes}
        keep = partial(agreements.sending, wanted.connection, wanted.kind, wanted.record_id)
        tries = 0

        async def send() -> SeenRecord:
            nonlocal tries
            tries += 1
            return await desk.write(wanted.seen, wanted.writes)

        # What was never agreed is written whatever the other side shows.
        if known is not None and before != before | going:
            await keep(before | going)
        try:
            return await pass_gate(self._parts, connection_of(integration, wanted.side), _title(wanted), send)
        except (ChangedMeanwhileError, ApplicationError) as error:
            final = isinstance(error, ChangedMeanwhileError) or error.non_retryable
            doubted = tries > 1 or any(before.get(field) == sent for field, sent in going.items())
            if known is not None and final and not doubted:
                # The only attempt ended without a change: what the other side shows next is somebody's.
                await keep(before)
            raise

    @activity.defn(name="agree_record")
    async def agree_record(self, wanted: AgreeRecord) -> AgreedRecord:
        """Idempotent. What both sides show is what a later change is told by."""
        integration = self._parts.configuration.integration(wanted.integration)
        known = await self._parts.store.agreements.get(wanted.connection, wanted.kind, wanted.record_id)
        sentence = wanted.leave or _agreed(wanted.writes, wanted.made)
        try:
            await settle(
                self._parts,
                integration,
                wanted.record_id,
                kind=wanted.kind,
                state=State.SKIPPED if wanted.leave else State.POSTED,
                reason=sentence,
                modified_at=_latest(wanted.fusion, wanted.shop) or self._parts.clock(),
                fingerprint=_fingerprint(wanted.fusion, wanted.shop),
                job=wanted.job,
                turn=turn_of(wanted.connection, wanted.record_id, wanted.decided_at, kind=wanted.kind),
                event=event_of(
                    self._parts,
                    integration,
                    wanted.record_id,
                    kind=wanted.kind,
                    action="left" if wanted.leave else "agreed",
                    sentence=sentence,
                    details={
                        "fusion": wanted.fusion.id,
                        "shop": wanted.shop.id,
                        "fields": _rules(wanted.writes),
                        **({"made": wanted.made} if wanted.made else {}),
                    },
                    job=wanted.job,
                ),
            )
        except Superseded:
            return AgreedRecord(superseded=True)
        await self._keep(integration, wanted, known)
        return AgreedRecord(sentence=sentence)

    async def _keep(self, integration: Integration, wanted: AgreeRecord, known: Agreement | None) -> None:
        fusion, shop, now = wanted.fusion, wanted.shop, self._parts.clock()
        await self._parts.store.agreements.put(
            Agreement(
                tenant=integration.tenant,
                integration=integration.id,
                connection=wanted.connection,
                kind=wanted.kind,
                id=wanted.record_id,
                name=fusion.name or shop.name or (known.name if known else ""),
                # What is gone on one side stays known: it is not taken for one that never was.
                fusion_id=fusion.id or (known.fusion_id if known else ""),
                shop_id=shop.id or (known.shop_id if known else ""),
                parent=shop.parent or (known.parent if known else ""),
                digests=agreement(_salt(integration, wanted), fusion, shop),
                at=now,
            )
        )
        if fusion.there and shop.there:
            await self._parts.store.cross_references.put(
                CrossReference(
                    tenant=integration.tenant,
                    connection=wanted.connection,
                    kind=wanted.kind,
                    id=shop.id,
                    target_connection=integration.fusion,
                    target_kind=wanted.kind,
                    target_id=fusion.id,
                    at=now,
                )
            )

    def _desk(self, wanted: RecordStep, side: Side) -> tuple[Integration, Desk]:
        integration = self._parts.configuration.integration(wanted.integration)
        return integration, desk_of(self._parts, integration, wanted.kind, side)

    async def _name(self, wanted: RecordStep) -> str:
        name = text_of(wanted.record_id)
        if name is not None:
            return name
        known = await self._parts.store.agreements.get(wanted.connection, wanted.kind, wanted.record_id)
        if known is None:
            raise review(
                Problem(
                    code=FORGOTTEN,
                    sentence=f"{_title(wanted)}: its id stands for a long name, which the store does not know.",
                    remedy="Change the record in either system: the next poll then keeps its name. Skip this one.",
                )
            )
        return known.name


def _title(wanted: RecordStep) -> str:
    return names.document_title(wanted.kind, wanted.connection, wanted.record_id)


def _salt(integration: Integration, wanted: RecordStep) -> str:
    return f"{integration.tenant}/{wanted.connection}/{wanted.kind}/{wanted.record_id}"


def _fingerprint(fusion: SeenRecord, shop: SeenRecord) -> str:
    told = [[one.id, one.unfit, one.name, one.problem is not None, one.values] for one in (fusion, shop)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _latest(*records: SeenRecord) -> Instant | None:
    return max((one.changed_at for one in records if one.changed_at is not None), default=None)


def _lone(
    policy: ConvergingPolicy, fusion: SeenRecord, shop: SeenRecord, known: Agreement | None
) -> tuple[Side | None, str]:
    """Where a record is made because only the other side has it, or why it is left."""
    if fusion.there and shop.there:
        return None, f"nothing of it is kept equal: {shop.unfit}" if shop.unfit and not shop.values else ""
    if not fusion.there and not shop.there:
        return None, "neither side has it"
    there, side = (fusion, OTHER["fusion"]) if fusion.there else (shop, OTHER["shop"])
    where = _WHERE[side]
    if known is not None and known.linked:
        return None, f"{where} has it no more, and nothing is made anew"
    if not policy.makes(side):
        return None, f"{where} has no such record, and none is made there"
    if there.unfit:
        return None, f"{where} has no such record, and none is made: {there.unfit}"
    return side, ""


def _settled(row: DocumentRow | None, fingerprint: str, sentence: str, *, agreed: bool) -> SettledDocument | None:
    """What a person skipped stays so until a side changes; what agrees and is on record costs nothing more."""
    if row is None or row.fingerprint != fingerprint:
        return None
    if row.state is State.SKIPPED and row.decided_by:
        return SettledDocument(state="skipped", sentence=row.reason)
    if agreed and row.state is State.POSTED:
        return SettledDocument(state="posted", sentence=row.reason)
    if agreed and row.state is State.SKIPPED and row.reason == sentence:
        return SettledDocument(state="skipped", sentence=sentence)
    return None


def _conflict(title: str, conflict: FieldConflict, policy: ConvergingPolicy) -> Problem:
    owner, other = _WHERE[conflict.owner], _WHERE[OTHER[conflict.owner]]
    quoted = hinted if policy.is_private(conflict.field) else shown
    values = {"fusion": quoted(conflict.fusion), "shop": quoted(conflict.shop)}
    theirs, ours = values[conflict.owner], values[OTHER[conflict.owner]]
    if conflict.both:
        sentence = f"{title}: {conflict.field} was changed in both systems: {theirs} in {owner}, {ours} in {other}."
    else:
        sentence = f"{title}: {conflict.field} belongs to {owner} ({theirs}) and was changed in {other} to {ours}."
    return Problem(
        code=CONFLICT if conflict.both else NOT_OWNED,
        sentence=sentence,
        remedy=f"Retry to write the value of {owner} to {other}. If the other value is right, set it in {owner} first. "
        "Skip to leave both as they are until one of them changes again.",
    )


def _barred(title: str, write: FieldWrite, fusion: SeenRecord, shop: SeenRecord, policy: ConvergingPolicy) -> Problem:
    quoted = hinted if policy.is_private(write.field) else shown
    values = {"fusion": fusion.values.get(write.field, ""), "shop": shop.values.get(write.field, "")}
    where = _WHERE[write.side]
    return Problem(
        code=DIFFERS,
        sentence=f"{title}: {write.field} is {quoted(values['shop'])} in the shop and {quoted(values['fusion'])} in "
        f"Fusion; in {where} it is never changed from here.",
        remedy=f"Correct it in {where}, or where it is owned, then retry. Skip to leave both as they are until one of "
        "them changes again.",
    )


def _rules(writes: tuple[FieldWrite, ...]) -> dict[str, str]:
    return {one.field: one.rule for one in writes}


def _written(side: Side, writes: tuple[FieldWrite, ...], *, made: bool) -> str:
    if made:
        return f"made in {_WHERE[side]}"
    return f"{', '.join(one.field for one in writes)} written to {_WHERE[side]}"


def _agreed(writes: tuple[FieldWrite, ...], made: Side | None) -> str:
    told = [f"made in {_WHERE[made]}"] if made else []
    for side, where in _WHERE.items():
        fields = [one.field for one in writes if one.side == side]
        if fields:
            told.append(f"{', '.join(fields)} written to {where}")
    return "; ".join(told) or AGREES
