import datetime as dt
from typing import Any

import pytest

from contracts.configuration import MappingSet, Rule
from contracts.journal import Purpose
from mapping.rules import Facts, MappingSetError, compile_rules, compiled, parse_account

TODAY = dt.date(2026, 3, 10)


def chosen(
    mapping_set: MappingSet, purpose: Purpose = Purpose.REVENUE, on: dt.date = TODAY, **facts: Any
) -> str | None:
    rule = compile_rules(mapping_set).match(purpose, Facts(**facts), on)
    return rule.rule.id if rule else None


def only(company: Any, **conditions: Any) -> MappingSet:
    made: MappingSet = company.set(company.rule("only", conditions.pop("purpose", "revenue"), **conditions))
    return made


class TestOrder:
    def test_the_first_rule_that_holds_wins(self, company: Any) -> None:
        rules = company.set(
            company.rule("shirts", "revenue", category=["Shirts"]),
            company.rule("apparel", "revenue", category=["Apparel"]),
            company.rule("rest", "revenue"),
        )
        assert chosen(rules, category=["Apparel > Shirts"]) == "shirts"
        assert chosen(rules, category=["Apparel > Hats"]) == "apparel"
        assert chosen(rules, category=["Toys"]) == "rest"

    def test_an_earlier_general_rule_beats_a_later_particular_one(self, company: Any) -> None:
        rules = company.set(
            company.rule("rest", "revenue"), company.rule("blue", "revenue", sku=["BLUE-1"], category=["Shirts"])
        )
        assert chosen(rules, sku="BLUE-1", category=["Shirts"]) == "rest"

    def test_order_is_kept_between_conditions_of_different_kinds(self, company: Any) -> None:
        rules = company.set(
            company.rule("texas", "revenue", ship_to_state=["TX"]),
            company.rule("sku", "revenue", sku=["A"]),
            company.rule("pattern", "revenue", sku=["B*"]),
            company.rule("type", "revenue", product_type=["physical"]),
        )
        assert chosen(rules, sku="A", ship_to_state="TX", product_type="physical") == "texas"
        assert chosen(rules, sku="A", product_type="physical") == "sku"
        assert chosen(rules, sku="B1", product_type="physical") == "pattern"
        assert chosen(rules, sku="C", product_type="physical") == "type"

    def test_a_rule_serves_its_own_purpose_only(self, company: Any) -> None:
        assert chosen(only(company), Purpose.SHIPPING) is None

    def test_all_conditions_of_a_rule_must_hold(self, company: Any) -> None:
        rules = only(company, category=["Shirts"], ship_to_country=["US"])
        assert chosen(rules, category=["Shirts"], ship_to_country="US") == "only"
        assert chosen(rules, category=["Shirts"], ship_to_country="CA") is None
        assert chosen(rules, ship_to_country="US") is None

    def test_any_value_of_a_condition_is_enough(self, company: Any) -> None:
        rules = only(company, payment_method=["PayPal", "Credit Card"], purpose="clearing")
        assert chosen(rules, Purpose.CLEARING, payment_method="credit card ") == "only"

    def test_a_table_of_ten_thousand_rows_still_answers_by_order(self, company: Any) -> None:
        rows = [company.rule(f"sku-{number}", "revenue", sku=[f"SKU-{number}"]) for number in range(10_000)]
        rules = compile_rules(company.set(*rows, company.rule("rest", "revenue")))
        picked = [rules.match(Purpose.REVENUE, Facts(sku=f"sku-{number}"), TODAY) for number in (0, 4711, 9999, 12345)]
        assert [one.rule.id if one else None for one in picked] == ["sku-0", "sku-4711", "sku-9999", "rest"]


class TestConditions:
    @pytest.mark.parametrize(
        ("condition", "category", "holds"),
        [
            ("Shirts", "Shirts", True),
            ("shirts", " SHIRTS ", True),
            ("Shirts", "Apparel > Shirts", True),
            ("Shirts", "Apparel > Shirts > Polo", True),
            ("Shirts", "T-Shirts", False),
            ("Apparel", "Apparel > Shirts", True),
            ("Apparel > Shirts", "Apparel > Shirts", True),
            ("Apparel>Shirts", "Apparel > Shirts > Polo", True),
            ("Apparel > Shirts", "Apparel", False),
            ("Apparel > Shirts", "Apparel > Shirts and more", False),
            ("Apparel > Shirts", "Sale > Apparel > Shirts", False),
            ("STRASSE", "Straße", True),
        ],
    )
    def test_a_category_holds_for_itself_and_what_lies_below(
        self, company: Any, condition: str, category: str, holds: bool
    ) -> None:
        assert (chosen(only(company, category=[condition]), category=[category]) == "only") is holds

    def test_any_category_of_a_product_may_decide(self, company: Any) -> None:
        assert chosen(only(company, category=["Sale"]), category=["Apparel > Shirts", "Sale"]) == "only"

    @pytest.mark.parametrize(
        ("pattern", "sku", "holds"),
        [
            ("SHIRT-*", "shirt-blue", True),
            ("SHIRT-?", "SHIRT-1", True),
            ("SHIRT-?", "SHIRT-12", False),
            ("SHIRT-[AB]", "SHIRT-b", True),
            ("SHIRT", "SHIRT-1", False),
            ("*", "anything", True),
            ("*", "", False),
        ],
    )
    def test_a_sku_condition_is_a_shell_pattern(self, company: Any, pattern: str, sku: str, holds: bool) -> None:
        assert (chosen(only(company, sku=[pattern]), sku=sku) == "only") is holds

    def test_a_condition_on_something_unknown_does_not_hold(self, company: Any) -> None:
        assert chosen(only(company, customer_group=["Wholesale"]), customer_group="") is None

    def test_facts_have_the_names_of_conditions(self) -> None:
        with pytest.raises(ValueError, match="color is not a condition"):
            Facts(color="blue")


class TestEffectiveDates:
    @pytest.mark.parametrize(
        ("on", "rule"),
        [
            ("2025-12-31", None),
            ("2026-01-01", "old"),
            ("2026-06-30", "old"),
            ("2026-07-01", "new"),
            ("2030-01-01", "new"),
        ],
    )
    def test_both_ends_belong_to_the_rule(self, company: Any, on: str, rule: str | None) -> None:
        rules = company.set(
            company.rule("old", "revenue", effective_from="2026-01-01", effective_to="2026-06-30"),
            company.rule("new", "revenue", effective_from="2026-07-01"),
        )
        assert chosen(rules, on=dt.date.fromisoformat(on)) == rule


class TestAccounts:
    def test_an_account_has_every_segment_in_order(self, company: Any) -> None:
        assert parse_account("*-10-40000", company.set()) == ("*", "10", "40000")

    def test_the_separator_is_the_sets_own(self, company: Any) -> None:
        assert parse_account("101.10.4-1", company.set(separator=".")) == ("101", "10", "4-1")

    @pytest.mark.parametrize(
        ("account", "complaint"),
        [
            ("101-10", "has 2 segments; mapping set retail has 3: Company-Department-Account"),
            ("101--40000", "no value for segment Department"),
            ("101-*-40000", 'has "\\*" for segment Department; only the balancing segment Company'),
            ("10*-10-40000", 'has "10\\*" for segment Company'),
        ],
    )
    def test_an_account_that_does_not_fit_is_explained(self, company: Any, account: str, complaint: str) -> None:
        with pytest.raises(ValueError, match=complaint):
            parse_account(account, company.set())

    def test_all_mistakes_of_a_set_are_told_at_once(self, company: Any) -> None:
        rules = company.set(
            company.rule("a", "revenue", "1-2"), company.rule("a", "tax", "x--y"), suspense="*-*-1", separator="-"
        )
        with pytest.raises(MappingSetError) as refused:
            compile_rules(rules)
        assert len(refused.value.mistakes) == 4
        assert "Rule a of mapping set retail appears twice" in str(refused.value)


class TestMemory:
    def test_a_version_is_compiled_once(self, company: Any) -> None:
        first = compiled(company.set(company.rule("once", "revenue")))
        assert compiled(company.set(company.rule("once", "revenue"))) is first

    def test_equal_versions_with_other_rules_are_not_confused(self, company: Any) -> None:
        one: Rule = company.rule("one", "revenue")
        compiled(company.set(one))
        other = compiled(company.set(company.rule("two", "revenue"))).match(Purpose.REVENUE, Facts(), TODAY)
        assert other is not None
        assert other.rule.id == "two"

    def test_many_sets_are_served_although_few_are_remembered(self, company: Any) -> None:
        for version in range(1, 80):
            assert compiled(company.set(version=version)).mapping_set.version == version
