"""Keeping webhooks: look, write down what may have been missed, heal, look again.

What may have been missed is on record before anything is healed. A worker that dies in between leaves a gap that the
next look finds open, however sound the webhook is by then.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from activities.hooks import counters
from activities.hooks.comparison import Found, compare
from activities.hooks.desk import HookDesk
from activities.hooks.plan import HookPlan
from clients.errors import Forbidden, NotFound, Rejected
from contracts.audit import CONNECTION_KIND
from contracts.bigcommerce import BlockedDomain, Hook
from contracts.hooks import EXCEPTION_SCOPE
from store import Store
from store.rows import AuditEvent, HookRow, HookState

RETRIED: Final = dt.timedelta(seconds=173_040)
"""BigCommerce: how long a delivery that fails is repeated. With the hook, what is being repeated is lost as well."""
HEALABLE: Final = frozenset({HookState.MISSING, HookState.OFF, HookState.HEADER, HookState.MOVED})

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class Kept:
    """How the webhooks of a shop are now."""

    rows: tuple[HookRow, ...]
    changed: tuple[str, ...]
    """Scopes that were registered, or switched on again."""
    gap_from: dt.datetime | None
    """By the shop's clock: the earliest moment of all gaps that are not swept yet."""
    rest: float
    """Seconds until what was healed delivers."""

    @property
    def down(self) -> tuple[str, ...]:
        return tuple(row.scope for row in self.rows if row.state is not HookState.ACTIVE)


async def keep_hooks(
    store: Store, desk: HookDesk, plan: HookPlan, *, job: str, clock: Callable[[], dt.datetime]
) -> Kept:
    """Safe to repeat, and to be done by several at once. Raises `clients.errors.VendorError`."""
    known = {row.scope: row for row in await store.hooks.of(plan.connection)}
    at = await desk.time()
    blocked = await _blocked(desk)
    found = compare(plan, await desk.hooks(), blocked, known)
    rows = tuple(_row(plan, one, known.get(one.scope), at, clock()) for one in found)
    wanted = {row.scope for row in rows}
    await _write(store, plan, rows, known, job, gone=[row for row in known.values() if row.scope not in wanted])
    ailing = [one for one in found if one.state in HEALABLE]
    changed: tuple[str, ...] = ()
    if ailing:
        refusals = await _heal(desk, plan, ailing)
        changed = tuple(one.scope for one in ailing if one.scope not in refusals)
        at = await desk.time()
        before = {row.scope: row for row in rows}
        found = compare(plan, await desk.hooks(), blocked, before)
        rows = tuple(_row(plan, one, before.get(one.scope), at, clock(), refusals.get(one.scope, "")) for one in found)
        await _write(store, plan, rows, before, job)
    kept = Kept(
        rows=rows,
        changed=changed,
        gap_from=min((row.gap_from for row in rows if row.gap_from), default=None),
        rest=_rest(plan, rows, found, at),
    )
    counters.CHECKS.labels(plan.connection, "down" if kept.down else "healed" if changed else "sound").inc()
    return kept


async def _blocked(desk: HookDesk) -> tuple[BlockedDomain, ...]:
    """Nothing where the shop does not tell: an account may lack the right to its administration."""
    try:
        return (await desk.hook_administration()).blocked_domains
    except (Forbidden, NotFound, Rejected):
        return ()


async def _heal(desk: HookDesk, plan: HookPlan, ailing: Sequence[Found]) -> Mapping[str, str]:
    """By scope, why the shop refused. One that is refused does not keep the others from being healed."""
    refusals: dict[str, str] = {}
    for one in ailing:
        try:
            if one.hook is None:
                await desk.create_hook(one.scope, one.destination, plan.headers)
            else:
                moves = one.state is HookState.MOVED
                await desk.activate_hook(one.hook.id, plan.headers or None, one.destination if moves else None)
        except (NotFound, Rejected) as error:
            refusals[one.scope] = error.sentence
        except Forbidden as error:
            refusals[one.scope] = f"{error.sentence} {error.remedy}"
    return refusals


def _row(
    plan: HookPlan, found: Found, before: HookRow | None, at: dt.datetime, now: dt.datetime, refusal: str = ""
) -> HookRow:
    """How a hook stands that was `found` so `at` the shop's time, after it stood as `before`."""
    row = HookRow(
        connection=plan.connection,
        scope=found.scope,
        destination=found.destination,
        hook_id=found.hook.id if found.hook else None,
        state=found.state,
        sentence=f"{found.sentence} {refusal}".strip(),
        checked_at=now,
    )
    if before is not None:
        kept = ("active_at", "found_at", "gap_from", "healed_at", "swept_from", "swept_until")
        row = row.model_copy(update={name: getattr(before, name) for name in kept})
    if found.state is HookState.ACTIVE:
        return row.model_copy(update={"active_at": at, "healed_at": at if _pending(before) else row.healed_at})
    never_was = before is None and found.hook is None
    found_at = row.found_at if never_was or _pending(before) else now
    known = found.hook is not None and before is not None and before.hook_id == found.hook.id
    gap = None if found.scope == EXCEPTION_SCOPE else _gap(plan, found, row, at, known=known)
    return row.model_copy(
        update={
            # One that is only just being registered is nobody's loss, unless the shop refuses it.
            "found_at": found_at or (now if refusal else None),
            "gap_from": min((one for one in (gap, row.gap_from) if one), default=None),
            "healed_at": None,
        }
    )


def _pending(before: HookRow | None) -> bool:
    """It was found wanting, or is being registered, and nothing has healed it yet."""
    if before is None:
        return False
    return before.state is not HookState.ACTIVE or (before.gap_from is not None and before.healed_at is None)


def _gap(plan: HookPlan, found: Found, row: HookRow, at: dt.datetime, *, known: bool) -> dt.datetime:
    """From when on deliveries may be missing.

    A hook that was never there has announced nothing: polls have read what was before, and it begins to deliver a
    little after it is created. What a blocked domain misses is repeated for two days, so only the block counts. With
    any other hook, what was being repeated when it was last seen sound is lost as well; nothing from before it was
    created, where it is the same (`known`) as ever. What the last sweep has read needs no announcement any more; but
    one that was read over a block began too late to say so of what was being repeated.
    """
    if found.state is HookState.BLOCKED:
        began = row.active_at or at
    elif found.hook is None and row.active_at is None:
        began = at
    else:
        began = (row.active_at or _touched(found.hook) or at) - RETRIED
        made = found.hook.created_at if known and found.hook else None
        began = max(began, _instant(made)) if made else began
    if row.swept_from and row.swept_until and row.swept_from <= began:
        began = max(began, row.swept_until)
    return began - plan.overlap


def _touched(hook: Hook | None) -> dt.datetime | None:
    """When it was last changed; who has never watched it knows no better."""
    stamp = hook and (hook.updated_at or hook.created_at)
    return _instant(stamp) if stamp else None


def _instant(stamp: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(stamp, dt.UTC)


def _rest(plan: HookPlan, rows: Sequence[HookRow], found: Sequence[Found], at: dt.datetime) -> float:
    starts = (row.healed_at + plan.activation - at for row in rows if row.gap_from and row.healed_at)
    return max((0.0, *(one.total_seconds() for one in starts), *(float(one.time_left) for one in found)))


async def _write(
    store: Store,
    plan: HookPlan,
    rows: Sequence[HookRow],
    before: Mapping[str, HookRow],
    job: str,
    *,
    gone: Sequence[HookRow] = (),
) -> None:
    """The rows, and of each change an event on the connection, a line in the log and a count."""
    lost = [row for row in rows if _is_down(row) and not _is_down(before.get(row.scope))]
    healed = [row for row in rows if row.healed_at and _is_down(before.get(row.scope))]
    made = [row for row in rows if _is_new(row) and not _is_new(before.get(row.scope))]
    events = [
        *(
            _event(plan, row, "webhook_lost", f"webhook {row.scope} did not deliver: {row.sentence}{_open(row)}", job)
            for row in lost
        ),
        *(_event(plan, row, "webhook_healed", f"webhook {row.scope} delivers again", job) for row in healed),
        *(_event(plan, row, "webhook_registered", f"webhook {row.scope} is registered", job) for row in made),
    ]
    await store.hooks.put(rows, events=events, gone=gone)
    for row in lost:
        _log.warning(
            "webhook does not deliver",
            connection=plan.connection,
            scope=row.scope,
            found=row.state.value,
            gap_from=row.gap_from.isoformat() if row.gap_from else "",
        )
        counters.LOST.labels(plan.connection, row.state.value).inc()
    for row in healed:
        _log.warning("webhook delivers again", connection=plan.connection, scope=row.scope)
        counters.HEALED.labels(plan.connection).inc()


def _is_down(row: HookRow | None) -> bool:
    return row is not None and row.found_at is not None and row.healed_at is None


def _is_new(row: HookRow | None) -> bool:
    """It was registered by us and has never failed since."""
    return row is not None and row.found_at is None and row.healed_at is not None


def _open(row: HookRow) -> str:
    return f" Orders that changed since {row.gap_from:%Y-%m-%d %H:%M} UTC are read by poll." if row.gap_from else ""


def _event(plan: HookPlan, row: HookRow, action: str, sentence: str, job: str) -> AuditEvent:
    return AuditEvent(
        tenant=plan.tenant,
        connection=plan.connection,
        kind=CONNECTION_KIND,
        document_id=plan.connection,
        at=row.checked_at,
        action=action,
        sentence=sentence,
        details={"scope": row.scope, "hook": row.hook_id, "found": row.state.value},
        job=job,
    )
