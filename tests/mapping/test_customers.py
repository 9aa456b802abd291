"""A shop's customer as the account that it should have, and what is never told of a person."""

import datetime as dt
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.bigcommerce_customer import CustomerAddress, ShopCustomer
from contracts.configuration import Books, Channel, Integration
from contracts.customer_policy import CustomerPolicy
from contracts.journal import Problem
from contracts.master_data import CustomerAccount, CustomerSite, PartySite, SiteUse, WantedCustomer
from contracts.names import customer_of
from mapping.customers import (
    hinted,
    lacking_addresses,
    masked,
    not_wanted,
    other_addresses,
    private_of_account,
    private_texts,
    shown_sites,
    sites_of,
    to_account,
    wanted_sites,
)

UNITS = ("US Web Sales", "EU Web Sales")
SETS = {"US Web Sales": 1, "EU Web Sales": 2}


def integration(*units: str, **policy: Any) -> Integration:
    given = {"ledger": "US", "data_access_set": "US", "journal_source": "ML", "journal_category": "Web"}
    return Integration(
        id="shop-us",
        tenant="acme",
        fusion="fusion",
        source="bc-us",
        mapping_set="retail",
        cut_over=dt.date(2026, 1, 1),
        channels=(Channel(id="1"),),
        books=tuple(
            Books(channel="1", currency="USD", balancing_segment="101", business_unit=unit, **given)
            for unit in units or UNITS[:1]
        ),
        customers=CustomerPolicy(enabled=True, groups=("2",), **policy),
    )


def address(number: int = 5, **changes: Any) -> CustomerAddress:
    given: dict[str, Any] = {
        "id": number,
        "first_name": "Ada",
        "last_name": "Quill",
        "address1": "12  Cedar Lane ",
        "city": "Austin",
        "state_or_province": "Texas",
        "postal_code": "78701",
        "country_code": "us",
        "phone": "5550100",
    }
    return CustomerAddress.model_validate(given | changes)


def customer(*addresses: CustomerAddress, **changes: Any) -> ShopCustomer:
    given: dict[str, Any] = {
        "id": 11,
        "email": "ada.quill@example.com",
        "first_name": "Ada",
        "last_name": "Quill",
        "company": "Quill & Daughters  Ltd",
        "phone": "5550100",
        "customer_group_id": 2,
        "date_modified": "2026-03-02T15:00:00Z",
    }
    return ShopCustomer.model_validate(given | changes).model_copy(update={"addresses": addresses})


def wanted(*addresses: CustomerAddress, units: tuple[str, ...] = UNITS[:1], **changes: Any) -> WantedCustomer:
    found = to_account(customer(*addresses, **changes), integration(*units))
    assert isinstance(found, WantedCustomer)
    return found


def problems(*addresses: CustomerAddress, **changes: Any) -> tuple[Problem, ...]:
    found = to_account(customer(*addresses, **changes), integration())
    assert isinstance(found, tuple)
    return found


def shown(account: CustomerAccount, *sites: PartySite, units: tuple[str, ...] = UNITS[:1], **more: Any) -> str:
    return shown_sites(account, sites, integration(*units), sets=more.get("sets", SETS), source_system="ML_CONNECTOR")


def party_site(number: int = 5, **changes: Any) -> PartySite:
    given: dict[str, Any] = {
        "party_site_id": 100 + number,
        "reference": f"acme/bc-us/address/{number}",
        "source_system": "ML_CONNECTOR",
        "country": "US",
        "city": "Austin",
        "postal_code": "78701",
        "state": "Texas",
        "lines": ("12 Cedar Lane",),
    }
    return PartySite.model_validate(given | changes)


def account(*sites: CustomerSite) -> CustomerAccount:
    return CustomerAccount(account_id=1, account_number="1001", party_id=2, sites=sites)


def site(number: int = 5, set_id: int = 1, *purposes: str, **changes: Any) -> CustomerSite:
    uses = tuple(SiteUse(purpose=one) for one in purposes or ("BILL_TO", "SHIP_TO"))
    return CustomerSite(site_id=number, party_site_id=100 + number, set_id=set_id, uses=uses, **changes)


def test_nobody_gets_an_account_unless_a_group_says_so() -> None:
    policy = CustomerPolicy(enabled=True)
    assert not_wanted(customer(), policy) == "no customer group is to get accounts"
    policy = CustomerPolicy(enabled=True, groups=("2",))
    assert not_wanted(customer(), policy) == ""
    assert not_wanted(customer(customer_group_id=0), policy) == "it is in no customer group"
    assert not_wanted(customer(customer_group_id=3), policy) == "members of customer group 3 get no account"


def test_references_are_made_of_numbers_and_of_nothing_else() -> None:
    made = wanted(address(), units=UNITS)
    assert made.reference == "acme/bc-us/customer/11"
    assert [(one.reference, one.business_unit) for one in made.sites] == [
        ("acme/bc-us/address/5", "US Web Sales"),
        ("acme/bc-us/address/5", "EU Web Sales"),
    ]
    assert made.name == "Quill & Daughters Ltd"
    assert made.sites[0].address.line_1 == "12 Cedar Lane"
    assert customer_of(made.reference, "acme", "bc-us") == "11"
    for other in ("acme/bc-eu/customer/11", "acme/bc-us/customer/11/x", "acme/bc-us/customer/", "11"):
        assert customer_of(other, "acme", "bc-us") == ""


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"company": "  "}, "customer_without_company", "has no company name"),
        ({"company": "x" * 361}, "address_does_not_fit", "its company name has 361 characters, Fusion takes 360"),
    ],
)
def test_a_company_that_is_missing_or_too_long_is_for_a_person(changes: dict[str, Any], code: str, said: str) -> None:
    (problem,) = problems(address(), **changes)
    assert problem.code == code
    assert said in problem.sentence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"country_code": ""}, "has no country that Fusion takes"),
        ({"address1": ""}, "has no street that Fusion takes"),
        ({"city": "x" * 61}, "city has 61 characters, Fusion takes 60"),
    ],
)
def test_an_address_that_does_not_fit_is_for_a_person_and_not_quoted(changes: dict[str, Any], said: str) -> None:
    (problem,) = problems(address(**changes))
    assert problem.sentence.startswith("Customer 11 (bc-us): address 5")
    assert said in problem.sentence
    for text in private_texts(customer(address(**changes))):
        assert text not in problem.sentence


def test_sites_that_are_equal_are_written_equally() -> None:
    made = wanted(address(), address(6, address2="Rear"), units=UNITS)
    there = account(site(5, 1), site(5, 2), site(6, 1), site(6, 2))
    places = (party_site(5), party_site(6, lines=("12 Cedar Lane", "Rear")))
    assert shown(there, *places, units=UNITS) == wanted_sites(made)
    assert sites_of(wanted_sites(made)) == tuple(sorted(made.sites, key=lambda one: (one.reference, one.business_unit)))


def test_what_is_not_ours_in_an_account_does_not_count() -> None:
    made = wanted(address())
    foreign = party_site(7, reference="acme/bc-us/address/7", source_system="LEGACY")
    by_hand = party_site(8, reference="", lines=("By hand",))
    there = account(site(5, 1, "BILL_TO", "SHIP_TO", "DUN"), site(7), site(8), site(5, 2))
    assert shown(there, party_site(), foreign, by_hand) == wanted_sites(made)
    assert shown(account(site(5, 9)), party_site(), sets={}) == wanted_sites(made), "a unit without a set takes any"


@pytest.mark.parametrize(
    "there",
    [
        account(),
        account(site(5, 2)),
        account(site(5, 1, "BILL_TO")),
        account(site(5, 1, active=False)),
    ],
)
def test_a_site_that_lacks_something_is_shown_otherwise(there: CustomerAccount) -> None:
    assert shown(there, party_site()) != wanted_sites(wanted(address()))


def test_addresses_that_say_something_else_are_named_by_number() -> None:
    here = wanted_sites(wanted(address(5), address(6), address(12)))
    there = account(site(5), site(6), site(12))
    moved = (party_site(5, city="Dallas"), party_site(6), party_site(12, lines=("1 Elm Street",)))
    assert other_addresses(here, shown(there, *moved)) == ("5", "12")
    assert other_addresses(here, shown(there, party_site(5))) == ()


def test_addresses_whose_site_or_purpose_is_not_active_are_named_by_number() -> None:
    here = wanted_sites(wanted(address(5), address(6), address(12)))
    there = account(site(5), site(6, 1, "BILL_TO"), site(12, active=False))
    places = (party_site(5), party_site(6), party_site(12))
    assert lacking_addresses(here, shown(there, *places)) == ("6", "12")
    assert lacking_addresses(here, shown(account(site(5), site(6), site(12)), *places, party_site(7))) == ()


def test_everything_about_the_person_is_hidden_in_whatever_a_vendor_says() -> None:
    made = wanted(address())
    said = "Value QUILL &  DAUGHTERS LTD at 12 Cedar  lane, Austin (78701) isn't valid for attribute City in Texas."
    hidden = masked(said, private_of_account(made))
    assert hidden == "Value *** at ***, *** (***) isn't valid for attribute City in ***."
    everything = private_texts(customer(address()))
    assert masked("ada.quill@example.com called Ada Quill: 5550100", everything) == "*** called *** ***: ***"
    assert masked("Adamant quills are allowed", everything) == "Adamant quills are allowed", "words are whole"


def test_a_hint_tells_who_knows_it_and_nobody_else() -> None:
    assert hinted("Quill & Daughters Ltd") == "Q*** (21 characters)"
    assert hinted("") == "nothing"
    assert hinted(wanted_sites(wanted(address(), units=UNITS))) == "2 sites"


def test_nothing_of_a_person_is_printed_with_a_record() -> None:
    printed = repr(customer(address()))
    for text in private_texts(customer(address())):
        assert text not in printed


def test_a_value_that_does_not_fit_is_not_quoted_by_the_error() -> None:
    made = wanted(address())
    for model, given in (
        (WantedCustomer, {"reference": made.reference, "name": made.name, "sites": made.sites * 2}),
        (WantedCustomer, {"reference": made.reference, "name": made.name, "phone": "5550100"}),
        (CustomerAddress, {"id": "12 Cedar Lane, Austin"}),
    ):
        with pytest.raises(ValidationError) as refused:
            model.model_validate(given)
        for private in (made.name, "5550100", "Cedar", "Austin"):
            assert private not in str(refused.value)
