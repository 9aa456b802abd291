"""What workflows share with the worker may not tell one run from another, or one replay from the next."""

import ast
import importlib
import inspect
from collections.abc import Iterator

import pytest

from runtime.temporal.lean_sandbox import PASSTHROUGH
from runtime.worker import WORKFLOWS

SHARED = [name for name in PASSTHROUGH if name.startswith("workflows.")]

FLOWS = ["workflows.order_to_journal", "workflows.refund_to_journal"]
"""Flows whose own module is shared, too: those that run by the thousand."""

HARMLESS = {
    "activities",
    "asyncio",
    "collections",
    "contextlib",
    "contracts",
    "datetime",
    "functools",
    "temporalio",
    "typing",
    "workflows",
}
"""Packages without a clock, chance or system that a workflow could reach unseen; `datetime` but for its clocks,
and `asyncio` but for what leaves the workflow's own event loop."""

OF_THE_LOOP = {"CancelledError", "create_task"}
"""Of `asyncio`: what is the same in each replay."""

CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}


@pytest.mark.parametrize("name", SHARED)
def test_a_module_that_runs_share_reaches_for_no_clock_chance_or_system(name: str) -> None:
    tree = ast.parse(inspect.getsource(importlib.import_module(name)))
    assert set(_imported(tree)) <= HARMLESS
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    clocks = [call for call in calls if isinstance(call, ast.Attribute) and call.attr in CLOCKS]
    assert all(isinstance(call.value, ast.Name) and call.value.id == "workflow" for call in clocks)
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)]
    assert {node.attr for node in used if node.value.id == "asyncio"} <= OF_THE_LOOP


@pytest.mark.parametrize("name", SHARED)
def test_a_module_that_runs_share_keeps_nothing(name: str) -> None:
    known = vars(importlib.import_module(name)).items()
    # Constants in capitals are `Final`; the type checker sees to that.
    kept = [one for one, value in known if isinstance(value, list | dict | set) and not one.startswith("__")]
    assert all(one.isupper() for one in kept)


def test_every_other_flow_has_its_own_module_in_the_sandbox() -> None:
    shared = [flow.__module__ for flow in WORKFLOWS if flow.__module__.startswith(tuple(PASSTHROUGH))]
    assert shared == FLOWS


@pytest.mark.parametrize(
    "flow", [flow for flow in WORKFLOWS if flow.__module__ in FLOWS], ids=lambda flow: flow.__name__
)
def test_a_flow_that_runs_share_keeps_nothing_in_its_class(flow: type) -> None:
    ours = [one for one in inspect.getmro(flow) if one.__module__.startswith("workflows.")]
    kept = [name for one in ours for name, value in vars(one).items() if isinstance(value, list | dict | set)]
    assert all(name.startswith("__") for name in kept)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
