"""What a person types, and types again when no answer came."""

import functools
import shlex
from typing import Any

import pytest
from support.parking import LONG, SHORT, book_by_hand, park_unmapped, trail
from support.stack import Stack, eventually
from support.typed import Typed, typed_beside

from contracts import names
from contracts.flow import State
from runtime.commands import review
from runtime.operations import deciding as operation
from runtime.operations.deciding import decision_on, find_item

BATCH = "Antiques, by hand"
NOBODY = "127.0.0.1:9"


@pytest.fixture
def typed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """By a person who waits for as long as a busy machine needs."""
    monkeypatch.setattr(review, "PATIENCE", LONG.total_seconds())
    monkeypatch.setattr(review, "decide", functools.partial(operation.decide, patience=LONG))
    return typed_beside(stack)


async def resolve(typed: Typed, order_id: int, *words: str, who: str = "dana", why: str = "at the fair") -> str:
    done = await typed("review", "resolve", f"bc-us/{order_id}", *words, "--who", who, "--why", why)
    assert done.exit_code == 0, done.output
    return done.stdout


async def test_the_same_command_after_the_decision_was_applied_tells_it_and_succeeds(
    stack: Stack, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is lost while Fusion is slow; what exit code 3 prints is typed when all has happened."""
    monkeypatch.setattr(review, "decide", functools.partial(operation.decide, patience=SHORT))
    await book_by_hand(stack, BATCH)
    async with stack.worker():
        (order_id,) = await park_unmapped(stack, 1)
        gate = stack.fusion.hooks.hold("received", method="GET", path="/journalBatches")
        command = ("mark-posted", "--target", BATCH, "--who", "dana", "--why", "at the fair")
        unanswered = await typed("review", "resolve", f"bc-us/{order_id}", *command)
        assert unanswered.exit_code == review.UNANSWERED
        printed = unanswered.stderr.partition("decided once: ml-connector ")[2]
        await gate.reached()
        gate.release()
        assert (await stack.result(order_id)).state is State.POSTED

        for again in ((*shlex.split(printed),), ("review", "resolve", f"bc-us/{order_id}", *command)):
            told = await typed(*again)
            assert told.exit_code == 0, told.output
            assert f"Order {order_id} (bc-us): mark posted decided by dana: at the fair (on record" in told.stdout
        assert len(await trail(stack, order_id, "decided")) == 1


async def test_a_decision_is_not_taken_about_a_later_review_of_the_same_document(stack: Stack, typed: Typed) -> None:
    """It was retried, and is in review again: who asks for the first retry does not ask for a second one."""
    async with stack.worker():
        (order_id,) = await park_unmapped(stack, 1)
        item = await find_item(stack.parts.store, stack.configuration, str(order_id))
        first = decision_on(item, "retry", who="dana", why="at the fair")
        await resolve(typed, order_id, "retry")

        async def again() -> bool:
            return len(await trail(stack, order_id, "needs_review")) == 2

        await eventually(again, "it is in review once more")
        await stack.in_state(order_id, State.NEEDS_REVIEW)
        told = await resolve(typed, order_id, "retry", "--id", first.id)
        assert "retry decided by dana: at the fair (on record" in told
        (decided,) = await trail(stack, order_id, "decided")
        assert decided.job == names.decision_job(first.id)

        unknown = await typed(
            "review", "resolve", str(order_id), "retry", "--who", "dana", "--why", "so", "--id", "decision-0"
        )
        assert unknown.exit_code == 1
        assert "has not been decided by decision-0" in unknown.stderr
        # Without it, this is about the review of today.
        await resolve(typed, order_id, "retry")
        await eventually(lambda: _decided_twice(stack, order_id), "a decision of its own")


async def _decided_twice(stack: Stack, order_id: int) -> bool:
    return len({event.job for event in await trail(stack, order_id, "decided")}) == 2


async def test_what_was_refused_may_be_asked_again_in_the_same_words(stack: Stack, typed: Typed) -> None:
    async with stack.worker():
        (order_id,) = await park_unmapped(stack, 1)
        command = ("review", "resolve", str(order_id), "mark-posted", "--target", BATCH, "--who", "dana", "--why", "so")
        for _ in range(2):
            refused = await typed(*command)
            assert refused.exit_code == 1
            assert "Give the batch name as Fusion shows it." in refused.stderr
        await book_by_hand(stack, BATCH)
        done = await typed(*command)
        assert done.exit_code == 0, done.output
        assert (await stack.result(order_id)).state is State.POSTED
        assert len(await trail(stack, order_id, "decided")) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("4711", "retry", "--who", "dana", "--why", "so"), "Nothing in review is called 4711"),
        (("4711", "retry", "--who", " ", "--why", "so"), "needs a name (--who) and a reason (--why)"),
        (("4711", "skip", "--who", "dana", "--why", ""), "needs a name (--who) and a reason (--why)"),
    ],
    ids=["unknown", "nobody", "no reason"],
)
async def test_what_cannot_be_decided_is_told_without_asking_temporal(
    typed: Typed, words: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked(*_: Any, **__: Any) -> Any:
        raise AssertionError("Temporal was asked")

    monkeypatch.setattr(review, "connect", asked)
    refused = await typed("review", "resolve", *words, MLC_TEMPORAL=NOBODY)
    assert refused.exit_code == 1
    assert told in refused.stderr


async def test_a_temporal_that_is_down_is_told_in_words(
    stack: Stack, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review, "PATIENCE", 0.5)
    async with stack.worker():
        (order_id,) = await park_unmapped(stack, 1)
    command = ("review", "resolve", str(order_id), "skip", "--who", "dana", "--why", "a gift")
    failed = await typed(*command, MLC_TEMPORAL=NOBODY)
    assert failed.exception is not None
    assert str(failed.exception).startswith(f"Temporal at {NOBODY} does not answer after 0 s (connection refused).")
    assert "waiting for Temporal" not in failed.output
