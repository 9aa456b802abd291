"""A small company: one US store with books in US dollars, and a mapping set that covers everything it sells."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from contracts.configuration import Books, Channel, Integration, MappingSet, PostingPolicy, ReceivableBooks, Rule
from contracts.journal import LedgerFacts, Period, Purpose
from contracts.sale import OrderSnapshot, Sale, SaleCharge, SaleLine, SaleTax, SaleTender
from contracts.steps.documents import Lookups, Mapped
from mapping.journal import to_journal
from mapping.receivable import to_invoice

NOON = dt.datetime(2026, 3, 10, 18, 0, tzinfo=dt.UTC)
"""Noon in Chicago."""


def make_rule(rule_id: str, purpose: str, account: str = "*-10-40000", **fields: Any) -> Rule:
    days = {name: fields.pop(name) for name in ("effective_from", "effective_to") if name in fields}
    return Rule.model_validate({"id": rule_id, "purpose": purpose, "account": account, "when": fields, **days})


def make_set(*rules: Rule, **fields: Any) -> MappingSet:
    given: dict[str, Any] = {
        "id": "retail",
        "version": 7,
        "segments": ("Company", "Department", "Account"),
        "balancing_segment": "Company",
        "rules": rules,
    }
    return MappingSet.model_validate(given | fields)


def make_full_set(**fields: Any) -> MappingSet:
    """One rule for each purpose that is booked, each with its own account."""
    booked = [purpose for purpose in Purpose if purpose not in (Purpose.SUSPENSE, Purpose.DEFERRED_REVENUE)]
    rules = (
        make_rule(purpose.value.replace("_", "-"), purpose.value, f"*-10-{40000 + place}")
        for place, purpose in enumerate(booked)
    )
    return make_set(*rules, **fields)


def make_line(net: str = "100.00", **fields: Any) -> SaleLine:
    given: dict[str, Any] = {
        "key": "1",
        "kind": "product",
        "sku": "SHIRT-1",
        "product_id": "77",
        "product_type": "physical",
        "name": "Blue shirt",
        "categories": ("Apparel > Shirts",),
        "quantity": Decimal(1),
        "list_net": Decimal(net),
        "discount": Decimal(0),
        "net": Decimal(net),
    }
    return SaleLine.model_validate(given | fields)


def make_sale(**fields: Any) -> Sale:
    """Order 1024 for 100.00 by card. Total, rounding and the tender follow from what is given."""
    given: dict[str, Any] = {
        "connection": "bc-us",
        "order_id": "1024",
        "channel": "1",
        "currency": "USD",
        "tax_inclusive": False,
        "placed_at": NOON,
        "store_timezone": "America/Chicago",
        "ship_to_country": "US",
        "ship_to_state": "TX",
        "lines": (make_line(),),
        "charges": (),
        "taxes": (),
    } | fields
    sold: list[Decimal] = [line.net for line in given["lines"]]
    sold += [charge.net for charge in given["charges"]]
    sold += [tax.amount for tax in given["taxes"]]
    given.setdefault("total", sum(sold, start=Decimal(0)))
    given.setdefault("total_tax", sum((tax.amount for tax in given["taxes"]), start=Decimal(0)))
    given.setdefault("rounding", given["total"] - sum(sold, start=Decimal(0)))
    given.setdefault("tenders", (SaleTender(kind="payment", method="Credit Card", amount=given["total"]),))
    return Sale.model_validate(given)


def make_month(month: int, status: str = "open", year: int = 2026) -> Period:
    first = dt.date(year, month, 1)
    following = dt.date(year + month // 12, month % 12 + 1, 1)
    return Period.model_validate(
        {
            "name": f"{first:%b-%y}",
            "starts": first,
            "ends": following - dt.timedelta(days=1),
            "status": status,
        }
    )


def make_books(**fields: Any) -> Books:
    given: dict[str, Any] = {
        "channel": "1",
        "currency": "USD",
        "ledger": "US Primary",
        "data_access_set": "US Primary",
        "journal_source": "Web Shop",
        "journal_category": "Sales",
        "balancing_segment": "101",
        "business_unit": "US Retail",
    }
    return Books.model_validate(given | fields)


def make_integration(policy: PostingPolicy | None = None, *books: Books) -> Integration:
    return Integration(
        id="us-retail",
        tenant="acme",
        fusion="fusion",
        source="bc-us",
        mapping_set="retail",
        cut_over=dt.date(2026, 1, 1),
        channels=(Channel(id="1"),),
        books=books or (make_books(),),
        posting=policy or PostingPolicy(),
    )


def make_lookups(**fields: Any) -> Lookups:
    given: dict[str, Any] = {
        "ledger": LedgerFacts(ledger="US Primary", ledger_id=1, currency="USD", segment_count=3),
        "periods": tuple(make_month(month) for month in range(1, 13)),
        "looked_up_at": NOON,
    }
    return Lookups.model_validate(given | fields)


def make_snapshot(sale: Sale) -> OrderSnapshot:
    return OrderSnapshot(sale=sale, modified_at=NOON, status_id="10", status="Completed")


def make_billing(**fields: Any) -> ReceivableBooks:
    given = {"transaction_source": "Web Shop", "transaction_type": "Invoice", "customer_account": "WEB-US"}
    return ReceivableBooks.model_validate(given | fields)


def map_sale(sale: Sale, mapping_set: MappingSet | None = None, **fields: Any) -> Mapped:
    """`to_journal` with the company's own settings where nothing else is given."""
    return _map(to_journal, fields.pop("books", None) or make_books(), sale, mapping_set, fields)


def bill_sale(sale: Sale, mapping_set: MappingSet | None = None, **fields: Any) -> Mapped:
    """`to_invoice` likewise; `billing` are fields of the books' receivable part."""
    billing = make_billing(**fields.pop("billing", {}))
    books = fields.pop("books", None) or make_books()
    return _map(to_invoice, books.model_copy(update={"receivable": billing}), sale, mapping_set, fields)


def _map(
    to_document: Callable[..., Mapped], books: Books, sale: Sale, mapping_set: MappingSet | None, fields: dict[str, Any]
) -> Mapped:
    given: dict[str, Any] = {
        "tenant": "acme",
        "integration": make_integration(fields.pop("policy", None), books),
        "books": books,
        "mapping_set": mapping_set or make_full_set(),
        "lookups": make_lookups(),
        "ordinal": 1,
    }
    return to_document(make_snapshot(sale), **(given | fields))


class Company:
    """The factories, as one fixture."""

    noon = NOON
    rule = staticmethod(make_rule)
    set = staticmethod(make_set)
    full_set = staticmethod(make_full_set)
    line = staticmethod(make_line)
    sale = staticmethod(make_sale)
    snapshot = staticmethod(make_snapshot)
    month = staticmethod(make_month)
    books = staticmethod(make_books)
    integration = staticmethod(make_integration)
    lookups = staticmethod(make_lookups)
    map: Callable[..., Mapped] = staticmethod(map_sale)
    bill: Callable[..., Mapped] = staticmethod(bill_sale)

    @staticmethod
    def charge(kind: str, net: str, name: str = "") -> SaleCharge:
        return SaleCharge.model_validate({"kind": kind, "key": "1", "name": name, "net": net})

    @staticmethod
    def tax(amount: str, title: str = "State Tax", **fields: Any) -> SaleTax:
        return SaleTax.model_validate({"title": title, "amount": amount, **fields})

    @staticmethod
    def tender(amount: str, kind: str = "payment", method: str = "Credit Card") -> SaleTender:
        return SaleTender.model_validate({"kind": kind, "method": method, "amount": amount})


@pytest.fixture(scope="session")
def company() -> Company:
    return Company()
