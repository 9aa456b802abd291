"""Products and variants against the shop's twin: read while they change, drafted, and changed where they are ours."""

import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from support.bigcommerce_store import connected, shop_twin, store_of

from clients.bigcommerce import BigCommerceClient
from clients.errors import BadAnswer, InDoubt, Rejected, Unavailable
from contracts.bigcommerce_catalog import ProductChange, ProductDraft, VariantChange
from sandbox.bigcommerce import BigCommerceTwin
from sandbox.bigcommerce.catalog import Catalog
from sandbox.kit import serve

HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)
TOWEL = 77
OWNED = ("name", "description", "weight")


@pytest.fixture
async def twin() -> AsyncIterator[BigCommerceTwin]:
    twin = shop_twin()
    async with serve(twin):
        yield twin


@pytest.fixture
async def client(twin: BigCommerceTwin) -> AsyncIterator[BigCommerceClient]:
    client = connected(twin, page_size=50)
    yield client
    await client.aclose()


@pytest.fixture
async def paged(twin: BigCommerceTwin) -> AsyncIterator[BigCommerceClient]:
    """A client that reads very small pages."""
    client = connected(twin, page_size=7)
    yield client
    await client.aclose()


def catalog(twin: BigCommerceTwin) -> Catalog:
    return store_of(twin).catalog


def puts(twin: BigCommerceTwin) -> int:
    return twin.calls.count("PUT")


@pytest.mark.parametrize("bounds", ["at", "after"])
async def test_a_window_holds_exactly_what_changed_in_it(
    twin: BigCommerceTwin, client: BigCommerceClient, bounds: str
) -> None:
    store_of(twin).habits.bounds = bounds
    rows = [catalog(twin).products[one] for one in catalog(twin).grow(300)]
    stamps = sorted(row.modified for row in rows)
    since, until = stamps[100], stamps[200]

    found = [row.id async for row in client.products.changed(since, until)]

    assert found == sorted(row.id for row in rows if since <= row.modified <= until)
    assert [row async for row in client.products.changed(twin.clock.now() + HOUR)] == []


async def test_what_changes_comes_and_goes_while_it_is_read_takes_no_neighbour_along(
    twin: BigCommerceTwin, paged: BigCommerceClient
) -> None:
    made = catalog(twin).grow(200)
    began = await paged.time()
    seen, changed, gone = dict[int, str](), set[int](), set[int]()
    async for row in paged.products.changed():
        seen[row.id] = row.name
        at = made.index(row.id) if row.id in made else 0
        if at % 5 == 1:
            for step in (-3, 40):
                other = made[(at + step) % 200]
                if other not in gone:
                    changed.add(other)
                    catalog(twin).edit(other, name=f"Renamed {row.id}-{other}")
        if at % 50 == 2 and made[at - 1] not in gone:
            gone.add(made[at - 1])
            catalog(twin).delete(made[at - 1])
        if at == 100:
            made += catalog(twin).grow(3)
    later = {row.id: row.name async for row in paged.products.changed(began)}

    assert set(catalog(twin).products) <= set(seen)
    assert changed - gone <= set(later)
    assert {one: later[one] for one in changed - gone} == {
        one: catalog(twin).products[one].fields["name"] for one in changed - gone
    }


async def test_a_deleted_product_is_known_by_its_absence(twin: BigCommerceTwin, client: BigCommerceClient) -> None:
    made = catalog(twin).grow(120)
    catalog(twin).delete(made[3])

    found = await client.products.of(made)

    assert set(made) - set(found) == {made[3]}
    assert found[made[0]].sku == f"GEN-{made[0]:06}"


@pytest.mark.parametrize("ignored", ["sort", "id:greater", "date_modified:min"])
async def test_a_shop_that_ignores_filter_or_sort_is_not_believed(
    twin: BigCommerceTwin, client: BigCommerceClient, ignored: str
) -> None:
    catalog(twin).grow(200)
    store_of(twin).habits.ignored = {ignored}
    since = twin.clock.now() if "date" in ignored else dt.datetime(2020, 1, 1, tzinfo=dt.UTC)

    with pytest.raises(BadAnswer, match="ignored the"):
        [row async for row in client.products.changed(since)]


async def test_a_product_shows_what_an_item_needs(client: BigCommerceClient) -> None:
    towel = (await client.products.of([TOWEL]))[TOWEL]

    assert (towel.sku, towel.type, towel.price, towel.cost_price) == (
        "KIT-TOWEL",
        "physical",
        Decimal("14.95"),
        Decimal("6.1"),
    )
    assert towel.categories == (20,)
    assert towel.is_visible
    assert towel.date_modified == dt.datetime(2024, 1, 15, 9, tzinfo=dt.UTC)


async def test_variants_are_complete_although_nothing_sorts_their_pages(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    big, small, *_ = catalog(twin).grow(120, options_every=0)
    catalog(twin).add_variants(big, 170)

    found = await client.variants.of([big, small, 10**6])

    assert len({one.sku for one in found[big]}) == 170
    assert [one.id for one in found[big]] == sorted(one.id for one in found[big])
    assert found[big][0].option_values[0].option_display_name == "Size"
    assert [one.sku for one in found[small]] == [f"GEN-{small:06}"]
    assert found[10**6] == ()


async def test_a_shop_that_ignores_whose_variants_are_asked_for_is_noticed(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    store_of(twin).habits.ignored = {"product_id:in"}
    with pytest.raises(BadAnswer, match="ignored the filter by product"):
        await client.variants.of([TOWEL])


async def test_a_sku_is_found_on_products_and_variants_whatever_its_case(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    (product,) = catalog(twin).grow(1, options_every=0)
    catalog(twin).add_variants(product, 2)
    sku = f"GEN-{product:06}"

    towel = await client.products.place_of_sku("kit-towel")
    assert towel is not None
    assert (towel.sku, towel.product_id) == ("KIT-TOWEL", TOWEL)
    size = await client.products.place_of_sku(f"{sku}-001")
    assert size is not None
    assert (size.product_id, size.variant_id > 0) == (product, True)
    parent = await client.products.place_of_sku(sku)
    assert parent is not None
    assert (parent.product_id, parent.variant_id) == (product, 0)
    assert await client.products.place_of_sku("NOT-THERE") is None


async def test_a_sku_is_not_taken_for_free_where_the_question_was_ignored(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    store_of(twin).habits.ignored = {"sku"}
    with pytest.raises(BadAnswer, match="ignored the filter by SKU"):
        await client.products.place_of_sku("NOT-THERE")


DRAFT = ProductDraft(name="Copper kettle", sku="KIT-KETTLE", weight=Decimal("1.25"), categories=(20,), mpn="CK-1")


async def test_a_new_item_is_a_draft_that_nobody_sees_or_buys(twin: BigCommerceTwin, client: BigCommerceClient) -> None:
    made = await client.products.create_draft(DRAFT)

    fields = catalog(twin).products[made.id].fields
    assert (fields["is_visible"], fields["availability"]) == (False, "disabled")
    assert (fields["price"], fields["weight"], fields["categories"], fields["mpn"]) == (0, 1.25, [20], "CK-1")
    assert not {"cost_price", "inventory_level", "inventory_tracking"} & fields.keys()
    assert made.row is not None
    assert (made.row.sku, made.faults) == ("KIT-KETTLE", ())


async def test_price_and_stock_are_written_only_when_asked(twin: BigCommerceTwin, client: BigCommerceClient) -> None:
    priced = DRAFT.model_copy(update={"price": Decimal("89.90"), "inventory_level": 4})
    before = len(list(twin.calls))
    with pytest.raises(ValueError, match="Nobody asked to write inventory_level, price"):
        await client.products.create_draft(priced)
    with pytest.raises(ValueError, match="Nobody asked to write price"):
        [one async for one in client.products.change([ProductChange(id=TOWEL, price=Decimal(1))], stock=True)]
    with pytest.raises(ValueError, match="Nobody asked to write inventory_level"):
        [one async for one in client.variants.change([VariantChange(id=1, inventory_level=1)], prices=True)]
    assert len(list(twin.calls)) == before, "nothing was sent"

    made = await client.products.create_draft(priced, prices=True, stock=True)
    assert catalog(twin).products[made.id].fields["price"] == 89.9
    assert not catalog(twin).products[made.id].fields["is_visible"]


async def test_a_draft_whose_answer_was_lost_is_found_by_its_sku_and_never_made_twice(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    twin.faults.set("lost_answer", method="POST", path="catalog/products", count=1)
    with pytest.raises(InDoubt):
        await client.products.create_draft(DRAFT)

    place = await client.products.place_of_sku(DRAFT.sku)
    assert place is not None
    assert (await client.products.of([place.product_id]))[place.product_id].name == DRAFT.name
    with pytest.raises(Rejected, match="duplicate") as refused:
        await client.products.create_draft(DRAFT)
    assert refused.value.status == 409
    assert sum(row.fields.get("sku") == DRAFT.sku for row in catalog(twin).products.values()) == 1


async def test_a_draft_that_cannot_be_seen_yet_is_refused_when_it_is_made_again(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    twin.faults.set("late_visibility", seconds=60, count=1)
    await client.products.create_draft(DRAFT)
    assert await client.products.place_of_sku(DRAFT.sku) is None
    with pytest.raises(Rejected) as refused:
        await client.products.create_draft(DRAFT.model_copy(update={"name": "Another name"}))
    assert refused.value.status == 409


async def test_a_product_that_was_made_in_part_says_what_is_missing(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    store_of(twin).habits.untaken = {"mpn"}
    made = await client.products.create_draft(DRAFT)
    assert made.row is not None
    assert any("mpn could not be saved" in one for one in made.faults)


async def test_only_the_fields_that_are_ours_are_written(twin: BigCommerceTwin, client: BigCommerceClient) -> None:
    before = dict(catalog(twin).products[TOWEL].fields)

    (written,) = [one async for one in client.products.change([ProductChange(id=TOWEL, name="Towel", upc="1")])]

    assert written.row is not None
    assert catalog(twin).products[TOWEL].fields == before | {"name": "Towel", "upc": "1"}


@pytest.mark.parametrize("batches", ["whole", "row"])
async def test_ten_products_go_in_a_call_and_a_bad_one_stops_no_neighbour(
    twin: BigCommerceTwin, client: BigCommerceClient, batches: str
) -> None:
    store_of(twin).habits.batches = batches
    made = catalog(twin).grow(24)
    changes = [ProductChange(id=one, name=f"New {one}") for one in made]

    written = [one async for one in client.products.change(changes)]
    assert [one.id for one in written] == made
    assert puts(twin) == 3
    assert not any(one.error or one.faults for one in written)

    clash = ProductChange(id=made[3], name="Bread knife")
    missing = ProductChange(id=10**7, name="Nobody")
    wanted = [ProductChange(id=made[0], name="First"), clash, missing, ProductChange(id=made[4], name="Last")]
    written = [one async for one in client.products.change(wanted)]
    assert [one.error is None for one in written] == [True, False, False, True]
    assert "duplicate" in str(written[1].error)
    assert catalog(twin).products[made[4]].fields["name"] == "Last"


async def test_a_field_that_was_not_saved_is_told_of_its_product_alone(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    store_of(twin).habits.untaken = {"gtin"}
    one, other = catalog(twin).grow(2)
    changes = [ProductChange(id=one, gtin="400638133"), ProductChange(id=other, name="Fine")]

    written = [row async for row in client.products.change(changes)]

    assert any("gtin" in said for said in written[0].faults)
    assert (written[1].faults, written[1].error) == ((), None)


async def test_a_change_whose_answer_is_lost_is_simply_made_again(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    # Once more than the transport asks again by itself, which it may: setting values twice is setting them once.
    twin.faults.set("lost_answer", method="PUT", count=2)
    change = [ProductChange(id=TOWEL, name="Once")]
    with pytest.raises(Unavailable):
        [one async for one in client.products.change(change)]
    assert [one.row.name async for one in client.products.change(change) if one.row] == ["Once"]


async def test_our_own_writes_are_known_again_and_do_not_come_back_as_changes(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    began = await client.time()
    change = ProductChange(id=TOWEL, name=" Tea towel ", weight=Decimal("0.12345"), description="<p>Linen</p>")
    (written,) = [one async for one in client.products.change([change])]
    assert written.row is not None
    ours = written.row.fingerprint(OWNED)

    (seen,) = [row async for row in client.products.changed(began)]
    assert seen.fingerprint(OWNED) == ours, "the shop trims and rounds; its own answer is what is remembered"
    catalog(twin).edit(TOWEL, price=99, inventory_level=3)
    assert (await client.products.of([TOWEL]))[TOWEL].fingerprint(OWNED) == ours, "what is not ours does not concern us"
    catalog(twin).edit(TOWEL, name="Renamed by a person")
    assert (await client.products.of([TOWEL]))[TOWEL].fingerprint(OWNED) != ours


async def test_nothing_is_written_where_nothing_differs(twin: BigCommerceTwin, client: BigCommerceClient) -> None:
    towel = (await client.products.of([TOWEL]))[TOWEL]
    same = ProductChange(id=TOWEL, name=towel.name, categories=(20,), weight=Decimal("1.000"))
    assert same.against(towel) is None
    partly = ProductChange(id=TOWEL, name="Else", weight=Decimal(1)).against(towel)
    assert partly == ProductChange(id=TOWEL, name="Else")
    assert [one async for one in client.products.change([ProductChange(id=TOWEL)])] == []
    assert puts(twin) == 0


async def test_fifty_variants_go_in_a_call_and_a_bad_one_stops_no_neighbour(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    (product,) = catalog(twin).grow(1)
    catalog(twin).add_variants(product, 60)
    variants = (await client.variants.of([product]))[product]
    changes = [VariantChange(id=one.id, upc=f"{one.id}") for one in variants]

    written = [one async for one in client.variants.change(changes)]
    assert puts(twin) == 2
    assert {one.row.upc for one in written if one.row} == {str(one.id) for one in variants}

    bad = [VariantChange(id=10**8, upc="1"), VariantChange(id=variants[0].id, upc="2")]
    missing, fine = [one async for one in client.variants.change(bad)]
    assert "does not exist" in str(missing.error)
    assert fine.row is not None
    assert fine.row.upc == "2"


@pytest.mark.parametrize("touch", [True, False])
async def test_whether_a_changed_variant_shows_in_its_product_is_the_shops_habit(
    twin: BigCommerceTwin, client: BigCommerceClient, touch: bool
) -> None:
    store_of(twin).habits.variants_touch = touch
    (product,) = catalog(twin).grow(1)
    began = await client.time()
    (variant,) = (await client.variants.of([product]))[product]

    [one async for one in client.variants.change([VariantChange(id=variant.id, bin_picking_number="A1")])]

    assert [row.id async for row in client.products.changed(began)] == ([product] if touch else [])
    # Where it does not, a read of everything, or the shop's webhook, tells.
    assert (await client.variants.of([product]))[product][0].bin_picking_number == "A1"


async def test_categories_and_their_trees(client: BigCommerceClient) -> None:
    rows = {row.category_id: row for row in await client.categories()}
    assert list(rows) == sorted(rows)
    assert (rows[19].name, rows[19].parent_id, rows[19].tree_id) == ("Garden", 18, 1)
    (tree,) = await client.category_trees()
    assert (tree.id, tree.channels) == (1, (1,))


async def test_a_row_that_is_named_twice_is_a_mistake_of_the_caller(client: BigCommerceClient) -> None:
    twice = [ProductChange(id=TOWEL, name="A"), ProductChange(id=TOWEL, name="B")]
    with pytest.raises(ValueError, match="twice"):
        [one async for one in client.products.change(twice)]
