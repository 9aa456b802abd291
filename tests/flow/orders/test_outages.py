"""A system is down for longer than several pauses: one step tries, the others wait, nobody is asked, all are posted."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from replay.stage import patched, with_fusion
from support.knobs import set_right
from support.proof import group_ids, no_journal_twice, nothing_in_review, nothing_left, ordinary, posted, sell
from support.stack import FAST, Stack, eventually, open_stack, working

from activities.access import passage
from activities.access.gates import Pace
from activities.collaborators import Collaborators
from contracts import names
from contracts.configuration import Configuration
from contracts.flow import State
from runtime.parts import open_parts
from runtime.temporal.connect import connect
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import EU_SHOP, Shape, draft
from sandbox.kit import Twin
from store.rows import ConnectionHealth, ConnectionState

MANY: Final = 60
"""Orders under way: more than a worker has slots for one connection."""
SLOTS: Final = 50
LONG: Final = 12.0
"""Seconds of an outage: several pauses of a gate (1, 2, 4, 8 s)."""
PAUSES: Final = 5
"""How often a gate tries within that time, at most."""
ORDER: Final[dict[str, Any]] = {"method": "GET", "path": r"/v2/orders/\d+$"}


def _quick(configuration: Configuration) -> Configuration:
    return with_fusion(configuration, import_timeout=10.0, settle=0.5, journal_import={"status_interval": 0.3})


def _impatient(configuration: Configuration) -> Configuration:
    """Answers are not waited for: on a slow machine those of a system that works may be too late as well."""
    return with_fusion(_quick(configuration), timeout=2.0)


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    directory = tmp_path_factory.mktemp("outages")
    async with open_stack(temporal_server, directory, imports=FAST, adjust=_quick) as opened, opened.worker():
        # Warm: who signs in is known, and so is the ledger.
        await posted(opened, await sell(opened, ordinary()))
        yield opened


@pytest.fixture(autouse=True)
async def all_is_well_in_the_end(stack: Stack) -> AsyncIterator[None]:
    yield
    set_right(stack)
    no_journal_twice(stack)
    nothing_left(stack)
    await nothing_in_review(stack)


async def is_marked(parts: Collaborators, connection: str, health: ConnectionHealth) -> ConnectionState:
    async def there() -> ConnectionState | None:
        state = await parts.store.connections.state(connection)
        return state if state is not None and state.state is health else None

    found: ConnectionState = await eventually(there, f"{connection} is marked as {health}")
    return found


async def most_attempts(stack: Stack, orders: Iterable[int]) -> int:
    """The highest number of attempts that any step of any of these orders took."""
    highest = 0
    for order_id in orders:
        workflow_id = names.order_to_journal_id("bc-us", str(order_id))
        history = await stack.temporal.get_workflow_handle(workflow_id).fetch_history()
        for event in history.events:
            if event.HasField("activity_task_started_event_attributes"):
                highest = max(highest, event.activity_task_started_event_attributes.attempt)
    return highest


def baskets(first: int, count: int = MANY) -> list[Any]:
    return [ordinary(first + number) for number in range(count)]


def calls(twin: Twin) -> int:
    """Requests so far, signing in not counted."""
    return twin.calls.count() - twin.calls.count(path="/oauth2|/_twin")


async def held(twin: Twin, seconds: float = LONG) -> int:
    """Lets an outage last; how many requests came meanwhile."""
    before = calls(twin)
    await asyncio.sleep(seconds)
    return calls(twin) - before


async def test_a_shop_that_answers_503_is_asked_once_a_pause_and_not_once_an_order(stack: Stack) -> None:
    outage = stack.shops.faults.set("outage")
    before = calls(stack.shops)
    orders = await sell(stack, *baskets(100))
    marked = await is_marked(stack.parts, "bc-us", ConnectionHealth.UNAVAILABLE)
    assert "HTTP 503" in marked.sentence
    assert calls(stack.shops) - before <= SLOTS + PAUSES
    assert await held(stack.shops) <= PAUSES
    assert outage.struck > 0
    await nothing_in_review(stack)
    stack.shops.faults.clear()
    await posted(stack, orders)
    working = await is_marked(stack.parts, "bc-us", ConnectionHealth.WORKING)
    assert working.since > marked.since
    assert await most_attempts(stack, orders) <= 2


async def test_fusion_refuses_connections_and_all_are_posted_once_it_is_back(stack: Stack) -> None:
    stack.fusion_listener.refuse()
    orders = await sell(stack, *baskets(200))
    marked = await is_marked(stack.parts, "fusion", ConnectionHealth.UNAVAILABLE)
    assert "could not be reached" in marked.sentence
    await asyncio.sleep(LONG)
    assert (await is_marked(stack.parts, "bc-us", ConnectionHealth.WORKING)).sentence == ""
    await nothing_in_review(stack)
    await stack.fusion_listener.accept()
    await posted(stack, orders)
    await is_marked(stack.parts, "fusion", ConnectionHealth.WORKING)
    assert await most_attempts(stack, orders) <= 3


async def test_fusion_that_never_answers_in_time_is_an_outage_too(
    temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("impatient")
    async with open_stack(temporal_server, directory, imports=FAST, adjust=_impatient) as stack, stack.worker():
        await posted(stack, await sell(stack, ordinary()))
        stack.fusion.faults.set("latency", seconds=4.0)
        orders = await sell(stack, *baskets(300, 20))
        marked = await is_marked(stack.parts, "fusion", ConnectionHealth.UNAVAILABLE)
        assert "in time" in marked.sentence
        assert await held(stack.fusion) <= PAUSES
        await nothing_in_review(stack)
        stack.fusion.faults.clear()
        await posted(stack, orders)
        no_journal_twice(stack)
        nothing_left(stack)
        await nothing_in_review(stack)


async def test_fusion_goes_down_in_the_middle_of_everything(stack: Stack) -> None:
    """Orders at every stage: being looked up, staged, sent, followed, read back."""
    early = await sell(stack, *baskets(400, 20))
    await eventually(lambda: len(group_ids(stack)) > 0, "an import has been sent")
    stack.fusion.faults.set("outage")
    late = await sell(stack, *baskets(420, 20))
    await is_marked(stack.parts, "fusion", ConnectionHealth.UNAVAILABLE)
    assert await held(stack.fusion) <= PAUSES
    await nothing_in_review(stack)
    stack.fusion.faults.clear()
    await posted(stack, [*early, *late])


async def test_a_shop_that_comes_and_goes_loses_nothing(stack: Stack) -> None:
    orders = await sell(stack, *baskets(500, 20))
    for number in range(8):
        stack.shops.faults.set("outage")
        if number % 2:
            orders += await sell(stack, *baskets(520 + number, 3))
        await asyncio.sleep(0.7)
        stack.shops.faults.clear()
        await asyncio.sleep(0.4)
    await posted(stack, orders)


async def test_one_path_that_answers_500_stops_neither_the_others_nor_itself_for_good(stack: Stack) -> None:
    """Journals cannot be read back for a while; those of another ledger are sent all the same."""
    broken = stack.fusion.faults.set("error", method="GET", path="/journalBatches")
    american = await sell(stack, *baskets(600, 5))
    await eventually(lambda: broken.struck >= 3, "the path has failed several times")
    sent = len(group_ids(stack))
    european = stack.shop("bc-eu").place(draft(Shape.ORDINARY, EU_SHOP)).id
    await stack.announce(european, "bc-eu")
    await eventually(lambda: len(group_ids(stack)) > sent, "another group is sent all the same")
    stack.fusion.faults.clear()
    await posted(stack, american)
    assert (await stack.result(european, "bc-eu")).state is State.POSTED


async def test_steps_that_wait_for_hours_cost_an_attempt_each_time_they_have_waited_and_no_more(stack: Stack) -> None:
    """Hours are seconds here: a step waits for two seconds at a time instead of three minutes."""
    wait, come_back, outage = 2.0, 1.0, 20.0
    with patched(passage, LONGEST_WAIT=wait):
        began = asyncio.get_running_loop().time()
        stack.shops.faults.set("outage")
        orders = await sell(stack, *baskets(700))
        await is_marked(stack.parts, "bc-us", ConnectionHealth.UNAVAILABLE)
        assert await held(stack.shops, outage) <= PAUSES + 2
        stack.shops.faults.clear()
        await eventually(lambda: stack.parts.gates.of("bc-us").is_open, "the gate is open again")
        lasted = asyncio.get_running_loop().time() - began
        await posted(stack, orders)
    # One when it began, one for each time it had waited, and the one that succeeded.
    assert await most_attempts(stack, orders) <= lasted / (wait + come_back) + 3


@asynccontextmanager
async def another_worker(stack: Stack) -> AsyncIterator[Collaborators]:
    """A second worker with clients and gates of its own, as another process has them."""
    client = await connect(stack.configuration.temporal, stack.keys)
    async with open_parts(stack.configuration, stack.keys, temporal=client) as parts, working(client, parts):
        yield parts


async def test_two_workers_each_find_out_for_themselves(stack: Stack) -> None:
    async with another_worker(stack) as other:
        await posted(stack, await sell(stack, *baskets(800, 20)))
        stack.shops.faults.set("outage")
        before = calls(stack.shops)
        orders = await sell(stack, *baskets(820))

        def both_shut() -> bool:
            return not any(parts.gates.of("bc-us").is_open for parts in (stack.parts, other))

        await eventually(both_shut, "both workers have noticed")
        assert calls(stack.shops) - before <= 2 * (SLOTS + PAUSES)
        assert await held(stack.shops) <= 2 * PAUSES
        await nothing_in_review(stack)
        stack.shops.faults.clear()
        await posted(stack, orders)
    await is_marked(stack.parts, "bc-us", ConnectionHealth.WORKING)


async def test_a_worker_that_starts_during_an_outage_asks_a_few_times_only(stack: Stack) -> None:
    stack.shops.faults.set("outage")
    orders = await sell(stack, *baskets(900))
    await is_marked(stack.parts, "bc-us", ConnectionHealth.UNAVAILABLE)
    before = calls(stack.shops)
    async with another_worker(stack) as other:
        other.gates.of("bc-us").pace = Pace(first=1.0, longest=4.0)
        await eventually(lambda: not other.gates.of("bc-us").is_open, "the new worker has noticed")
        # Before anything else it asks who it is, with one call; that fails.
        assert calls(stack.shops) - before <= 2 * PAUSES
        stack.shops.faults.clear()
        await posted(stack, orders)
