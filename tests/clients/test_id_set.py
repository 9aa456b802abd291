"""A set of ids that takes a bit for each."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.id_set import IdSet


@given(st.sets(st.integers(0, 10**12)), st.lists(st.integers(0, 10**12)))
def test_it_holds_what_was_added_and_nothing_else(added: set[int], others: list[int]) -> None:
    ids = IdSet()
    for number in added:
        ids.add(number)
        ids.add(number)
    for number in [*added, *others]:
        for near in (number - 1, number, number + 1):
            assert (near in ids) == (near in added)


def test_numbers_below_zero_are_no_ids() -> None:
    with pytest.raises(ValueError, match="-1 is no id"):
        IdSet().add(-1)
    assert -1 not in IdSet()


def test_ten_thousand_ids_of_a_shop_take_a_few_kilobytes() -> None:
    ids = IdSet()
    for number in range(5_000_000, 5_010_000):
        ids.add(number)
    blocks = ids._blocks
    assert sys.getsizeof(blocks) + sum(sys.getsizeof(one) for one in blocks.values()) < 4_000
