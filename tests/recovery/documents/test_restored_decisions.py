"""What people decided after the backup is decided still: a restore posts no sale that a person skipped or booked."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
from recovery.conftest import Vintage
from recovery.redelivery import announce_all, are_closed, decide, poll, says_it_is_behind
from support.parking import ANTIQUES, book_by_hand, park_unmapped, trail, with_version
from support.proof import no_journal_twice, ordinary, posted, sell
from support.stack import Stack, journals_of

from contracts import names
from contracts.configuration import Configuration
from contracts.flow import Decision, State
from runtime.commands.recover import exit_code, print_recovery
from runtime.operations.recovering import decided_runs
from runtime.operations.recovery import recover

HALF_A_DAY = dt.timedelta(hours=12)


def with_the_rule(configuration: Configuration) -> Configuration:
    """What waited for this rule would be posted now."""
    return with_version(configuration, 2, ANTIQUES)


async def decided_since_backup(vintage: Vintage) -> tuple[int, int]:
    """A skipped order, and one marked as posted by a journal that an accountant imported."""
    live = vintage.stack
    async with live.worker():
        await posted(live, await sell(live, ordinary(0)))
        await vintage.back_up()
        await posted(live, await sell(live, ordinary(1)))
        skipped, marked = await park_unmapped(live, 2)
        await book_by_hand(live, "By hand 7")
        await decide(live, skipped, "skip")
        await decide(live, marked, "mark_posted", target_id="By hand 7")
        # The newest run of a decided order only says that it is settled.
        await announce_all(live, [skipped, marked])
        await live.result(skipped)
        await live.result(marked)
        await are_closed(live, [skipped, marked])
    return skipped, marked


async def stay_decided(stack: Stack, skipped: int, marked: int) -> None:
    for order_id, state in ((skipped, State.SKIPPED), (marked, State.POSTED)):
        await stack.announce(order_id)
        assert (await stack.result(order_id)).state is state
        document = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
        assert document is not None
        assert (document.state, document.decided_by) == (state, "dana")
        (decision,) = await trail(stack, order_id, "decided")
        assert (decision.details["who"], decision.details["why"]) == ("dana", "month end")
        assert journals_of(stack.fusion, order_id) == []


async def test_what_people_decided_since_the_backup_is_not_posted(vintage: Vintage) -> None:
    skipped, marked = await decided_since_backup(vintage)
    async with vintage.restored(with_the_rule) as stack, stack.worker():
        await announce_all(stack, [skipped, marked])
        for order_id in (skipped, marked):
            await says_it_is_behind(stack, order_id)
        result = await recover(stack.parts, stack.parts.clock() - HALF_A_DAY)
        assert result.done
        assert exit_code(result) == 0
        assert {sentence.split()[1] for sentence in result.decided} == {str(skipped), str(marked)}
        assert all("dana" in sentence and "month end" in sentence for sentence in result.decided)
        later = await sell(stack, ordinary(2))
        await posted(stack, later)
        await stay_decided(stack, skipped, marked)
        await poll(stack, names.SWEEP_ORDERS, days=7)
        assert (await recover(stack.parts, stack.parts.clock() - HALF_A_DAY)).decided == ()
        await stay_decided(stack, skipped, marked)
        no_journal_twice(stack)


async def test_an_order_that_was_edited_after_the_decision_is_looked_at_again(vintage: Vintage) -> None:
    skipped, _ = await decided_since_backup(vintage)
    shop = vintage.stack.shop()
    shop.edit_line(skipped, shop.order(skipped).lines[0].id, quantity=9)
    async with vintage.restored(with_the_rule) as stack, stack.worker():
        await recover(stack.parts, stack.parts.clock() - HALF_A_DAY)
        await poll(stack)
        await posted(stack, [skipped])


async def test_decisions_that_temporal_has_forgotten_keep_posting_stopped_until_that_is_accepted(
    vintage: Vintage, capsys: pytest.CaptureFixture[str]
) -> None:
    skipped, marked = await decided_since_backup(vintage)
    async with vintage.restored(with_the_rule) as stack:
        beyond_retention = stack.parts.clock() - dt.timedelta(days=3)
        result = await recover(stack.parts, beyond_retention)
        assert not result.done
        assert exit_code(result) == 1
        assert result.forgotten_before is not None
        assert await stack.parts.epochs.behind(at_most=0)
        print_recovery(result)
        told = " ".join(capsys.readouterr().out.split())
        assert "--without-decisions" in told
        assert "retention" in told

        accepted = await recover(stack.parts, beyond_retention, without_decisions=True)
        assert accepted.done
        assert await stack.parts.epochs.behind(at_most=0) == ""
        async with stack.worker():
            await posted(stack, await sell(stack, ordinary(3)))
            await stay_decided(stack, skipped, marked)


async def test_a_run_that_nobody_can_read_is_named_and_keeps_posting_stopped(
    vintage: Vintage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    skipped, marked = await decided_since_backup(vintage)
    decoded = decided_runs.decoded

    async def key_is_lost(client: Any, payloads: Any, model: Any) -> Any:
        if model is Decision:
            raise RuntimeError("Key k1 is not in the key ring")
        return await decoded(client, payloads, model)

    async with vintage.restored(with_the_rule) as stack:
        with monkeypatch.context() as lost:
            lost.setattr(decided_runs, "decoded", key_is_lost)
            result = await recover(stack.parts, stack.parts.clock() - HALF_A_DAY)
        assert not result.done
        unread: Sequence[str] = sorted(one.workflow_id for one in result.unread)
        assert unread == sorted(names.order_to_journal_id("bc-us", str(one)) for one in (skipped, marked))
        print_recovery(result)
        assert f"order-to-journal:bc-us:{skipped}" in capsys.readouterr().out
        assert await stack.parts.epochs.behind(at_most=0)
        # The key is back.
        assert (await recover(stack.parts, stack.parts.clock() - HALF_A_DAY)).done
        async with stack.worker():
            await stay_decided(stack, skipped, marked)
