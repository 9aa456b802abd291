import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from contracts.configuration import Books, PostingPolicy
from contracts.journal import Journal, JournalLine, LedgerFacts, Problem, Purpose
from contracts.steps.documents import Mapped
from mapping.books import books_of
from mapping.descriptions import describe


def journal(mapped: Mapped) -> Journal:
    assert mapped.problems == ()
    assert mapped.journal is not None
    return mapped.journal


def codes(mapped: Mapped) -> list[str]:
    assert mapped.journal is None
    return [problem.code for problem in mapped.problems]


def sides(lines: tuple[JournalLine, ...]) -> list[tuple[str, str, str]]:
    return [(line.purpose.value, str(line.debit), str(line.credit)) for line in lines]


class TestBooking:
    def test_a_sale_credits_revenue_charges_and_tax_and_debits_clearing(self, company: Any) -> None:
        sale = company.sale(
            lines=(company.line("100.00"),),
            charges=(
                company.charge("shipping", "9.00", "UPS Ground"),
                company.charge("handling", "1.00"),
                company.charge("wrapping", "2.00"),
                company.charge("fee", "3.00", "Small order"),
            ),
            taxes=(company.tax("8.25"),),
        )
        posted = journal(company.map(sale))
        assert sides(posted.lines) == [
            ("revenue", "0.00", "100.00"),
            ("shipping", "0.00", "9.00"),
            ("handling", "0.00", "1.00"),
            ("wrapping", "0.00", "2.00"),
            ("fee", "0.00", "3.00"),
            ("tax", "0.00", "8.25"),
            ("clearing", "123.25", "0.00"),
        ]
        assert posted.total == Decimal("123.25")

    def test_each_tax_title_and_each_line_is_a_line_of_its_own(self, company: Any) -> None:
        sale = company.sale(
            lines=(company.line("10.00", key="1"), company.line("20.00", key="2")),
            taxes=(company.tax("0.60", "State Tax"), company.tax("0.30", "County Tax")),
        )
        assert [line.source_key for line in journal(company.map(sale)).lines] == [
            "line:1",
            "line:2",
            "tax:State Tax",
            "tax:County Tax",
            "payment:Credit Card",
        ]

    def test_store_credit_and_gift_certificates_redeemed_clear_their_liabilities(self, company: Any) -> None:
        sale = company.sale(
            tenders=(
                company.tender("50.00"),
                company.tender("30.00", "store_credit", ""),
                company.tender("20.00", "gift_certificate", ""),
            )
        )
        assert sides(journal(company.map(sale)).lines)[1:] == [
            ("clearing", "50.00", "0.00"),
            ("store_credit", "30.00", "0.00"),
            ("gift_certificate", "20.00", "0.00"),
        ]

    def test_a_gift_certificate_sold_is_a_liability_and_not_revenue(self, company: Any) -> None:
        sale = company.sale(lines=(company.line("25.00", kind="gift_certificate", name="Gift Certificate", sku=""),))
        posted = journal(company.map(sale))
        assert sides(posted.lines)[0] == ("gift_certificate", "0.00", "25.00")

    def test_payments_are_cleared_by_method(self, company: Any) -> None:
        rules = company.set(
            company.rule("paypal", "clearing", "*-10-1111", payment_method=["PayPal"]),
            company.rule("cards", "clearing", "*-10-2222"),
            company.rule("sales", "revenue"),
        )
        sale = company.sale(tenders=(company.tender("60.00", method="PayPal"), company.tender("40.00", method="Visa")))
        assert [line.segments[2] for line in journal(company.map(sale, rules)).lines[1:]] == ["1111", "2222"]

    def test_a_negative_amount_is_booked_on_the_other_side(self, company: Any) -> None:
        sale = company.sale(lines=(company.line("100.00"), company.line("-15.00", key="2", kind="custom")))
        assert ("revenue", "15.00", "0.00") in sides(journal(company.map(sale)).lines)

    def test_lines_of_zero_are_dropped_and_need_no_account(self, company: Any) -> None:
        rules = company.set(company.rule("sales", "revenue"), company.rule("cards", "clearing"))
        sale = company.sale(lines=(company.line("10.00"),), taxes=(company.tax("0.00"),))
        assert len(journal(company.map(sale, rules)).lines) == 2

    def test_an_order_of_zero_is_skipped_with_a_reason(self, company: Any) -> None:
        mapped = company.map(company.sale(lines=(company.line("0.00"),)), company.set())
        assert mapped.skipped == "zero total: the order has nothing to book"
        assert mapped.problems == ()

    def test_yen_have_no_decimals_and_dinars_three(self, company: Any) -> None:
        for currency, units, net in (("JPY", 0, "1500"), ("BHD", 3, "1.125")):
            sale = company.sale(currency=currency, minor_units=units, lines=(company.line(net),))
            books = company.books(currency=currency, conversion_type="Corporate")
            assert sides(journal(company.map(sale, books=books)).lines)[0][2] == net


class TestRounding:
    @pytest.mark.parametrize(("total", "debit", "credit"), [("100.03", "0.00", "0.03"), ("99.97", "0.03", "0.00")])
    def test_what_the_shop_rounded_goes_to_its_own_account(
        self, company: Any, total: str, debit: str, credit: str
    ) -> None:
        lines = sides(journal(company.map(company.sale(total=Decimal(total)))).lines)
        assert lines[-1] == ("rounding", debit, credit)

    def test_more_than_the_limit_goes_to_review(self, company: Any) -> None:
        mapped = company.map(company.sale(total=Decimal("100.06")))
        assert codes(mapped) == ["rounding_over_limit"]
        assert mapped.problems[0].sentence == (
            "Order 1024 (bc-us): the amounts sold differ from the total by 0.06 USD,"
            " more than the rounding limit of 0.05."
        )

    def test_the_limit_is_the_customers(self, company: Any) -> None:
        policy = PostingPolicy(rounding_limit=Decimal(1))
        assert journal(company.map(company.sale(total=Decimal("100.99")), policy=policy)).total == Decimal("100.99")

    def test_a_sale_whose_tenders_do_not_add_up_is_never_balanced_by_force(self, company: Any) -> None:
        sale = company.sale(tenders=(company.tender("99.99"),))
        assert codes(company.map(sale)) == ["does_not_add_up"]

    def test_an_amount_finer_than_the_currency_goes_to_review(self, company: Any) -> None:
        sale = company.sale(lines=(company.line("10.005"),))
        assert set(codes(company.map(sale))) == {"inexact_amount"}


class TestUnmapped:
    def test_everything_that_is_missing_is_told_at_once_and_only_once(self, company: Any) -> None:
        sale = company.sale(
            lines=(
                company.line("10.00", key="1", categories=("Gift Cards",)),
                company.line("20.00", key="2", categories=("Gift Cards",)),
                company.line("30.00", key="3", categories=(), sku="LOOSE"),
                company.line("40.00", key="4", kind="custom", name="Engraving for Jane Roe", sku=""),
            ),
            charges=(company.charge("shipping", "5.00"), company.charge("fee", "1.00", "Small order")),
            taxes=(company.tax("1.00", "County Tax"),),
            total=Decimal("107.01"),
            tenders=(company.tender("57.01"), company.tender("50.00", "store_credit", "")),
        )
        mapped = company.map(sale, company.set())
        assert set(codes(mapped)) == {"unmapped_account"}
        ending = "in mapping set retail version 7."
        assert [problem.sentence.removeprefix("Order 1024 (bc-us): ") for problem in mapped.problems] == [
            f'product category "Gift Cards" has no revenue account {ending}',
            f'product "LOOSE", which is in no category, has no revenue account {ending}',
            f"custom line 4 has no revenue account {ending}",
            f"the shipping charge has no shipping account {ending}",
            f'fee "Small order" has no fee account {ending}',
            f'tax title "County Tax" has no tax account {ending}',
            f'payment method "Credit Card" has no clearing account {ending}',
            f"store credit redeemed has no store credit account {ending}",
            f"the rounding difference has no rounding account {ending}",
        ]
        assert mapped.problems[0].remedy == (
            "Add a revenue rule that covers it on 2026-03-10 to a new version of mapping set retail,"
            " then retry with that version."
        )

    def test_what_a_shopper_typed_is_in_no_problem(self, company: Any) -> None:
        sale = company.sale(lines=(company.line(kind="custom", name="Engraving for Jane Roe", sku="JANE"),))
        assert "Jane" not in repr(company.map(sale, company.set()).problems)

    def test_the_suspense_account_takes_it_where_the_customer_configured_one(self, company: Any) -> None:
        rules = company.set(company.rule("cards", "clearing"), suspense="*-99-99999")
        posted = journal(company.map(company.sale(), rules))
        assert posted.suspense
        assert posted.lines[0].purpose is Purpose.SUSPENSE
        assert posted.lines[0].segments == ("101", "99", "99999")
        assert posted.lines[0].rule is None
        assert posted.lines[0].description.endswith(" | order 1024 | retail v7 suspense, no revenue rule")
        assert posted.lines[1].purpose is Purpose.CLEARING

    def test_a_journal_without_suspense_lines_is_not_listed(self, company: Any) -> None:
        assert not journal(company.map(company.sale(), company.full_set(suspense="*-99-99999"))).suspense

    def test_unmapped_accounts_are_told_along_with_a_closed_period(self, company: Any) -> None:
        lookups = company.lookups(periods=(company.month(3, "closed"),))
        mapped = company.map(company.sale(), company.set(company.rule("cards", "clearing")), lookups=lookups)
        assert codes(mapped) == ["period_closed", "unmapped_account"]

    def test_a_mapping_set_that_cannot_be_used_is_a_problem(self, company: Any) -> None:
        mapped = company.map(company.sale(), company.set(company.rule("short", "revenue", "1-2")))
        assert codes(mapped) == ["invalid_mapping_set"]


class TestLegalEntity:
    def test_the_books_fill_in_the_balancing_segment(self, company: Any) -> None:
        posted = journal(company.map(company.sale(), books=company.books(balancing_segment="205")))
        assert {line.segments[0] for line in posted.lines} == {"205"}

    def test_a_rule_may_name_the_same_entity(self, company: Any) -> None:
        rules = company.set(company.rule("sales", "revenue", "101-10-4"), company.rule("cards", "clearing"))
        assert journal(company.map(company.sale(), rules)).lines[0].segments == ("101", "10", "4")

    def test_a_rule_of_another_entity_is_refused(self, company: Any) -> None:
        rules = company.set(company.rule("sales", "revenue", "205-10-4"), company.rule("cards", "clearing"))
        mapped = company.map(company.sale(), rules)
        assert codes(mapped) == ["wrong_legal_entity"]
        assert mapped.problems[0].sentence == (
            "Order 1024 (bc-us): rule sales of mapping set retail version 7 books to Company 205,"
            " the books of channel 1 and USD to 101."
        )

    def test_a_chart_of_another_length_is_refused(self, company: Any) -> None:
        ledger = LedgerFacts(ledger="US Primary", ledger_id=1, currency="USD", segment_count=5)
        assert codes(company.map(company.sale(), lookups=company.lookups(ledger=ledger))) == ["wrong_chart"]


class TestBooks:
    def test_books_are_found_by_channel_and_currency(self, company: Any) -> None:
        euro = company.books(currency="EUR", ledger="EU Primary")
        integration = company.integration(None, company.books(), euro)
        assert books_of(company.sale(currency="EUR"), integration) == euro

    @pytest.mark.parametrize("fields", [{"currency": "EUR"}, {"channel": "2"}])
    def test_no_books_are_ever_guessed(self, company: Any, fields: dict[str, str]) -> None:
        found = books_of(company.sale(**fields), company.integration())
        assert isinstance(found, Problem)
        assert found.code == "no_books"

    @pytest.mark.parametrize("fields", [{"currency": "EUR"}, {"channel": "2"}])
    def test_books_of_another_channel_or_currency_are_refused(self, company: Any, fields: dict[str, str]) -> None:
        assert "no_books" in codes(company.map(company.sale(**fields)))

    def test_facts_of_another_ledger_are_refused(self, company: Any) -> None:
        ledger = LedgerFacts(ledger="EU Primary", ledger_id=2, currency="USD", segment_count=3)
        assert codes(company.map(company.sale(), lookups=company.lookups(ledger=ledger))) == ["wrong_ledger"]

    def test_the_journal_carries_what_the_books_say(self, company: Any) -> None:
        posted = journal(company.map(company.sale()))
        assert (posted.ledger, posted.journal_source, posted.journal_category) == ("US Primary", "Web Shop", "Sales")


class TestConversion:
    def foreign(self, company: Any, **fields: Any) -> Mapped:
        books: Books = company.books(currency="EUR", conversion_type=fields.pop("conversion_type", "Corporate"))
        mapped: Mapped = company.map(
            company.sale(currency="EUR", **fields.pop("sale", {})), books=books, lookups=company.lookups(**fields)
        )
        return mapped

    def test_a_foreign_sale_posts_entered_amounts_with_type_and_date(self, company: Any) -> None:
        posted = journal(self.foreign(company))
        assert (posted.currency, posted.conversion_type) == ("EUR", "Corporate")
        assert posted.conversion_date == dt.date(2026, 3, 10)

    def test_the_rate_is_of_the_sales_day_also_when_the_journal_moved(self, company: Any) -> None:
        placed = dt.datetime(2026, 2, 27, 18, tzinfo=dt.UTC)
        periods = (company.month(2, "closed"), company.month(3))
        posted = journal(self.foreign(company, sale={"placed_at": placed}, periods=periods))
        assert (posted.accounting_date, posted.conversion_date) == (dt.date(2026, 3, 1), dt.date(2026, 2, 27))
        assert posted.date_moved

    def test_a_domestic_sale_has_neither_type_nor_date(self, company: Any) -> None:
        posted = journal(company.map(company.sale(), books=company.books(conversion_type="Corporate")))
        assert (posted.conversion_type, posted.conversion_date) == (None, None)

    def test_no_conversion_type_goes_to_review(self, company: Any) -> None:
        assert codes(self.foreign(company, conversion_type=None)) == ["no_conversion_type"]

    def test_a_missing_rate_is_waited_for(self, company: Any) -> None:
        mapped = self.foreign(company, rate_available=False)
        assert mapped.journal is None
        assert mapped.waiting is not None
        assert mapped.waiting.code == "no_conversion_rate"
        assert mapped.waiting.sentence == (
            "Order 1024 (bc-us): Fusion has no Corporate rate from EUR to USD for 2026-03-10."
        )

    def test_what_needs_a_person_is_not_hidden_behind_a_missing_rate(self, company: Any) -> None:
        books = company.books(currency="EUR", conversion_type="Corporate")
        lookups = company.lookups(rate_available=False)
        mapped = company.map(company.sale(currency="EUR"), company.set(), books=books, lookups=lookups)
        assert mapped.waiting is None
        assert set(codes(mapped)) == {"unmapped_account"}


class TestDatesAndRules:
    def test_an_order_not_paid_yet_is_skipped(self, company: Any) -> None:
        mapped = company.map(company.sale(), company.set(), policy=PostingPolicy(recognise_on="paid"))
        assert mapped.skipped.startswith("not paid yet")
        assert mapped.problems == ()

    def test_a_period_to_be_opened_is_waited_for(self, company: Any) -> None:
        mapped = company.map(company.sale(), lookups=company.lookups(periods=(company.month(3, "never_opened"),)))
        assert mapped.waiting is not None
        assert mapped.waiting.code == "period_not_opened"

    def test_rules_are_chosen_by_the_accounting_date_and_not_by_the_day_of_sale(self, company: Any) -> None:
        rules = company.set(
            company.rule("february", "revenue", effective_to="2026-02-28"),
            company.rule("march", "revenue", effective_from="2026-03-01"),
            company.rule("cards", "clearing"),
        )
        sale = company.sale(placed_at=dt.datetime(2026, 2, 27, 18, tzinfo=dt.UTC))
        lookups = company.lookups(periods=(company.month(2, "closed"), company.month(3)))
        assert journal(company.map(sale, rules)).lines[0].rule.rule == "february"  # type: ignore[union-attr]
        assert journal(company.map(sale, rules, lookups=lookups)).lines[0].rule.rule == "march"  # type: ignore[union-attr]


class TestNames:
    def test_the_reference_is_the_business_key_and_the_version_posted(self, company: Any) -> None:
        assert journal(company.map(company.sale())).reference == "acme/bc-us/order/1024/sale/1"
        assert journal(company.map(company.sale(), ordinal=2)).reference == "acme/bc-us/order/1024/sale/2"

    def test_the_journal_says_which_order_and_why_this_date(self, company: Any) -> None:
        assert journal(company.map(company.sale())).description == (
            "Order 1024 (bc-us), placed 2026-03-10 in America/Chicago"
        )

    def test_a_long_key_is_hashed_and_spelled_out_in_the_description(self, company: Any) -> None:
        posted = journal(company.map(company.sale(order_id="9" * 80)))
        assert posted.reference.startswith("mlc-")
        assert posted.description.endswith(f" | acme/bc-us/order/{'9' * 80}/sale/1")
        assert len(posted.description) <= 240

    def test_a_line_tells_what_order_and_rule(self, company: Any) -> None:
        line = journal(company.map(company.sale(lines=(company.line("20.00", quantity=Decimal("2.0000")),)))).lines[0]
        assert line.description == "2 x Blue shirt [SHIRT-1] | order 1024 | retail v7 rule revenue"
        assert line.rule is not None
        assert (line.rule.mapping_set, line.rule.version, line.rule.rule) == ("retail", 7, "revenue")

    def test_a_long_name_is_cut_and_the_ending_kept(self, company: Any) -> None:
        line = journal(company.map(company.sale(lines=(company.line(name="Long name " * 60),)))).lines[0]
        assert len(line.description) <= 240
        assert "... | order 1024 | retail v7 rule revenue" in line.description

    def test_line_breaks_and_control_characters_leave_the_description(self) -> None:
        assert describe("Two\r\n lines\t\x00and\u200b more", " | end") == "Two lines and more | end"
