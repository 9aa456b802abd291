"""Shop and pod are compared with the books and rules between them: by a schedule, and by a person before go-live."""

import csv
import dataclasses
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from replay.stage import with_integration
from support.stack import DEMO_CONFIGURATION, Stack, open_stack
from support.topology import TemporalServer
from support.typed import Typed, typed_beside

from contracts import names
from contracts.alignment import ALIGNED, AlignmentInput, AlignmentKept, AlignmentPolicy, Misfit
from contracts.configuration import Configuration
from contracts.loss import INTEGRATION_KIND
from runtime.temporal.schedules import schedules
from sandbox.bigcommerce.channels import Channel
from sandbox.fusion.value_sets import COST_CENTER_SET, VALUES

SEGMENTS = {"cost_center": COST_CENTER_SET}


def compared(configuration: Configuration) -> Configuration:
    return with_integration(configuration, "shop-us", alignment=AlignmentPolicy(segments=SEGMENTS, cron="0 4 1 1 *"))


@pytest.fixture
async def stack(temporal_server: TemporalServer, tmp_path: Path) -> AsyncIterator[Stack]:
    async with open_stack(temporal_server, tmp_path, adjust=compared) as opened, opened.worker():
        yield opened


@pytest.fixture
def typed(stack: Stack, tmp_path: Path) -> Typed:
    """With the segments in the file, as the stack has them in memory."""
    text = DEMO_CONFIGURATION.read_text()
    policy = f'\n[integrations.alignment]\nsegments = {{ cost_center = "{COST_CENTER_SET}" }}\n'
    marker = "\n[integrations.loss_count]"
    file = tmp_path / "connector.toml"
    file.write_text(text.replace(marker, policy + marker, 1))
    plain = typed_beside(stack)

    async def run(*arguments: str, **environment: str) -> Any:
        return await plain(*arguments, "--config", str(file), **environment)

    return run


async def compare(stack: Stack, number: int = 1) -> AlignmentKept:
    """One run of the schedule's workflow."""
    handle = await stack.temporal.start_workflow(
        names.ALIGNMENT,
        AlignmentInput(integration="shop-us", connection="bc-us", fusion="fusion"),
        id=f"alignment:test-{number}",
        task_queue=names.WORKFLOW_QUEUE,
        result_type=AlignmentKept,
    )
    return await handle.result()


def cost_center(stack: Stack, code: str) -> Any:
    held = next(row for row in stack.fusion.value_sets.rows if row.values["ValueSetCode"] == COST_CENTER_SET)
    return next(row for row in held.children[VALUES] if row.values["Value"] == code)


def shop_store(stack: Stack) -> Any:
    return stack.shops.stores[stack.shop().profile.store_hash]


def told(kind: Misfit) -> float:
    labels = {"integration": "shop-us", "kind": kind.value}
    return REGISTRY.get_sample_value("ml_connector_misalignments_new_total", labels) or 0.0


async def test_what_turns_bad_is_found_told_once_and_alerted_until_it_fits_again(stack: Stack, typed: Typed) -> None:
    assert "Alignment of shop-us: not compared yet" in (await typed("status")).stdout
    first = await compare(stack)
    assert (first.misaligned, first.new) == (1, 1), "antiques have no rule"
    row = await stack.parts.store.alignments.of("shop-us")
    assert row is not None
    assert row.compared == {"channels": 1, "categories": 10, "values of cost_center": 3, "business units": 2}
    warned = await typed("status")
    assert warned.exit_code == 0, "single orders go to review"
    assert 'No rule gives category "Antiques" a revenue account' in warned.stdout

    shop_store(stack).channels.append(Channel(2, "Pop-up"))
    stack.fusion.value_sets.touch(cost_center(stack, "120"), EnabledFlag="N")
    before = told(Misfit.SEGMENT_VALUE)
    second = await compare(stack, 2)
    assert (second.misaligned, second.new) == (3, 2)
    assert told(Misfit.SEGMENT_VALUE) == before + 1
    later = await stack.parts.store.alignments.of("shop-us")
    assert later is not None
    assert later.bad_since == row.bad_since
    alarm = await typed("status")
    assert alarm.exit_code == 1, "Fusion would refuse a whole group"
    assert "Rule books, Rule clearance: cost_center 120 is disabled" in alarm.stdout
    assert "2 more do not fit either" in alarm.stdout
    assert "Alignment of shop-us: 3 do not fit; compared: 2 channels, 10 categories" in alarm.stdout
    (machine,) = [one for one in json.loads((await typed("status", "--json")).stdout)["alignments"] if one["newest"]]
    assert machine["newest"]["misaligned"] == 3

    stack.fusion.value_sets.touch(cost_center(stack, "120"), EnabledFlag="Y")
    shop_store(stack).channels.pop()
    third = await compare(stack, 3)
    assert (third.misaligned, third.new) == (1, 0)
    assert (await typed("status")).exit_code == 0
    events = await stack.parts.store.audit.of("bc-us", INTEGRATION_KIND, "shop-us")
    assert [event.sentence.split(";")[0] for event in events if event.action == ALIGNED] == [
        "1 does not fit (1 new)",
        "3 do not fit (2 new)",
        "1 does not fit",
    ]


async def test_a_person_compares_before_go_live_and_reads_it_in_80_columns(stack: Stack, typed: Typed) -> None:
    unreachable = {"MLC_TEMPORAL": "127.0.0.1:1", "COLUMNS": "80"}
    never = await typed("alignment", "shop-us", "--last", **unreachable)
    assert (never.exit_code, "has not been compared yet" in never.stderr) == (1, True)
    shop_store(stack).channels.append(Channel(2, "Pop-up", status="prelaunch"))
    shop_store(stack).channels.append(Channel(3, "Feeds", type="marketing"))
    shop_store(stack).channels[0].status = "terminated"
    shown = await typed("alignment", "shop-us", **unreachable)
    assert shown.exit_code == 0, shown.output
    assert max(map(len, shown.stdout.splitlines())) <= 80 or "shop-us:" in shown.stdout.splitlines()[0]
    assert all(len(line) <= 80 for line in shown.stdout.splitlines()[1:])
    flat = " ".join(shown.stdout.split())
    for part in ("no books", "channel 2", "no channel", "channel 1", "no rule", "Antiques"):
        assert part in flat
    assert "channel 3" not in flat, "a marketing channel takes no orders"

    last = json.loads((await typed("alignment", "shop-us", "--last", "--json")).stdout)
    assert last["misaligned"] == 3
    rows = list(csv.DictReader(io.StringIO((await typed("alignment", "shop-us", "--last", "--csv")).stdout)))
    assert [row["kind"] for row in rows] == [
        "channel_without_books",
        "books_without_channel",
        "category_without_rule",
    ]
    cost_center(stack, "110").values["EnabledFlag"] = "N"
    refused = await typed("alignment", "shop-us")
    assert refused.exit_code == 1
    assert (await typed("alignment")).exit_code == 2
    assert (await typed("alignment", "nowhere")).exit_code == 2
    assert (await typed("alignment", "shop-us", "--json", "--csv")).exit_code == 2


async def test_what_a_token_may_not_read_is_told_and_the_rest_compared(stack: Stack, typed: Typed) -> None:
    store = shop_store(stack)
    first = store.accounts[0]
    store.accounts[0] = dataclasses.replace(first, scopes=first.scopes - {"store_channel_settings"})
    shown = await typed("alignment", "shop-us")
    assert shown.exit_code == 0, shown.output
    flat = " ".join(shown.stdout.split())
    assert "The channels could not be compared" in flat
    assert "store_channel_settings_read_only" in flat
    assert 'category "Antiques"' in flat
    kept = await compare(stack)
    assert (kept.misaligned, kept.new) == (1, 0), "nobody waits for a role that may never come"


async def test_a_value_set_and_a_business_unit_that_nobody_knows_are_told(stack: Stack, typed: Typed) -> None:
    held = next(row for row in stack.fusion.value_sets.rows if row.values["ValueSetCode"] == COST_CENTER_SET)
    held.values["ValueSetCode"] = "Another"
    stack.fusion.world.business_units[:] = [
        one for one in stack.fusion.world.business_units if one.name != "US Web Sales"
    ]
    shown = await typed("alignment", "shop-us")
    assert shown.exit_code == 1
    flat = " ".join(shown.stdout.split())
    assert "The values of cost_center could not be compared" in flat
    assert 'The pod has no business unit "US Web Sales"' in flat


async def test_the_schedule_is_there_unless_it_is_switched_off(stack: Stack) -> None:
    assert names.alignment_id("shop-us") in dict(schedules(stack.configuration))
    off = with_integration(stack.configuration, "shop-us", alignment=AlignmentPolicy(enabled=False))
    assert names.alignment_id("shop-us") not in dict(schedules(off))
