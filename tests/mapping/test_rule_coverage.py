import datetime as dt
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.configuration import MappingSet, Rule
from contracts.journal import Purpose
from mapping.rule_coverage import unreachable
from mapping.rules import Facts, compile_rules


def hidden(*rules: Rule, company: Any) -> dict[str, tuple[str, ...]]:
    return {one.rule: one.hidden_by for one in unreachable(company.set(*rules))}


def test_nothing_after_a_rule_without_conditions_is_reached(company: Any) -> None:
    rules = company.set(company.rule("rest", "revenue"), company.rule("shirts", "revenue", category=["Shirts"]))
    (found,) = unreachable(rules)
    assert found.hidden_by == ("rest",)
    assert found.sentence == (
        "Rule shirts can never be chosen: rule rest before it always match first. Move rule shirts up or remove it."
    )


@pytest.mark.parametrize(
    ("earlier", "later", "is_hidden"),
    [
        ({"category": ["Apparel"]}, {"category": ["Apparel > Shirts"]}, True),
        ({"category": ["Apparel > Shirts"]}, {"category": ["Apparel"]}, False),
        ({"category": ["Shirts"]}, {"category": ["Apparel > Shirts > Polo"]}, True),
        ({"category": ["Apparel", "Toys"]}, {"category": ["Toys", "Apparel > Hats"]}, True),
        ({"category": ["Apparel"]}, {"category": ["Toys", "Apparel > Hats"]}, False),
        ({"sku": ["SHIRT-*"]}, {"sku": ["shirt-1"]}, True),
        ({"sku": ["SHIRT-*"]}, {"sku": ["SHIRT-BLUE-*"]}, True),
        ({"sku": ["SHIRT-?"]}, {"sku": ["SHIRT-*"]}, False),
        ({"sku": ["*b]"]}, {"sku": ["x[ab]"]}, False),
        ({"ship_to_country": ["US"]}, {"ship_to_country": ["us"], "category": ["Toys"]}, True),
        ({"ship_to_country": ["US"], "category": ["Toys"]}, {"ship_to_country": ["US"]}, False),
    ],
)
def test_a_rule_is_hidden_when_an_earlier_one_takes_all_it_could(
    company: Any, earlier: dict[str, Any], later: dict[str, Any], is_hidden: bool
) -> None:
    rules = (company.rule("first", "revenue", **earlier), company.rule("second", "revenue", **later))
    assert ("second" in hidden(*rules, company=company)) is is_hidden


def test_rules_of_other_purposes_hide_nothing(company: Any) -> None:
    assert hidden(company.rule("a", "revenue"), company.rule("b", "shipping"), company=company) == {}


def test_two_halves_of_a_year_hide_the_year_together(company: Any) -> None:
    rules = (
        company.rule("second-half", "revenue", effective_from="2026-07-01", effective_to="2026-12-31"),
        company.rule("first-half", "revenue", effective_from="2026-01-01", effective_to="2026-06-30"),
        company.rule("year", "revenue", effective_from="2026-01-01", effective_to="2026-12-31"),
    )
    assert hidden(*rules, company=company) == {"year": ("first-half", "second-half")}


def test_one_day_between_earlier_rules_is_enough_to_be_reached(company: Any) -> None:
    rules = (
        company.rule("before", "revenue", effective_to="2026-06-29"),
        company.rule("after", "revenue", effective_from="2026-07-01"),
        company.rule("always", "revenue"),
    )
    assert hidden(*rules, company=company) == {}


def test_a_condition_its_purpose_never_has_is_reported(company: Any) -> None:
    (found,) = unreachable(company.set(company.rule("tax", "tax", category=["Shirts"])))
    assert found.sentence == (
        "Rule tax can never be chosen: tax has no category. Remove the condition or correct the purpose."
    )


def test_a_suspense_rule_is_pointed_to_the_setting(company: Any) -> None:
    (found,) = unreachable(company.set(company.rule("rest", "suspense")))
    assert "suspense setting" in found.sentence


CATEGORIES = ["Apparel", "Apparel > Shirts", "Shirts", "Toys"]
SKUS = ["A*", "AB", "*B", "A?", "C"]
DAYS = [None, dt.date(2026, 1, 1), dt.date(2026, 2, 1), dt.date(2026, 3, 1)]


@st.composite
def small_sets(draw: st.DrawFn) -> list[dict[str, Any]]:
    rules = []
    for number in range(draw(st.integers(2, 5))):
        days = sorted(day for day in (draw(st.sampled_from(DAYS)), draw(st.sampled_from(DAYS))) if day)
        rule: dict[str, Any] = {
            "id": f"r{number}",
            "category": draw(st.lists(st.sampled_from(CATEGORIES), max_size=2)),
            "sku": draw(st.lists(st.sampled_from(SKUS), max_size=2)),
        }
        rule |= dict(zip(("effective_from", "effective_to"), days, strict=False))
        rules.append(rule)
    return rules


@settings(max_examples=150, deadline=None)
@given(rules=small_sets())
def test_a_rule_called_unreachable_is_never_chosen(company: Any, rules: list[dict[str, Any]]) -> None:
    made = [company.rule(rule.pop("id"), "revenue", **rule) for rule in [dict(one) for one in rules]]
    mapping_set: MappingSet = company.set(*made)
    named = {one.rule for one in unreachable(mapping_set)}
    ready = compile_rules(mapping_set)
    for category, sku, day in itertools.product(
        [*CATEGORIES, "Apparel > Shirts > Polo", "Other"],
        ["A", "AB", "ABB", "AC", "CB", "C", ""],
        [dt.date(2025, 6, 1), *(day for day in DAYS if day), dt.date(2026, 2, 15), dt.date(2027, 1, 1)],
    ):
        rule = ready.match(Purpose.REVENUE, Facts(category=[category], sku=sku), day)
        assert rule is None or rule.rule.id not in named
