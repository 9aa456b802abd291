"""What a gate lets through where signing in is refused, a role is missing, or a secret is another account's."""

import asyncio

import pytest

from activities.access.gates import Gate, Turn
from clients.accounts import Account
from clients.errors import Forbidden, Held, SignInRefused, Unauthorized
from store.rows import ConnectionHealth
from tests.activities.access.conftest import HOUR, Board, System, Time, all_done, orders, settled


async def test_a_refused_sign_in_is_not_repeated_until_the_secret_is_another(
    system: System, time: Time, board: Board
) -> None:
    system.down(SignInRefused("pod", "The client is unknown.", remedy="Check it."))
    steps = system.begin(*orders(50))
    await time.go(1)
    began = time.now
    await time.go(HOUR)
    assert system.since(began) == 0
    assert board.written[-1] is ConnectionHealth.MISCONFIGURED
    # One look into the store every few seconds, not one a document.
    assert board.looks <= HOUR / 3 + 5
    assert system.gate.sentence == "The client is unknown. Check it. ml-connector secrets set pod client_secret"
    board.secret = "second"
    system.gate.uses("second")
    board.secret = "third"
    system.down(None)
    await time.go(4)
    assert all_done(steps)
    await time.go(1)
    assert board.written[-1] is ConnectionHealth.WORKING


async def test_a_missing_secret_is_waited_for(time: Time, board: Board) -> None:
    gate = Gate("pod", marks=board, clock=time, sleep=time.sleep)
    board.secret = None
    system = System(gate, time)
    system.down(SignInRefused("pod", "There is no secret.", remedy="Run: ml-connector secrets set pod client_secret"))
    steps = system.begin(*orders(10))
    await time.go(60)
    assert len(system.calls) <= 10
    began = time.now
    board.secret = "first"
    system.down(None)
    await time.go(4)
    assert all_done(steps)
    assert system.since(began) == 10


async def test_a_wrong_new_secret_costs_one_sign_in(system: System, time: Time, board: Board) -> None:
    system.down(SignInRefused("pod", "The client is unknown."))
    system.begin(*orders(10))
    await time.go(10)
    began = time.now
    board.secret = "second"
    system.failing = lambda _: (system.gate.uses("second"), SignInRefused("pod", "The client is unknown."))[1]
    await time.go(HOUR)
    assert system.since(began) == 1


async def test_another_process_that_can_sign_in_is_reason_to_try_once(system: System, time: Time, board: Board) -> None:
    system.down(SignInRefused("pod", "The client is unknown."))
    system.begin(*orders(10))
    await time.go(10)
    began = time.now
    board.written.append(ConnectionHealth.WORKING)
    await time.go(HOUR)
    assert system.since(began) == 1
    assert board.written[-1] is ConnectionHealth.MISCONFIGURED


async def test_a_token_that_is_refused_without_a_sign_in_is_tried_again_soon_and_then_seldom(
    system: System, time: Time
) -> None:
    system.down(Unauthorized("pod", "The shop answered HTTP 401.", status=401))
    steps = system.begin(*orders(10))
    await time.go(10)
    assert len(system.calls) <= 11
    began = time.now
    await time.go(HOUR)
    assert HOUR / 310 <= system.since(began) <= HOUR / 300
    system.down(None)
    await time.go(304)
    assert all_done(steps)


async def test_a_missing_role_is_marked_and_stops_no_other_kind_of_step(
    system: System, time: Time, board: Board
) -> None:
    denied = Forbidden("pod", "The pod answered HTTP 403.", status=403)
    system.failing = lambda kind: denied if kind == "journals" else None
    await system.step("group 1", kind="journals")
    system.gate.forbid("journals", denied)
    await system.step("order 1", kind="lookup")
    assert system.gate.is_open
    assert board.written[-1] is ConnectionHealth.MISCONFIGURED
    system.gate.allow("journals")
    await system.gate.publish()
    assert board.written[-1] is ConnectionHealth.WORKING


class Signed:
    """A system that knows who signs in."""

    def __init__(self, time: Time, board: Board) -> None:
        self.account = "A"
        self.asked = 0
        self.board = board
        self.gate = Gate("pod", marks=board, identify=self.identify, clock=time, sleep=time.sleep)
        self.system = System(self.gate, time)

    async def identify(self) -> Account:
        self.asked += 1
        self.gate.uses(self.board.secret)
        await asyncio.sleep(0)
        return Account(identity=self.account, sentence=f"pod {self.account}")


async def test_who_signs_in_is_asked_once_before_anything_is_called(time: Time, board: Board) -> None:
    signed = Signed(time, board)
    steps = signed.system.begin(*orders(20))
    await settled()
    assert all_done(steps)
    assert signed.asked == 1
    assert board.account == "A"


async def test_another_account_than_before_is_called_by_nobody_until_the_secret_is_another(
    time: Time, board: Board
) -> None:
    board.account = "B"
    signed = Signed(time, board)
    steps = signed.system.begin(*orders(20))
    await time.go(60)
    assert signed.system.calls == []
    assert signed.asked == 1
    assert "pod A instead of pod B" in signed.gate.sentence
    board.secret, signed.account = "second", "B"
    await time.go(4)
    assert all_done(steps)
    assert len(signed.system.calls) == 20


async def test_a_changed_secret_is_used_by_nobody_before_its_account_is_proved(time: Time, board: Board) -> None:
    signed = Signed(time, board)
    await signed.system.step("order 1")
    turn = Turn("fetch", "order 2")
    with signed.gate.passing(turn), pytest.raises(Held, match="its account is checked first"):
        signed.gate.uses("second")
    assert signed.gate.wants_proof
    board.secret = "second"
    signed.account = "another"
    step = asyncio.create_task(signed.system.step("order 3"))
    await time.go(1)
    assert len(signed.system.calls) == 1, "nothing was called in another's name"
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
