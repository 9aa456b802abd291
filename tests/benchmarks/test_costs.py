"""What an order costs in Temporal actions, history events and Fusion calls: counts, the same on every machine."""

from pathlib import Path

from benchmarks.arrivals import describe, measure
from runtime.temporal.devserver import DevServer

SAMPLE = 10


async def test_an_order_with_six_webhooks_and_three_polls_stays_within_its_budget(
    temporal_server: DevServer, tmp_path: Path
) -> None:
    cost = await measure(temporal_server, tmp_path, orders=SAMPLE)
    order = cost.bills["order-to-journal"]
    assert order.runs == SAMPLE, describe(cost)
    assert order.total / SAMPLE <= 10, describe(cost)
    assert cost.events <= 50, describe(cost)
    # What a group and the ledger's facts cost is the same for ten orders as for a hundred.
    assert cost.fusion_calls <= 19, describe(cost)
