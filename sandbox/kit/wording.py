"""How the pages write amounts, lengths of time and faults."""

from __future__ import annotations

from decimal import Decimal

from sandbox.kit.faults import Fault


def amount(value: Decimal | None, digits: int = 2) -> str:
    """Thousands separated, with the currency's digits; nothing for no amount."""
    return "" if value is None else f"{value:,.{digits}f}"


def counted(number: int, what: str, many: str = "") -> str:
    """`1 order`, `12,000 orders`."""
    return f"{number:,} {what if number == 1 else many or what + 's'}"


def span(seconds: float) -> str:
    """A length of time for people: `0.25 s`, `40 s`, `12 min`, `3 h`."""
    if abs(seconds) < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if abs(seconds) < 7200 else f"{seconds / 3600:.3g} h"


def where(fault: Fault) -> str:
    """Which calls a fault is meant for."""
    method = "" if fault.method == ".*" else fault.method
    path = "" if fault.path == ".*" else fault.path
    return f"{method} {path}".strip() or "every call"


def limits(fault: Fault) -> str:
    """How long or how often it will still strike, and how."""
    said = []
    if fault.count is not None:
        said.append(counted(fault.count, "time") + " more")
    left = fault.left()
    if left is not None:
        said.append(f"{left:.0f} s left")
    if fault.skip:
        said.append(f"lets {fault.skip} pass")
    if fault.chance < 1:
        said.append(f"{fault.chance:.0%} of them")
    if fault.seconds:
        said.append(f"by {span(fault.seconds)}")
    if fault.status:
        said.append(f"status {fault.status}")
    if fault.retry_after is not None:
        said.append(f"retry after {fault.retry_after:g} s")
    said += [f"{name} {value}" for name, value in fault.options.items()]
    return ", ".join(said) or "until it is cleared"
