"""Comparisons of shops and pods are kept by integration, on both databases."""

import datetime as dt
from typing import Any

from contracts.alignment import ALIGNED, Misalignment, Misfit
from contracts.loss import INTEGRATION_KIND
from store import Store
from store.rows import AlignmentRow, AuditEvent

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)


def row(integration: str, job: str, **more: Any) -> AlignmentRow:
    given: dict[str, Any] = {"at": NOW, "misaligned": 0, **more}
    return AlignmentRow(tenant="acme", integration=integration, connection="bc-us", fusion="fusion", job=job, **given)


def event(integration: str, job: str) -> AuditEvent:
    return AuditEvent(
        tenant="acme",
        connection="bc-us",
        kind=INTEGRATION_KIND,
        document_id=integration,
        at=NOW,
        action=ALIGNED,
        sentence="compared",
        job=job,
    )


async def test_the_newest_comparison_takes_the_place_of_the_one_before_and_is_told_once(
    store: Store, fresh: str
) -> None:
    assert await store.alignments.of(fresh) is None
    bad = Misalignment(kind=Misfit.BUSINESS_UNIT, subject="US", sentence="There is none.", remedy="Add it.")
    first = row(
        fresh,
        "a",
        misaligned=3,
        bad_since=NOW,
        misalignments=(bad,),
        unnamed={Misfit.CATEGORY_WITHOUT_RULE: 2},
        compared={"channels": 1},
        notes=("A note.",),
    )
    assert await store.alignments.put(first, event(fresh, "a"))
    assert not await store.alignments.put(first, event(fresh, "a"))
    assert await store.alignments.of(fresh) == first
    later = row(fresh, "b", at=NOW + dt.timedelta(days=1))
    assert await store.alignments.put(later, event(fresh, "b"))
    assert await store.alignments.of(fresh) == later
    told = await store.audit.of("bc-us", INTEGRATION_KIND, fresh)
    assert [one.job for one in told] == ["a", "b"]
