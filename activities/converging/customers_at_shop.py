"""Customers as a shop has them: registered ones, with their addresses and attributes."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final

from activities.converging.clientele import Clientele
from activities.converging.desks import NOT_TAKEN, Page, require_room, require_unchanged
from activities.converging.privacy import unnamed
from activities.failures import review
from contracts import names
from contracts.bigcommerce_customer import CustomerChange, ShopCustomer
from contracts.configuration import Integration
from contracts.converging import FieldWrite, SeenRecord
from contracts.journal import Problem
from mapping.customers import ACCOUNT, line, not_wanted, private_texts, to_account, wanted_sites

PAGE: Final = 250
NO_ATTRIBUTE: Final = "no_such_attribute"
_LONGEST: Final = {"company": 255, "account_number": 255, "account_status": 255}


class CustomersAtShop:
    """A record's id, its name and its parent are the customer's number in the shop."""

    def __init__(self, clientele: Clientele, integration: Integration) -> None:
        self._clientele = clientele
        self._integration = integration
        self._policy = integration.customers
        self._attributes = {field: name for field, name in self._policy.attributes().items() if name}

    async def read(self, name: str) -> SeenRecord:
        customer = await self._customer(name)
        return await self._record(customer) if customer is not None else SeenRecord()

    async def parts_of(self, parent: str) -> tuple[SeenRecord, ...]:
        seen = await self.read(parent)
        return (seen,) if seen.there else ()

    async def changed(self, since: datetime | None, *, whole: bool) -> AsyncIterator[Page]:
        began = await self._clientele.time()
        start = None if whole or since is None else since - timedelta(seconds=self._policy.overlap)
        page: list[SeenRecord] = []
        async for customer in self._clientele.customers.changed(start):
            page.append(await self._record(customer))
            if len(page) == PAGE:
                yield Page(tuple(page))
                page = []
        yield Page(tuple(page), reached=began)

    async def write(self, seen: SeenRecord, writes: tuple[FieldWrite, ...]) -> SeenRecord:
        values = {one.field: one.value for one in writes}
        require_room(self._title(seen.name), values, _LONGEST, where="the shop")
        customer = await self._customer(seen.name)
        if customer is None:
            raise review(_gone(self._title(seen.name)))
        now = await self._record(customer)
        require_unchanged(seen, now, writes)
        left = {field: value for field, value in values.items() if now.values.get(field) != value}
        if not left:
            return now
        customers = self._clientele.customers
        with unnamed((*private_texts(customer), *values.values())):
            if "company" in left:
                async for one in customers.change([CustomerChange(id=customer.id, company=left["company"])]):
                    if one.error is not None:
                        raise one.error
                    if one.faults:
                        raise review(_not_taken(self._title(seen.name)))
            named = {field: value for field, value in left.items() if field in self._attributes}
            if named:
                ids = {field: await self._attribute(field) for field in named}
                await customers.describe(customer.id, {ids[field]: value for field, value in named.items()})
        return await self.read(seen.name)

    async def make(self, model: SeenRecord) -> SeenRecord:
        """Nobody is registered but by registering."""
        raise NotImplementedError

    async def _customer(self, name: str) -> ShopCustomer | None:
        number = int(name)
        return (await self._clientele.customers.of([number])).get(number)

    async def _record(self, customer: ShopCustomer) -> SeenRecord:
        number = str(customer.id)
        unfit = not_wanted(customer, self._policy)
        if unfit:
            # Whoever is in no group that counts is none of our business, whatever changes.
            return SeenRecord(id=number, parent=number, name=number, unfit=unfit, changed_at=customer.date_modified)
        account = to_account(customer, self._integration)
        problem = account[0] if isinstance(account, tuple) else None
        values = {"company": line(customer.company)}
        if not isinstance(account, tuple):
            values["sites"] = wanted_sites(account)
        try:
            shown = {one.attribute_id: line(one.attribute_value) for one in customer.attributes}
            for field in self._attributes:
                values[field] = shown.get(await self._attribute(field), "")
        except LookupError as missing:
            problem = problem or _no_attribute(self._title(number), self._integration, str(missing.args[0]))
        return SeenRecord(
            id=number,
            parent=number,
            name=number,
            values=values,
            first_values={} if isinstance(account, tuple) else {ACCOUNT: account.model_dump_json()},
            changed_at=customer.date_modified,
            problem=problem,
        )

    async def _attribute(self, field: str) -> int:
        """Raises `LookupError` with the attribute's name."""
        name = self._attributes[field]
        found = await self._clientele.customers.attribute_id(name)
        if found is None:
            raise LookupError(name)
        return found

    def _title(self, name: str) -> str:
        return names.document_title(names.CUSTOMER, self._integration.source, name)


def _gone(title: str) -> Problem:
    return Problem(
        code=NOT_TAKEN,
        sentence=f"{title} was deleted in the shop while it was looked at.",
        remedy="Retry: both sides are then looked at again.",
    )


def _not_taken(title: str) -> Problem:
    return Problem(
        code=NOT_TAKEN,
        sentence=f"{title}: the shop did not take the company's name.",
        remedy="Look at the customer in the shop, enter the name there as Fusion has it, then retry.",
    )


def _no_attribute(title: str, integration: Integration, name: str) -> Problem:
    return Problem(
        code=NO_ATTRIBUTE,
        sentence=f'{title}: the shop has no customer attribute "{name}", which is to show its account.',
        remedy=f"Create the attribute in the shop, or correct the name in customers of integration {integration.id}; "
        "then retry.",
    )
