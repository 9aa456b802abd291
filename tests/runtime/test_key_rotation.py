"""Rotation and loss of keys on a real Temporal server: old histories live on, a lost key stops nothing for good."""

import asyncio
import base64
import contextlib
import dataclasses
import hashlib
import hmac
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from support.ports import free_ports
from support.proof import booked_once, nothing_in_review, ordinary, posted
from support.stack import DEMO_CONFIGURATION, FAST, PATIENCE, Stack, eventually, open_stack, stopped
from support.typed import typed as typed_line
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from typer.testing import Result

from contracts import names
from contracts.configuration import BigCommerceConnection
from contracts.flow import State
from runtime.parts import open_parts
from runtime.serving import serve_gateway
from runtime.temporal.connect import connect
from runtime.temporal.devserver import DevServer
from runtime.temporal.plugin import MlConnectorPlugin, data_converter
from runtime.temporal.schedules import sync_schedules
from runtime.worker import WORKFLOWS
from store import FollowedKeyRing, KeyRing

ROOT = Path(__file__).parents[2]
PAIRS = FAST | {"flush_after": 600.0, "flush_count": 2}
"""A journal waits in the outbox until there is a second one: time to rotate while an order is on its way."""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands give Temporal more time than a person would."""
    monkeypatch.setattr("runtime.commands.keys.PATIENCE", 60.0)


@pytest.fixture
async def stack(temporal_server: DevServer, tmp_path: Path) -> AsyncIterator[Stack]:
    async with open_stack(temporal_server, tmp_path, imports=PAIRS) as opened:
        opened.keys.write(tmp_path / "keys.json")
        yield opened


@contextlib.asynccontextmanager
async def worker(stack: Stack) -> AsyncIterator[Stack]:
    """A worker that reads its ring from the file, and the stack seen with that ring."""
    keys = FollowedKeyRing(stack.directory / "keys.json")
    client = await connect(stack.configuration.temporal, keys)
    async with open_parts(stack.configuration, keys, temporal=client) as parts:
        seen = dataclasses.replace(stack, keys=keys, temporal=client, parts=parts)
        async with seen.worker():
            yield seen


@contextlib.asynccontextmanager
async def gateway(stack: Stack) -> AsyncIterator[str]:
    """A gateway that reads its ring from the file; gives its address."""
    [port] = free_ports(1)
    place = {"host": "127.0.0.1", "port": port, "start_deadline": 60.0, "receive_deadline": 60.0}
    settings = stack.configuration.gateway.model_copy(update=place)
    stop = asyncio.Event()
    keys = FollowedKeyRing(stack.directory / "keys.json")
    serving = asyncio.create_task(
        serve_gateway(stack.configuration.model_copy(update={"gateway": settings}), keys, stop)
    )
    url = f"http://127.0.0.1:{port}"
    try:
        await ready(url)
        yield url
    finally:
        stop.set()
        await stopped(serving, "the gateway")


async def ready(url: str) -> None:
    """Waits until the gateway listens, and says that it can accept."""

    async def says_so() -> bool:
        try:
            async with httpx.AsyncClient() as http:
                return (await http.get(f"{url}/readyz")).is_success
        except httpx.TransportError:
            return False

    await eventually(says_so, "the gateway is ready")


async def deliver(stack: Stack, url: str, order: int) -> int:
    """A webhook as the shop signs it; gives the status it was answered with."""
    shop = stack.configuration.connection("bc-us")
    assert isinstance(shop, BigCommerceConnection)
    document = {
        "scope": "store/order/updated",
        "data": {"type": "order", "id": order},
        "producer": f"stores/{shop.store_hash}",
    }
    body, message, stamp = json.dumps(document).encode(), f"msg-{order}-{time.monotonic_ns()}", str(int(time.time()))
    digest = hmac.new(b"client-secret", f"{message}.{stamp}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "webhook-id": message,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        return (await http.post(f"{url}/webhooks/acme/bc-us", content=body, headers=headers)).status_code


def ring(stack: Stack) -> KeyRing:
    return KeyRing.from_file(stack.directory / "keys.json")


async def history(stack: Stack, order: int) -> WorkflowHistory:
    return await stack.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order))).fetch_history()


def keys_of(run: WorkflowHistory) -> set[str]:
    """Which keys a history was sealed with."""
    found: set[str] = set()

    def walk(value: object) -> None:
        if isinstance(value, dict):
            metadata = value.get("metadata")
            if isinstance(metadata, dict) and "mlc-key" in metadata:
                found.add(base64.b64decode(metadata["mlc-key"]).decode())
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(json.loads(run.to_json()))
    return found


async def typed(stack: Stack, *arguments: str, configured: bool = True) -> Result:
    """A command beside the stack, with the ring of the file."""
    environment: dict[str, str | None] = {
        **stack.environment,
        "ML_CONNECTOR_KEYS": None,
        "ML_CONNECTOR_KEY_FILE": str(stack.directory / "keys.json"),
        "COLUMNS": "300",
    }
    line = (*arguments, *(("--config", str(DEMO_CONFIGURATION)) if configured else ()))
    return await typed_line(environment, *line)


async def ended(stack: Stack, *arguments: str) -> tuple[int | None, str]:
    """A command as a process of its own, whose failures nobody but the command catches: exit code, all it printed."""
    environment = {
        **{name: value for name, value in {**os.environ, **stack.environment}.items() if name != "ML_CONNECTOR_KEYS"},
        "ML_CONNECTOR_KEY_FILE": str(stack.directory / "keys.json"),
        "COLUMNS": "300",
    }
    line = (*arguments, "--config", str(DEMO_CONFIGURATION))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from runtime.cli import main; main()", *line,
        env=environment, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await process.communicate()
    return process.returncode, printed.decode()


async def test_a_rotation_in_the_middle_of_the_work_needs_no_restart_and_old_histories_replay(stack: Stack) -> None:
    async with worker(stack) as seen:
        first = stack.shop().place(ordinary(1)).id
        await seen.announce(first)
        await seen.in_state(first, State.WAITING_IMPORT)
        rotated = await typed(stack, "keys", "rotate", configured=False)
        fresh = ring(stack).current
        assert f"Key {fresh} is now current" in rotated.output
        await eventually(lambda: seen.keys.current == fresh, "the worker has the new ring")
        second = stack.shop().place(ordinary(2)).id
        await seen.announce(second)
        await posted(seen, [first, second])
        await nothing_in_review(seen)
        rewrapped = await typed(stack, "keys", "rewrap")
        assert rewrapped.exit_code == 0
        assert set(await seen.parts.store.sealed_by_key()) == {fresh}
        old, new = await history(seen, first), await history(seen, second)
        assert (keys_of(old), keys_of(new)) == ({"k1", fresh}, {fresh})

    replayer = Replayer(workflows=WORKFLOWS, plugins=[MlConnectorPlugin(ring(stack))])
    for run in (old, new):
        await replayer.replay_workflow(run)
    started = old.events[0].workflow_execution_started_event_attributes.input.payloads
    [decoded] = await data_converter(ring(stack)).decode(started)
    assert decoded["order_id"] == str(first)


async def test_a_key_is_retired_when_nothing_needs_it_and_not_before(stack: Stack) -> None:
    async with worker(stack) as seen:
        await sync_schedules(seen.temporal, seen.configuration)
        waiting = stack.shop().place(ordinary(1)).id
        await seen.announce(waiting)
        await seen.in_state(waiting, State.WAITING_IMPORT)
        await typed(stack, "keys", "rotate", configured=False)
        fresh = ring(stack).current
        refused = await typed(stack, "keys", "retire", "k1")
        assert refused.exit_code == 1
        assert "The store holds" in refused.stderr
        assert f"`ml-connector keys rewrap` puts them under {fresh}" in refused.stderr
        assert f"order-to-journal:bc-us:{waiting}" in refused.stderr
        assert re.search(r"\d+ schedules \(\S", refused.stderr)
        assert "Nothing was changed." in refused.stderr
        assert ring(stack).ids == (fresh, "k1")

        await eventually(lambda: seen.keys.current == fresh, "the worker has the new ring")
        await sync_schedules(seen.temporal, seen.configuration)
        await typed(stack, "keys", "rewrap")
        other = stack.shop().place(ordinary(2)).id
        await seen.announce(other)
        await posted(seen, [waiting, other])
        await seen.result(waiting)
        await seen.result(other)

        refused = await typed(stack, "keys", "retire", "k1")

        async def only_histories() -> bool:
            """Nothing but closed histories needs the key. Not asked again once it is gone: that would hide why."""
            nonlocal refused
            if "closed workflow" in refused.stderr and "running workflow" not in refused.stderr:
                return True
            assert ring(stack).ids == (fresh, "k1"), refused.output
            refused = await typed(stack, "keys", "retire", "k1")
            return False

        try:
            await eventually(only_histories, "the histories of its time are closed")
        except AssertionError as error:
            raise AssertionError(f"{error}; {refused.output}") from refused.exception
        assert "The store holds" not in refused.stderr
        assert "schedule" not in refused.stderr
        assert "can be read with it until" in refused.stderr
        told = await typed(stack, "keys", "usage")
        assert told.exit_code == 0
        assert f"{fresh} (current)" in told.stdout

        forced = await typed(stack, "keys", "retire", "k1", "--force")
        assert forced.exit_code == 0
        assert "Dropped although" in forced.stderr
        assert ring(stack).ids == (fresh,)


async def test_a_worker_without_the_key_says_so_and_what_waits_goes_on_when_it_is_back(
    stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    async with worker(stack) as seen:
        waiting = stack.shop().place(ordinary(1)).id
        await seen.announce(waiting)
        await seen.in_state(waiting, State.WAITING_IMPORT)
    await typed(stack, "keys", "rotate", configured=False)
    await typed(stack, "keys", "rewrap")
    complete = ring(stack)
    complete.without("k1").write(stack.directory / "keys.json")

    async with worker(stack) as seen, gateway(stack) as url:
        assert await deliver(stack, url, waiting) == 202

        async def failed() -> str | None:
            """What the history says of the workflow task that could not be done."""
            for event in (await history(stack, waiting)).events:
                if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
                    failure = event.workflow_task_failed_event_attributes.failure
                    [told] = await data_converter(complete).decode([failure.encoded_attributes])
                    return str(told["message"])
            return None

        told = await eventually(failed, "the task has failed")
        assert told == 'Key "k1" is not in the key ring. Put it back into ML_CONNECTOR_KEYS or the key file.'
        assert told in caplog.text

        other = stack.shop().place(ordinary(2)).id
        assert await deliver(stack, url, other) == 202
        await seen.in_state(other, State.WAITING_IMPORT)
        described = await stack.temporal.get_workflow_handle(
            names.order_to_journal_id("bc-us", str(waiting))
        ).describe()
        assert described.status is not None
        assert described.status.name == "RUNNING"

        complete.write(stack.directory / "keys.json")
        await posted(seen, [waiting, other])
        booked_once(seen, [waiting, other])
        await nothing_in_review(seen)


async def test_a_store_whose_key_is_lost_keeps_documents_waiting_and_the_gateway_answering(stack: Stack) -> None:
    """The credentials of the shop are sealed with the lost key: nothing can be fetched or verified, nothing is lost."""
    complete = stack.keys.rotate()
    complete.without("k1").write(stack.directory / "keys.json")
    order, pair = (stack.shop().place(ordinary(seed)).id for seed in (1, 2))
    async with worker(stack) as seen, gateway(stack) as url:
        assert await deliver(stack, url, order) == 503

        async def recorded() -> str:
            receipts = await seen.parts.store.deliveries.receipts("bc-us")
            return receipts[0].sentence if receipts else ""

        assert 'Key "k1" is not in the key ring' in await eventually(recorded, "the delivery is recorded")
        await ready(url)
        async with httpx.AsyncClient(timeout=PATIENCE) as http:
            assert (await http.post(f"{url}/webhooks/acme/nobody", content=b"{}")).status_code == 404
        await seen.announce(order)
        await seen.announce(pair)

        async def told() -> str | None:
            handle = seen.temporal.get_workflow_handle(names.order_to_journal_id("bc-us", str(order)))
            for step in (await handle.describe()).raw_description.pending_activities:
                if step.attempt > 1 and step.HasField("last_failure"):
                    [failure] = await seen.temporal.data_converter.decode([step.last_failure.encoded_attributes])
                    return str(failure["message"])
            return None

        assert 'Key "k1" is not in the key ring' in await eventually(told, "the step is tried again")
        listed = await typed(stack, "review", "list")
        assert "Nothing is in review." in listed.output

        complete.write(stack.directory / "keys.json")
        assert await deliver(stack, url, order) == 202
        await posted(seen, [order, pair])
        await nothing_in_review(seen)


async def test_commands_name_a_lost_key_instead_of_failing_with_a_traceback(stack: Stack) -> None:
    async with worker(stack) as seen:
        order = stack.shop().place(ordinary(1)).id
        await seen.announce(order)
        await seen.in_state(order, State.WAITING_IMPORT)
    KeyRing.generate("k9").write(stack.directory / "keys.json")
    for arguments in (
        ("audit", "show", f"bc-us/{order}", "--payload"),
        ("keys", "rewrap"),
        ("connections", "test"),
    ):
        code, text = await ended(stack, *arguments)
        assert 'Key "k1" is not in the key ring' in text, arguments
        assert "Traceback" not in text, arguments
        assert code == 1, arguments
    usage = await typed(stack, "keys", "usage")
    assert "k1 (missing)" in usage.stdout
    assert "Not in the ring, but needed: k1" in usage.stderr
    assert (await typed(stack, "status")).exit_code == 0
