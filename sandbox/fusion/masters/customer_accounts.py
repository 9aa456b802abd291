"""Customer accounts, their sites and purposes: what `CustomerAccountService` knows and refuses (Oracle Fusion: 6.3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.fusion.masters.parties import Organizations
from sandbox.fusion.masters.references import ReferenceRefusedError, References
from sandbox.fusion.masters.setup import Masters
from sandbox.fusion.masters.soap import SoapFaultError
from sandbox.fusion.receivables.setup import Customer, CustomerSite, ReceivablesSetup

ACCOUNT = "HZ_CUST_ACCOUNTS"
PURPOSES = ("BILL_TO", "SHIP_TO", "SOLD_TO", "STMTS", "DUN")


@dataclass
class Use:
    id: int
    purpose: str
    location: str
    primary: bool = False


@dataclass
class Site:
    id: int
    party_site_id: int
    set_id: int
    uses: list[Use] = field(default_factory=list)
    active: bool = True


@dataclass
class Account:
    id: int
    number: str
    party_id: int
    name: str
    reference: str
    """Its own attribute; its id where none was given."""
    references: list[tuple[str, str]]
    changed: datetime
    sites: list[Site] = field(default_factory=list)
    kind: str = "R"
    active: bool = True
    visible_from: float = 0.0
    """Moment of the process's clock."""


@dataclass
class SiteDocument:
    """A site as a document brings it."""

    site_id: int | None
    party_site_id: int | None
    set_id: int | None
    uses: list[tuple[str, str]]


@dataclass
class AccountDocument:
    """An account as a document brings it."""

    account_id: int | None
    party_id: int | None
    number: str
    name: str
    kind: str
    module: str
    reference: str
    references: list[tuple[str, str]]
    sites: list[SiteDocument]


class CustomerBook:
    """Every account there is. What is created here can be billed to in Receivables at once."""

    def __init__(
        self,
        masters: Masters,
        parties: Organizations,
        known: References,
        receivables: ReceivablesSetup,
        now: Callable[[], datetime],
        next_id: Callable[[], int],
    ) -> None:
        self._masters = masters
        self._parties = parties
        self._known = known
        self._receivables = receivables
        self._now = now
        self._next = next_id
        self.accounts: list[Account] = []
        for customer in receivables.customers:
            self._enter(customer)

    def visible(self) -> list[Account]:
        """Accounts that a question finds by now."""
        moment = time.monotonic()
        return [each for each in self.accounts if each.visible_from <= moment]

    def referred(self, reference: str) -> list[Account]:
        """Every account with this reference: the truth."""
        return [each for each in self.accounts if reference in {value for _, value in each.references}]

    def create(self, document: AccountDocument, late: float = 0.0) -> Account:
        """All or nothing. Raises `SoapFaultError`."""
        if document.party_id is None:
            raise _invalid([("PartyId", "JBO-27014: Attribute PartyId in CustomerAccount is required.")])
        if not document.module:
            raise _invalid([("CreatedByModule", "JBO-27014: Attribute CreatedByModule is required.")])
        if self._parties.identified(document.party_id) is None:
            raise _invalid([("PartyId", "JBO-HZ:::HZ_API_INVALID_FK: The party doesn't exist.")])
        self._check_number(document.number)
        for system, value in document.references:
            try:
                self._known.check(ACCOUNT, system, value)
            except ReferenceRefusedError as refused:
                raise SoapFaultError(refused.sentence, f"HZ:::{refused.code}") from refused
        self._check_sites(document.sites, document.party_id, [])
        number = self._next()
        account = Account(
            number,
            document.number or str(number % 10**8),
            document.party_id,
            document.name,
            document.reference or str(number),
            list(document.references),
            self._now(),
            kind=document.kind,
            visible_from=time.monotonic() + late if late else 0.0,
        )
        for system, value in document.references:
            self._known.keep(ACCOUNT, system, value, number)
        self.accounts.append(account)
        self._add_sites(account, document.sites)
        terms = self._receivables.terms[0].name if self._receivables.terms else ""
        self._receivables.customers.append(
            Customer(account.number, account.name, account.party_id, terms, account_id=account.id)
        )
        self._bill(account)
        return account

    def merge(self, document: AccountDocument, late: float = 0.0) -> Account:
        """Add to an account; create it when the document names none. Raises `SoapFaultError`."""
        if document.account_id is None:
            return self.create(document, late)
        account = next((each for each in self.accounts if each.id == document.account_id), None)
        if account is None:
            raise _invalid([("CustomerAccountId", "JBO-HZ:::HZ_API_INVALID_FK: The customer account doesn't exist.")])
        self._check_sites(document.sites, account.party_id, account.sites)
        self._add_sites(account, document.sites)
        account.changed = self._now()
        self._bill(account)
        return account

    def _check_number(self, number: str) -> None:
        if self._masters.habits.account_numbers == "automatic":
            if number:
                raise SoapFaultError("You can't enter an account number.", "HZ:::HZ_AUTO_ACCT_NUMBER")
        elif not number:
            raise SoapFaultError("The account number is required.", "HZ:::HZ_ACCT_NUMBER_REQUIRED")
        elif any(each.number == number for each in self.accounts):
            raise SoapFaultError("A customer account with this account number already exists.", "HZ:::HZ_ACCT_NUM_DUP")

    def _check_sites(self, sites: list[SiteDocument], party_id: int, there: list[Site]) -> None:
        party = self._parties.identified(party_id)
        addresses = self._parties.site_ids(party) if party is not None else set()
        places = {(each.party_site_id, each.set_id) for each in there}
        for site in sites:
            known = next((each for each in there if each.id == site.site_id), None)
            purposes = {use.purpose for use in known.uses} if known is not None else set()
            if site.site_id is not None and known is None:
                raise _invalid([("CustomerAccountSiteId", "JBO-HZ:::HZ_API_INVALID_FK: The site doesn't exist.")])
            if site.site_id is None:
                place = (site.party_site_id or 0, self._set(site))
                if place[0] not in addresses:
                    raise _invalid([("PartySiteId", "JBO-HZ:::HZ_API_INVALID_FK: The address isn't one of the party.")])
                if place in places:
                    raise SoapFaultError("The customer site already exists.", "HZ:::HZ_CUST_SITE_DUPLICATE")
                places.add(place)
            for purpose, _ in site.uses:
                if purpose not in PURPOSES:
                    raise _invalid([("SiteUseCode", f"JBO-27010: The value {purpose} isn't valid.")])
                if purpose in purposes:
                    raise SoapFaultError("The site already exists for this purpose.", "HZ:::HZ_SITE_USE_DUPLICATE")
                purposes.add(purpose)

    def _set(self, site: SiteDocument) -> int:
        found = next(iter(self._masters.reference_sets)) if site.set_id is None else site.set_id
        if found not in self._masters.reference_sets:
            raise _invalid([("SetId", "JBO-HZ:::HZ_API_INVALID_FK: The reference data set doesn't exist.")])
        return found

    def _add_sites(self, account: Account, sites: list[SiteDocument]) -> None:
        for site in sites:
            held = next((each for each in account.sites if each.id == site.site_id), None)
            if held is None:
                held = Site(self._next(), site.party_site_id or 0, self._set(site))
                account.sites.append(held)
            for purpose, location in site.uses:
                number = self._next()
                first = all(use.purpose != purpose for each in account.sites for use in each.uses)
                held.uses.append(Use(number, purpose, location or str(number % 10**6), primary=first))

    def _bill(self, account: Account) -> None:
        """Show the sites of an account to Receivables."""
        customer = next(each for each in self._receivables.customers if each.number == account.number)
        customer.sites[:] = [
            CustomerSite(
                use.location,
                self._masters.reference_sets[site.set_id],
                "bill_to" if use.purpose == "BILL_TO" else "ship_to",
                primary=use.primary,
            )
            for site in account.sites
            for use in site.uses
            if use.purpose in ("BILL_TO", "SHIP_TO")
        ]

    def _enter(self, customer: Customer) -> None:
        """An account that is there from the start, with the organization it belongs to."""
        party = self._parties.identified(customer.party_id) or self._parties.enter(customer.party_id, customer.name)
        number = customer.account_id or customer.party_id + 1
        account = Account(number, customer.number, customer.party_id, customer.name, str(number), [], self._now())
        sets: Mapping[str, int] = {unit: known for known, unit in self._masters.reference_sets.items()}
        address = self._parties.settle(party, "US")
        for site in customer.sites:
            if site.business_unit not in sets:
                continue
            set_id = sets[site.business_unit]
            held = next((each for each in account.sites if each.set_id == set_id), None)
            if held is None:
                held = Site(self._next(), address, set_id)
                account.sites.append(held)
            purpose = "BILL_TO" if site.purpose == "bill_to" else "SHIP_TO"
            held.uses.append(Use(self._next(), purpose, site.name, site.primary))
        self.accounts.append(account)


def _invalid(parts: list[tuple[str, str]]) -> SoapFaultError:
    return SoapFaultError("Failed to validate a row in CustomerAccountEO.", "27024", parts)


def facts(account: Account) -> dict[str, Any]:
    """An account as JSON, for control routes."""
    return {
        "id": account.id,
        "number": account.number,
        "party_id": account.party_id,
        "name": account.name,
        "references": [list(each) for each in account.references],
        "sites": [
            {
                "id": site.id,
                "party_site_id": site.party_site_id,
                "set_id": site.set_id,
                "purposes": {use.purpose: use.location for use in site.uses},
            }
            for site in account.sites
        ],
    }
