"""What workflows share with the worker may not tell one run from another, or one replay from the next."""

import ast
import importlib
import inspect
from collections.abc import Iterator

import pytest

from runtime.temporal.lean_sandbox import PASSTHROUGH
from runtime.worker import WORKFLOWS

SHARED = [name for name in PASSTHROUGH if name.startswith("workflows.")]

HARMLESS = {
    "activities",
    "collections",
    "contextlib",
    "contracts",
    "datetime",
    "functools",
    "temporalio",
    "typing",
    "workflows",
}
"""Packages without a clock, chance or system that a workflow could reach unseen; `datetime` but for its clocks."""

CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}


@pytest.mark.parametrize("name", SHARED)
def test_a_module_that_runs_share_reaches_for_no_clock_chance_or_system(name: str) -> None:
    tree = ast.parse(inspect.getsource(importlib.import_module(name)))
    assert set(_imported(tree)) <= HARMLESS
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    clocks = [call for call in calls if isinstance(call, ast.Attribute) and call.attr in CLOCKS]
    assert all(isinstance(call.value, ast.Name) and call.value.id == "workflow" for call in clocks)


@pytest.mark.parametrize("name", SHARED)
def test_a_module_that_runs_share_keeps_nothing(name: str) -> None:
    known = vars(importlib.import_module(name)).items()
    # Constants in capitals are `Final`; the type checker sees to that.
    kept = [one for one, value in known if isinstance(value, list | dict | set) and not one.startswith("__")]
    assert all(one.isupper() for one in kept)


def test_every_flow_has_its_own_module_in_the_sandbox() -> None:
    shared = [flow.__module__ for flow in WORKFLOWS if flow.__module__.startswith(tuple(PASSTHROUGH))]
    assert not shared


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
