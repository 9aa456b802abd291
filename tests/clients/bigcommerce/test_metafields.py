"""Metafields of orders against the shop's twin: made once, kept as they should be, and known as ours."""

from collections.abc import AsyncIterator

import pytest
from support.bigcommerce_store import connected, shop_twin, store_of

from clients.bigcommerce import BigCommerceClient
from clients.errors import InDoubt, NotFound, Rejected
from contracts.bigcommerce_metafield import MetafieldDraft
from sandbox.bigcommerce import US_SHOP, BigCommerceTwin, Shape, draft
from sandbox.bigcommerce.access import Account
from sandbox.kit import serve

WANTED = MetafieldDraft(namespace="ml_connector", key="journal", value="acme:bc-us:order:1001:1")


@pytest.fixture
async def twin() -> AsyncIterator[BigCommerceTwin]:
    twin = shop_twin()
    async with serve(twin):
        yield twin


@pytest.fixture
async def client(twin: BigCommerceTwin) -> AsyncIterator[BigCommerceClient]:
    client = connected(twin, client_id="client-id")
    yield client
    await client.aclose()


@pytest.fixture
def order_id(twin: BigCommerceTwin) -> int:
    return store_of(twin).shop.place(draft(Shape.ORDINARY, US_SHOP)).id


def announced(twin: BigCommerceTwin) -> list[str]:
    told: list[str] = []
    store_of(twin).shop.listeners.append(lambda event: told.append(event.scope))
    return told


async def test_a_metafield_is_made_once_and_stays_as_it_is(
    twin: BigCommerceTwin, client: BigCommerceClient, order_id: int
) -> None:
    assert await client.metafields.find(order_id, "ml_connector", "journal") is None
    told = announced(twin)

    made = await client.metafields.put(order_id, WANTED)
    again = await client.metafields.put(order_id, WANTED)

    assert again == made
    assert (made.value, made.permission_set, made.resource_id) == (WANTED.value, "read", order_id)
    assert made.owner_client_id == "client-id"
    assert told.count("store/order/metafield/created") == 1
    assert told.count("store/order/updated") == 1, "what changes nothing announces nothing"


async def test_another_value_replaces_the_old_one(
    twin: BigCommerceTwin, client: BigCommerceClient, order_id: int
) -> None:
    made = await client.metafields.put(order_id, WANTED)
    changed = await client.metafields.put(order_id, WANTED.model_copy(update={"value": "another"}))
    assert (changed.id, changed.value) == (made.id, "another")
    other = await client.metafields.put(order_id, WANTED.model_copy(update={"key": "refund"}))
    assert other.id != made.id


async def test_a_metafield_whose_answer_was_lost_is_not_made_twice(
    twin: BigCommerceTwin, client: BigCommerceClient, order_id: int
) -> None:
    twin.faults.set("lost_answer", method="POST", path="metafields", count=1)
    with pytest.raises(InDoubt):
        await client.metafields.put(order_id, WANTED)
    assert (await client.metafields.put(order_id, WANTED)).value == WANTED.value
    assert twin.calls.count("POST", "metafields") == 1


async def test_one_that_appears_between_look_and_write_is_taken(
    twin: BigCommerceTwin, client: BigCommerceClient, order_id: int
) -> None:
    store = store_of(twin)

    async def forestall(exchange: object) -> None:
        store.metafields.create(store.shop.order(order_id), store.accounts[0], WANTED.model_dump())

    twin.hooks.on("received", forestall, method="POST", path="metafields", times=1)
    assert (await client.metafields.put(order_id, WANTED)).value == WANTED.value
    assert twin.calls.matching("POST", "metafields")[0].status == 409


async def test_what_others_call_the_same_is_not_touched(
    twin: BigCommerceTwin, client: BigCommerceClient, order_id: int
) -> None:
    store = store_of(twin)
    other = Account(US_SHOP.store_hash, "other-app", "secret", "other-token")
    theirs = store.metafields.create(
        store.shop.order(order_id), other, WANTED.model_dump() | {"value": "theirs", "permission_set": "write"}
    )

    made = await client.metafields.put(order_id, WANTED)

    assert made.id != theirs.id
    assert theirs.value == "theirs"


async def test_a_shop_that_ignores_the_question_still_gives_the_right_answer(
    twin: BigCommerceTwin, client: BigCommerceClient, order_id: int
) -> None:
    for number in range(120):
        await client.metafields.put(order_id, WANTED.model_copy(update={"key": f"key{number}"}))
    store_of(twin).habits.ignored = {"namespace", "key"}
    found = await client.metafields.find(order_id, "ml_connector", "key77")
    assert found is not None
    assert found.key == "key77"
    assert await client.metafields.find(order_id, "ml_connector", "none") is None


@pytest.mark.parametrize("unknown", ["404", "empty"])
async def test_an_order_that_is_not_there_is_not_found(
    twin: BigCommerceTwin, client: BigCommerceClient, unknown: str
) -> None:
    store_of(twin).habits.unknown_order = unknown
    with pytest.raises(NotFound):
        await client.metafields.put(4711, WANTED)
    with pytest.raises(ValueError, match="not an order id"):
        await client.metafields.find("1/../2", "a", "b")


async def test_what_the_shop_refuses_is_said(client: BigCommerceClient, order_id: int) -> None:
    with pytest.raises(Rejected, match="value"):
        await client.metafields.put(order_id, WANTED.model_copy(update={"value": "x" * 70_000}))


@pytest.mark.parametrize("touch", [True, False])
async def test_a_metafield_may_count_as_a_change_of_its_order_but_not_of_what_is_booked(
    twin: BigCommerceTwin, client: BigCommerceClient, order_id: int, touch: bool
) -> None:
    store = store_of(twin)
    store.habits.metafields_touch = touch
    twin.clock.advance(5)
    before = await client.order(order_id)
    await client.metafields.put(order_id, WANTED)
    after = await client.order(order_id)
    assert (after.order.date_modified != before.order.date_modified) is touch
    assert after.order.total_inc_tax == before.order.total_inc_tax
