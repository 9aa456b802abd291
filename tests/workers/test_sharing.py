"""Which part of an account a process has, and when: every process asks the same store."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from support.processes import ROOT
from support.stack import eventually

from activities.access.neighbours import host, is_gone
from activities.access.sharing import Rhythm, Sharing
from clients.limiter import Part, Throttled
from store import KeyRing, Store, StoreUnavailable, Vault
from store.presence import Roll

QUICK = Rhythm(renewal=0.5, look=0.05, knock=0.02, fence=600.0, dead=900.0, idle=0.3)
"""They look often, and nobody is given up for being late: a machine that is busy makes all of them late."""
PATIENT = replace(Rhythm(), fence=QUICK.fence, dead=QUICK.dead)
"""As delivered, otherwise."""


class Clock:
    """A process's own time, which stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Office:
    """Processes of a test: each has a connection to the store of its own, and a clock that can stand still."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self._url = url
        self._stack = stack
        self._vault = Vault(KeyRing.generate())
        self.stores: list[Store] = []

    async def store(self) -> Store:
        store = await self._stack.enter_async_context(Store.open(self._url, self._vault))
        await store.migrate()
        self.stores.append(store)
        return store

    async def enter(
        self,
        rhythm: Rhythm = QUICK,
        *,
        group_of: Callable[[str], str] = lambda connection: "default",
        clock: Callable[[], float] = time.monotonic,
    ) -> Sharing:
        sharing = Sharing((await self.store()).presence, group_of, rhythm=rhythm, clock=clock)
        return await self._stack.enter_async_context(sharing)


@pytest.fixture
async def office(store_url: str) -> AsyncIterator[Office]:
    async with AsyncExitStack() as stack:
        yield Office(store_url, stack)


def standing(sharing: Sharing, group: str = "default") -> tuple[int, int] | None:
    part = sharing.current(group)
    return None if part is None else (part.rank, part.of)


async def stand(*expected: tuple[Sharing, tuple[int, int] | None]) -> None:
    def all_stand() -> bool:
        return all(standing(sharing) == wanted for sharing, wanted in expected)

    await eventually(all_stand, f"{[wanted for _, wanted in expected]}")


async def test_whoever_is_alone_has_everything_at_once(office: Office) -> None:
    sharing = await office.enter(PATIENT)
    await asyncio.wait_for(sharing.join(["default"]), 60)
    assert standing(sharing) == (0, 1)


async def test_parts_follow_those_who_come_and_go(office: Office) -> None:
    first, second = await office.enter(), await office.enter()
    await first.join(["default"])
    await second.join(["default"])
    # The newcomer has a part only after the first has less: none, as long as it takes note of that.
    assert standing(first) in (None, (0, 2))
    await stand((first, (0, 2)), (second, (1, 2)))
    third = await office.enter()
    await third.join(["default"])
    await stand((first, (0, 3)), (second, (1, 3)), (third, (2, 3)))
    await first.__aexit__(None, None, None)
    await stand((second, (0, 2)), (third, (1, 2)))


async def test_a_newcomer_waits_for_one_who_does_not_answer_until_that_one_counts_no_more(office: Office) -> None:
    silent = await office.enter(replace(QUICK, look=3600.0, fence=1.0, dead=1.5))
    newcomer = await office.enter(replace(QUICK, dead=1.5))
    began = asyncio.get_running_loop().time()
    await silent.join(["default"])
    await newcomer.join(["default"])
    assert asyncio.get_running_loop().time() - began >= 1.5 - 1.0
    assert standing(newcomer) == (0, 1)
    assert standing(silent) is None


async def test_who_cannot_say_that_it_is_there_makes_no_calls(office: Office) -> None:
    clock = Clock()
    sharing = await office.enter(replace(QUICK, look=3600.0), clock=clock)
    await sharing.join(["default"])
    clock.now += QUICK.fence - 1
    assert standing(sharing) == (0, 1)
    clock.now += 1
    assert standing(sharing) is None
    # Asked for a call, it looks at once.
    await sharing.share("bc-us").settled(60.0)
    assert standing(sharing) == (0, 1)


async def test_who_was_forgotten_begins_anew_behind_the_others(office: Office) -> None:
    first, second = await office.enter(), await office.enter()
    await first.join(["default"])
    before = first.current("default")
    await second.join(["default"])
    await office.stores[1].presence.leave(first.id)
    await stand((second, (0, 2)), (first, (1, 2)))
    after = first.current("default")
    assert isinstance(before, Part)
    assert isinstance(after, Part)
    assert after.joined > before.joined


async def test_a_store_that_does_not_answer_ends_the_calls_in_time_and_for_a_time(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    sharing = await office.enter(clock=clock)
    await sharing.join(["default"])

    async def silent(*_: object, **__: object) -> Roll:
        raise StoreUnavailable(OSError("down"))

    presence = office.stores[0].presence
    monkeypatch.setattr(presence, "roll", silent)
    monkeypatch.setattr(presence, "renew", silent)
    clock.now += QUICK.fence
    assert standing(sharing) is None
    with pytest.raises(Throttled):
        await sharing.share("bc-us").settled(0.2)
    monkeypatch.undo()
    await sharing.share("bc-us").settled(60.0)
    assert standing(sharing) == (0, 1)


async def test_accounts_of_different_groups_are_shared_by_different_processes(office: Office) -> None:
    def group_of(connection: str) -> str:
        return connection.split("-")[0]

    everything = await office.enter(group_of=group_of)
    big = await office.enter(group_of=group_of)
    await everything.join(["big", "small"])
    await big.join(["big"])
    await eventually(lambda: standing(everything, "big") == (0, 2), "the first has half of what both serve")
    await eventually(lambda: standing(everything, "small") == (0, 1), "and all of what it serves alone")
    await eventually(lambda: standing(big, "big") == (1, 2), "the second has the other half")


async def test_a_visitor_counts_while_it_calls_and_then_leaves(office: Office) -> None:
    """A command, or a step that a person waits for in a worker of another group."""
    clock = Clock()
    server, visitor = await office.enter(), await office.enter(clock=clock)
    await server.join(["default"])
    share = visitor.share("bc-us")
    await share.settled(60.0)
    assert share.current() is not None
    await stand((server, (0, 2)))
    clock.now += 2 * QUICK.idle
    await stand((server, (0, 1)))
    await share.settled(60.0)
    await stand((server, (0, 2)))


async def test_many_who_come_at_once_all_get_their_part(office: Office) -> None:
    everybody = [await office.enter() for _ in range(6)]
    await asyncio.gather(*(one.join(["default"]) for one in everybody))
    await eventually(
        lambda: sorted(standing(one) or (9, 9) for one in everybody) == [(rank, 6) for rank in range(6)],
        "everybody has a part",
    )


async def test_a_process_that_was_killed_on_this_machine_is_not_waited_for(office: Office) -> None:
    store = await office.store()
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from activities.access.neighbours import new_identity; print(new_identity(), flush=True); input()",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    identity = (await child.stdout.readline()).decode().strip()
    assert not is_gone(identity, host())
    await store.presence.announce(identity, host(), ["default"])
    child.kill()
    await child.wait()
    assert is_gone(identity, host())
    assert not is_gone(identity, "elsewhere/0/0")
    newcomer = await office.enter(PATIENT)
    await asyncio.wait_for(newcomer.join(["default"]), 60)
    assert standing(newcomer) == (0, 1)
