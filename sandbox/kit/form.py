"""What a person sent with a button."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from urllib.parse import parse_qs

from starlette.requests import Request

MAX_FORM = 16 * 1024
"""Bytes."""


class Form:
    """The fields of an ordinary form, the first value of each, without spaces around."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = dict(fields)

    @classmethod
    async def read(cls, request: Request) -> Form:
        """Raises ValueError for a form that is too long."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FORM:
                raise ValueError(f"A form has at most {MAX_FORM} bytes.")
        fields = parse_qs(body.decode("utf-8", errors="replace"), max_num_fields=50)
        return cls({name: values[0].strip() for name, values in fields.items()})

    def text(self, name: str, otherwise: str = "") -> str:
        """The field; `otherwise` where it is empty or missing."""
        return self._fields.get(name) or otherwise

    def number(self, name: str, *, least: float, most: float, otherwise: float | None = None) -> float:
        """The field as a number from `least` to `most`, or ValueError."""
        text = self.text(name)
        if not text and otherwise is not None:
            return otherwise
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise ValueError(f"{_spoken(name)} is a number from {least:g} to {most:g}, not {text!r}.")
        return number

    def integer(self, name: str, *, least: int, most: int, otherwise: int | None = None) -> int:
        """The field as a whole number from `least` to `most`, or ValueError."""
        number = self.number(name, least=least, most=most, otherwise=otherwise)
        if number != int(number):
            raise ValueError(f"{_spoken(name)} is a whole number, not {self.text(name)!r}.")
        return int(number)

    def amount(self, name: str) -> Decimal | None:
        """The field as an amount that is not below zero, None where it is empty, or ValueError."""
        text = self.text(name)
        if not text:
            return None
        try:
            amount = Decimal(text)
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or not 0 <= amount < 10**12:
            raise ValueError(f"{_spoken(name)} is an amount that is not below zero, not {text!r}.")
        return amount


def _spoken(name: str) -> str:
    return name.replace("_", " ").capitalize()
