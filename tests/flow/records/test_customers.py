"""Registered customers of a shop and customer accounts of Fusion, kept equal by who owns what."""

import dataclasses
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from replay.stage import with_integration
from support.clientele import ADA, BEN, COMPANY, NUMBER, STATUS, Clientele, with_customers
from support.stack import Stack, eventually, open_stack
from support.topology import TemporalServer
from support.typed import typed_beside

from contracts import names
from contracts.flow import State
from contracts.hooks import CUSTOMER_SCOPES
from sandbox.fusion.masters.setup import US_SET

SERVICE = "/crmService/CustomerAccountService"
ORGANIZATIONS = r"/hubOrganizations$"


@pytest.fixture
async def shop(temporal_server: TemporalServer, tmp_path: Path) -> AsyncIterator[Clientele]:
    async with open_stack(temporal_server, tmp_path, adjust=with_customers) as stack, stack.worker():
        yield Clientele(stack)


async def kept_company(stack: Stack, owner: str) -> Clientele:
    """The same shop, where somebody else owns the company's name."""
    policy = stack.configuration.integration("shop-us").customers.model_copy(update={"company": owner})
    changed = with_integration(stack.configuration, "shop-us", customers=policy)
    object.__setattr__(stack.parts, "configuration", changed)
    return Clientele(stack)


async def test_a_customer_of_the_group_gets_one_account_and_sees_its_number(shop: Clientele) -> None:
    shop.register()
    polled = await shop.poll("shop")
    assert (polled.seen, polled.started) == (3, 1), "private buyers are no accounts"
    result = await shop.result()
    assert result.state is State.POSTED, result
    account = shop.once()
    assert shop.party().values["OrganizationName"] == COMPANY
    assert [(site.set_id, sorted(use.purpose for use in site.uses)) for site in account.sites] == [
        (US_SET, ["BILL_TO", "SHIP_TO"])
    ]
    (address,) = shop.addresses()
    assert [address.values[name] for name in ("Address1", "City", "State", "PostalCode", "Country")] == [
        "12 Cedar Lane", "Austin", "Texas", "78701", "US",
    ]  # fmt: skip
    assert shop.rows.get(ADA).attributes == {NUMBER: account.number, STATUS: "active"}
    assert shop.accounts(BEN) == []
    assert await shop.document(BEN) is None
    assert await shop.events() == ["intended", "sent", "posted", "made", "written", "agreed"]


async def test_our_own_writes_are_recognised_and_nothing_goes_in_circles(shop: Clientele) -> None:
    shop.register()
    await shop.converged()
    before, written = shop.calls()
    for number in (1, 2):
        # What was written is announced by the shop, and seen by the polls of both sides.
        await shop.announce(flow=names.LOOK_AT_CUSTOMER)
        assert (await shop.poll("shop", whole=True, number=number)).started == 0
        assert (await shop.poll("fusion", whole=True, number=number)).started == 0
    result = await shop.converged()
    assert result.state is State.POSTED
    after, more = shop.calls()
    assert more == written, "nothing is written again"
    assert after - before <= 60
    shop.once()


async def test_a_customer_without_a_company_waits_for_a_person_until_it_has_one(shop: Clientele) -> None:
    await shop.announce()
    standing = await shop.in_review()
    assert [one.code for one in standing.problems] == ["customer_without_company"]
    assert "Quill" not in standing.problems[0].sentence
    shop.register()
    await shop.announce()
    assert (await shop.result()).state is State.POSTED
    shop.once()


async def test_an_address_that_came_becomes_a_site_and_one_that_changed_goes_to_a_person(shop: Clientele) -> None:
    shop.register()
    await shop.converged()
    added = shop.rows.add_address(
        ADA, address1="5 Dock Road", city="Boston", state_or_province="Massachusetts", postal_code="02101",
        country_code="US",
    )  # fmt: skip
    assert (await shop.poll("shop")).started == 1
    await eventually(lambda: len(shop.addresses()) == 2, "the address is in Fusion")
    assert (await shop.result()).state is State.POSTED
    assert len(shop.once().sites) == 2

    shop.rows.move(ADA, added, address1="7 Dock Road")
    await shop.announce()
    (problem,) = (await shop.in_review()).problems
    assert problem.code == "customer_differs"
    assert f"address {added} of the shop says something else" in problem.sentence
    assert "Dock" not in problem.sentence
    assert f"acme/bc-us/address/{added}" in problem.remedy
    there = next(one for one in shop.addresses() if one.values["Address1"] == "5 Dock Road")
    there.values["Address1"] = "7 Dock Road"
    await shop.decide("retry")
    assert (await shop.result()).state is State.POSTED
    assert len(shop.once().sites) == 2


async def test_a_site_that_ended_in_fusion_stays_so_and_nobody_says_that_it_was_written(shop: Clientele) -> None:
    shop.register()
    await shop.converged()
    before = await shop.events()
    (site,) = shop.once().sites
    site.active = False
    await shop.announce()
    assert [one.code for one in (await shop.in_review()).problems] == ["changed_where_not_owned"]
    await shop.decide("retry")

    async def told() -> str:
        row = await shop.document()
        return row.problems[0].sentence if row and row.problems and row.problems[0].code == "customer_differs" else ""

    assert "ended in Fusion" in await eventually(told, "the retry is answered")
    assert not site.active
    since = (await shop.events())[len(before) :]
    assert "written" not in since
    trail = await shop.stack.parts.store.audit.of("bc-us", names.CUSTOMER, str(ADA))
    told = [one.sentence for one in trail if one.action == "posted"]
    number = shop.once().number
    assert told == [
        f"customer account {number}: party, account created",
        f"customer account {number}: nothing more created",
    ]
    await shop.decide("skip")
    assert (await shop.result()).state is State.SKIPPED


async def test_a_name_that_differs_in_fusion_goes_to_a_person_and_quotes_nobody(shop: Clientele) -> None:
    shop.register()
    await shop.converged()
    shop.stack.fusion.parties.touch(shop.party(), OrganizationName="Quill Brothers")
    assert (await shop.poll("fusion")).started == 1
    (problem,) = (await shop.in_review()).problems
    assert problem.code == "customer_differs"
    assert "company is Q*** (21 characters) in the shop and Q*** (14 characters) in Fusion" in problem.sentence
    assert "never changed from here" in problem.sentence
    typed = typed_beside(shop.stack)
    listed = await typed("review", "list")
    assert "customer_differs" in listed.stdout or "company is Q***" in listed.stdout
    assert "Brothers" not in listed.stdout
    shop.stack.fusion.parties.touch(shop.party(), OrganizationName=COMPANY)
    await shop.decide("retry")
    assert (await shop.result()).state is State.POSTED
    assert shop.rows.get(ADA).fields["company"] == COMPANY


async def test_a_name_that_fusion_owns_is_written_to_the_shop(shop: Clientele) -> None:
    mine = await kept_company(shop.stack, "fusion")
    mine.register()
    await mine.converged()
    mine.stack.fusion.parties.touch(mine.party(), OrganizationName="Quill Brothers")
    assert (await mine.poll("fusion")).started == 1
    await eventually(lambda: mine.rows.get(ADA).fields["company"] == "Quill Brothers", "the shop has the name")
    assert (await mine.result()).state is State.POSTED

    mine.rows.edit(ADA, company="Somebody else")
    await mine.announce()
    (problem,) = (await mine.in_review()).problems
    assert problem.code == "changed_where_not_owned"
    assert "S*** (13 characters)" in problem.sentence
    await mine.decide("retry")
    assert (await mine.result()).state is State.POSTED
    assert mine.rows.get(ADA).fields["company"] == "Quill Brothers"


@pytest.mark.parametrize("answers", [True, False])
async def test_an_account_that_ends_in_fusion_says_so_in_the_shop(shop: Clientele, answers: bool) -> None:
    shop.register(BEN, "Harrow Supplies")
    await shop.converged(BEN)
    shop.register()
    await shop.converged()
    await shop.poll("fusion")
    if not answers:
        # Some pods cannot be asked when an account changed: then all of them are read.
        shop.stack.fusion.faults.set(
            "soap_fault", path=SERVICE, count=1, options={"message": "LastUpdateDate is not queryable."}
        )
    for mine, days in ((shop.once(BEN), 1), (shop.once(), 0)):
        mine.changed = shop.stack.fusion.clock.now() - dt.timedelta(days=days)
    shop.once().active = False
    for one in (ADA, BEN):
        shop.party(one).values[shop.stack.fusion.parties.stamp] -= dt.timedelta(days=1)
    polled = await shop.poll("fusion", number=1)
    assert (polled.seen, polled.started) == (1, 1), "who did not change costs no further question"
    await eventually(lambda: shop.rows.get(ADA).attributes[STATUS] == "inactive", "the shop says so")
    assert (await shop.result()).state is State.POSTED


async def test_a_customer_whose_account_is_there_twice_stops_no_poll(shop: Clientele) -> None:
    for one in (ADA, BEN):
        shop.register(one, f"{COMPANY} {one}")
        await shop.converged(one)
    await shop.poll("fusion")
    pod = shop.stack.fusion
    account = shop.once()
    twice = dataclasses.replace(account, id=account.id + 10**9, number=f"{account.number}9")
    pod.customers.accounts.append(twice)
    for entry in (account, twice):
        entry.changed -= dt.timedelta(days=1)
    for one in (ADA, BEN):
        pod.parties.touch(shop.party(one), OrganizationName="Renamed")
        # A window ends with the last whole second: what is younger is in the next.
        shop.party(one).values[pod.parties.stamp] -= dt.timedelta(seconds=2)
    assert (await shop.poll("fusion", number=1)).started == 2
    (problem,) = (await shop.in_review()).problems
    assert "more than one of the customer accounts" in problem.sentence
    assert [one.code for one in (await shop.in_review(BEN)).problems] == ["customer_differs"]


async def test_a_number_that_somebody_overwrites_in_the_shop_goes_to_a_person(shop: Clientele) -> None:
    shop.register()
    await shop.converged()
    shop.rows.describe(ADA, NUMBER, "9999")
    assert (await shop.poll("shop")).started == 1
    (problem,) = (await shop.in_review()).problems
    assert problem.code == "changed_where_not_owned"
    await shop.decide("retry")
    assert (await shop.result()).state is State.POSTED
    assert shop.rows.get(ADA).attributes[NUMBER] == shop.once().number


@pytest.mark.parametrize("how", ["webhook", "sweep"])
async def test_of_a_deleted_customer_the_trail_tells_and_nothing_is_touched(shop: Clientele, how: str) -> None:
    shop.register()
    await shop.converged()
    _, written = shop.calls()
    shop.rows.delete(ADA)
    if how == "webhook":
        await shop.announce(flow=names.LOOK_AT_CUSTOMER)
    else:
        assert (await shop.poll("shop", whole=True)).started == 1

    async def left() -> bool:
        row = await shop.document()
        return row is not None and row.state is State.SKIPPED

    await eventually(left, "it is left")
    row = await shop.document()
    assert row is not None
    assert row.reason == "the shop has it no more, and nothing is made anew"
    assert (await shop.events())[-1] == "left"
    assert shop.calls()[1] == written
    assert shop.once().active
    assert (await shop.poll("shop", whole=True, number=2)).started == 0


async def test_a_customer_who_leaves_the_group_keeps_the_account_as_it_is(shop: Clientele) -> None:
    shop.register()
    await shop.converged()
    shop.rows.edit(ADA, customer_group_id=1, company="Another name")
    assert (await shop.poll("shop")).started == 1

    async def left() -> bool:
        row = await shop.document()
        return row is not None and row.state is State.SKIPPED

    await eventually(left, "it is left")
    row = await shop.document()
    assert row is not None
    assert row.reason == "nothing of it is kept equal: members of customer group 1 get no account"
    assert shop.party().values["OrganizationName"] == COMPANY


async def test_a_private_buyer_costs_one_look_and_no_account(shop: Clientele) -> None:
    await shop.announce(BEN, flow=names.LOOK_AT_CUSTOMER)
    handle = shop.stack.temporal.get_workflow_handle(names.flow_id(names.LOOK_AT_CUSTOMER, "bc-us", str(BEN)))
    assert (await handle.result())["started"] == 0
    assert await shop.document(BEN) is None
    assert shop.stack.fusion.calls.count(path=SERVICE) == 0


@pytest.mark.parametrize(
    ("fault", "path", "skip"),
    [
        ("lost_answer", ORGANIZATIONS, 0),
        ("cut", ORGANIZATIONS, 0),
        ("error_after", SERVICE, 5),
        ("lost_answer", SERVICE, 5),
        ("error", SERVICE, 5),
    ],
)
async def test_whatever_becomes_of_an_answer_there_is_one_account(
    shop: Clientele, fault: str, path: str, skip: int
) -> None:
    shop.register()
    options: dict[str, Any] = {"status": 503} if fault == "error" else {}
    shop.stack.fusion.faults.set(fault, method="POST", path=path, count=1, skip=skip, **options)
    assert (await shop.converged()).state is State.POSTED
    shop.once()
    assert len(shop.addresses()) == 1


async def test_a_refusal_of_fusion_goes_to_a_person_without_what_it_quotes(shop: Clientele) -> None:
    shop.register()
    shop.stack.fusion.faults.set(
        "error", method="POST", path=ORGANIZATIONS, status=400, count=1,
        options={"text": f"The organization {COMPANY} at 12 Cedar Lane isn't valid."},
    )  # fmt: skip
    await shop.announce()
    (problem,) = (await shop.in_review()).problems
    for secret in ("Quill", "Cedar"):
        assert secret not in f"{problem.sentence} {problem.remedy}"
    assert "***" in problem.sentence
    await shop.decide("retry")
    assert (await shop.result()).state is State.POSTED
    shop.once()


async def test_a_shop_without_the_attribute_says_which_one_is_missing(shop: Clientele) -> None:
    policy = shop.stack.configuration.integration("shop-us").customers.model_copy(
        update={"number_attribute": "Account no."}
    )
    changed = with_integration(shop.stack.configuration, "shop-us", customers=policy)
    object.__setattr__(shop.stack.parts, "configuration", changed)
    shop.register()
    await shop.announce()
    (problem,) = (await shop.in_review()).problems
    assert problem.code == "no_such_attribute"
    assert '"Account no."' in problem.sentence
    assert shop.accounts() == []


async def test_a_changed_customer_is_found_by_the_next_poll_and_by_none_before(shop: Clientele) -> None:
    shop.register()
    assert (await shop.poll("shop")).started == 1
    await shop.result()
    assert (await shop.poll("shop", number=1)).started == 0
    clock = shop.stack.shops.clock
    began = clock.now()
    await eventually(lambda: clock.now() > began + dt.timedelta(seconds=1), "the shop's clock has moved on")
    shop.rows.edit(BEN, company="Harrow Supplies", customer_group_id=2)
    assert (await shop.poll("shop", number=2)).started == 1
    assert (await shop.result(BEN)).state is State.POSTED
    shop.once(BEN)


def test_webhooks_of_customers_are_wanted_where_they_are_kept_equal() -> None:
    assert all(scope.startswith("store/customer/") for scope in CUSTOMER_SCOPES)
