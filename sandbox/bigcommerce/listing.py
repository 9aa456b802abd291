"""Reading a list: filters, sorting and pages of orders V2, and the small filter language of V3."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from sandbox.bigcommerce.documents import Order
from sandbox.bigcommerce.payments import payment_method
from sandbox.bigcommerce.refusals import RefusedError

DEFAULT_LIMIT = 50
MOST = 250
Row = TypeVar("Row")

_SORTS: dict[str, Callable[[Order], Any]] = {
    "id": lambda order: order.id,
    "customer_id": lambda order: order.draft.person.customer_id,
    "date_created": lambda order: order.created,
    "date_modified": lambda order: order.modified,
    "status_id": lambda order: order.status_id,
    "channel_id": lambda order: order.profile.channel_id,
    "external_id": lambda order: "",
}


def moment(name: str, value: str) -> datetime:
    """A date filter, RFC 2822 or ISO 8601; without offset it is UTC. A `+` that was not encoded arrives as a space."""
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        try:
            parsed = parsedate_to_datetime(value)
        except ValueError:
            raise RefusedError(400, f"The field '{name}' is invalid.") from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)


def page(query: Mapping[str, str], *, most: int = MOST) -> tuple[int, int]:
    """`page` and `limit` of a request; more than the vendor allows is a 413."""
    number, limit = _whole("page", query.get("page", "1")), _whole("limit", query.get("limit", str(DEFAULT_LIMIT)))
    if limit > most:
        raise RefusedError(413, f"The limit must be at most {most}.")
    if number < 1 or limit < 1:
        raise RefusedError(400, "The fields 'page' and 'limit' must be at least 1.")
    return number, limit


def cut(rows: Sequence[Row], query: Mapping[str, str]) -> Sequence[Row]:
    """The page of a bare V2 list."""
    number, limit = page(query)
    return rows[(number - 1) * limit : number * limit]


def orders(every: Iterable[Order], query: Mapping[str, str]) -> list[Order]:
    """Orders that pass the request's filters, sorted. Filters the vendor does not know are ignored, as it does."""
    chosen = [order for order in every if not order.deleted]
    for name, test in _filters(query):
        chosen = [order for order in chosen if test(order)] if name else chosen
    wanted, _, direction = query.get("sort", "id:asc").partition(":")
    if wanted not in _SORTS or direction not in ("", "asc", "desc"):
        raise RefusedError(400, "The field 'sort' is invalid.")
    chosen.sort(key=lambda order: (_SORTS[wanted](order), order.id), reverse=direction == "desc")
    return chosen


def _filters(query: Mapping[str, str]) -> Iterable[tuple[str, Callable[[Order], bool]]]:
    for name, value in query.items():
        match name:
            case "min_id" | "max_id":
                yield name, _between(name, _whole(name, value), lambda order: order.id)
            case "min_total" | "max_total":
                yield name, _between(name, _amount(name, value), lambda order: order.priced.total.inc)
            case "min_date_created" | "max_date_created":
                yield name, _between(name, moment(name, value), lambda order: order.created)
            case "min_date_modified" | "max_date_modified":
                yield name, _between(name, moment(name, value), lambda order: order.modified)
            case "customer_id":
                yield name, _equal(_whole(name, value), lambda order: order.draft.person.customer_id)
            case "status_id":
                yield name, _equal(_whole(name, value), lambda order: order.status_id)
            case "channel_id":
                yield name, _equal(_whole(name, value), lambda order: order.profile.channel_id)
            case "email":
                yield name, _equal(value.lower(), lambda order: order.draft.person.email)
            case "cart_id":
                yield name, _equal(value, lambda order: order.cart_id)
            case "payment_method":
                yield name, _equal(value, payment_method)
            case "external_order_id":
                yield name, _equal(value, lambda order: "")


def _between(name: str, bound: Any, read: Callable[[Order], Any]) -> Callable[[Order], bool]:
    if name.startswith("min_"):
        return lambda order: bool(read(order) >= bound)
    return lambda order: bool(read(order) <= bound)


def _equal(wanted: object, read: Callable[[Order], object]) -> Callable[[Order], bool]:
    return lambda order: read(order) == wanted


def numbers(query: Mapping[str, str], name: str) -> set[int] | None:
    """The values of a V3 list filter such as `id:in=1,2`; None when it is not given."""
    if name not in query:
        return None
    try:
        return {int(part) for part in query[name].split(",") if part.strip()}
    except ValueError:
        raise RefusedError(422, "JSON data is missing or invalid", errors={name: "error.expected.int"}) from None


def _whole(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise RefusedError(400, f"The field '{name}' is invalid.") from None


def _amount(name: str, value: str) -> Decimal:
    try:
        return Decimal(value)
    except InvalidOperation:
        raise RefusedError(400, f"The field '{name}' is invalid.") from None
