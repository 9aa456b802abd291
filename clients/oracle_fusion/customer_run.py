"""One run that makes sure of a customer, part by part (Oracle Fusion: 6.3)."""

import base64
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from clients.errors import Forbidden
from clients.oracle_fusion.creating import Look, make_once
from clients.oracle_fusion.customer_accounts import CustomerAccounts, SiteDocument
from clients.oracle_fusion.errors import Ambiguous
from clients.oracle_fusion.parties import Parties
from clients.oracle_fusion.visibility import Patience, Told, appear
from contracts.fusion_settings import CustomerSettings
from contracts.master_data import (
    CustomerAccount,
    CustomerSite,
    EnsuredCustomer,
    Outcome,
    Party,
    PartySite,
    WantedCustomer,
    WantedSite,
)

T = TypeVar("T")
R = TypeVar("R", Party, CustomerAccount)

_DIGITS: Final = 16
"""Characters of a number made from a reference: 80 bits."""


@dataclass(frozen=True)
class CustomerPlace:
    """Where customers are kept: one pod's parties and accounts, with its settings."""

    connection: str
    settings: CustomerSettings
    parties: Parties
    accounts: CustomerAccounts

    def number(self, kind: str, reference: str) -> str:
        """The number that a record with this reference has where numbers are given."""
        known = f"{kind}\n{self.settings.source_system}\n{reference}".encode()
        digits = base64.b32encode(hashlib.sha256(known).digest()).decode()[:_DIGITS]
        return f"{self.settings.number_prefix}{digits}"

    def set_id(self, business_unit: str) -> int | None:
        """The reference data set of a business unit's sites; the pod's own default where none is set."""
        return self.settings.reference_sets.get(business_unit)


class CustomerRun:
    """One run for one customer, part by part."""

    def __init__(
        self,
        place: CustomerPlace,
        wanted: WantedCustomer,
        ends: float | None,
        patience: Patience | None,
        told: Told | None,
    ) -> None:
        self._place = place
        self._wanted = wanted
        self._ends = ends
        self._patience = patience
        self._told = told
        self._created: list[str] = []
        self.subject = f"customer {wanted.reference}"

    async def ensure(self) -> EnsuredCustomer:
        account = await self.look_for_account()
        party = await (self.party_of(account) if account is not None else self._ensure_party())
        sites = await self._ensure_party_sites(party)
        if account is None:
            account = await self._ensure_account(party, sites)
        account = await self._ensure_sites(account, party, sites)
        return EnsuredCustomer(
            outcome=self._outcome(),
            created=tuple(self._created),
            party=party,
            account=account,
            party_sites={reference: site.party_site_id for reference, site in sites.items()},
            differences=tuple(self._differences(party, account, sites)),
        )

    # Looking

    async def look_for_account(self) -> CustomerAccount | None:
        found = await self._place.accounts.find(
            "OrigSystemReference", self._wanted.reference, subject=f"the account of {self.subject}"
        )
        return self._one([one for one in found if self._is_ours(one)], "customer accounts")

    async def look_for_party(self) -> Party | None:
        number = self._number("party")
        found = await self._place.parties.find(self._wanted.reference, self._wanted.name, number, subject=self.subject)
        return self._one(found, "organizations")

    async def look_for_account_of(self, party: Party) -> CustomerAccount | None:
        """By the reference, and through the party: a reference may be kept where no question finds it."""
        account = await self.look_for_account()
        if account is not None:
            return account
        found = await self._place.accounts.find("PartyId", party.party_id, subject=f"the accounts of {self.subject}")
        return self._one([one for one in found if self._is_ours(one)], "customer accounts")

    async def _look_for_sites(self, party: Party) -> dict[str, PartySite]:
        """Addresses that carry our references."""
        system = self._place.settings.source_system
        rows = await self._place.parties.sites(party.party_number, subject=f"the addresses of {self.subject}")
        found: dict[str, PartySite] = {}
        for row in rows:
            if row.reference and row.source_system in ("", system):
                if row.reference in found:
                    raise self._ambiguous("addresses")
                found[row.reference] = row
        return found

    async def party_of(self, account: CustomerAccount) -> Party:
        party = await self._place.parties.identified(account.party_id, subject=self.subject)
        if party is None:
            raise Forbidden(
                self._place.connection,
                f"Oracle Fusion ({self._place.connection}) has an account of {self.subject}, but does not show its "
                "organization to the integration user.",
                remedy="Give the user the role and the data access to see organizations of the trading community.",
            )
        return party

    def _is_ours(self, account: CustomerAccount) -> bool:
        """A reference without a system counts where no other system claims it."""
        systems = {system for system, reference in account.references if reference == self._wanted.reference}
        return self._place.settings.source_system in systems or systems == {""}

    # Creating

    async def _ensure_party(self) -> Party:
        found = await self.look_for_party()
        if found is not None:
            return found
        await self._prove_sight("organizations", self._place.parties.seen)
        addresses = {site.reference: site.address for site in self._wanted.sites}

        async def create() -> None:
            await self._place.parties.create(
                self._wanted.reference,
                self._wanted.name,
                self._number("party"),
                list(addresses.items()),
                subject=self.subject,
                ends=self._ends,
            )

        return await self._make("party", create, self.look_for_party, self.subject)

    async def _ensure_party_sites(self, party: Party) -> dict[str, PartySite]:
        sites = await self._appear(lambda: self._look_for_sites(party), f"the addresses of {self.subject}")
        for site in self._wanted.sites:
            if site.reference not in sites:
                sites = await self._make_party_site(party, site)
        return sites

    async def _make_party_site(self, party: Party, site: WantedSite) -> dict[str, PartySite]:
        subject = f"address {site.reference} of {self.subject}"

        async def create() -> None:
            await self._place.parties.add_site(
                party.party_number, site.reference, site.address, subject=subject, ends=self._ends
            )

        async def look() -> dict[str, PartySite] | None:
            found = await self._look_for_sites(party)
            return found if site.reference in found else None

        # One that was just created with its party may take longer to be seen than the party.
        found = await look()
        if found is None and "party" in self._created:
            found = await self._appear(look, subject)
        return found if found is not None else await self._make("address", create, look, subject)

    async def _ensure_account(self, party: Party, sites: dict[str, PartySite]) -> CustomerAccount:
        found = await self.look_for_account_of(party)
        if found is not None:
            return found
        if not self._place.settings.first_customer:
            await self._prove_sight("customer accounts", self._place.accounts.seen)
        subject = f"the account of {self.subject}"

        async def create() -> None:
            await self._place.accounts.create(
                self._wanted.reference,
                party.party_id,
                self._wanted.name,
                self._lacking(None, sites),
                number=self._number("account"),
                subject=subject,
                ends=self._ends,
            )

        async def look() -> CustomerAccount | None:
            return await self.look_for_account_of(party)

        return await self._make("account", create, look, subject)

    async def _ensure_sites(
        self, account: CustomerAccount, party: Party, sites: dict[str, PartySite]
    ) -> CustomerAccount:
        lacking = self._lacking(account, sites)
        if not lacking:
            return account
        subject = f"the sites of {self.subject}"

        async def create() -> None:
            await self._place.accounts.complete(account, lacking, subject=subject, ends=self._ends)

        async def look() -> CustomerAccount | None:
            found = await self.look_for_account_of(party)
            return found if found is not None and not self._lacking(found, sites) else None

        part = "site" if any(site.site_id is None for site in lacking) else "purpose"
        return await self._make(part, create, look, subject)

    def _lacking(self, account: CustomerAccount | None, sites: dict[str, PartySite]) -> list[SiteDocument]:
        """Sites that an account does not have, and purposes that its sites do not have."""
        wanted: dict[tuple[int, int | None], dict[str, str]] = {}
        for site in self._wanted.sites:
            place = sites[site.reference].party_site_id, self._place.set_id(site.business_unit)
            wanted.setdefault(place, {}).update(dict.fromkeys(site.purposes, site.name))
        lacking = []
        for (party_site_id, set_id), purposes in wanted.items():
            there = _site_at(account, party_site_id, set_id)
            has = {use.purpose for use in there.uses} if there is not None else set()
            left = {purpose: name for purpose, name in purposes.items() if purpose not in has}
            if there is None or left:
                site_id = there.site_id if there is not None else None
                lacking.append(SiteDocument(party_site_id, set_id, left, site_id))
        return lacking

    async def _make(self, part: str, create: Callable[[], Awaitable[None]], look: Look[T], subject: str) -> T:
        made = await make_once(
            create,
            look,
            connection=self._place.connection,
            subject=subject,
            patience=self._patience,
            told=self._told,
        )
        if made.ours:
            self._created.append(part)
        return made.found

    async def _appear(self, look: Look[T], subject: str) -> T:
        appeared = await appear(
            look,
            connection=self._place.connection,
            subject=subject,
            patience=self._patience,
            told=self._told,
        )
        return appeared.found

    async def _prove_sight(self, what: str, seen: Callable[[], Awaitable[bool]]) -> None:
        """A user without the role gets an empty list, not an error: then everything would be created once more."""
        if not await seen():
            raise Forbidden(
                self._place.connection,
                f"Oracle Fusion ({self._place.connection}) shows no {what} at all to the integration user, so "
                f"nobody knows whether {self.subject} exists. Nothing was created.",
                remedy=f"Give the user the role and the data access to see {what}. If the pod really has no customer "
                "account yet, set customers.first_customer of the connection.",
            )

    # Telling

    def _one(self, found: Sequence[R], what: str) -> R | None:
        """The one there is. People end or merge all but one of several: inactive ones do not count then."""
        left = found if len(found) == 1 else [one for one in found if one.active]
        if len(found) > 1 and len(left) != 1:
            raise self._ambiguous(what)
        return left[0] if left else None

    def _ambiguous(self, what: str) -> Ambiguous:
        return Ambiguous(
            self._place.connection,
            f"Oracle Fusion ({self._place.connection}) has more than one of the {what} with the reference of "
            f"{self.subject}.",
        )

    def _number(self, kind: str) -> str:
        settings = self._place.settings
        how = settings.party_numbers if kind == "party" else settings.account_numbers
        return self._place.number(kind, self._wanted.reference) if how == "given" else ""

    def _outcome(self) -> Outcome:
        if not self._created:
            return Outcome.FOUND
        return Outcome.CREATED if {"party", "account"} <= set(self._created) else Outcome.COMPLETED

    def _differences(self, party: Party, account: CustomerAccount, sites: dict[str, PartySite]) -> list[str]:
        told = [] if party.name == self._wanted.name else ["name"]
        told += [] if party.active else ["party inactive"]
        told += [] if account.active else ["account inactive"]
        for site in self._wanted.sites:
            place = sites[site.reference]
            here = (place.country, place.city, place.postal_code)
            if here != (site.address.country, site.address.city, site.address.postal_code):
                told.append("address")
            there = _site_at(account, place.party_site_id, self._place.set_id(site.business_unit))
            uses = {use.purpose: use.active for use in there.uses} if there is not None else {}
            if there is not None and not (there.active and all(uses.get(one, True) for one in site.purposes)):
                told.append("site inactive")
        return list(dict.fromkeys(told))


def _site_at(account: CustomerAccount | None, party_site_id: int, set_id: int | None) -> CustomerSite | None:
    """The site of an account at an address, in a reference set where one is asked for; active ones first."""
    sites = sorted(account.sites, key=lambda site: not site.active) if account is not None else []
    fits = (site for site in sites if site.party_site_id == party_site_id)
    return next((site for site in fits if set_id in (None, site.set_id)), None)
