"""Money arithmetic: exact to the minor unit of the currency, never a float."""

import re
from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction
from typing import Final

# ISO 4217 lists the exponent of each currency; every code that is not named here has two.
_MINOR_UNITS: Final = {
    **dict.fromkeys(
        (
            *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
            *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
_CODE: Final = re.compile(r"[A-Z]{3}")

# The default context keeps 28 digits and would refuse to quantize a longer amount.
_WIDE: Final = Context(prec=100)


def minor_units(currency: str) -> int:
    """Decimal places of a currency by ISO 4217: 2 for USD, 0 for JPY, 3 for BHD.

    Raises `ValueError` when `currency` is not three capital letters.
    """
    if not _CODE.fullmatch(currency):
        raise ValueError(f"{currency!r} is not an ISO 4217 currency code")
    return _MINOR_UNITS.get(currency, 2)


def quantize(amount: Decimal, units: int) -> Decimal:
    """`amount` with exactly `units` decimal places, halves rounded away from zero as shops do. Never negative zero."""
    with localcontext(_WIDE):
        rounded = amount.quantize(Decimal(1).scaleb(-units), rounding=ROUND_HALF_UP)
        return abs(rounded) if rounded == 0 else rounded


def is_exact(amount: Decimal, units: int) -> bool:
    """Whether `amount` needs no more than `units` decimal places; trailing zeros do not count."""
    return quantize(amount, units) == amount


def allocate(total: Decimal, weights: Sequence[Decimal], units: int) -> tuple[Decimal, ...]:
    """Divide `total` in proportion to `weights` by largest remainder: the shares add up to `total` exactly.

    Each share is within one minor unit of its exact proportion; of equal remainders the earlier one is served first,
    so the same order always divides alike. When every weight is zero the shares are equal. A share never exceeds its
    weight as long as the total does not exceed the sum of weights that are exact to the minor unit.

    Raises `ValueError` for a negative weight, a total that is not exact to the minor unit, or a total that is not
    zero with nothing to divide it over.
    """
    if not is_exact(total, units):
        raise ValueError(f"{total} is not exact to {units} decimal places")
    if any(one < 0 for one in weights):
        raise ValueError("a weight is negative")
    if not weights:
        if total:
            raise ValueError(f"there is nothing to divide {total} over")
        return ()
    if not any(weights):
        weights = [Decimal(1)] * len(weights)
    with localcontext(_WIDE):
        whole = int(abs(total).scaleb(units).to_integral_value(rounding=ROUND_FLOOR))
        parts = [Fraction(weight) for weight in weights]
        weight = sum(parts)
        exact = [whole * part / weight for part in parts]
        shares = [int(one) for one in exact]
        by_remainder = sorted(range(len(exact)), key=lambda place: (shares[place] - exact[place], place))
        for place in by_remainder[: whole - sum(shares)]:
            shares[place] += 1
        sign = -1 if total < 0 else 1
        return tuple(quantize(Decimal(sign * share).scaleb(-units), units) for share in shares)
