from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.money import allocate, is_exact, minor_units, quantize

UNITS = st.sampled_from([0, 2, 3, 4])


@pytest.mark.parametrize(
    ("currency", "places"), [("USD", 2), ("EUR", 2), ("JPY", 0), ("KRW", 0), ("BHD", 3), ("CLF", 4)]
)
def test_a_currency_has_the_minor_units_of_iso_4217(currency: str, places: int) -> None:
    assert minor_units(currency) == places


@pytest.mark.parametrize("text", ["", "usd", "US", "USDX", "U$D"])
def test_what_is_no_currency_code_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        minor_units(text)


@pytest.mark.parametrize(
    ("amount", "units", "rounded"),
    [
        ("2.345", 2, "2.35"),
        ("-2.345", 2, "-2.35"),
        ("361.9500", 2, "361.95"),
        ("10.5", 0, "11"),
        ("1.2345", 3, "1.235"),
    ],
)
def test_halves_are_rounded_away_from_zero(amount: str, units: int, rounded: str) -> None:
    assert str(quantize(Decimal(amount), units)) == rounded


def test_no_amount_is_negative_zero() -> None:
    assert str(quantize(Decimal("-0.001"), 2)) == "0.00"


def test_an_amount_longer_than_the_default_precision_keeps_every_digit() -> None:
    long = Decimal("123456789012345678901234567890.12")
    assert quantize(long, 2) == long
    assert is_exact(long, 2)


def test_ten_cents_over_three_equal_lines_go_to_the_first_line_first() -> None:
    assert allocate(Decimal("0.10"), [Decimal(1)] * 3, 2) == (Decimal("0.04"), Decimal("0.03"), Decimal("0.03"))


def test_the_largest_remainder_is_served_first() -> None:
    shares = allocate(Decimal("1.00"), [Decimal("33.3"), Decimal("33.3"), Decimal("33.4")], 2)
    assert shares == (Decimal("0.33"), Decimal("0.33"), Decimal("0.34"))


def test_a_yen_discount_is_divided_in_whole_yen() -> None:
    assert allocate(Decimal(100), [Decimal(999), Decimal(999), Decimal(1)], 0) == (Decimal(50), Decimal(50), Decimal(0))


def test_lines_without_value_share_equally() -> None:
    assert allocate(Decimal("0.03"), [Decimal(0)] * 2, 2) == (Decimal("0.02"), Decimal("0.01"))


def test_nothing_over_nothing_is_nothing() -> None:
    assert allocate(Decimal(0), [], 2) == ()


@pytest.mark.parametrize(
    ("total", "weights"),
    [(Decimal("0.001"), [Decimal(1)]), (Decimal(1), []), (Decimal(1), [Decimal(1), Decimal(-1)])],
)
def test_what_cannot_be_divided_is_refused(total: Decimal, weights: list[Decimal]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- three reasons, one class
        allocate(total, weights, 2)


@given(
    cents=st.integers(-(10**12), 10**12),
    weights=st.lists(st.decimals(0, 10**9, allow_nan=False, allow_infinity=False, places=4), min_size=1, max_size=60),
    units=UNITS,
)
def test_shares_add_up_exactly_and_stay_within_one_minor_unit(cents: int, weights: list[Decimal], units: int) -> None:
    total = Decimal(cents).scaleb(-units)
    unit = Decimal(1).scaleb(-units)
    shares = allocate(total, weights, units)
    assert sum(shares) == total
    assert all(share == 0 or (share < 0) == (total < 0) for share in shares)
    parts = [Fraction(weight) for weight in weights] if any(weights) else [Fraction(1)] * len(weights)
    for share, part in zip(shares, parts, strict=True):
        assert abs(Fraction(share) - Fraction(total) * part / sum(parts)) < Fraction(unit)


@given(weights=st.lists(st.integers(0, 10**7), min_size=1, max_size=40), data=st.data())
def test_a_discount_never_exceeds_the_line_it_falls_on(weights: list[int], data: st.DataObject) -> None:
    lines = [Decimal(cents).scaleb(-2) for cents in weights]
    discount = Decimal(data.draw(st.integers(0, sum(weights)))).scaleb(-2)
    assert all(share <= line for share, line in zip(allocate(discount, lines, 2), lines, strict=True))
