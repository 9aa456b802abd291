"""Every part of `make bench` still runs and gives its figures: at a size that says nothing about what they are."""

from pathlib import Path

import pytest
from support.topology import TemporalServer, Topology

from benchmarks import acknowledgement, items, memory, parked, shapes, sweep, throughput
from benchmarks.__main__ import PARTS, PRODUCTION
from benchmarks.figures import Figure

SERVED_BY_ONE = ("arrivals", "changes", "acknowledgement", "throughput", "memory", "parked", "sweep", "items", "shapes")


def test_make_bench_lists_every_part_and_the_shapes_on_both_servers() -> None:
    assert set(PARTS) == {*SERVED_BY_ONE, *PRODUCTION}
    assert PARTS["production"] is PARTS["shapes"]


async def test_acknowledgements_are_timed_with_temporal_up_and_down(topology: Topology, tmp_path: Path) -> None:
    async with topology.server(tmp_path) as server:
        figures, details = await acknowledgement.run(server, rate=5, seconds=1, rounds=1)
    assert len(figures) == 3
    assert "Temporal down: 5 requests" in details


async def test_orders_a_second_are_measured_beside_a_bare_workflow(temporal_server: TemporalServer) -> None:
    figures, _ = await throughput.run(temporal_server, documents=2)
    assert _value(figures, "orders a second") > 0
    assert _value(figures, "workflows of one activity") > 0


async def test_memory_is_measured_with_documents_that_wait(temporal_server: TemporalServer) -> None:
    figures, _ = await memory.run(temporal_server, waiting=2, parked=2)
    assert 20 < _value(figures, "2 waiting and 2 parked") < 300


async def test_parked_documents_have_no_events_and_make_no_calls(temporal_server: TemporalServer) -> None:
    figures, _ = await parked.run(temporal_server, parked=5, seconds=1)
    assert _value(figures, "history events a minute, 5 parked") == 0
    assert _value(figures, "calls to vendors") == 0


async def test_a_sweep_is_measured_over_orders_that_are_all_posted(temporal_server: TemporalServer) -> None:
    figures, _ = await sweep.run(temporal_server, orders=600)
    # That memory does not grow is proved in tests/activities/test_sweep_memory.py.
    assert _value(figures, "calls to the shop") >= 6


async def test_items_are_read_on_both_sides_while_they_change(temporal_server: TemporalServer) -> None:
    figures, _ = await items.run(temporal_server, count=300, changed=5, new=3)
    assert _value(figures, "changes not seen") == 0
    # What memory it takes says nothing at this size: tests/flow/records/test_item_polls.py counts rows that are kept.
    assert _value(figures, "memory of a worker above idle") >= 0
    assert _value(figures, "drafts made of new items") > 0


async def test_every_shape_posts_its_documents_and_leaves_a_history(temporal_server: TemporalServer) -> None:
    measured = await shapes.measure(temporal_server, documents=2, paced=2)
    assert [one.shape for one in measured] == [
        "EightSteps",
        "LeanSteps",
        "OneStep",
        "not durable",
        "invoice",
        "journal",
    ]
    assert all(one.per_second > 0 and one.worker_cpu >= 0 for one in measured)
    assert {one.shape for one in measured if one.events == 0} == {"not durable"}
    figures = shapes.figures(measured, production=False)
    assert [one.what for one in figures if one.goal] == [
        "invoices a second, dev server",
        "journals a second, dev server",
    ]


def _value(figures: list[Figure], what: str) -> float:
    """Of the only row that says so first."""
    (found,) = [one for one in figures if what in one.what][:1] or pytest.fail(f"no figure of {what}")
    return float(found.value.split()[0])
