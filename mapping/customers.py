"""A registered customer of a shop as the customer account that it should have. Pure.

Nothing of the person is in a reference or an id: these are made of tenant, connection and the shop's own numbers.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final

from pydantic import ValidationError

from contracts.bigcommerce_customer import CustomerAddress, ShopCustomer
from contracts.configuration import Integration
from contracts.customer_policy import CustomerPolicy
from contracts.journal import Problem
from contracts.master_data import CustomerAccount, PartySite, PostalAddress, SitePurpose, WantedCustomer, WantedSite
from contracts.names import address_reference, customer_reference, document_title

NO_COMPANY: Final = "customer_without_company"
BAD_ADDRESS: Final = "address_does_not_fit"
DIFFERS: Final = "customer_differs"
ACTIVE: Final = "active"
INACTIVE: Final = "inactive"
MASK: Final = "***"
ACCOUNT: Final = "account"
"""Name of the value that a record of the shop hands over for the account to be made after it."""
_LIMITS: Final = {"line_1": 240, "line_2": 240, "city": 60, "state": 60, "postal_code": 60}
_NAME: Final = 360
_SHORTEST: Final = 2
"""Characters of a text that is worth hiding: a single letter would hide half a sentence."""


def line(text: str) -> str:
    """Without blanks around it, and with single ones in it: neither system means anything by them."""
    return " ".join(text.split())


def not_wanted(customer: ShopCustomer, policy: CustomerPolicy) -> str:
    """Why the customer gets no account, one clause; empty when it gets one."""
    if not policy.groups:
        return "no customer group is to get accounts"
    if not customer.customer_group_id:
        return "it is in no customer group"
    if str(customer.customer_group_id) not in policy.groups:
        return f"members of customer group {customer.customer_group_id} get no account"
    return ""


def business_units(integration: Integration) -> tuple[str, ...]:
    """Where an account has sites, in the order of the books."""
    units = integration.customers.business_units or tuple(books.business_unit for books in integration.books)
    return tuple(dict.fromkeys(units))


def to_account(customer: ShopCustomer, integration: Integration) -> WantedCustomer | tuple[Problem, ...]:
    """The account that a customer should have, or everything that stands in the way, without personal values."""
    title = document_title("customer", integration.source, str(customer.id))
    problems: list[Problem] = []
    name = line(customer.company)
    if not name:
        problems.append(
            Problem(
                code=NO_COMPANY,
                sentence=f"{title} has no company name, and an account in Fusion belongs to an organization.",
                remedy="Enter the company at the customer in the shop, or take the customer out of the group.",
            )
        )
    elif len(name) > _NAME:
        problems.append(_too_long(title, "its company name", len(name), _NAME))
    places: dict[str, PostalAddress] = {}
    for address in customer.addresses:
        place, found = _place(title, address)
        problems += found
        if place is not None:
            places[address_reference(integration.tenant, integration.source, str(address.id))] = place
    if problems:
        return tuple(problems)
    return WantedCustomer(
        reference=customer_reference(integration.tenant, integration.source, str(customer.id)),
        name=name,
        sites=tuple(
            WantedSite(reference=reference, business_unit=unit, address=place, purposes=integration.customers.purposes)
            for reference, place in places.items()
            for unit in business_units(integration)
        ),
    )


def _place(title: str, address: CustomerAddress) -> tuple[PostalAddress | None, list[Problem]]:
    told = f"{title}: address {address.id}"
    texts = {
        "line_1": line(address.address1),
        "line_2": line(address.address2),
        "city": line(address.city),
        "state": line(address.state_or_province),
        "postal_code": line(address.postal_code),
    }
    long = [
        _too_long(told, name, len(text), _LIMITS[name]) for name, text in texts.items() if len(text) > _LIMITS[name]
    ]
    if long:
        return None, long
    try:
        return PostalAddress(country=address.country_code.upper(), **texts), []
    except ValidationError as error:
        missing = ", ".join(sorted({str(one["loc"][0]) for one in error.errors(include_input=False)}))
        return None, [
            Problem(
                code=BAD_ADDRESS,
                sentence=f"{told} has no {missing.replace('line_1', 'street')} that Fusion takes.",
                remedy="Correct the address at the customer in the shop.",
            )
        ]


def _too_long(subject: str, what: str, length: int, limit: int) -> Problem:
    return Problem(
        code=BAD_ADDRESS,
        sentence=f"{subject}: {what} has {length} characters, Fusion takes {limit}.",
        remedy="Shorten it at the customer in the shop.",
    )


def wanted_sites(wanted: WantedCustomer) -> str:
    """The sites of an account in one spelling: equal texts are equal sites."""
    return _spelled(
        (site.reference, site.business_unit, *_words(site.address), *sorted(site.purposes)) for site in wanted.sites
    )


def sites_of(sites: str) -> tuple[WantedSite, ...]:
    """From `wanted_sites`. Raises `ValueError`."""
    found = []
    for reference, unit, country, line_1, line_2, city, state, postal_code, *purposes in json.loads(sites):
        place = PostalAddress(
            country=country, line_1=line_1, line_2=line_2, city=city, state=state, postal_code=postal_code
        )
        found.append(
            WantedSite(reference=reference, business_unit=unit, address=place, purposes=tuple(sorted(purposes)))
        )
    return tuple(found)


def shown_sites(
    account: CustomerAccount | None,
    addresses: Sequence[PartySite],
    integration: Integration,
    *,
    sets: dict[str, int],
    source_system: str,
) -> str:
    """Those of an account that carry our references, spelled as `wanted_sites` does; others are none of our business.

    `sets`: reference data sets by business unit; a unit without one takes a site of any set.
    """
    prefix = address_reference(integration.tenant, integration.source, "")
    purposes: tuple[SitePurpose, ...] = integration.customers.purposes
    found: list[tuple[str, ...]] = []
    for address in addresses:
        if not address.reference.startswith(prefix) or address.source_system not in ("", source_system):
            continue
        for unit in business_units(integration):
            active = {
                use.purpose
                for site in (account.sites if account else ())
                if site.party_site_id == address.party_site_id and sets.get(unit) in (None, site.set_id) and site.active
                for use in site.uses
                if use.active
            }
            has = sorted(set(purposes) & active)
            if has:
                street = tuple(line(one) for one in (*address.lines, "", ""))[:2]
                words = (address.country, *street, *map(line, (address.city, address.state, address.postal_code)))
                found.append((address.reference, unit, *words, *has))
    return _spelled(found)


def _words(place: PostalAddress) -> tuple[str, ...]:
    lines = [one for one in (place.line_1, place.line_2, place.line_3) if one]
    street = (*lines, "", "")[:2]
    return (place.country, *street, place.city, place.state, place.postal_code)


def _spelled(sites: Iterable[tuple[str, ...]]) -> str:
    return json.dumps(sorted(sites), ensure_ascii=False, separators=(",", ":"))


def other_addresses(wanted: str, shown: str) -> tuple[str, ...]:
    """Numbers of the addresses that both sides have and that say something else there, by `wanted_sites`."""
    here, there = ({(row[0], row[1]): row[2:8] for row in json.loads(sites)} for sites in (wanted, shown))
    other = {
        reference for (reference, unit) in here.keys() & there.keys() if here[reference, unit] != there[reference, unit]
    }
    return tuple(sorted({reference.rsplit("/", 1)[1] for reference in other}, key=int))


def lacking_addresses(wanted: str, shown: str) -> tuple[str, ...]:
    """Numbers of the addresses that want for a site or a purpose, by `wanted_sites`. Those that ended count as such."""
    there = {(row[0], row[1]): set(row[8:]) for row in json.loads(shown)}
    left = {row[0] for row in json.loads(wanted) if not set(row[8:]) <= there.get((row[0], row[1]), set())}
    return tuple(sorted({reference.rsplit("/", 1)[1] for reference in left}, key=int))


def private_texts(customer: ShopCustomer) -> tuple[str, ...]:
    """Everything about the person that may come back in somebody's sentence."""
    texts = [customer.email, customer.first_name, customer.last_name, customer.company, customer.phone]
    for one in customer.addresses:
        texts += [one.first_name, one.last_name, one.company, one.address1, one.address2, one.city]
        texts += [one.state_or_province, one.postal_code, one.phone]
    return _hidden(texts)


def private_of_account(wanted: WantedCustomer) -> tuple[str, ...]:
    texts = [wanted.name]
    for site in wanted.sites:
        place = site.address
        texts += [place.line_1, place.line_2, place.line_3, place.city, place.state, place.postal_code]
    return _hidden(texts)


def _hidden(texts: Iterable[str]) -> tuple[str, ...]:
    """Longest first, so that no part of one is left over from another."""
    return tuple(
        sorted({line(text) for text in texts if len(line(text)) >= _SHORTEST}, key=lambda one: (-len(one), one))
    )


def masked(sentence: str, private: Iterable[str]) -> str:
    """A sentence without these texts, in whatever case and with whatever blanks."""
    for text in private:
        words = r"\s+".join(re.escape(word) for word in text.split())
        sentence = re.sub(rf"(?<!\w){words}(?!\w)", MASK, sentence, flags=re.IGNORECASE)
    return sentence


def hinted(text: str) -> str:
    """So much of a private value that whoever knows it recognises it: `A*** (9 characters)`, `2 sites`."""
    if text.startswith("["):
        count = len(json.loads(text))
        return "1 site" if count == 1 else f"{count} sites"
    return f"{text[:1]}{MASK} ({len(text)} characters)" if text else "nothing"
