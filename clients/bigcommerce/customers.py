"""Customers: those that changed, some by id or e-mail, their groups and attributes; new ones and changes."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from clients.bigcommerce.batches import Batch, Written, wire
from clients.bigcommerce.wire import SECOND, Reader, iso
from clients.http import VendorHttp
from contracts.bigcommerce_customer import (
    AttributeName,
    CustomerAddress,
    CustomerAttribute,
    CustomerChange,
    CustomerGroup,
    NewCustomer,
    ShopCustomer,
)

MOST_CHANGED: Final = 10
"""BigCommerce: customers in one `PUT /customers`, and no more than three such calls at a time; here it is one."""
_CHUNK: Final = 50
"""Ids in one question; keeps the address short."""
_PATH: Final = "v3/customers"
_PARTS: Final = {"include": "addresses,attributes"}


class Customers:
    """Reads and writes customers of one store."""

    def __init__(self, http: VendorHttp, reader: Reader) -> None:
        self._http = http
        self._reader = reader
        self._attribute_ids: dict[str, int] = {}
        self._batch = Batch(http, reader, path=_PATH, model=ShopCustomer, most=MOST_CHANGED, params={})

    async def changed(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[ShopCustomer]:
        """Customers modified at or after `since` (and at or before `until`), oldest change first; all without a date.

        BigCommerce: customers are sorted by date and not by id, and one that changes moves to the end. So the next
        question starts from the last change seen and not from the next page; where more share a second than fit a page,
        that second is read until it is complete. Each version comes once. A reading that was broken off goes on `since`
        the last date it got, and may repeat those of that second. Raises `BadAnswer` when the shop ignores filter or
        sort.
        """
        subject = "the list of changed customers"
        params: dict[str, str | int | bool] = {"sort": "date_modified:asc", **_PARTS}
        if since is not None:
            since = since.replace(microsecond=0)
        if until is not None:
            params["date_modified:max"] = iso(until + SECOND)
        cursor, seen = since, set[tuple[int, datetime]]()

        def is_new(row: ShopCustomer) -> bool:
            if (row.id, row.date_modified) in seen:
                return False
            seen.add((row.id, row.date_modified))
            return (since is None or row.date_modified >= since) and (until is None or row.date_modified <= until)

        while True:
            # A second back: the shop may understand the filter as "after".
            asked = params if cursor is None else params | {"date_modified:min": iso(cursor - SECOND)}
            page = await self._reader.page_v3(_PATH, ShopCustomer, subject=subject, params=asked)
            self._check(page.rows, cursor, subject)
            for row in await self._completed([row for row in page.rows if is_new(row)]):
                yield row
            if page.is_all:
                return
            last = page.rows[-1].date_modified
            if cursor is None or last > cursor:
                cursor = last
            else:
                crowded = asked | {"date_modified:max": iso(cursor + SECOND)}
                del crowded["sort"]
                rows = self._reader.every_v3(_PATH, ShopCustomer, subject=subject, key=_version, params=crowded)
                async for row in rows:
                    if is_new(row):
                        for one in await self._completed([row]):
                            yield one
                cursor += SECOND
            seen = {one for one in seen if one[1] >= cursor - SECOND}

    def _check(self, rows: Sequence[ShopCustomer], cursor: datetime | None, subject: str) -> None:
        dates = [row.date_modified for row in rows]
        if dates != sorted(dates):
            raise self._reader.ignored(subject, "the sort by date_modified")
        if cursor is not None and dates and dates[0] < cursor - SECOND:
            raise self._reader.ignored(subject, "the filter by date_modified")

    async def of(self, customer_ids: Collection[int]) -> dict[int, ShopCustomer]:
        """Customers by id. One that is missing has been deleted: no window ever shows that."""
        return {row.id: row async for row in self._chunks("id:in", map(str, sorted(set(customer_ids))))}

    async def with_email(self, email: str) -> ShopCustomer | None:
        """The customer with this address, in whatever case; `None` when there is none, and the address is free."""
        rows = [row async for row in self._chunks("email:in", [email])]
        same = [row for row in rows if row.email.casefold() == email.casefold()]
        if rows and not same:
            raise self._reader.ignored("a customer by e-mail", "the filter by e-mail")
        return same[0] if same else None

    async def groups(self) -> tuple[CustomerGroup, ...]:
        """All customer groups, by id. Empty where the shop's plan has none."""
        rows = await self._reader.rows_v2("v2/customer_groups", CustomerGroup, subject="the customer groups")
        return tuple(sorted(rows, key=lambda row: row.id))

    async def attribute_names(self) -> dict[int, AttributeName]:
        """The attributes that the merchant defined, by id. BigCommerce: customers carry only their ids."""
        rows = self._reader.every_v3(
            "v3/customers/attributes", AttributeName, subject="the customer attributes", key=lambda row: row.id
        )
        return {row.id: row async for row in rows}

    async def attribute_id(self, name: str) -> int | None:
        """The id of an attribute that the merchant defined; `None` when there is none of this name.

        One that was found is remembered: ids stay. What is missing may be made at any moment, so it is asked for anew.
        """
        if name not in self._attribute_ids:
            self._attribute_ids = {one.name: one.id for one in (await self.attribute_names()).values()}
        return self._attribute_ids.get(name)

    async def create(self, customer: NewCustomer, *, ends: float | None = None) -> ShopCustomer:
        """Make a customer. Not to be repeated: when the answer is lost (`InDoubt`), look with `with_email` first.

        BigCommerce: an address that another customer has is refused with 422 (`Rejected`). `ends` is the moment of the
        event loop's clock after which nothing may be sent.
        """
        subject = "a new customer"
        answer = await self._http.send(
            "POST", _PATH, subject=subject, body=[wire(customer.fields())], write=True, ends=ends
        )
        body: Any = self._http.document(answer, subject)
        rows = body.get("data") if isinstance(body, Mapping) else None
        if not isinstance(rows, list) or len(rows) != 1:
            raise self._http.bad_answer(subject, "there is not one customer in it")
        return self._reader.model(ShopCustomer, rows[0], subject)

    async def change(self, changes: Sequence[CustomerChange]) -> AsyncIterator[Written[ShopCustomer]]:
        """Write owned fields, ten customers to a call, and nothing else of them; one answer for each."""
        async for written in self._batch.write([one for one in changes if one.fields()], "the changed customers"):
            yield written

    async def describe(self, customer_id: int, values: Mapping[int, str], *, ends: float | None = None) -> None:
        """Give a customer's attributes values, by attribute id. Safe to repeat: what is there is replaced.

        BigCommerce: the field is `value` here and `attribute_value` when read; 255 characters at most.
        """
        body = [
            {"attribute_id": attribute, "customer_id": customer_id, "value": value}
            for attribute, value in sorted(values.items())
        ]
        for start in range(0, len(body), MOST_CHANGED):
            await self._http.send(
                "PUT",
                f"{_PATH}/attribute-values",
                subject=f"the attributes of customer {customer_id}",
                body=body[start : start + MOST_CHANGED],
                ends=ends,
            )

    async def _chunks(self, name: str, values: Collection[str] | Any) -> AsyncIterator[ShopCustomer]:
        wanted = list(values)
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            rows = self._reader.every_v3(
                _PATH,
                ShopCustomer,
                subject="customers by name",
                key=lambda row: row.id,
                params={name: ",".join(chunk), **_PARTS},
            )
            found = [row async for row in rows]
            if name == "id:in" and {str(row.id) for row in found} - set(chunk):
                raise self._reader.ignored("customers by id", "the filter by id")
            for row in await self._completed(found):
                yield row

    async def _completed(self, rows: Sequence[ShopCustomer]) -> list[ShopCustomer]:
        """The customers with all addresses and attributes. BigCommerce: at most ten of each come along."""
        short = [row.id for row in rows if row.address_count > len(row.addresses)]
        addresses = await self._parts("addresses", CustomerAddress, short) if short else {}
        short = [row.id for row in rows if row.attribute_count > len(row.attributes)]
        attributes = await self._parts("attribute-values", CustomerAttribute, short) if short else {}
        return [
            row.model_copy(
                update={
                    **({"addresses": addresses[row.id]} if row.id in addresses else {}),
                    **({"attributes": attributes[row.id]} if row.id in attributes else {}),
                }
            )
            for row in rows
        ]

    async def _parts(self, name: str, model: Any, customer_ids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
        found: dict[int, list[Any]] = {one: [] for one in customer_ids}
        for start in range(0, len(customer_ids), _CHUNK):
            chunk = customer_ids[start : start + _CHUNK]
            rows = self._reader.every_v3(
                f"{_PATH}/{name}",
                model,
                subject=f"the {name.replace('-', ' ')} of customers",
                key=_part,
                params={"customer_id:in": ",".join(map(str, chunk))},
            )
            async for row in rows:
                if row.customer_id in found:
                    found[row.customer_id].append(row)
        return {one: tuple(sorted(rows, key=_part)) for one, rows in found.items()}


def _version(row: ShopCustomer) -> tuple[int, datetime]:
    return row.id, row.date_modified


def _part(row: Any) -> tuple[int, int]:
    """What tells addresses, and values of attributes, from each other."""
    return (row.customer_id, row.id if isinstance(row, CustomerAddress) else row.attribute_id)
