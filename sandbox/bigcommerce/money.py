"""Exact money for the shop: minor units, shares without a lost cent, and the vendor's two ways of writing amounts."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

ZERO = Decimal(0)
WIRE = Decimal("0.0001")
"""Orders V2 writes every amount with four decimals."""
MINOR_UNITS = {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "BHD": 3, "KWD": 3, "OMR": 3, "JOD": 3, "TND": 3}


def minor_units(currency: str) -> int:
    """Decimal places of the currency's smallest unit; two unless ISO 4217 says otherwise."""
    return MINOR_UNITS.get(currency, 2)


def quantize(amount: Decimal, places: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def allocate(amount: Decimal, weights: Sequence[Decimal], places: int) -> list[Decimal]:
    """Shares of `amount` by weight, each exact to `places`, that sum to `amount`: largest remainder first."""
    total = sum(weights, ZERO)
    if not weights or total == 0:
        return [ZERO for _ in weights]
    unit = Decimal(1).scaleb(-places)
    exact = [amount * weight / total for weight in weights]
    shares = [(share // unit) * unit for share in exact]
    left = int((amount - sum(shares, ZERO)) / unit)
    by_remainder = sorted(range(len(shares)), key=lambda index: (shares[index] - exact[index], index))
    for index in by_remainder[:left]:
        shares[index] += unit
    return shares


def text(amount: Decimal) -> str:
    """An amount as orders V2 writes it: `"361.9500"`."""
    return str(amount.quantize(WIRE, rounding=ROUND_HALF_UP))


def number(amount: Decimal) -> int | float:
    """An amount as V3 and coupons write it: a JSON number."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)
