"""A pod for the demo and the tests: two legal entities that sell in two web shops."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from decimal import Decimal

from sandbox.fusion.receivables.demo import EU_UNIT, US_UNIT, demo_receivables
from sandbox.fusion.world import (
    GENERAL_LEDGER,
    PAYABLES,
    RECEIVABLES,
    BusinessUnit,
    Chart,
    ClosingStatus,
    DataAccessSet,
    Ledger,
    Period,
    Rate,
    World,
)

US_LEDGER, EU_LEDGER = "US Primary Ledger", "EU Primary Ledger"
US_ENTITY, EU_ENTITY = "101", "201"
"""Balancing segment values of the two legal entities."""

NATURAL_ACCOUNTS = {
    "11200": "A",  # e-commerce clearing, cards
    "11210": "A",  # e-commerce clearing, wallets
    "11220": "A",  # e-commerce clearing, bank deposits and other
    "12100": "A",  # trade receivables, a control account
    "19990": "A",  # suspense
    "22100": "L",  # sales tax payable
    "22200": "L",  # VAT payable
    "23100": "L",  # store credit
    "23200": "L",  # gift certificates
    "24100": "L",  # deferred revenue
    "41000": "R",  # merchandise revenue
    "41100": "R",  # apparel
    "41200": "R",  # home and garden
    "41300": "R",  # books and media
    "41400": "R",  # electronics
    "41900": "R",  # other sales
    "42100": "R",  # shipping revenue
    "42200": "R",  # handling revenue
    "42300": "R",  # gift wrapping revenue
    "42400": "R",  # fees charged to customers
    "68900": "E",  # rounding differences
}
COST_CENTERS = ("000", "110", "120")
PRODUCTS = ("0000", "1000")
CURRENCIES = {"USD": 2, "EUR": 2, "GBP": 2, "CAD": 2, "CHF": 2, "SEK": 2, "JPY": 0, "BHD": 3, "AUD": 2, "MXN": 2}
SOURCE, CATEGORY = "ML Connector", "Web Sales"

_CHART = 21001


def demo_world(today: date | None = None) -> World:
    """A fresh world. Accounts are `entity-costcenter-account-product`, e.g. `101-000-41000-0000`.

    The month of `today` and the one before are open in the general ledger, the next one is future-enterable, earlier
    ones are closed. Receivables and Payables have closed the month before: who forgets the application reads that.
    On the last day of a month the next one is open already: somewhere it has begun.
    """
    today = today or date.today()  # noqa: DTZ011 - an accounting calendar has no zone
    world = World(
        charts=[Chart(_CHART, "Operations Accounting Flexfield", ("company", "costCenter", "account", "product"))],
        ledgers=[
            Ledger(300000046975971, US_LEDGER, "USD", _CHART, periods=_periods(today)),
            Ledger(300000046975980, EU_LEDGER, "EUR", _CHART, periods=_periods(today)),
        ],
        access_sets=[
            DataAccessSet(300000046976001, US_LEDGER, (300000046975971,)),
            DataAccessSet(300000046976002, EU_LEDGER, (300000046975980,)),
            DataAccessSet(300000046976003, "All Ledgers", (300000046975971, 300000046975980)),
        ],
        sources={"Manual": 300000000000001, "Spreadsheet": 300000000000002, SOURCE: 300000081234567},
        categories=("Adjustment", "Manual", "Sales Invoices", CATEGORY, "Web Refunds"),
        business_units=[
            BusinessUnit(300000046987012, US_UNIT, 300000046975971, 300000046973970, "Example Stores Inc."),
            BusinessUnit(300000046987013, EU_UNIT, 300000046975980, 300000046973971, "Example Stores GmbH"),
        ],
        currencies=dict(CURRENCIES),
        rates=_rates(today),
        receivables=demo_receivables(),
    )
    for entity in (US_ENTITY, EU_ENTITY):
        for account, kind in NATURAL_ACCOUNTS.items():
            for cost_center in COST_CENTERS:
                for product in PRODUCTS:
                    name = f"{entity}-{cost_center}-{account}-{product}"
                    world.add_account(name, account_type=kind, control=account == "12100")
    return world


def _periods(today: date) -> list[Period]:
    first, furthest = date(today.year - 1, 1, 1), today + timedelta(days=1)
    periods = []
    for offset in range(36):
        year, month = first.year + offset // 12, offset % 12 + 1
        starts = date(year, month, 1)
        ends = date(year, month, calendar.monthrange(year, month)[1])
        distance = (year - today.year) * 12 + month - today.month
        ahead = (year - furthest.year) * 12 + month - furthest.month
        ledger: ClosingStatus = _status(distance, ahead, last_closed=-2)
        others: ClosingStatus = _status(distance, ahead, last_closed=-1)
        status: dict[int, ClosingStatus] = {GENERAL_LEDGER: ledger, PAYABLES: others, RECEIVABLES: others}
        periods.append(Period(f"{calendar.month_abbr[month]}-{year % 100:02}", year, month, starts, ends, status))
        if month == 12:
            name = f"Adj-{year % 100:02}"
            periods.append(Period(name, year, 13, ends, ends, dict(status), adjustment=True))
    return periods


def _status(distance: int, ahead: int, last_closed: int) -> ClosingStatus:
    """`distance` in months from where it is today, `ahead` from where it is tomorrow already."""
    if distance <= last_closed:
        return "C"
    if ahead == 1:
        return "F"
    return "O" if ahead <= 0 else "N"


def _rates(today: date) -> list[Rate]:
    pairs = {
        ("EUR", "USD"): "1.0832", ("GBP", "USD"): "1.2710", ("CAD", "USD"): "0.7318", ("JPY", "USD"): "0.006543",
        ("GBP", "EUR"): "1.1734", ("USD", "EUR"): "0.9232", ("SEK", "EUR"): "0.0879", ("CHF", "EUR"): "1.0655",
    }  # fmt: skip
    days = [today + timedelta(days=offset) for offset in range(-120, 8)]
    return [
        Rate(from_currency, to_currency, "Corporate", day, Decimal(rate))
        for (from_currency, to_currency), rate in pairs.items()
        for day in days
    ]
