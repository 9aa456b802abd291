import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from contracts.configuration import PostingPolicy
from contracts.names import journal_reference
from mapping.edits import sale_fingerprint

PLACED = PostingPolicy()
LATER = dt.datetime(2026, 3, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "change",
    [{"shipped_at": LATER}, {"paid_at": LATER}, {"customer_group": "Wholesale"}, {"store_timezone": "Europe/Berlin"}],
)
def test_what_happens_around_a_posted_order_is_no_edit(company: Any, change: dict[str, Any]) -> None:
    assert sale_fingerprint(company.sale(**change), PLACED) == sale_fingerprint(company.sale(), PLACED)


def test_a_category_renamed_in_the_catalog_is_no_edit(company: Any) -> None:
    renamed = company.sale(lines=(company.line(categories=("Fashion > Tops",)),))
    assert sale_fingerprint(renamed, PLACED) == sale_fingerprint(company.sale(), PLACED)


def test_the_event_revenue_is_recognized_by_belongs_to_the_sale(company: Any) -> None:
    paid = PostingPolicy(recognise_on="paid")
    assert sale_fingerprint(company.sale(paid_at=LATER), paid) != sale_fingerprint(company.sale(), paid)
    assert sale_fingerprint(company.sale(shipped_at=LATER), paid) == sale_fingerprint(company.sale(), paid)


def test_amounts_written_with_other_zeros_are_the_same_sale(company: Any) -> None:
    sale = company.sale(lines=(company.line("10.0", quantity=Decimal("1.0000")),))
    assert sale_fingerprint(sale, PLACED) == sale_fingerprint(company.sale(lines=(company.line("10.00"),)), PLACED)


def test_another_amount_method_or_line_is_an_edit(company: Any) -> None:
    edits = [
        company.sale(lines=(company.line("99.00"),)),
        company.sale(lines=(company.line("60.00"), company.line("40.00", key="2"))),
        company.sale(tenders=(company.tender("100.00", method="PayPal"),)),
        company.sale(ship_to_state="CA"),
        company.sale(),
    ]
    assert len({sale_fingerprint(sale, PLACED) for sale in edits}) == len(edits)


def test_an_order_edited_back_and_forth_has_two_fingerprints_and_four_references(company: Any) -> None:
    versions = [company.sale(), company.sale(lines=(company.line("90.00"),))] * 2
    prints = [sale_fingerprint(sale, PLACED) for sale in versions]
    assert prints[0] == prints[2] != prints[1] == prints[3]
    references = {
        journal_reference("acme", "bc-us", "order", "1024", "sale", ordinal) for ordinal, _ in enumerate(versions, 1)
    }
    assert len(references) == 4
