"""A worker is killed at every point of every posting: one journal each, by the ledger's own books."""

import pytest
from crash.lane import Lane
from crash.report import Report
from crash.table import Row, rows


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: row.id)
async def test_a_worker_killed_there_neither_loses_nor_repeats_a_journal(
    row: Row, shared_lane: Lane, report: Report
) -> None:
    lane = shared_lane
    lane.run = report.begin(row.posting.name, row.point.name)
    await lane.one_worker(fresh=getattr(row.point, "fresh", False))
    struck = row.point.prepare(lane)
    try:
        subject = await row.posting.arrange(lane)
        await struck()
        await row.posting.settle(lane, subject)
    finally:
        await lane.clean_up()
    verdict = lane.run.end(row.posting.count(lane, subject))
    assert verdict.clean, verdict.sentence()
