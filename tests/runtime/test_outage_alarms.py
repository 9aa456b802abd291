"""What `status` and `check` say, and end with, when a connection does not work."""

import datetime as dt
import json
import re

import pytest
from support.stack import Stack
from support.typed import Typed, typed_beside

from contracts.flow import State
from runtime.checking.check_marks import mark_findings
from runtime.checking.findings import Level
from runtime.operations.connection_standing import Running, connection_standings
from store.rows import ConnectionHealth, ConnectionState

NOW = dt.datetime(2026, 3, 5, 15, 0, tzinfo=dt.UTC)
CAUSE = "Oracle Fusion (fusion) could not be reached for the ledgers; nothing was sent."


@pytest.fixture
def typed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """`status` gives Temporal more time than a person would."""
    monkeypatch.setattr("runtime.operations.standing.PATIENCE", dt.timedelta(seconds=60))
    return typed_beside(stack)


async def mark(stack: Stack, health: ConnectionHealth, hours: float) -> None:
    since = dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours)
    await stack.parts.store.connections.mark("fusion", health, CAUSE, now=since)


async def test_a_short_outage_is_shown_with_its_age_and_who_waits(stack: Stack, typed: Typed) -> None:
    await mark(stack, ConnectionHealth.UNAVAILABLE, 5)
    told = await typed("status")
    assert told.exit_code == 0, told.output
    assert re.search(
        rf"Connection fusion: unavailable for 5 h 0\d min; 0 documents wait\. {re.escape(CAUSE)}", told.stdout
    )
    assert "Workers cannot use it" not in told.stdout


async def test_an_outage_of_days_is_said_first_and_by_the_exit_code(stack: Stack, typed: Typed) -> None:
    await mark(stack, ConnectionHealth.UNAVAILABLE, 80)
    told = await typed("status")
    assert told.exit_code == 3
    assert "Workers cannot use it for 3 days" in told.stdout.splitlines()[0]
    assert "Nothing is lost" in told.stdout
    machine = await typed("status", "--json")
    assert machine.exit_code == 3
    (fusion,) = json.loads(machine.stdout)["connections"]
    assert fusion["overdue"] is True
    checked = await typed("check")
    assert checked.exit_code == 3, checked.output
    assert "Workers cannot use it for 3 days" in checked.output


async def test_a_refused_credential_is_said_first_at_once(stack: Stack, typed: Typed) -> None:
    await mark(stack, ConnectionHealth.MISCONFIGURED, 0.1)
    told = await typed("status")
    assert told.exit_code == 1
    assert re.search(r"Workers are refused for ([6-9]|1\d) min", told.stdout.splitlines()[0])
    assert "ml-connector connections test fusion" in told.stdout


async def test_what_connections_test_finds_in_order_is_marked_as_working(stack: Stack, typed: Typed) -> None:
    await mark(stack, ConnectionHealth.MISCONFIGURED, 0.1)
    tested = await typed("connections", "test", "fusion")
    assert "signs in as ever: pod 127.0.0.1" in tested.stdout
    assert (await typed("status")).exit_code == 0


def state(connection: str, health: ConnectionHealth, hours: float) -> ConnectionState:
    since = NOW - dt.timedelta(hours=hours)
    return ConnectionState(connection=connection, state=health, sentence=CAUSE, since=since, marked_at=NOW)


async def test_who_waits_for_fusion_and_who_for_a_shop(stack: Stack) -> None:
    down = ConnectionHealth.UNAVAILABLE
    running: Running = {
        "shop-us": {State.RUNNING: 3, State.WAITING_IMPORT: 40, State.NEEDS_REVIEW: 7},
        "shop-eu": {State.RUNNING: 2},
    }
    states = (state("fusion", down, 1), state("bc-us", down, 1), state("bc-eu", ConnectionHealth.WORKING, 1))
    told = connection_standings(states, stack.configuration, running, NOW)
    assert {one.connection: one.waiting for one in told} == {"fusion": 45, "bc-us": 3, "bc-eu": None}
    unasked = connection_standings(states, stack.configuration, None, NOW)
    assert {one.waiting for one in unasked} == {None}


async def test_the_alarm_comes_when_the_connection_says(stack: Stack) -> None:
    connections = tuple(
        one.model_copy(update={"outage_alert": 2.0}) if one.id == "bc-us" else one
        for one in stack.configuration.connections
    )
    configuration = stack.configuration.model_copy(update={"connections": connections})
    states = tuple(state(one, ConnectionHealth.UNAVAILABLE, 3) for one in ("fusion", "bc-us", "of-old"))
    findings = mark_findings(connection_standings(states, configuration, None, NOW))
    levels = {finding.subject: finding.level for finding in findings}
    assert levels == {"fusion": Level.WARNING, "bc-us": Level.UNPROVED, "of-old": Level.WARNING}
