"""Documents checked against the description before they are sent: all faults at once, each with its path.

The pod says one fault at a time, minutes apart, and some only after it has created half of it. What a description does
not say is not checked, and what it says wrongly of a pod can be excepted by path.
"""

import datetime as dt
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final, Literal

from clients.oracle_fusion.described import AttributeFacts, Descriptions, ResourceFacts
from clients.oracle_fusion.errors import UnfitPayload
from contracts.configuration import FusionConnection
from contracts.model import Frozen

Operation = Literal["create", "update"]

FLEXFIELD_CONTEXT: Final = "__FLEX_Context"
"""An attribute of every flexfield. Which segments it has depends on the context, and descriptions do not list all."""


class FaultKind(StrEnum):
    UNKNOWN = "unknown"
    MISSING = "missing"
    WRONG_TYPE = "wrong_type"
    TOO_LONG = "too_long"
    NOT_UPDATABLE = "not_updatable"


class PayloadFault(Frozen):
    """One thing wrong with a document."""

    path: str
    """A JSON pointer into the document, as the vendor names places: `/receivablesInvoiceLines/0/Quantity`."""
    kind: FaultKind
    sentence: str
    """Never holds the value: that may be personal data."""


def payload_faults(
    facts: ResourceFacts, payload: Mapping[str, Any], operation: Operation = "create", *, but: Iterable[str] = ()
) -> tuple[PayloadFault, ...]:
    """Everything wrong with a document, in its order, what is missing last.

    `but`: pointers (without row numbers: `/lines/Quantity`) that are taken as they are, whatever the description says;
    an empty one stands for the whole document. Nothing is wrong where there is no description.
    """
    excepted = frozenset(but)
    if not facts.attributes or "" in excepted:
        return ()
    found = _faults(facts, payload, operation, "", nested=False)
    return tuple(fault for fault in found if _without_numbers(fault.path) not in excepted)


async def check_document(
    descriptions: Descriptions,
    settings: FusionConnection,
    resource: str,
    payload: Mapping[str, Any],
    *,
    subject: str,
    child: str = "",
    operation: Operation = "create",
    but: Iterable[str] = (),
) -> None:
    """Check a document before it is sent, against what its resource says of itself now.

    Raises `UnfitPayload` with all faults. A resource that cannot be described takes everything, as far as is known.
    `child`: dotted path of the children that the document is one of. Costs a call where nobody has asked today.
    """
    facts = (await descriptions.known(resource)).at(child)
    if facts is not None:
        excepted = (*but, *_unchecked(settings.unchecked, "/".join([resource, *filter(None, child.split("."))])))
        check_payload(settings.id, subject, facts, payload, operation, but=excepted)


def _unchecked(settings: Iterable[str], place: str) -> Iterator[str]:
    """`receivablesInvoices/Comments` is `/Comments` of `receivablesInvoices`, and that alone the whole document."""
    for one in settings:
        if place == one or place.startswith(f"{one}/"):
            yield ""
        elif one.startswith(f"{place}/"):
            yield one.removeprefix(place)


def check_payload(
    connection: str,
    subject: str,
    facts: ResourceFacts,
    payload: Mapping[str, Any],
    operation: Operation = "create",
    *,
    but: Iterable[str] = (),
) -> None:
    """Raises `UnfitPayload` with all faults; nothing was sent then."""
    faults = payload_faults(facts, payload, operation, but=but)
    if faults:
        raise UnfitPayload(
            connection,
            f"{subject} was not sent: {len(faults)} {'fault' if len(faults) == 1 else 'faults'} against what "
            f"{facts.resource} takes. " + " ".join(f"{fault.path}: {fault.sentence}" for fault in faults),
            faults=[(fault.path, fault.kind.value, fault.sentence) for fault in faults],
            messages=[f"{fault.path}: {fault.sentence}" for fault in faults],
        )


def _faults(
    facts: ResourceFacts, row: Mapping[str, Any], operation: Operation, path: str, *, nested: bool
) -> Iterator[PayloadFault]:
    for name, value in row.items():
        here = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
        if name in facts.attributes:
            # A row below a document that is changed may be a new one: what only a new one may bring is let through.
            updated = operation == "update" and not nested
            yield from _value_faults(facts.attributes[name], value, here, updated=updated)
        elif name in facts.children:
            yield from _child_faults(facts.children[name], value, operation, here)
        elif FLEXFIELD_CONTEXT not in facts.attributes and not name.startswith("__FLEX_"):
            yield PayloadFault(path=here, kind=FaultKind.UNKNOWN, sentence=_unknown(name, facts))
    if operation == "create":
        for name, attribute in facts.attributes.items():
            if name not in row and attribute.demanded:
                yield PayloadFault(
                    path=f"{path}/{name}", kind=FaultKind.MISSING, sentence="It is mandatory and not there."
                )


def _child_faults(facts: ResourceFacts, value: Any, operation: Operation, path: str) -> Iterator[PayloadFault]:
    rows = value.get("items") if isinstance(value, Mapping) and "items" in value else value
    if isinstance(rows, Mapping):
        rows = [rows]
    if not isinstance(rows, Sequence) or isinstance(rows, str | bytes):
        yield PayloadFault(path=path, kind=FaultKind.WRONG_TYPE, sentence="Rows are expected here.")
        return
    for number, row in enumerate(rows):
        if isinstance(row, Mapping):
            yield from _faults(facts, row, operation, f"{path}/{number}", nested=True)
        else:
            yield PayloadFault(path=f"{path}/{number}", kind=FaultKind.WRONG_TYPE, sentence="A row is expected here.")


def _value_faults(facts: AttributeFacts, value: Any, path: str, *, updated: bool) -> Iterator[PayloadFault]:
    if updated and not facts.changeable:
        yield PayloadFault(path=path, kind=FaultKind.NOT_UPDATABLE, sentence="It cannot be changed once it is there.")
        return
    if not updated and not facts.settable:
        yield PayloadFault(path=path, kind=FaultKind.NOT_UPDATABLE, sentence="Fusion sets it by itself.")
        return
    if value is None:
        if facts.mandatory and not facts.has_default:
            yield PayloadFault(path=path, kind=FaultKind.MISSING, sentence="It is mandatory and empty.")
        return
    wrong = _TYPES[facts.type](value) if facts.type in _TYPES else ""
    if wrong:
        yield PayloadFault(path=path, kind=FaultKind.WRONG_TYPE, sentence=wrong)
        return
    too_long = _too_long(facts, value)
    if too_long:
        yield PayloadFault(path=path, kind=FaultKind.TOO_LONG, sentence=too_long)


def _text(value: Any) -> str:
    return "" if isinstance(value, str) else "A text is expected."


def _number(value: Any) -> str:
    """Numbers come as text in the vendor's own samples, so both are fine."""
    return "" if _decimal(value) is not None else "A number is expected."


def _whole(value: Any) -> str:
    number = _decimal(value)
    return "" if number is not None and number == number.to_integral_value() else "A whole number is expected."


def _truth(value: Any) -> str:
    return "" if isinstance(value, bool) or value in ("true", "false") else "true or false is expected."


def _day(value: Any) -> str:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return ""
    try:
        fits = isinstance(value, str) and len(value) == 10 and bool(dt.date.fromisoformat(value))
    except ValueError:
        fits = False
    return "" if fits else "A date (yyyy-mm-dd) is expected."


def _moment(value: Any) -> str:
    """The zone must be said: in which one the vendor reads a time without is not documented."""
    try:
        moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return "A time (yyyy-mm-ddThh:mm:ss with an offset) is expected."
    return "" if moment.tzinfo is not None else "A time needs its offset from UTC."


_TYPES: Final = {
    "string": _text,
    "integer": _whole,
    "number": _number,
    "boolean": _truth,
    "date": _day,
    "datetime": _moment,
}
"""By the description's word. Others (attachment, object, array) are not looked into."""


def _too_long(facts: AttributeFacts, value: Any) -> str:
    if facts.type == "string":
        limit = facts.max_length or facts.precision
        if limit is not None and isinstance(value, str) and len(value) > limit:
            return f"It has {len(value)} characters; {limit} fit."
        return ""
    number = _decimal(value) if facts.type in ("integer", "number") else None
    if number is None:
        return ""
    _, digits, exponent = number.normalize().as_tuple()
    behind = max(0, -exponent) if isinstance(exponent, int) else 0
    before = max(0, len(digits) + exponent) if isinstance(exponent, int) and number else 0
    if facts.scale is not None and behind > facts.scale:
        return f"It has {behind} digits behind the point; {facts.scale} fit."
    room = None if facts.precision is None else facts.precision - (facts.scale or 0)
    return f"It has {before} digits before the point; {room} fit." if room is not None and before > room else ""


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _unknown(name: str, facts: ResourceFacts) -> str:
    near = difflib.get_close_matches(name, [*facts.attributes, *facts.children], n=1)
    meant = f" Is {near[0]} meant?" if near else ""
    return f"{facts.resource} has no such attribute.{meant}"


def _without_numbers(path: str) -> str:
    return "/" + "/".join(part for part in path.split("/")[1:] if not part.isdigit())
