"""Metafields of a store's orders: text by namespace and key, unique for the account that made it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.bigcommerce.access import Account
from sandbox.bigcommerce.catalog import INVALID
from sandbox.bigcommerce.documents import Order
from sandbox.bigcommerce.habits import Habits
from sandbox.bigcommerce.refusals import RefusedError, not_found
from sandbox.bigcommerce.shop import Shop
from sandbox.bigcommerce.v3 import date

MOST = 250
"""Metafields of one order by one account."""
_LENGTHS = {"namespace": 64, "key": 64, "value": 65535}
_PERMISSIONS = ("app_only", "read", "write", "read_and_sf_access", "write_and_sf_access")


@dataclass(slots=True)
class OrderMetafield:
    """One metafield."""

    id: int
    order_id: int
    owner: str
    """The client id of the account that made it."""
    namespace: str
    key: str
    value: str
    description: str
    permission_set: str
    created: datetime
    modified: datetime

    def render(self) -> dict[str, Any]:
        """The metafield as the API shows it."""
        return {
            "id": self.id,
            "namespace": self.namespace,
            "key": self.key,
            "value": self.value,
            "description": self.description,
            "permission_set": self.permission_set,
            "resource_type": "order",
            "resource_id": self.order_id,
            "owner_client_id": self.owner,
            "date_created": date(self.created),
            "date_modified": date(self.modified),
        }


class Metafields:
    """The metafields of all orders of one store."""

    def __init__(self, shop: Shop, habits: Habits, *, now: Callable[[], datetime]) -> None:
        self._shop = shop
        self._habits = habits
        self._now = now
        self._rows: dict[int, OrderMetafield] = {}
        self._last = 400

    def of(self, order_id: int, account: Account) -> list[OrderMetafield]:
        """What the account sees at the order: its own, and those of others that are not private."""
        return [
            row
            for row in self._rows.values()
            if row.order_id == order_id and (row.owner == account.client_id or row.permission_set != "app_only")
        ]

    def every(self, order_id: int) -> list[OrderMetafield]:
        """All of an order, also what accounts keep to themselves: the truth."""
        return [row for row in self._rows.values() if row.order_id == order_id]

    def get(self, order_id: int, metafield_id: int, account: Account) -> OrderMetafield:
        """One of them, or a 404 refusal."""
        for row in self.of(order_id, account):
            if row.id == metafield_id:
                return row
        raise not_found()

    def create(self, order: Order, account: Account, body: object) -> OrderMetafield:
        """A new one; 409 when the account has one of this name already, 422 for what is wrong."""
        fields = _checked(body)
        own = [row for row in self._rows.values() if (row.order_id, row.owner) == (order.id, account.client_id)]
        if any((row.namespace, row.key) == (fields["namespace"], fields["key"]) for row in own):
            said = "A metafield with this namespace and key exists already."
            raise RefusedError(409, said, errors={"key": "The key is in use"})
        if len(own) >= MOST:
            raise RefusedError(422, f"An order has at most {MOST} metafields.", errors={"": "too many"})
        self._last += 1
        now = self._now().replace(microsecond=0)
        row = OrderMetafield(self._last, order.id, account.client_id, created=now, modified=now, **fields)
        self._rows[row.id] = row
        self._tell(order, "created", row)
        return row

    def change(self, order: Order, metafield_id: int, account: Account, body: object) -> OrderMetafield:
        """Replace its fields; 403 for one of another account that is not open for writing."""
        row = self.get(order.id, metafield_id, account)
        if row.owner != account.client_id and not row.permission_set.startswith("write"):
            raise RefusedError(403, "You don't have permission to change this metafield.")
        for name, value in _checked(body).items():
            setattr(row, name, value)
        row.modified = self._now().replace(microsecond=0)
        self._tell(order, "updated", row)
        return row

    def delete(self, order: Order, metafield_id: int, account: Account) -> None:
        row = self.get(order.id, metafield_id, account)
        del self._rows[row.id]
        self._tell(order, "deleted", row)

    def _tell(self, order: Order, what: str, row: OrderMetafield) -> None:
        data = {"metafield_id": row.id, "namespace": row.namespace}
        self._shop.annotated(order, what, data, touches=self._habits.metafields_touch)


def _checked(body: object) -> dict[str, str]:
    if not isinstance(body, Mapping):
        raise RefusedError(422, INVALID, errors={"": "error.expected.jsobject"})
    needed = (*_LENGTHS, "permission_set")
    errors = {name: "error.path.missing" for name in needed if name not in body}
    for name, most in _LENGTHS.items():
        value = body.get(name, "-")
        if not isinstance(value, str) or not 1 <= len(value) <= most:
            errors[name] = "error.length"
    if body.get("permission_set", "read") not in _PERMISSIONS:
        errors["permission_set"] = "error.expected.validenumvalue"
    if errors:
        raise RefusedError(422, INVALID, errors=errors)
    return {name: str(body.get(name, "")) for name in (*needed, "description")}
