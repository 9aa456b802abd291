"""Runs of every kind, recorded on a real server, replay with the code of today.

A failure means that runs under way would break by a deploy. Guard the change with `workflow.patched`, or, before a
release that runs it, record anew: `PYTHONPATH=tests python -m replay.record`.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from types import CodeType, FrameType
from typing import Any

import pytest
from replay.branches import BRANCHES, branch_files
from replay.history_files import HISTORIES, load, workflow_type
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.plugin import SimplePlugin
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

import workflows
from runtime.temporal.plugin import MlConnectorPlugin
from runtime.worker import WORKFLOWS
from store import KeyRing

SAVED = sorted(HISTORIES.glob("*.json"))
ROOM = Path(workflows.__file__).parent
MISTAKES_OF_OURS = ("raise AssertionError", "raise NotImplementedError")
LEAVES_NO_EVENT = frozenset({"check_decision", "state"})
"""Validators and queries are not part of a history."""


def flow_of(history: WorkflowHistory) -> type:
    """Its workflow. A replayer imports all that it is given, and there are hundreds of histories."""
    return next(one for one in WORKFLOWS if one.__temporal_workflow_definition.name == workflow_type(history))


async def replay(history: WorkflowHistory) -> None:
    """As the product replays: its plugin, on plain payloads. The converter has no codec."""
    plain = SimplePlugin("plain-payloads", data_converter=pydantic_data_converter)
    replayer = Replayer(workflows=[flow_of(history)], plugins=[MlConnectorPlugin(KeyRing.generate()), plain])
    await replayer.replay_workflow(history)


async def replay_in_the_whole_sandbox(history: WorkflowHistory) -> None:
    """The SDK's own sandbox: each run has copies of all flows' modules, and none may reach for clock or chance."""
    rooms = ("contracts", "mapping", "activities")
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*rooms)
    plain = SimplePlugin("plain-payloads", data_converter=pydantic_data_converter)
    sandbox = SandboxedWorkflowRunner(restrictions=restrictions)
    replayer = Replayer(workflows=[flow_of(history)], plugins=[plain], workflow_runner=sandbox)
    await replayer.replay_workflow(history)


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
async def test_a_recorded_run_replays_in_the_whole_sandbox(path: Path) -> None:
    """Histories run every line of every flow, so what the product shares between runs is watched here."""
    await replay_in_the_whole_sandbox(load(path))


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
async def test_a_recorded_run_replays_with_the_code_of_today(path: Path) -> None:
    await replay(load(path))


def test_every_branch_has_a_history_and_every_history_a_branch() -> None:
    assert {path.stem for path in SAVED} == set(branch_files())
    assert set(BRANCHES) == {str(flow.__temporal_workflow_definition.name) for flow in WORKFLOWS}


def test_a_history_is_of_the_workflow_it_is_listed_under() -> None:
    assert {path.stem: workflow_type(load(path)) for path in SAVED} == branch_files()


def test_histories_are_small_and_say_nothing_of_the_machine_they_were_recorded_on() -> None:
    for path in SAVED:
        text = path.read_text(encoding="utf-8")
        assert len(text) < 250_000, path.name
        for word in ('"identity"', "stackTrace", "binary/encrypted", str(Path.home()), str(ROOM.parent), gettempdir()):
            assert word not in text, f"{path.name} holds {word}"


async def test_every_line_of_every_workflow_is_replayed_by_some_history() -> None:
    """A branch without a history shows here, whatever the table says."""
    with _lines_run_in(ROOM) as run:
        for path in SAVED:
            await replay(load(path))
    missing = []
    for file in sorted(ROOM.glob("*.py")):
        source = file.read_text(encoding="utf-8")
        lines = source.splitlines()
        for number in sorted(_lines_of(compile(source, str(file), "exec")) - run.get(file.name, set())):
            if not lines[number - 1].strip().startswith(MISTAKES_OF_OURS):
                missing.append(f"{file.name}:{number} {lines[number - 1].strip()}")
    assert not missing, "\n".join(["no history runs", *missing])


@contextmanager
def _lines_run_in(room: Path) -> Iterator[dict[str, set[int]]]:
    """File name -> lines that ran, in threads started meanwhile (workflow tasks run in threads of the replayer)."""
    run: dict[str, set[int]] = {}

    @cache
    def lines_of(file: str) -> set[int] | None:
        path = Path(file)
        return run.setdefault(path.name, set()) if path.parent == room else None

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        lines = lines_of(frame.f_code.co_filename)
        if lines is None:
            return None
        lines.add(frame.f_lineno)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
    try:
        yield run
    finally:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]


def _lines_of(code: CodeType) -> set[int]:
    """Lines of all functions in the module; its top level runs with the import."""
    found: set[int] = set()
    for constant in code.co_consts:
        if isinstance(constant, CodeType) and constant.co_name not in LEAVES_NO_EVENT:
            found |= _lines_of(constant)
            if constant.co_flags & 0x02:  # a function, not a class body
                found |= {line for _, _, line in constant.co_lines() if line and line != constant.co_firstlineno}
    return found
