"""Two systems agree after one step, whatever both have done, and nothing is ever written to a field's owner."""

from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.converging import Comparison, Digests, SeenRecord
from contracts.ownership import OTHER, Side
from mapping.ownership import agreement, compare, digest, digests_of

FIELDS = ("name", "description", "price")
VALUES = st.sampled_from(["", "A", "B", "C"])
SALT = "acme/bc-us/item/A-1"
Records = tuple[SeenRecord, SeenRecord]

owners = st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(["fusion", "shop"]), min_size=1)
values = st.dictionaries(st.sampled_from(FIELDS), VALUES)


def record(side: Side, **fields: str) -> SeenRecord:
    return SeenRecord(id=f"{side}-1", name="A-1", values=fields)


def judged(
    records: Records,
    owned: dict[str, Side],
    agreed: Digests | None,
    on_conflict: Literal["review", "owner"] = "owner",
) -> Comparison:
    return compare(SALT, *records, owners=owned, agreed=agreed, on_conflict=on_conflict)


def written(records: Records, comparison: Comparison) -> Records:
    """Both sides once everything that is to be written is there."""
    fusion, shop = records
    return (
        fusion.model_copy(update={"values": {**fusion.values, **comparison.for_side("fusion")}}),
        shop.model_copy(update={"values": {**shop.values, **comparison.for_side("shop")}}),
    )


@settings(max_examples=300, deadline=None)
@given(fusion=values, shop=values, before=st.none() | st.tuples(values, values), owned=owners)
def test_records_agree_after_one_step_and_the_next_one_has_nothing_to_do(
    fusion: dict[str, str],
    shop: dict[str, str],
    before: tuple[dict[str, str], dict[str, str]] | None,
    owned: dict[str, Side],
) -> None:
    records = (record("fusion", **fusion), record("shop", **shop))
    agreed = agreement(SALT, record("fusion", **before[0]), record("shop", **before[1])) if before else None
    first = judged(records, owned, agreed)
    assert not first.conflicts
    after = written(records, first)
    again = judged(after, owned, agreement(SALT, *after))
    assert again == Comparison()
    for one in first.writes:
        assert one.side == OTHER[owned[one.field]], "never to its owner"
        assert after[0].values[one.field] == after[1].values[one.field] == one.value
        assert one.value == (fusion if owned[one.field] == "fusion" else shop)[one.field], "as the owner has it"


@settings(max_examples=300, deadline=None)
@given(fusion=values, shop=values, before=st.none() | st.tuples(values, values), owned=owners)
def test_what_a_person_is_asked_about_is_what_the_owner_would_overwrite(
    fusion: dict[str, str],
    shop: dict[str, str],
    before: tuple[dict[str, str], dict[str, str]] | None,
    owned: dict[str, Side],
) -> None:
    records = (record("fusion", **fusion), record("shop", **shop))
    agreed = agreement(SALT, record("fusion", **before[0]), record("shop", **before[1])) if before else None
    asked, done = judged(records, owned, agreed, "review"), judged(records, owned, agreed)
    restored = {one.field for one in done.writes if one.rule == "restored"}
    assert {one.field for one in asked.conflicts} == restored
    assert set(asked.writes) == {one for one in done.writes if one.field not in restored}
    if agreed is None:
        assert not asked.conflicts, "where nothing was agreed the owner is right"


@settings(max_examples=200, deadline=None)
@given(
    changes=st.lists(st.tuples(st.sampled_from(["fusion", "shop"]), st.sampled_from(FIELDS), VALUES), max_size=12),
    owned=owners,
)
def test_after_any_sequence_of_changes_both_sides_show_what_the_owner_shows(
    changes: list[tuple[Side, str, str]], owned: dict[str, Side]
) -> None:
    """A, B, A, B at either side, looked at after every change."""
    records: Records = (record("fusion", **dict.fromkeys(FIELDS, "0")), record("shop", **dict.fromkeys(FIELDS, "0")))
    agreed = agreement(SALT, *records)
    for side, field, value in changes:
        place = 0 if side == "fusion" else 1
        moved = records[place].model_copy(update={"values": {**records[place].values, field: value}})
        records = (moved, records[1]) if place == 0 else (records[0], moved)
        truth = {name: (records[0] if owner == "fusion" else records[1]).values[name] for name, owner in owned.items()}
        records = written(records, judged(records, owned, agreed))
        agreed = agreement(SALT, *records)
        for name, right in truth.items():
            assert records[0].values[name] == records[1].values[name] == right


def test_a_value_that_a_system_keeps_in_its_own_way_is_agreed_and_not_written_for_ever() -> None:
    """The shop answers a write of <b>Cotton</b> with <strong>Cotton</strong>."""
    records = (record("fusion", description="<b>Cotton</b>"), record("shop", description="<strong>Cotton</strong>"))
    assert judged(records, {"description": "fusion"}, agreement(SALT, *records)) == Comparison()


def test_swapped_values_are_two_changes_and_not_an_agreement() -> None:
    before = (record("fusion", name="A"), record("shop", name="A"))
    swapped = (record("fusion", name="B"), record("shop", name="C"))
    found = judged(swapped, {"name": "fusion"}, agreement(SALT, *before), "review")
    assert [(one.field, one.both) for one in found.conflicts] == [("name", True)]
    both_changed_alike = (record("fusion", name="B"), record("shop", name="B"))
    assert judged(both_changed_alike, {"name": "fusion"}, agreement(SALT, *before), "review") == Comparison()


def test_a_field_that_one_side_does_not_have_is_left_alone() -> None:
    assert judged((record("fusion", weight="2"), record("shop")), {"weight": "fusion"}, None) == Comparison()


def test_digests_say_nothing_of_another_record_and_change_with_what_may_be_made_after_it() -> None:
    seen = record("fusion", name="A")
    assert digests_of(SALT, seen) != digests_of("acme/bc-us/item/A-2", seen)
    assert digests_of(SALT, seen) != digests_of(SALT, seen.model_copy(update={"unfit": "it is not for sale"}))
    assert digests_of(SALT, SeenRecord()) == {}


def test_what_a_system_made_of_our_own_write_is_no_conflict_while_the_owner_still_says_so() -> None:
    owned: dict[str, Side] = {"description": "fusion"}
    agreed = agreement(SALT, record("fusion", description="A"), record("shop", description="A"))
    sent = {"description": digest(SALT, "description", "<b>B")}
    cleaned = record("shop", description="<b>B</b>")

    def looked_at(owners_value: str, kept: dict[str, str]) -> Comparison:
        records = (record("fusion", description=owners_value), cleaned)
        return compare(SALT, *records, owners=owned, agreed=agreed, on_conflict="review", sent=kept)

    (again,) = looked_at("<b>B", sent).writes
    assert (again.value, again.rule) == ("<b>B", "owner_changed")
    assert looked_at("<b>B", {}).conflicts, "nothing was on its way: somebody changed it"
    assert looked_at("C", sent).conflicts, "the owner says something else by now"


def test_what_changed_beside_a_write_is_news_afterwards() -> None:
    """The name is written to the shop, where somebody gives the product another description in that moment."""
    owned: dict[str, Side] = {"name": "fusion", "description": "shop"}
    fusion, shop = record("fusion", name="B", description="A"), record("shop", name="A", description="A")
    answered = record("shop", name="B", description="C")
    agreed = agreement(SALT, fusion, shop.written(answered, ["name"]))
    assert agreed.shop != digests_of(SALT, answered), "the next poll finds it"
    (left,) = judged((fusion, answered), owned, agreed, "review").writes
    assert (left.field, left.side, left.value, left.rule) == ("description", "fusion", "C", "owner_changed")
