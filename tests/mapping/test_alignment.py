"""What of a shop and a pod does not fit the books and rules between them."""

import datetime as dt
from typing import Any

import pytest

from contracts.alignment import NAMED, CategoryNode, Misalignment, Misfit, Storefront
from contracts.configuration import Books, Channel, Integration, MappingSet, Rule
from contracts.master_data import SegmentValue
from mapping.alignment import pod_aligned, shop_aligned

TODAY = dt.date(2026, 3, 10)
HOME, GARDEN, ANTIQUES, CLOCKS = (
    CategoryNode(id=1, name="Home"),
    CategoryNode(id=2, parent_id=1, name="Garden"),
    CategoryNode(id=3, name="Antiques"),
    CategoryNode(id=4, parent_id=3, name="Clocks"),
)


def books(channel: str = "1", **more: Any) -> Books:
    given = {"ledger": "US", "data_access_set": "US", "journal_source": "ML", "journal_category": "Web"}
    return Books(
        channel=channel, currency="USD", balancing_segment="101", **{"business_unit": "US Web Sales"} | given | more
    )


def integration(*channels: str) -> Integration:
    return Integration(
        id="shop-us",
        tenant="acme",
        fusion="fusion",
        source="bc-us",
        mapping_set="retail",
        cut_over=dt.date(2026, 1, 1),
        channels=tuple(Channel(id=one) for one in channels),
        books=tuple(books(one) for one in channels),
    )


def rule(rule_id: str, account: str = "*-110-41000", purpose: str = "revenue", **when: Any) -> Rule:
    days = {name: when.pop(name) for name in ("effective_from", "effective_to") if name in when}
    return Rule.model_validate({"id": rule_id, "purpose": purpose, "account": account, "when": when, **days})


def rules(*rows: Rule, suspense: str | None = None) -> MappingSet:
    return MappingSet(
        id="retail",
        version=1,
        segments=("company", "cost_center", "account"),
        balancing_segment="company",
        rules=rows,
        suspense=suspense,
    )


def in_shop(
    mapping_set: MappingSet, *categories: CategoryNode, channels: tuple[str, ...] = ("1",)
) -> tuple[Misalignment, ...]:
    found = shop_aligned(integration(*channels), mapping_set, storefronts=None, categories=categories, today=TODAY)
    return found.misalignments


def in_pod(mapping_set: MappingSet, *held: SegmentValue, segment: str = "cost_center") -> tuple[Misalignment, ...]:
    values = {segment: ("Centres", held)}
    found = pod_aligned(integration("1"), mapping_set, values=values, units=None, today=TODAY)
    return found.misalignments


def test_a_channel_that_sells_and_has_no_books_is_found_and_so_are_books_of_a_channel_that_is_closed_or_gone() -> None:
    shown = [
        Storefront(id="1", name="Main"),
        Storefront(id="2", name="Pop-up"),
        Storefront(id="3", open=False, status="terminated"),
        Storefront(id="4", open=False, status="deleted"),
    ]
    found = shop_aligned(integration("1", "3", "9"), rules(), storefronts=shown, categories=None, today=TODAY)
    assert [(one.kind, one.subject) for one in found.misalignments] == [
        (Misfit.CHANNEL_WITHOUT_BOOKS, "channel 2"),
        (Misfit.BOOKS_WITHOUT_CHANNEL, "channel 3"),
        (Misfit.BOOKS_WITHOUT_CHANNEL, "channel 9"),
    ]
    no_books, closed, gone = (one.sentence for one in found.misalignments)
    assert no_books == "The shop has channel 2 (Pop-up), which has no books: its orders go to review."
    assert "which the shop calls terminated" in closed
    assert "which the shop does not have" in gone
    assert not any(one.is_grave for one in found.misalignments)


def test_a_category_is_covered_by_a_rule_for_it_for_what_is_above_it_or_for_everything() -> None:
    everything = rules(rule("home", category=["Home"]), rule("rest"))
    assert in_shop(everything, HOME, GARDEN, ANTIQUES) == ()
    by_name = rules(
        rule("garden", category=["Garden"]), rule("home", category=["Home"]), rule("clocks", category=["Antiques"])
    )
    assert in_shop(by_name, HOME, GARDEN, ANTIQUES, CLOCKS) == ()


def test_an_uncovered_category_is_named_once_with_those_below_it() -> None:
    (found,) = in_shop(rules(rule("home", category=["Home"])), HOME, GARDEN, ANTIQUES, CLOCKS)
    assert (found.subject, found.count) == ("Antiques", 2)
    assert found.sentence == (
        'No rule gives category "Antiques", and 1 below it, a revenue account: its sales go to review.'
    )
    (below,) = in_shop(rules(rule("home", category=["Home"]), rule("x", category=["Clocks"])), ANTIQUES, CLOCKS)
    assert (below.subject, below.count) == ("Antiques", 1)
    suspended = in_shop(rules(suspense="101-000-19990"), CLOCKS)
    assert "are booked to suspense 101-000-19990" in suspended[0].sentence


@pytest.mark.parametrize(
    "useless",
    [
        rule("old", effective_to=dt.date(2026, 3, 9)),
        rule("later", effective_from=dt.date(2026, 3, 11)),
        rule("tax", purpose="tax"),
        rule("other-shop", connection=["bc-eu"]),
        rule("other-channel", channel=["7"]),
        rule("custom", product_type=["custom"]),
        rule("other", category=["Home"]),
    ],
)
def test_a_rule_that_cannot_hold_today_covers_nothing(useless: Rule) -> None:
    assert [one.subject for one in in_shop(rules(useless), ANTIQUES)] == ["Antiques"]


def test_a_category_that_only_further_conditions_cover_is_a_note_and_no_misalignment() -> None:
    only_some = rules(rule("clocks", sku=["CLK-*"]), rule("abroad", category=["Antiques"], ship_to_country=["CA"]))
    found = shop_aligned(integration("1"), only_some, storefronts=None, categories=[ANTIQUES], today=TODAY)
    assert found.misalignments == ()
    assert found.notes == (
        '1 category has only rules with further conditions, such as a SKU or a country: "Antiques".',
    )


def test_a_category_must_be_covered_in_every_channel_that_shows_it() -> None:
    here = rules(rule("first", channel=["1"]))
    everywhere = CategoryNode(id=5, name="Toys")
    shown_in_one = CategoryNode(id=5, name="Toys", channels=("1",))
    assert [one.subject for one in in_shop(here, everywhere, channels=("1", "2"))] == ["Toys"]
    assert in_shop(here, shown_in_one, channels=("1", "2")) == ()


def test_a_category_tree_that_bites_its_tail_is_read_all_the_same() -> None:
    loop = CategoryNode(id=1, parent_id=2, name="A"), CategoryNode(id=2, parent_id=1, name="B")
    assert sum(one.count for one in in_shop(rules(), *loop)) == 2


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "does not exist"),
        (SegmentValue(value="110", enabled=False), "is disabled"),
        (SegmentValue(value="110", summary=True), "is a summary value"),
        (SegmentValue(value="110", ends=dt.date(2026, 3, 9)), "ended on 2026-03-09"),
        (SegmentValue(value="110", starts=dt.date(2026, 3, 11)), "begins on 2026-03-11 only"),
    ],
)
def test_an_account_whose_cost_centre_takes_no_posting_is_found(value: SegmentValue | None, why: str) -> None:
    others = (SegmentValue(value="000"),)
    held = (*others, value) if value else others
    (found,) = in_pod(rules(rule("home"), rule("away"), rule("ship", "*-000-42000", "shipping")), *held)
    assert found.subject == "cost_center 110"
    assert found.sentence.startswith(f"Rule home, Rule away: cost_center 110 {why}")
    assert found.is_grave


def test_what_still_takes_postings_today_fits() -> None:
    value = SegmentValue(value="110", starts=TODAY, ends=TODAY)
    assert in_pod(rules(rule("home")), value) == ()


def test_a_rule_that_begins_later_is_judged_on_its_first_day_and_one_that_has_ended_not_at_all() -> None:
    value = SegmentValue(value="110", ends=dt.date(2026, 6, 30))
    assert in_pod(rules(rule("old", "*-999-41000", effective_to=dt.date(2026, 3, 9))), value) == ()
    (found,) = in_pod(rules(rule("july", effective_from=dt.date(2026, 7, 1))), value)
    assert "ended on 2026-06-30" in found.sentence


def test_legal_entities_are_those_of_the_books_and_suspense_counts_too() -> None:
    found = in_pod(rules(rule("home"), suspense="101-777-19990"), SegmentValue(value="110"))
    assert [one.subject for one in found] == ["cost_center 777"]
    found = in_pod(rules(rule("home")), SegmentValue(value="201"), segment="company")
    assert [one.subject for one in found] == ["company 101"]


def test_a_business_unit_that_the_pod_does_not_have_is_found_once_with_all_its_books() -> None:
    found = pod_aligned(integration("1", "2"), rules(), values={}, units=["EU Web Sales"], today=TODAY)
    (one,) = found.misalignments
    assert one.kind is Misfit.BUSINESS_UNIT
    assert "channel 1 in USD, channel 2 in USD" in one.sentence
    assert one.remedy == "Names are compared exactly; visible are: EU Web Sales."


def test_a_thousand_misalignments_are_counted_and_a_hundred_named() -> None:
    many = [CategoryNode(id=number, name=f"C{number:04}") for number in range(1, 1001)]
    found = shop_aligned(integration("1"), rules(), storefronts=None, categories=many, today=TODAY)
    assert len(found.misalignments) == NAMED
    assert found.unnamed == {Misfit.CATEGORY_WITHOUT_RULE: 900}
