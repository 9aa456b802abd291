"""Values in one spelling, so that two systems that mean the same say the same."""

from decimal import Decimal, InvalidOperation


def line(value: str) -> str:
    """A text of one line: what browsers and forms do to blanks does not count."""
    return " ".join(value.split())


def text(value: str) -> str:
    """A longer text, without blanks around it and with one kind of line end."""
    return "\n".join(value.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n"))


def amount(value: Decimal | str | float | None) -> str | None:
    """A number without trailing zeros; None where there is none, or none that can be read."""
    if value is None or value == "":
        return None
    try:
        read = Decimal(str(value))
    except InvalidOperation:
        return None
    if not read.is_finite():
        return None
    written = format(read, "f")
    return (written.rstrip("0").rstrip(".") if "." in written else written) or "0"


def number(value: str) -> int | float:
    """As JSON takes it."""
    read = Decimal(value)
    return int(read) if read == read.to_integral_value() else float(read)


def shown(value: str, length: int = 60) -> str:
    """As sentences quote it."""
    flat = line(value)
    return f"“{flat if len(flat) <= length else flat[: length - 1] + '…'}”"
