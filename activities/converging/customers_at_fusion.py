"""Customers as Fusion has them: an organization, its account and the account's sites.

Accounts are made and completed, never changed: what says something else there goes to a person.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import httpx

from activities.collaborators import Collaborators
from activities.converging.customer_accounts import (
    ACCOUNT,
    ALWAYS,
    CALLS,
    SITES,
    AccountPosting,
    AccountResource,
    AccountSubject,
    account_key,
)
from activities.converging.desks import ChangedMeanwhileError, Page
from activities.failures import review, wait
from activities.trail import event_of, job_of
from clients.errors import Forbidden, Rejected
from clients.oracle_fusion.customers import Customers
from clients.oracle_fusion.errors import Ambiguous
from contracts import names
from contracts.configuration import Integration
from contracts.converging import FieldWrite, SeenRecord
from contracts.journal import Problem
from contracts.master_data import CustomerAccount, Party, PartySite, WantedCustomer
from contracts.steps.documents import Created
from mapping.customers import (
    ACCOUNT as WANTED,
)
from mapping.customers import (
    ACTIVE,
    DIFFERS,
    INACTIVE,
    lacking_addresses,
    line,
    other_addresses,
    shown_sites,
    sites_of,
    wanted_sites,
)
from store.rows import AuditEvent

PAGE: Final = 50


class CustomersAtFusion:
    """A record's id is that of the account, its name the customer's number in the shop."""

    def __init__(self, parts: Collaborators, integration: Integration) -> None:
        self._parts = parts
        self._integration = integration
        self._policy = integration.customers
        self._connection = parts.fusion_connection(integration.fusion)
        self._customers: Customers = parts.fusions[integration.fusion].customers

    async def read(self, name: str) -> SeenRecord:
        found = await self._customers.customer(self._reference(name))
        party, account = found if found is not None else (None, None)
        if party is None or account is None:
            # An organization alone is a customer that somebody was interrupted in making.
            return SeenRecord()
        return self._record(name, party, account, await self._addresses(name, party))

    async def parts_of(self, parent: str) -> tuple[SeenRecord, ...]:
        """Nothing is a part of anything here."""
        raise NotImplementedError

    async def changed(self, since: datetime | None, *, whole: bool) -> AsyncIterator[Page]:
        """Accounts and organizations whose stamp moved; where the pod does not say so of accounts, all of them."""
        window = await self._customers.parties.window(
            None if whole else since, overlap=timedelta(seconds=self._policy.overlap)
        )
        parties = {
            number: party async for party in self._customers.parties.changed(window) if (number := self._ours(party))
        }
        accounts = {number: one async for one in self._accounts(window.since) if (number := self._ours(one))}
        page: list[SeenRecord] = []
        unread: list[str] = []
        for number in sorted(parties.keys() | accounts.keys(), key=int):
            party, account = parties.get(number), accounts.get(number)
            if party is not None and account is not None:
                seen = self._record(number, party, account, await self._addresses(number, party))
            else:
                try:
                    seen = await self.read(number)
                except (Ambiguous, Forbidden) as error:
                    if error.status == httpx.codes.FORBIDDEN:
                        # The user may see none of them, which is not about this customer.
                        raise
                    unread.append(number)
                    continue
            if seen.there:
                page.append(seen)
            if len(page) == PAGE:
                yield Page(tuple(page))
                page = []
        yield Page(tuple(page), tuple(unread), reached=window.until)

    async def write(self, seen: SeenRecord, writes: tuple[FieldWrite, ...]) -> SeenRecord:
        """Sites that the account lacks are added, which overwrites nothing. An address that says something else, and a
        site that somebody ended, are for a person."""
        values = {one.field: one.value for one in writes}
        there = await self.read(seen.name)
        if not there.there:
            raise ChangedMeanwhileError
        # The organization keeps the name that it has.
        wanted = WantedCustomer(
            reference=self._reference(seen.name), name=there.values["company"], sites=sites_of(values["sites"])
        )
        ordinal = 1 + len([one for one in await self._posted(seen.name) if one == SITES])
        await self._post(seen.name, wanted, SITES, ordinal)
        now = await self.read(seen.name)
        if other := other_addresses(values["sites"], now.values.get("sites", "[]")):
            raise review(self._addresses_differ(seen.name, other))
        # What was to be added was waited for: what is still not shown was there before, and is not active.
        if ended := lacking_addresses(values["sites"], now.values.get("sites", "[]")):
            raise review(self._sites_ended(seen.name, ended))
        return now

    async def make(self, model: SeenRecord) -> SeenRecord:
        wanted = WantedCustomer.model_validate_json(model.first_values[WANTED])
        await self._post(model.name, wanted, ACCOUNT, 1)
        made = await self.read(model.name)
        if not made.there:
            raise wait(f"{self._title(model.name)}: its account is not visible in Fusion yet.", 5, kind="NotVisibleYet")
        return made

    async def _post(self, name: str, wanted: WantedCustomer, purpose: str, ordinal: int) -> None:
        """Under a lease, and never while the outcome of an earlier attempt has not settled."""
        key = account_key(self._integration, name, purpose, ordinal)
        reference = names.journal_reference(key.tenant, key.connection, key.kind, name, purpose, ordinal)
        subject = AccountSubject(
            name=self._title(name),
            what="customer account",
            vendor="Fusion",
            key=key,
            reference=reference,
            fingerprint=hashlib.sha256(f"{reference}\n{wanted_sites(wanted)}".encode()).hexdigest()
            if purpose == SITES
            else hashlib.sha256(reference.encode()).hexdigest(),
            job=job_of(""),
            tell=partial(self._tell, name),
            deadline=CALLS * timedelta(seconds=self._connection.create_timeout),
            settle=timedelta(seconds=self._connection.settle),
            unknown_limit=ALWAYS,
        )
        resource = AccountResource(self._customers, reference, wanted)
        created: Created = await AccountPosting(self._parts, resource, subject).create(wanted)
        match created.outcome:
            case "posted" | "edited_after_posting":
                return
            case "review" if created.problem is not None:
                raise review(created.problem)
            case _:
                left = (created.until - self._parts.clock()).total_seconds() if created.until else 1.0
                raise wait(f"{self._title(name)}: {created.sentence or created.outcome}", left, kind="InDoubt")

    async def _posted(self, name: str) -> Sequence[str]:
        """Purposes of what is there already."""
        rows = await self._parts.store.creations.creations_of(self._integration.source, names.CUSTOMER, name)
        return [row.key.purpose for row in rows if row.final]

    async def _accounts(self, since: datetime | None) -> AsyncIterator[CustomerAccount]:
        if since is None:
            async for account in self._customers.accounts.all():
                yield account
            return
        try:
            async for account in self._customers.accounts.changed(since):
                yield account
        except Rejected:
            # The pod does not take the question, which costs a page for a hundred accounts. They still say when they
            # changed; only of those that may be news more is asked.
            async for account in self._customers.accounts.all():
                if account.changed_at is None or account.changed_at >= since:
                    yield account

    async def _addresses(self, name: str, party: Party) -> tuple[PartySite, ...]:
        return await self._customers.parties.sites(party.party_number, subject=f"the addresses of {self._title(name)}")

    def _record(self, name: str, party: Party, account: CustomerAccount, addresses: Sequence[PartySite]) -> SeenRecord:
        settings = self._connection.customers
        stamps = [one for one in (party.changed_at, account.changed_at) if one is not None]
        return SeenRecord(
            id=str(account.account_id),
            name=name,
            values={
                "company": line(party.name),
                "account_number": account.account_number,
                "account_status": ACTIVE if account.active and party.active else INACTIVE,
                "sites": shown_sites(
                    account,
                    addresses,
                    self._integration,
                    sets=settings.reference_sets,
                    source_system=settings.source_system,
                ),
            },
            changed_at=max(stamps, default=None),
        )

    def _ours(self, one: Party | CustomerAccount) -> str:
        """The shop's number of the customer that it is; empty when it is none of ours."""
        for system, reference in one.references:
            number = names.customer_of(reference, self._integration.tenant, self._integration.source)
            if number and system in ("", self._connection.customers.source_system):
                return number
        return ""

    def _reference(self, name: str) -> str:
        return names.customer_reference(self._integration.tenant, self._integration.source, name)

    def _title(self, name: str) -> str:
        return names.document_title(names.CUSTOMER, self._integration.source, name)

    def _tell(self, name: str, action: str, sentence: str, details: Mapping[str, Any]) -> AuditEvent:
        return event_of(
            self._parts,
            self._integration,
            name,
            kind=names.CUSTOMER,
            action=action,
            sentence=sentence,
            details=json.loads(json.dumps(dict(details), default=str)),
            job="",
        )

    def _sites_ended(self, name: str, numbers: Sequence[str]) -> Problem:
        reference = names.address_reference(self._integration.tenant, self._integration.source, numbers[0])
        return Problem(
            code=DIFFERS,
            sentence=f"{self._title(name)}: the account's site of {_addresses(numbers)}, or a purpose of it, ended in "
            "Fusion, where nothing is ever activated again from here.",
            remedy=f"Activate it in Fusion (source reference {reference}), or delete the address in the shop, then "
            "retry. Skip to leave both as they are until one of them changes again.",
        )

    def _addresses_differ(self, name: str, numbers: Sequence[str]) -> Problem:
        which = _addresses(numbers)
        reference = names.address_reference(self._integration.tenant, self._integration.source, numbers[0])
        return Problem(
            code=DIFFERS,
            sentence=f"{self._title(name)}: {which} of the shop says something else than the same address in Fusion, "
            "which is never changed from here.",
            remedy=f"Correct the address in Fusion (source reference {reference}) or in the shop, then retry. Skip to "
            "leave both as they are until one of them changes again.",
        )


def _addresses(numbers: Sequence[str]) -> str:
    return f"address {numbers[0]}" if len(numbers) == 1 else f"addresses {', '.join(numbers)}"
