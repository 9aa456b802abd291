"""Three workers on one account never exceed what it allows, in whatever window the vendor counts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from support.processes import Nursery
from support.stack import eventually
from support.topology import TemporalServer
from workers.crew import AS_DELIVERED, Crew, open_crew
from workers.windows import load_of

from clients.bigcommerce.client import WINDOW as SHOP_WINDOW
from clients.oracle_fusion.rest import WINDOW as FUSION_WINDOW
from sandbox.fusion.twin import TOKEN_PATH
from sandbox.kit.calls import Call

SHOP_LIMIT = 300
"""Calls of the American shop in any 30 seconds."""
FUSION_LIMIT = 300
"""Calls of the pod in any 60 seconds."""
ORDERS = 400
"""More than the limits let through before the test ends."""
PRESSED = 0.7
"""Of a limit, what the fullest window holds at least: less, and the test would prove nothing."""
INVOICES = """
[integrations.books.receivable]
transaction_source = "ML Connector"
transaction_type = "Web Invoice"
customer_account = "1006"
"""


def under_limits(text: str) -> str:
    """The configuration with these limits, and an invoice for each order: some calls of Fusion for every one."""
    channel = 'name = "Maple & Pine Goods" }'
    text = text.replace(channel, channel.replace(" }", ', target = "receivable" }'), 1)
    before, mark, after = text.partition("\n[integrations.imports]\n")
    text = f"{before}\n{INVOICES}{mark}{after}"
    text = text.replace("requests_per_window = 3000", f"requests_per_window = {SHOP_LIMIT}")
    return text.replace("requests_per_minute = 6000", f"requests_per_minute = {FUSION_LIMIT}")


@pytest.fixture(scope="module")
async def eager(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nursery]:
    log = tmp_path_factory.mktemp("eager") / "nursery.log"
    async with Nursery(Path(__file__).with_name("eager.py"), log) as opened:
        yield opened


@pytest.fixture
async def crew(quick_server: TemporalServer, eager: Nursery, store_url: str, tmp_path: Path) -> AsyncIterator[Crew]:
    async with open_crew(
        quick_server,
        eager,
        tmp_path,
        store_url=store_url,
        rhythm=AS_DELIVERED,
        requests_per_window=SHOP_LIMIT,
        edit=under_limits,
        import_timeout="30.0\ncreate_timeout = 30.0",
    ) as opened:
        yield opened


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_no_window_exceeds_a_limit_while_workers_come_and_go(
    crew: Crew, say: Callable[[str], None], record_property: Callable[[str, object], None]
) -> None:
    """Two workers, a third that joins late, one that is killed and started anew, one that stands still for a while."""
    await asyncio.gather(crew.start_worker(), crew.start_worker())
    for order in [crew.sell(quiet=True) for _ in range(ORDERS)]:
        await crew.announce(order)
    await eventually(lambda: shop_calls(crew), "the first call")
    await asyncio.sleep(12)
    await crew.start_worker()
    await eventually(lambda: all_are_three(crew), "each of the first three knows of three")
    await asyncio.sleep(16)
    await crew.workers[0].kill()
    await crew.start_worker()
    await eventually(lambda: all_are_three(crew), "the new one knows of three as well")
    await asyncio.sleep(16)
    crew.workers[1].pause()
    await asyncio.sleep(8)
    crew.workers[1].resume()
    await asyncio.sleep(28)
    with suppress(AssertionError):
        # On a machine that is busy with other things it takes longer until the limits are felt.
        await eventually(lambda: is_pressed(crew), "both limits are felt", patience=300)

    shop, fusion = load_of(shop_calls(crew), SHOP_WINDOW), load_of(fusion_calls(crew), FUSION_WINDOW)
    for who, load, limit, window in (
        ("shop", shop, SHOP_LIMIT, SHOP_WINDOW),
        ("Fusion", fusion, FUSION_LIMIT, FUSION_WINDOW),
    ):
        record_property(f"fullest window of the {who}", load.fullest)
        say(
            f"\n{who}: {load.calls} calls; in any {window:.0f} s at most {load.fullest} of {limit}, "
            f"{load.usual:.0f} on average"
        )
    assert PRESSED * SHOP_LIMIT <= shop.fullest <= SHOP_LIMIT
    assert PRESSED * FUSION_LIMIT <= fusion.fullest <= FUSION_LIMIT
    assert crew.store("bc-us").quota.refused == 0


def is_pressed(crew: Crew) -> bool:
    shop, fusion = load_of(shop_calls(crew), SHOP_WINDOW), load_of(fusion_calls(crew), FUSION_WINDOW)
    return shop.fullest >= PRESSED * SHOP_LIMIT and fusion.fullest >= PRESSED * FUSION_LIMIT


def shop_calls(crew: Crew) -> list[Call]:
    return crew.stack.shops.calls.matching(path=f"^/stores/{crew.store('bc-us').profile.store_hash}/")


def fusion_calls(crew: Crew) -> list[Call]:
    """The pod's; signing in is its identity domain's business."""
    return [call for call in crew.stack.fusion.calls if call.path != TOKEN_PATH]


def all_are_three(crew: Crew) -> bool:
    """Each worker, those that are gone as well, has once said that there are three."""
    return all('"processes": 3' in worker.text() for worker in crew.workers)
