"""Since when a key seals nothing any more: histories of its time can be read with it until they are deleted."""

import datetime as dt

import pytest

from runtime.operations.key_usage import replaced_at
from store import KeyRing

DAWN = dt.datetime(2026, 3, 1, 6, 0, tzinfo=dt.UTC)


def ring(**since: int) -> KeyRing:
    """Keys in the order in which they became current, at so many seconds after dawn."""
    keys = {key_id: bytes([number]) * 32 for number, key_id in enumerate(since)}
    moments = {key_id: DAWN + dt.timedelta(seconds=seconds) for key_id, seconds in since.items()}
    return KeyRing(keys, list(since)[-1], moments)


@pytest.mark.parametrize(("second", "third"), [(60, 120), (0, 0), (0, 5), (0, 31_536_000)])
def test_a_key_was_replaced_when_the_next_became_current_also_within_the_same_second(second: int, third: int) -> None:
    keys = ring(k1=0, k2=second, k3=third)
    assert replaced_at(keys, "k1") == DAWN + dt.timedelta(seconds=second)
    assert replaced_at(keys, "k2") == DAWN + dt.timedelta(seconds=third)
    assert replaced_at(keys, "k3") is None


def test_a_key_that_is_used_again_within_the_same_second_does_not_count_as_following_itself() -> None:
    """Nobody knows then when the other one was replaced, so its histories are kept."""
    keys = KeyRing({"k1": b"1" * 32, "k2": b"2" * 32}, "k1", {"k1": DAWN, "k2": DAWN})
    assert replaced_at(keys, "k2") is None


def test_a_key_of_a_ring_that_kept_no_moments_was_replaced_when_the_next_became_current() -> None:
    keys = KeyRing({"old": b"o" * 32, "new": b"n" * 32}, "new", {"new": DAWN})
    assert replaced_at(keys, "old") == DAWN
    assert replaced_at(KeyRing({"old": b"o" * 32, "new": b"n" * 32}, "new"), "old") is None
