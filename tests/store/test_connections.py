import datetime as dt

from store import Store
from store.rows import ConnectionHealth

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)
SOON = NOW + dt.timedelta(minutes=1)
LATER = NOW + dt.timedelta(minutes=10)


async def test_a_worker_for_which_it_works_does_not_contradict_another_that_said_otherwise_lately(
    store: Store, fresh: str
) -> None:
    await store.connections.mark(fresh, ConnectionHealth.UNAVAILABLE, "503", now=NOW)
    await store.connections.confirm(fresh, now=SOON)
    state = await store.connections.state(fresh)
    assert state is not None
    assert (state.state, state.since, state.sentence) == (ConnectionHealth.UNAVAILABLE, NOW, "503")


async def test_the_mark_of_a_worker_that_is_gone_is_outlived(store: Store, fresh: str) -> None:
    await store.connections.mark(fresh, ConnectionHealth.UNAVAILABLE, "503", now=NOW)
    await store.connections.confirm(fresh, now=LATER)
    state = await store.connections.state(fresh)
    assert state is not None
    assert (state.state, state.since, state.sentence) == (ConnectionHealth.WORKING, LATER, "")


async def test_confirming_renews_the_mark_and_keeps_since(store: Store, fresh: str) -> None:
    await store.connections.confirm(fresh, now=NOW)
    await store.connections.confirm(fresh, now=LATER)
    state = await store.connections.state(fresh)
    assert state is not None
    assert (state.state, state.since, state.marked_at) == (ConnectionHealth.WORKING, NOW, LATER)


async def test_the_first_account_is_remembered_and_another_only_on_purpose(store: Store, fresh: str) -> None:
    first = await store.connections.remember(fresh, "a" * 64, "pod A", now=NOW)
    assert (first.identity, first.identity_sentence) == ("a" * 64, "pod A")
    second = await store.connections.remember(fresh, "b" * 64, "pod B", now=LATER)
    assert (second.identity, second.identity_sentence) == ("a" * 64, "pod A")
    replaced = await store.connections.remember(fresh, "b" * 64, "pod B", replace=True, now=LATER)
    assert (replaced.identity, replaced.identity_sentence) == ("b" * 64, "pod B")


async def test_who_signs_in_is_kept_apart_from_how_it_is(store: Store, fresh: str) -> None:
    await store.connections.mark(fresh, ConnectionHealth.MISCONFIGURED, "401", now=NOW)
    known = await store.connections.remember(fresh, "a" * 64, "pod A", now=LATER)
    assert (known.state, known.since) == (ConnectionHealth.MISCONFIGURED, NOW)
    await store.connections.mark(fresh, ConnectionHealth.WORKING, now=LATER)
    state = await store.connections.state(fresh)
    assert state is not None
    assert state.identity == "a" * 64


async def test_signs_name_the_newest_value_and_the_mark_without_opening_anything(store: Store, fresh: str) -> None:
    nothing = await store.connections.signs("acme", fresh, "client_secret")
    assert (nothing.secret, nothing.state) == (None, None)
    await store.secrets.put("acme", fresh, "client_secret", "one", now=NOW)
    first = await store.connections.signs("acme", fresh, "client_secret")
    await store.secrets.put("acme", fresh, "client_secret", "two", now=LATER)
    await store.secrets.put("acme", fresh, "another", "three", now=LATER)
    await store.connections.mark(fresh, ConnectionHealth.WORKING)
    second = await store.connections.signs("acme", fresh, "client_secret")
    assert first.secret != second.secret
    assert second.state is ConnectionHealth.WORKING
    assert await store.secrets.newest("acme", fresh, "client_secret") == (second.secret, "two")
    assert await store.secrets.newest("acme", fresh, "absent") is None
