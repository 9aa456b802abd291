"""The real `temporal` command with our codec endpoint: decoded with a token, and not without."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.consoles import open_console, token
from support.proof import ordinary, sell
from support.stack import Stack, open_stack

from contracts import names
from runtime.temporal.devserver import DevServer
from store import KeyRing

Run = Callable[..., Awaitable[tuple[int, str]]]


@dataclass
class Place:
    stack: Stack
    console: str
    order: int
    run: Run

    @property
    def workflow_id(self) -> str:
        return names.order_to_journal_id("bc-us", str(self.order))


@pytest.fixture(scope="module")
async def place(
    temporal_server: DevServer, temporal_cli: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    async with open_stack(temporal_server, tmp_path_factory.mktemp("cli")) as stack:
        async with stack.worker():
            [order] = await sell(stack, ordinary())
            await stack.result(order)

        async def run(*arguments: str, endpoint: str, bearer: str = "") -> tuple[int, str]:
            """Exit code and everything that was printed."""
            where = ("--address", temporal_server.address, "--namespace", stack.temporal.namespace)
            codec = ("--codec-endpoint", endpoint, *(("--codec-auth", f"Bearer {bearer}") if bearer else ()))
            process = await asyncio.create_subprocess_exec(
                str(temporal_cli),
                *arguments,
                *where,
                *codec,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            printed, _ = await asyncio.wait_for(process.communicate(), 120)
            return process.returncode or 0, printed.decode()

        async with open_console(stack.configuration, stack.keys) as console:
            yield Place(stack, console, order, run)


def inputs(history: dict[str, Any]) -> dict[str, Any]:
    """The workflow's input in what `workflow show --output json` prints."""
    started = history["events"][0]["workflowExecutionStartedEventAttributes"]
    decoded: dict[str, Any] = json.loads(b64decode(started["input"]["payloads"][0]["data"]))
    return decoded


@pytest.mark.parametrize("path", ["", "/{namespace}"])
async def test_a_token_lets_the_cli_print_a_decoded_history(place: Place, path: str) -> None:
    code, printed = await place.run(
        "workflow", "show", "-w", place.workflow_id, "--output", "json",
        endpoint=place.console + path, bearer=token(place.stack.keys),
    )  # fmt: skip
    assert code == 0
    assert inputs(json.loads(printed))["order_id"] == str(place.order)
    assert "binary/encrypted" not in {b64decode(one).decode() for one in json_strings(json.loads(printed), "encoding")}


async def test_the_cli_prints_what_a_workflow_returned(place: Place) -> None:
    code, printed = await place.run(
        "workflow", "result", "-w", place.workflow_id, endpoint=place.console, bearer=token(place.stack.keys)
    )
    assert code == 0
    assert "posted in" in printed


async def test_without_a_token_the_cli_prints_nothing_of_it(place: Place) -> None:
    code, printed = await place.run(
        "workflow", "show", "-w", place.workflow_id, "--output", "json", "--command-timeout", "5s",
        endpoint=place.console,
    )  # fmt: skip
    assert code != 0
    assert "order_id" not in printed


async def test_a_lost_key_is_named_and_stops_no_command(place: Place) -> None:
    other = KeyRing.generate("k9")
    async with open_console(place.stack.configuration, other) as console:
        code, printed = await place.run(
            "workflow", "show", "-w", place.workflow_id, "--output", "json", endpoint=console, bearer=token(other)
        )
    assert code == 0
    assert inputs(json.loads(printed)) == (
        'Not decoded. Key "k1" is not in the key ring. Put it back into ML_CONNECTOR_KEYS or the key file.'
    )


async def test_what_the_cli_sends_is_sealed_before_temporal_stores_it(place: Place) -> None:
    code, _ = await place.run(
        "workflow", "start", "--type", "nobody-runs-this", "--task-queue", "nowhere", "-w", "sealed-by-cli",
        "--input", '{"name": "Ada Lovelace"}', "--static-summary", "for Ada",
        endpoint=place.console, bearer=token(place.stack.keys),
    )  # fmt: skip
    assert code == 0
    history = await place.stack.temporal.get_workflow_handle("sealed-by-cli").fetch_history()
    assert "Ada" not in history.to_json()
    [payload] = history.events[0].workflow_execution_started_event_attributes.input.payloads
    assert await place.stack.temporal.data_converter.decode([payload]) == [{"name": "Ada Lovelace"}]


def json_strings(value: Any, name: str) -> list[str]:
    """Every text under this name, however deep."""
    if isinstance(value, dict):
        return [one for key, inner in value.items() for one in ([inner] if key == name else json_strings(inner, name))]
    return [one for inner in value for one in json_strings(inner, name)] if isinstance(value, list) else []
