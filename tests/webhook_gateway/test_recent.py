from webhook_gateway.recent import RecentKeys


def test_a_key_is_remembered_for_a_while() -> None:
    now = 0.0
    recent = RecentKeys(capacity=10, lasts=600, clock=lambda: now)
    assert not recent.note("a")
    now = 600.0
    assert recent.note("a")
    now = 1200.1
    assert not recent.note("a")


def test_memory_is_bounded() -> None:
    recent = RecentKeys(capacity=3, lasts=600)
    for key in ("a", "b", "c", "a", "d"):
        recent.note(key)
    assert [recent.note(key) for key in ("a", "d", "c", "b")] == [True, True, True, False]
