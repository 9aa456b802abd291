"""Any sale that keeps its promises, for properties of what mapping makes of it."""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from contracts.configuration import PostingPolicy
from contracts.sale import Sale

CURRENCIES = {"USD": 2, "EUR": 2, "JPY": 0, "BHD": 3}
TEXT = st.text(max_size=300)
ANY_ROUNDING = PostingPolicy(rounding_limit=Decimal("1e30"))


def amounts(units: int) -> st.SearchStrategy[Decimal]:
    limit = 10 ** (units + 9)
    return st.integers(-limit, limit).map(lambda number: Decimal(number).scaleb(-units))


@st.composite
def sales(draw: st.DrawFn, currency: str = "") -> dict[str, Any]:
    """Fields of any sale that keeps its promises: tenders add up to the total, rounding is what is left."""
    currency = currency or draw(st.sampled_from(sorted(CURRENCIES)))
    amount = amounts(CURRENCIES[currency])
    kinds = st.sampled_from(["product", "custom", "gift_certificate"])
    quantities = st.integers(-3, 12).map(Decimal) | st.sampled_from([Decimal("0.5"), Decimal("2.25"), Decimal("0.333")])
    lines = draw(st.lists(st.tuples(kinds, amount, TEXT, st.lists(TEXT, max_size=3), quantities), max_size=8))
    charges = draw(
        st.lists(st.tuples(st.sampled_from(["shipping", "handling", "wrapping", "fee"]), amount, TEXT), max_size=4)
    )
    taxes = draw(st.lists(st.tuples(amount, TEXT), max_size=4))
    tenders = draw(
        st.lists(st.tuples(st.sampled_from(["payment", "store_credit", "gift_certificate"]), amount, TEXT), max_size=4)
    )
    return {
        "currency": currency,
        "minor_units": CURRENCIES[currency],
        "lines": lines,
        "charges": charges,
        "taxes": taxes,
        "tenders": tenders,
    }


def versions(least: int, most: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    """So many sales of one currency."""
    currencies = st.sampled_from(sorted(CURRENCIES))
    return currencies.flatmap(lambda currency: st.lists(sales(currency), min_size=least, max_size=most))


def build(company: Any, drawn: dict[str, Any]) -> Sale:
    tenders = tuple(company.tender(str(amount), kind, method) for kind, amount, method in drawn["tenders"])
    sale: Sale = company.sale(
        currency=drawn["currency"],
        minor_units=drawn["minor_units"],
        lines=tuple(
            company.line(
                str(net), key=str(place), kind=kind, name=name, categories=tuple(categories), quantity=quantity
            )
            for place, (kind, net, name, categories, quantity) in enumerate(drawn["lines"])
        ),
        charges=tuple(company.charge(kind, str(net), name) for kind, net, name in drawn["charges"]),
        taxes=tuple(company.tax(str(amount), title) for amount, title in drawn["taxes"]),
        tenders=tenders,
        total=sum((tender.amount for tender in tenders), start=Decimal(0)),
    )
    return sale
