"""Customers are made once, whatever the pod is like and wherever a run stops."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from support.fusion_customers import SETS, SETTINGS, customer, once, site, there
from support.fusion_framework import connected
from support.still_clock import still_time

from clients.errors import Forbidden, InDoubt, Rejected, Resolution, Unauthorized, Unavailable
from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.errors import Ambiguous, NotVisibleYet
from clients.oracle_fusion.visibility import Patience
from contracts.master_data import Outcome
from sandbox.fusion import FusionTwin, demo_world, rest
from sandbox.fusion.masters import customer_accounts
from sandbox.fusion.receivables.demo import EU_UNIT, US_UNIT
from sandbox.kit import serve

QUICK = Patience(limit=600.0, first=0.02, longest=0.1)
SERVICE = "/crmService/CustomerAccountService"
CRM = "/crmRestApi/.*/hubOrganizations$"


@pytest.fixture
async def twin() -> AsyncIterator[FusionTwin]:
    twin = FusionTwin(demo_world())
    async with serve(twin):
        yield twin


@pytest.fixture
async def clients(twin: FusionTwin) -> AsyncIterator[Any]:
    """Makes clients with settings of their own."""
    async with AsyncExitStack() as stack:

        def make(**customers: Any) -> FusionClient:
            client = connected(twin, customers={"reference_sets": SETS, **customers})
            stack.push_async_callback(client.aclose)
            return client

        yield make


@pytest.fixture
async def fusion(twin: FusionTwin) -> AsyncIterator[FusionClient]:
    client = connected(twin, **SETTINGS)
    yield client
    await client.aclose()


async def test_a_customer_is_made_with_all_its_sites_and_found_the_second_time(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    wanted = customer(7, site(1), site(2, purposes=("SHIP_TO",)), site(1, business_unit=EU_UNIT))
    made = await fusion.customers.ensure_customer(wanted, patience=QUICK)
    assert made.outcome is Outcome.CREATED
    assert made.created == ("party", "account")
    assert made.party.name == wanted.name
    assert made.differences == ()
    assert set(made.party_sites) == {"acme/bc-us/address/1", "acme/bc-us/address/2"}
    assert [len(one.uses) for one in made.account.sites] == [2, 1, 2]
    assert once(twin, wanted)
    again = await fusion.customers.ensure_customer(wanted, patience=QUICK)
    assert (again.outcome, again.created) == (Outcome.FOUND, ())
    assert again.account == made.account
    assert again.party.party_id == made.party.party_id
    found = await fusion.customers.customer(wanted.reference)
    assert found == (again.party, again.account)


async def test_what_was_made_can_be_billed_to(twin: FusionTwin, fusion: FusionClient) -> None:
    made = await fusion.customers.ensure_customer(customer(), patience=QUICK)
    sites = await fusion.bill_to_sites(made.account.account_number)
    assert [(one.site, one.primary) for one in sites] == [("Springfield 1", True)]


async def test_what_is_missing_is_added_and_what_differs_is_told_and_left(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    first = customer(7, site(1, purposes=("BILL_TO",)))
    await fusion.customers.ensure_customer(first, patience=QUICK)
    more = customer(7, site(1), site(2), name="Smith Ltd")
    made = await fusion.customers.ensure_customer(more, patience=QUICK)
    assert (made.outcome, made.created) == (Outcome.COMPLETED, ("address", "site"))
    assert made.differences == ("name",)
    assert made.party.name == first.name
    assert once(twin, more)
    purpose = customer(7, site(1), site(2), site(1, business_unit=EU_UNIT, purposes=("BILL_TO",)), name="Smith Ltd")
    assert (await fusion.customers.ensure_customer(purpose, patience=QUICK)).created == ("site",)
    assert once(twin, purpose)


@pytest.mark.parametrize("query", ["attribute", "child", "none"])
@pytest.mark.parametrize("numbers", ["automatic", "given"])
@pytest.mark.parametrize("address", ["PartySiteId", "AddressId"])
@pytest.mark.parametrize("answers", ["plain", "mtom"])
async def test_pods_of_every_kind_have_the_customer_once(
    twin: FusionTwin, clients: Any, query: str, numbers: str, address: str, answers: str
) -> None:
    habits = twin.world.masters.habits
    habits.party_query, habits.party_site_id, habits.soap_answers = query, address, answers  # type: ignore[assignment]
    habits.party_numbers = habits.account_numbers = numbers  # type: ignore[assignment]
    wanted = customer(7, site(1), site(2))
    for outcome in (Outcome.CREATED, Outcome.FOUND):
        fusion = clients(party_numbers=numbers, account_numbers=numbers)
        assert (await fusion.customers.ensure_customer(wanted, patience=QUICK)).outcome is outcome
    assert once(twin, wanted)
    if numbers == "given":
        assert twin.customers.referred(wanted.reference)[0].number.startswith("ML")


@pytest.mark.parametrize("query", ["attribute", "child", "none"])
async def test_a_party_without_an_account_is_found_and_completed(
    twin: FusionTwin, fusion: FusionClient, query: str
) -> None:
    twin.world.masters.habits.party_query = query  # type: ignore[assignment]
    wanted = customer()
    twin.faults.set("soap_fault", path=SERVICE, skip=4, count=1, options={"message": "No more accounts today."})
    with pytest.raises(Rejected, match="No more accounts"):
        await fusion.customers.ensure_customer(wanted, patience=QUICK)
    assert there(twin, wanted) == (1, 0)
    found = await fusion.customers.customer(wanted.reference, wanted.name)
    assert found is not None
    assert found[1] is None
    made = await fusion.customers.ensure_customer(wanted, patience=QUICK)
    assert (made.outcome, made.created) == (Outcome.COMPLETED, ("account",))
    assert once(twin, wanted)


@pytest.mark.parametrize("fault", ["lost_answer", "error_after"])
@pytest.mark.parametrize("place", [CRM, SERVICE])
async def test_a_lost_answer_is_looked_after_and_nothing_is_made_twice(
    twin: FusionTwin, fusion: FusionClient, fault: str, place: str
) -> None:
    wanted = customer()
    # Four questions to the service come first.
    twin.faults.set(fault, path=place, method="POST", count=1, skip=4 if place == SERVICE else 0)
    made = await fusion.customers.ensure_customer(wanted, patience=QUICK)
    assert made.outcome is Outcome.CREATED
    assert once(twin, wanted)


class Hidden:
    """Rows that are not shown before they were looked for three times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[int] = []
        self._time = still_time(monkeypatch, rest, customer_accounts)

    def tell(self, number: int, _: float) -> None:
        self.told.append(number)
        self._time.now += 10


async def test_a_lost_answer_to_what_is_not_shown_yet_is_in_doubt(
    twin: FusionTwin, fusion: FusionClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, hidden = customer(), Hidden(monkeypatch)
    twin.faults.set("late_item", path=CRM, seconds=30, count=1, options={"lists": True})
    twin.faults.set("lost_answer", path=CRM, method="POST", count=1)
    with pytest.raises(InDoubt):
        await fusion.customers.ensure_customer(wanted, patience=QUICK)
    # Where one reference can belong to one party only, not even who does not wait makes a second one.
    made = await fusion.customers.ensure_customer(wanted, patience=QUICK, told=hidden.tell)
    assert (made.outcome, made.created) == (Outcome.COMPLETED, ("account",))
    assert hidden.told == [1, 2, 3]
    assert once(twin, wanted)


async def test_what_is_created_is_waited_for_and_never_created_again(
    twin: FusionTwin, fusion: FusionClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, hidden = customer(), Hidden(monkeypatch)
    twin.faults.set("late_item", path=CRM, seconds=30, count=1, options={"lists": True})
    twin.faults.set("late_account", path="createCustomerAccount", seconds=30, count=1)
    made = await fusion.customers.ensure_customer(wanted, patience=QUICK, told=hidden.tell)
    assert made.outcome is Outcome.CREATED
    assert hidden.told == [1, 2, 3] * 2
    assert once(twin, wanted)


async def test_patience_that_ends_is_in_doubt(twin: FusionTwin, fusion: FusionClient) -> None:
    twin.faults.set("late_account", path="createCustomerAccount", seconds=3600, count=1)
    with pytest.raises(NotVisibleYet) as raised:
        await fusion.customers.ensure_customer(customer(), patience=Patience(limit=0.2, first=0.05, longest=0.05))
    assert raised.value.resolution is Resolution.IN_DOUBT
    with pytest.raises(NotVisibleYet, match="exists, but does not show it"):
        await fusion.customers.ensure_customer(customer(), patience=Patience(limit=0.2, first=0.05, longest=0.05))
    assert there(twin, customer()) == (1, 1)


async def test_what_was_created_and_cannot_be_read_back_is_in_doubt(twin: FusionTwin, fusion: FusionClient) -> None:
    # The first read after the create fails.
    twin.faults.set("error", path=CRM, method="GET", status=503, skip=6)
    with pytest.raises(InDoubt, match="was created, but cannot be read back"):
        await fusion.customers.ensure_customer(customer(), patience=QUICK)
    twin.faults.clear()
    await fusion.customers.ensure_customer(customer(), patience=QUICK)
    assert once(twin, customer())


async def test_two_of_them_are_never_chosen_from(twin: FusionTwin, fusion: FusionClient) -> None:
    twin.world.masters.habits.duplicate_references = "accepted"
    wanted = customer()
    made = await fusion.customers.ensure_customer(wanted, patience=QUICK)
    (ours,) = twin.customers.referred(wanted.reference)
    twin.customers.accounts.append(replace(ours, id=ours.id + 10**6, number="second"))
    with pytest.raises(Ambiguous, match="more than one of the customer accounts"):
        await fusion.customers.ensure_customer(wanted, patience=QUICK)
    # Once people have ended one of them, the other one is the customer.
    ours.active = False
    assert (await fusion.customers.ensure_customer(wanted, patience=QUICK)).account.account_number == "second"
    twin.customers.accounts.pop()
    assert (await fusion.customers.ensure_customer(wanted, patience=QUICK)).differences == ("account inactive",)
    twin.customers.accounts.remove(ours)
    reference = {"SourceSystem": "ML_CONNECTOR", "SourceSystemReferenceValue": wanted.reference}
    twin.parties._create(None, {"OrganizationName": "Smith", "SourceSystemReference": [reference]})
    with pytest.raises(Ambiguous, match="more than one of the organizations"):
        await fusion.customers.ensure_customer(wanted, patience=QUICK)
    first = twin.parties.identified(made.party.party_id)
    assert first is not None
    first.values["Status"] = "M"
    found = await fusion.customers.customer(wanted.reference)
    assert found is not None
    assert found[0].name == "Smith"


async def test_an_account_of_another_system_with_the_same_reference_is_not_ours(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    wanted = customer()
    theirs = twin.customers.accounts[0]
    theirs.reference, theirs.references = wanted.reference, [("LEGACY", wanted.reference)]
    made = await fusion.customers.ensure_customer(wanted, patience=QUICK)
    assert made.account.account_id != theirs.id
    assert made.outcome is Outcome.CREATED


@pytest.mark.parametrize("blind", [CRM, SERVICE])
async def test_a_missing_role_is_not_taken_for_a_customer_that_is_missing(
    twin: FusionTwin, fusion: FusionClient, blind: str
) -> None:
    wanted = customer()
    await fusion.customers.ensure_customer(wanted, patience=QUICK)
    if blind == CRM:
        twin.customers.accounts[:] = [one for one in twin.customers.accounts if one.party_id != 0][:3]
    twin.faults.set("no_data", path=blind)
    writes = len(twin.calls.matching("POST", "hubOrganizations"))
    with pytest.raises(Forbidden) as raised:
        await fusion.customers.ensure_customer(wanted, patience=QUICK)
    assert "Nothing was created" in raised.value.sentence or "does not show" in raised.value.sentence
    assert raised.value.resolution is Resolution.CONFIG
    assert len(twin.calls.matching("POST", "hubOrganizations")) == writes
    twin.faults.clear()
    assert there(twin, wanted)[0] == 1


async def test_the_first_account_of_a_pod_is_made_where_the_settings_say_that_there_is_none(
    twin: FusionTwin, clients: Any
) -> None:
    twin.customers.accounts.clear()
    with pytest.raises(Forbidden, match="no customer accounts at all"):
        await clients().customers.ensure_customer(customer(), patience=QUICK)
    made = await clients(first_customer=True).customers.ensure_customer(customer(), patience=QUICK)
    assert made.created == ("account",)


async def test_what_the_service_refuses_is_told_in_its_words_with_every_fault(twin: FusionTwin, clients: Any) -> None:
    with pytest.raises(Rejected) as raised:
        await clients(source_system="NOBODY").customers.ensure_customer(customer(), patience=QUICK)
    assert "source system NOBODY isn't valid" in raised.value.sentence
    with pytest.raises(Rejected, match="no reference data set is known"):
        await clients().customers.ensure_customer(customer(7, site(business_unit="Nowhere")), patience=QUICK)
    fusion = clients(reference_sets={US_UNIT: 17})
    with pytest.raises(Rejected) as raised:
        await fusion.customers.ensure_customer(customer(8), patience=QUICK)
    assert raised.value.code == "27024"
    assert raised.value.messages[0] == "Failed to validate a row in CustomerAccountEO."
    assert raised.value.messages[1].startswith("The reference data set doesn't exist.")
    assert raised.value.status == 500


@pytest.mark.parametrize("status", [500, 200])
async def test_a_fault_is_a_refusal_whatever_its_status_and_only_the_services_own_one(
    twin: FusionTwin, fusion: FusionClient, status: int
) -> None:
    twin.world.masters.habits.fault_status = status  # type: ignore[assignment]
    faults: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"message": "The name is too long.", "code": "HZ:::HZ_NAME"}, Rejected),
        (
            {"message": "No token.", "fault_code": "wsse:FailedAuthentication", "service": False},
            Unauthorized,
        ),
        ({"message": "The user is not authorized to invoke the service."}, Forbidden),
        ({"message": "ORA-00060: deadlock detected", "code": "29000"}, InDoubt),
        ({"message": "Policy enforcement failed.", "service": False}, InDoubt),
    ]
    for options, kind in faults:
        wanted = customer(len(options) * 10)
        fault = twin.faults.set("soap_fault", path=SERVICE, skip=4, count=1, options=options)
        with pytest.raises(kind):
            await fusion.customers.ensure_customer(wanted, patience=QUICK)
        assert fault.struck == 1
        twin.parties.rows[:] = [row for row in twin.parties.rows if row not in twin.parties.referred(wanted.reference)]
        twin.references._owners.clear()
    twin.faults.set("soap_fault", path=SERVICE, options={"message": "Try again.", "service": False})
    with pytest.raises(Unavailable):
        await fusion.customers.customer("acme/bc-us/customer/9")


@pytest.mark.parametrize("refused", ["OrganizationName='Smith", "hubOrganizations\\?.*(Reference|Name)"])
async def test_a_question_that_was_not_taken_is_no_proof_that_there_is_no_party(
    twin: FusionTwin, clients: Any, refused: str
) -> None:
    habits = twin.world.masters.habits
    habits.party_query, habits.duplicate_references = "none", "accepted"
    wanted = customer()
    # A run in doubt has made it; its name alone is what this pod finds it by.
    reference = {"SourceSystem": "ML_CONNECTOR", "SourceSystemReferenceValue": wanted.reference}
    twin.parties._create(None, {"OrganizationName": wanted.name, "SourceSystemReference": [reference]})
    fusion = clients()
    twin.faults.set("refused_question", path=refused)
    with pytest.raises(Rejected, match="nobody knows whether"):
        await fusion.customers.ensure_customer(wanted, patience=QUICK)
    with pytest.raises(Rejected, match="nobody knows whether"):
        await fusion.customers.customer(wanted.reference, wanted.name)
    assert there(twin, wanted) == (1, 0)


async def test_a_question_refused_for_one_customer_is_asked_for_the_next_one(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    twin.world.masters.habits.party_query = "none"
    twin.faults.set("refused_question", path="OrganizationName='Smith & Sons <No. 7>'")
    with pytest.raises(Rejected, match="declined a question"):
        await fusion.customers.ensure_customer(customer(7), patience=QUICK)
    for outcome in (Outcome.CREATED, Outcome.FOUND):
        assert (await fusion.customers.ensure_customer(customer(8, site(8)), patience=QUICK)).outcome is outcome
    twin.faults.clear()
    assert (await fusion.customers.ensure_customer(customer(7), patience=QUICK)).outcome is Outcome.CREATED
    assert once(twin, customer(7))


async def test_a_pod_that_takes_no_question_for_a_while_loses_none_of_them(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    await fusion.customers.ensure_customer(customer(), patience=QUICK)
    twin.faults.set("error", path=CRM, method="GET", status=400)
    for _ in range(2):
        with pytest.raises(Rejected):
            await fusion.customers.parties.find(customer().reference, customer().name, "", subject="customer 7")
    twin.faults.clear()
    (found,) = await fusion.customers.parties.find(customer().reference, "Another name", "", subject="customer 7")
    assert found.name == customer().name


async def test_an_account_whose_reference_no_question_finds_is_completed_and_seen_through_its_party(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    await fusion.customers.ensure_customer(customer(7, site(1)), patience=QUICK)
    (account,) = twin.customers.referred(customer().reference)
    account.reference = ""
    made = await fusion.customers.ensure_customer(customer(7, site(1), site(2)), patience=QUICK)
    assert (made.outcome, made.created) == (Outcome.COMPLETED, ("address", "site"))
    found = await fusion.customers.customer(customer().reference)
    assert found is not None
    assert (found[0].party_id, found[1]) == (made.party.party_id, made.account)
    assert once(twin, customer(7, site(1), site(2)))


async def test_accounts_are_read_page_by_page_and_by_the_time_of_their_change(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    twin.faults.set("unstable_order")
    for number in range(4):
        await fusion.customers.ensure_customer(customer(number, site(number)), patience=QUICK)
    every = [one.account_id async for one in fusion.customers.accounts.all()]
    assert every == sorted({one.id for one in twin.customers.accounts})
    since = twin.customers.accounts[-2].changed
    found = {one.account_id async for one in fusion.customers.accounts.changed(since)}
    assert found == {one.id for one in twin.customers.accounts if one.changed >= since.replace(microsecond=0)}


@pytest.mark.parametrize("query", ["attribute", "child", "none"])
async def test_changed_organizations_come_in_windows_with_their_references(
    twin: FusionTwin, fusion: FusionClient, query: str
) -> None:
    twin.world.masters.habits.party_query = query  # type: ignore[assignment]
    made = await fusion.customers.ensure_customer(customer(), patience=QUICK)
    twin.clock.advance(5)
    await fusion.customers.customer(customer().reference)
    window = await fusion.customers.parties.window(twin.clock.now())
    found = [one async for one in fusion.customers.parties.changed(window)]
    assert made.party.party_id in {one.party_id for one in found}
    ours = next(one for one in found if one.party_id == made.party.party_id)
    assert ours.references == (("ML_CONNECTOR", customer().reference),)


async def test_more_addresses_than_an_expanded_row_brings_are_all_known(twin: FusionTwin, fusion: FusionClient) -> None:
    wanted = customer(7, *(site(number, purposes=("SHIP_TO",)) for number in range(40)))
    await fusion.customers.ensure_customer(wanted, patience=QUICK)
    assert (await fusion.customers.ensure_customer(wanted, patience=QUICK)).outcome is Outcome.FOUND
    assert once(twin, wanted)
