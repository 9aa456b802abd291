"""What both sides of a record showed when they agreed, on both databases."""

import datetime as dt
from typing import Any

from contracts.converging import Digests
from store import Store
from store.agreements import noted
from store.rows import Agreement

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)


def row(shop: str, record: str, **more: Any) -> Agreement:
    given: dict[str, Any] = {"name": record.upper(), "fusion_id": f"9{record}", "shop_id": record, **more}
    return Agreement(tenant="acme", integration="us", connection=shop, kind="item", id=record, at=NOW, **given)


async def test_the_newest_agreement_takes_the_place_of_the_one_before(store: Store, fresh: str) -> None:
    first = row(fresh, "a", digests=Digests(fusion={"name": "1"}, shop={"name": "1"}), parent="7")
    await store.agreements.put(first)
    assert await store.agreements.get(fresh, "item", "a") == first
    assert first.linked
    later = row(fresh, "a", digests=Digests(fusion={"name": "2"}), shop_id="")
    await store.agreements.put(later)
    assert await store.agreements.get(fresh, "item", "a") == later
    assert not later.linked
    assert await store.agreements.get(fresh, "customer", "a") is None


async def test_records_are_found_by_the_product_that_they_are_parts_of(store: Store, fresh: str) -> None:
    for record, parent in (("a", "7"), ("b", "7"), ("c", "8")):
        await store.agreements.put(row(fresh, record, parent=parent))
    assert [one.id for one in await store.agreements.parts_of(fresh, "item", "7")] == ["a", "b"]
    assert await store.agreements.parts_of(fresh, "item", "9") == ()


async def test_many_records_are_asked_for_at_once_and_read_in_pages(store: Store, fresh: str) -> None:
    ids = [f"r{number:04d}" for number in range(1203)]
    await store.agreements.note(noted("acme", "us", fresh, "item", {one: one.upper() for one in ids}))
    found = await store.agreements.of(fresh, "item", [*ids, "unknown"])
    assert set(found) == set(ids)
    assert [one.id async for one in store.agreements.every(fresh, "item", page=100)] == ids


async def test_a_name_that_is_noted_again_changes_nothing_that_is_known(store: Store, fresh: str) -> None:
    await store.agreements.put(row(fresh, "a"))
    await store.agreements.note(noted("acme", "us", fresh, "item", {"a": "another", "b": "B"}))
    await store.agreements.note([])
    assert {one.id: one.name async for one in store.agreements.every(fresh, "item")} == {"a": "A", "b": "B"}


async def test_what_is_on_its_way_is_kept_with_what_was_agreed_until_both_agree_anew(store: Store, fresh: str) -> None:
    agreed = row(fresh, "a", digests=Digests(fusion={"name": "1"}, shop={"name": "1"}))
    await store.agreements.put(agreed)
    await store.agreements.sending(fresh, "item", "a", {"name": "2"})
    assert await store.agreements.get(fresh, "item", "a") == agreed.model_copy(update={"sent": {"name": "2"}})
    await store.agreements.put(agreed)
    assert await store.agreements.get(fresh, "item", "a") == agreed
    await store.agreements.sending(fresh, "item", "b", {"name": "2"})
    assert await store.agreements.get(fresh, "item", "b") is None
