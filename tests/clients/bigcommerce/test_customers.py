"""Customers against the shop's twin: read while they change, with all that belongs to them, made and changed."""

import datetime as dt
from collections.abc import AsyncIterator

import pytest
from support.bigcommerce_store import connected, shop_twin, store_of

from clients.bigcommerce import BigCommerceClient
from clients.errors import BadAnswer, InDoubt, Rejected
from contracts.bigcommerce_customer import CustomerChange, NewAddress, NewCustomer
from sandbox.bigcommerce import BigCommerceTwin
from sandbox.bigcommerce.customers import Customers
from sandbox.kit import serve

HOUR = dt.timedelta(hours=1)
ADA = 11
NEW = NewCustomer(
    email="Grace@Example.com",
    first_name="Grace",
    last_name="Miller",
    company="Miller Ltd",
    customer_group_id=2,
    addresses=(
        NewAddress(
            first_name="Grace",
            last_name="Miller",
            address1="5 Dock Road",
            city="Boston",
            country_code="US",
            state_or_province="Massachusetts",
            postal_code="02101",
        ),
    ),
)


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


def customers(twin: BigCommerceTwin) -> Customers:
    return store_of(twin).customers


@pytest.mark.parametrize("bounds", ["at", "after"])
async def test_a_window_holds_exactly_who_changed_in_it(
    twin: BigCommerceTwin, client: BigCommerceClient, bounds: str
) -> None:
    store_of(twin).habits.bounds = bounds
    rows = [customers(twin).rows[one] for one in customers(twin).grow(300)]
    stamps = sorted(row.modified for row in rows)
    since, until = stamps[100], stamps[200]

    found = [(row.date_modified, row.id) async for row in client.customers.changed(since, until)]

    assert sorted(one for _, one in found) == sorted(row.id for row in rows if since <= row.modified <= until)
    assert [at for at, _ in found] == sorted(at for at, _ in found)
    assert [row async for row in client.customers.changed(twin.clock.now() + HOUR)] == []


@pytest.mark.parametrize("bounds", ["at", "after"])
async def test_a_second_with_more_customers_than_a_page_is_read_completely(
    twin: BigCommerceTwin, client: BigCommerceClient, bounds: str
) -> None:
    store_of(twin).habits.bounds = bounds
    made = customers(twin).grow(330)
    noon = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
    for index, one in enumerate(made):
        # Most in one second, some right before and right after it.
        customers(twin).rows[one].modified = noon + dt.timedelta(seconds=(index % 3 if index < 30 else 1))

    found = [row.id async for row in client.customers.changed(noon)]

    assert sorted(found) == made


async def test_a_customer_that_changes_while_the_list_is_read_pushes_none_over_the_edge(
    twin: BigCommerceTwin, paged: BigCommerceClient
) -> None:
    made = customers(twin).grow(150)
    newest = dict[int, str]()
    count = 0
    async for row in paged.customers.changed():
        newest[row.id] = row.company
        count += 1
        if count < 150 and count % 4 == 0:
            customers(twin).edit(made[(count * 37) % 150], company=f"Company {count}")
    assert newest == {row.id: row.fields.get("company", "") for row in customers(twin).rows.values()}


@pytest.mark.parametrize("ignored", ["sort", "date_modified:min"])
async def test_a_shop_that_ignores_filter_or_sort_is_not_believed(
    twin: BigCommerceTwin, client: BigCommerceClient, ignored: str
) -> None:
    customers(twin).grow(200)
    store_of(twin).habits.ignored = {ignored}
    since = twin.clock.now() if "date" in ignored else dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    with pytest.raises(BadAnswer, match="ignored the"):
        [row async for row in client.customers.changed(since)]


async def test_a_customer_has_all_that_an_account_needs(client: BigCommerceClient) -> None:
    ada = (await client.customers.of([ADA]))[ADA]
    assert (ada.first_name, ada.last_name, ada.customer_group_id) == ("Ada", "Quill", 2)
    (address,) = ada.addresses
    assert (address.address1, address.city, address.country_code) == ("12 Cedar Lane", "Austin", "US")
    groups = {one.id: one.name for one in await client.customers.groups()}
    assert groups[ada.customer_group_id] == "Wholesale"
    assert {one.name for one in (await client.customers.attribute_names()).values()} == {
        "ERP account",
        "Credit limit",
        "ERP status",
    }


async def test_more_addresses_than_come_along_are_asked_for(twin: BigCommerceTwin, client: BigCommerceClient) -> None:
    for number in range(130):
        customers(twin).add_address(ADA, address1=f"{number} Elm Street", city="Austin", country_code="US")
    customers(twin).describe(ADA, 1, "4711")

    ada = (await client.customers.of([ADA]))[ADA]

    assert (len(ada.addresses), ada.address_count) == (131, 131)
    assert [one.id for one in ada.addresses] == sorted(one.id for one in ada.addresses)
    assert [(one.attribute_id, one.attribute_value) for one in ada.attributes] == [(1, "4711")]
    (again,) = [row async for row in client.customers.changed(twin.clock.now() - HOUR)]
    assert len(again.addresses) == 131


@pytest.mark.parametrize("touch", [True, False])
async def test_whether_a_new_address_shows_in_its_customer_is_the_shops_habit(
    twin: BigCommerceTwin, client: BigCommerceClient, touch: bool
) -> None:
    store_of(twin).habits.addresses_touch = touch
    began = await client.time()
    customers(twin).add_address(ADA, address1="1 New Road", country_code="US")
    assert [row.id async for row in client.customers.changed(began)] == ([ADA] if touch else [])
    # Where it does not, a read of everybody, or the shop's webhook, tells.
    assert [len(row.addresses) async for row in client.customers.changed() if row.id == ADA] == [2]


async def test_a_deleted_customer_is_known_by_absence(twin: BigCommerceTwin, client: BigCommerceClient) -> None:
    made = customers(twin).grow(60)
    customers(twin).delete(made[7])
    assert set(made) - set(await client.customers.of(made)) == {made[7]}


async def test_a_customer_is_found_by_e_mail_whatever_its_case_and_made_once(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    assert await client.customers.with_email("grace@example.com") is None
    twin.faults.set("lost_answer", method="POST", path="customers", count=1)
    with pytest.raises(InDoubt):
        await client.customers.create(NEW)

    found = await client.customers.with_email("grace@example.com")
    assert found is not None
    assert (found.company, found.addresses[0].city, found.customer_group_id) == ("Miller Ltd", "Boston", 2)
    with pytest.raises(Rejected) as refused:
        await client.customers.create(NEW)
    assert "already in use" in str(refused.value)
    assert "@" not in str(refused.value), "what the shop says of a person stays there"
    assert "@" not in "".join(refused.value.messages)


async def test_an_e_mail_is_not_taken_for_free_where_the_question_was_ignored(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    store_of(twin).habits.ignored = {"email:in"}
    with pytest.raises(BadAnswer, match="ignored the filter by e-mail"):
        await client.customers.with_email("grace@example.com")


async def test_ten_customers_go_in_a_call_and_a_bad_one_stops_no_neighbour(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    made = customers(twin).grow(23)
    before = {one: dict(customers(twin).rows[one].fields) for one in made}

    written = [row async for row in client.customers.change([CustomerChange(id=one, company="Acme") for one in made])]
    assert [row.id for row in written] == made
    assert twin.calls.count("PUT") == 3
    assert all(customers(twin).rows[one].fields == before[one] | {"company": "Acme"} for one in made)

    taken = CustomerChange(id=made[1], email="ada.quill@example.com")
    missing = CustomerChange(id=10**6, company="Nobody")
    fine = CustomerChange(id=made[2], customer_group_id=3)
    written = [row async for row in client.customers.change([taken, missing, fine])]
    assert [row.error is None for row in written] == [False, False, True]
    assert "@" not in str(written[0].error)
    assert written[2].row is not None
    assert CustomerChange(id=made[2], customer_group_id=3).against(written[2].row) is None


async def test_our_own_writes_are_known_again(twin: BigCommerceTwin, client: BigCommerceClient) -> None:
    owned = ("company", "customer_group_id")
    began = await client.time()
    (written,) = [row async for row in client.customers.change([CustomerChange(id=ADA, company=" Quill & Co ")])]
    assert written.row is not None
    (seen,) = [row async for row in client.customers.changed(began)]
    assert seen.fingerprint(owned) == written.row.fingerprint(owned)
    customers(twin).edit(ADA, company="Else")
    assert (await client.customers.of([ADA]))[ADA].fingerprint(owned) != written.row.fingerprint(owned)


async def test_nothing_of_a_person_is_printed(client: BigCommerceClient) -> None:
    printed = repr((await client.customers.of([ADA]))[ADA]) + repr(NEW) + repr(CustomerChange(id=1, company="Acme"))
    for private in ("Ada", "Quill", "Cedar", "Austin", "78701", "@", "5550100", "Grace", "Miller", "Dock", "Acme"):
        assert private not in printed


async def test_attributes_are_given_values_and_given_them_again(
    twin: BigCommerceTwin, client: BigCommerceClient
) -> None:
    for number in ("4711", "4712"):
        await client.customers.describe(ADA, {1: number, 3: "active"})
    ada = (await client.customers.of([ADA]))[ADA]
    assert {one.attribute_id: one.attribute_value for one in ada.attributes} == {1: "4712", 3: "active"}
    with pytest.raises(Rejected):
        await client.customers.describe(ADA, {99: "no such attribute"})
