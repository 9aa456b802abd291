"""The customers of one store, with addresses, attributes and groups.

Values are what the wire shows. Every change moves `date_modified` (whole seconds) and is announced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sandbox.bigcommerce.catalog import INVALID, LONG_AGO, Announce
from sandbox.bigcommerce.habits import Habits
from sandbox.bigcommerce.profiles import Person, Profile
from sandbox.bigcommerce.refusals import RefusedError

GROUPS = {1: "Retail", 2: "Wholesale", 3: "Partners"}
ATTRIBUTES = {1: ("ERP account", "string"), 2: ("Credit limit", "number"), 3: ("ERP status", "string")}
_TEXTS = {"email": 255, "first_name": 100, "last_name": 100, "company": 255, "phone": 50, "tax_exempt_category": 255}
_ADDRESS = ("first_name", "last_name", "address1", "city", "country_code")
_ADDRESS_TEXTS = (
    *(*_ADDRESS, "address2", "company", "state_or_province", "postal_code", "country", "phone", "address_type"),
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(slots=True)
class CustomerRow:
    """A customer. `fields` are those that were ever set."""

    id: int
    fields: dict[str, Any]
    created: datetime
    modified: datetime
    addresses: list[dict[str, Any]] = field(default_factory=list)
    attributes: dict[int, str] = field(default_factory=dict)
    """Values by attribute id."""


class Customers:
    """Customers of one store."""

    def __init__(self, profile: Profile, habits: Habits, *, now: Callable[[], datetime], announce: Announce) -> None:
        self.rows: dict[int, CustomerRow] = {}
        self.channel_id = profile.channel_id
        self._habits = habits
        self._now = now
        self._announce = announce
        self._emails: dict[str, int] = {}
        self._last = 0
        self._last_address = 0
        for person in profile.people:
            if person.customer_id:
                self._add(person.customer_id, _fields(person), LONG_AGO)
                self._attach(self.rows[person.customer_id], _address(person))

    def get(self, customer_id: int) -> CustomerRow:
        """The customer, or LookupError."""
        try:
            return self.rows[customer_id]
        except KeyError:
            raise LookupError(f"There is no customer {customer_id}.") from None

    # What others do

    def grow(self, count: int, *, spread: timedelta = timedelta(days=300)) -> list[int]:
        """Add `count` customers at once, changed at some time within `spread`; nobody is told. Returns their ids."""
        made = []
        for index in range(count):
            customer_id = self._last + 1
            modified = (LONG_AGO + spread * (index * 7919 % count / count)).replace(microsecond=0)
            fields = {
                "email": f"customer{customer_id}@example.com",
                "first_name": "Customer",
                "last_name": f"Number {customer_id}",
                "customer_group_id": index % 4,
            }
            self._add(customer_id, fields, LONG_AGO, modified=modified)
            made.append(customer_id)
        return made

    def edit(self, customer_id: int, **fields: Any) -> CustomerRow:
        """Somebody changes a customer in the control panel."""
        row = self.get(customer_id)
        self._set(row, fields)
        return row

    def add_address(self, customer_id: int, **fields: Any) -> int:
        """The customer has another address; returns its id."""
        row = self.get(customer_id)
        address_id = self._attach(row, fields)
        self._moved(row, "created", address_id)
        return address_id

    def move(self, customer_id: int, address_id: int, **fields: Any) -> None:
        """The customer changes an address."""
        row = self.get(customer_id)
        next(one for one in row.addresses if one["id"] == address_id).update(fields)
        self._moved(row, "updated", address_id)

    def describe(self, customer_id: int, attribute_id: int, value: str) -> None:
        """Somebody gives the customer's attribute a value."""
        row = self.get(customer_id)
        row.attributes[attribute_id] = value
        self._touch(row)

    def delete(self, customer_id: int) -> None:
        row = self.get(customer_id)
        del self.rows[row.id]
        self._emails.pop(str(row.fields["email"]).casefold(), None)
        self._announce("store/customer/deleted", {"type": "customer", "id": row.id})

    # Writes of the API

    def create(self, bodies: list[dict[str, Any]]) -> list[CustomerRow]:
        """New customers; all or none, with a 422 refusal."""
        for body in bodies:
            missing = {name: "error.path.missing" for name in ("email", "first_name", "last_name") if name not in body}
            for one in body.get("addresses") or ():
                missing |= {f"addresses.{name}": "error.path.missing" for name in _ADDRESS if name not in one}
            if missing:
                raise RefusedError(422, INVALID, errors=missing)
            self._check(body, 0, "Create customers failed.", ".customer_create")
        made = []
        for body in bodies:
            row = self._add(self._last + 1, _values(body), self._now().replace(microsecond=0))
            for one in body.get("addresses") or ():
                self._attach(row, one)
            self._announce("store/customer/created", {"type": "customer", "id": row.id})
            made.append(row)
        return made

    def change(self, bodies: list[dict[str, Any]]) -> list[CustomerRow]:
        """Set the fields that the bodies name; all or none, with a 422 refusal."""
        title, name = "Update customers failed.", ".customer_update"
        for body in bodies:
            if body.get("id") not in self.rows:
                raise RefusedError(422, title, errors={name: f"Customer {body.get('id')} does not exist"})
            self._check(body, int(body["id"]), title, name)
        changed = [self.rows[int(body["id"])] for body in bodies]
        for row, body in zip(changed, bodies, strict=True):
            values = _values(body)
            idle = all(row.fields.get(field) == value for field, value in values.items())
            if self._habits.idle_writes or not idle:
                self._set(row, values)
        return changed

    def upsert(self, bodies: list[dict[str, Any]]) -> None:
        """Give attributes values; all or none, with a 422 refusal."""
        for body in bodies:
            errors = {}
            if body.get("customer_id") not in self.rows:
                errors["customer_id"] = "The customer does not exist"
            if body.get("attribute_id") not in ATTRIBUTES:
                errors["attribute_id"] = "The attribute does not exist"
            if not isinstance(body.get("value"), str):
                errors["value"] = "error.expected.jsstring"
            elif len(body["value"]) > 255:
                errors["value"] = "error.maxLength"
            if errors:
                raise RefusedError(422, INVALID, errors=errors)
        for body in bodies:
            row = self.rows[body["customer_id"]]
            idle = row.attributes.get(body["attribute_id"]) == body["value"]
            row.attributes[body["attribute_id"]] = body["value"]
            if self._habits.idle_writes or not idle:
                self._touch(row)

    # Inside

    def _check(self, body: Mapping[str, Any], own_id: int, title: str, name: str) -> None:
        errors = {
            field: "error.expected.jsstring" if not isinstance(body[field], str) else "error.maxLength"
            for field, most in _TEXTS.items()
            if field in body and (not isinstance(body[field], str) or len(body[field]) > most)
        }
        if not errors and "email" in body and not _EMAIL.fullmatch(body["email"]):
            errors["email"] = "error.email"
        if errors:
            raise RefusedError(422, INVALID, errors=errors)
        if self._emails.get(str(body.get("email", "")).casefold(), own_id) != own_id:
            raise RefusedError(422, title, errors={name: f"The email address {body['email']} is already in use"})
        if body.get("customer_group_id", 0) not in (0, *GROUPS):
            raise RefusedError(422, title, errors={name: "The customer group does not exist"})

    def _set(self, row: CustomerRow, values: Mapping[str, Any]) -> None:
        if "email" in values:
            self._emails.pop(str(row.fields["email"]).casefold(), None)
            self._emails[str(values["email"]).casefold()] = row.id
        row.fields |= values
        self._touch(row)

    def _add(
        self, customer_id: int, fields: dict[str, Any], created: datetime, *, modified: datetime | None = None
    ) -> CustomerRow:
        self._last = max(self._last, customer_id)
        self.rows[customer_id] = CustomerRow(customer_id, fields, created, modified or created)
        self._emails[str(fields["email"]).casefold()] = customer_id
        return self.rows[customer_id]

    def _attach(self, row: CustomerRow, fields: Mapping[str, Any]) -> int:
        self._last_address += 1
        texts = {name: fields.get(name, "") for name in _ADDRESS_TEXTS}
        texts["address_type"] = fields.get("address_type", "residential")
        row.addresses.append({"id": self._last_address, "customer_id": row.id, **texts})
        return self._last_address

    def _moved(self, row: CustomerRow, what: str, address_id: int) -> None:
        data = {"type": "customer", "id": address_id, "address": {"customer_id": row.id}}
        self._announce(f"store/customer/address/{what}", data)
        if self._habits.addresses_touch:
            self._touch(row)

    def _touch(self, row: CustomerRow) -> None:
        row.modified = max(self._now().replace(microsecond=0), row.modified)
        self._announce("store/customer/updated", {"type": "customer", "id": row.id})


def _values(body: Mapping[str, Any]) -> dict[str, Any]:
    """As the shop keeps them: text without blanks around it; what is not known is left out."""
    known = (*_TEXTS, "customer_group_id", "notes", "channel_ids")
    return {name: value.strip() if isinstance(value, str) else value for name, value in body.items() if name in known}


def _fields(person: Person) -> dict[str, Any]:
    return {
        "email": person.email,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "phone": "5550100",
        "customer_group_id": person.customer_group_id,
    }


def _address(person: Person) -> dict[str, Any]:
    return {
        "first_name": person.first_name,
        "last_name": person.last_name,
        "address1": person.street,
        "city": person.city,
        "state_or_province": person.state,
        "postal_code": person.zip,
        "country": person.country,
        "country_code": person.country_iso2,
        "phone": "5550100",
    }
