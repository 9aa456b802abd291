"""What resources say of themselves is kept between processes, and given only for the place that said it."""

from store import Store

HERE, THERE = "https://pod.example/ framework 4", "https://test.pod.example/ framework 4"


async def test_the_newest_content_of_the_same_place_is_given(store: Store, other: Store, fresh: str) -> None:
    kept = store.resource_descriptions
    assert await kept.get(fresh, "itemsV2", origin=HERE) is None
    for content in ("one", "two"):
        await kept.put(fresh, "itemsV2", content, origin=HERE)
        assert await other.resource_descriptions.get(fresh, "itemsV2", origin=HERE) == content
    assert await kept.get(fresh, "items", origin=HERE) is None
    assert await kept.get(fresh, "itemsV2", origin=THERE) is None
    await kept.put(fresh, "itemsV2", "three", origin=THERE)
    assert await kept.get(fresh, "itemsV2", origin=HERE) is None
    assert await kept.get(fresh, "itemsV2", origin=THERE) == "three"
