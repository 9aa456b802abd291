"""What a workflow asks of Temporal, in order and under which conditions, read from its source.

Changing, adding or reordering a command breaks runs under way. The fingerprint makes such a change visible in review:
`PYTHONPATH=tests python -m replay.fingerprint` writes it anew.
"""

import ast
import json
from pathlib import Path
from typing import Final

import workflows

FINGERPRINTS: Final = Path(__file__).parent / "fingerprints.json"
ROOM: Final = Path(workflows.__file__).parent
COMMANDS: Final = frozenset(
    {
        "execute_activity_method",
        "execute_local_activity_method",
        "start_child_workflow",
        "execute_child_workflow",
        "continue_as_new",
        "sleep",
        "wait_condition",
        "patched",
        "deprecate_patch",
        "upsert_search_attributes",
        "upsert_memo",
        "signal",
        "upsert",
        "gather",
        "uuid4",
        "random",
    }
)
"""Calls that write into the history, or on whose order it depends."""
TELLS_ONLY: Final = frozenset({"summary", "static_summary", "static_details"})


def fingerprints(room: Path = ROOM) -> dict[str, list[str]]:
    """File -> its commands, each with the function and the conditions it stands under."""
    return {
        file.name: commands for file in sorted(room.glob("*.py")) if (commands := _Commands.of(file.read_text("utf-8")))
    }


class _Commands(ast.NodeVisitor):
    def __init__(self) -> None:
        self._under: list[str] = []
        self.found: list[str] = []

    @classmethod
    def of(cls, source: str) -> list[str]:
        visitor = cls()
        visitor.visit(ast.parse(source))
        return visitor.found

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in COMMANDS:
            first = [ast.unparse(node.args[0])] if node.args and "activity" in name else []
            named = sorted(one.arg for one in node.keywords if one.arg and one.arg not in TELLS_ONLY)
            self.found.append(f"{' > '.join(self._under)} > {name}({', '.join([*first, *named])})")

    def _block(self, title: str, nodes: list[ast.stmt]) -> None:
        self._under.append(title)
        for node in nodes:
            self.visit(node)
        self._under.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._block(node.name, node.body)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._block(node.name, node.body)

    def visit_If(self, node: ast.If) -> None:
        test = ast.unparse(node.test)
        self.visit(node.test)
        self._block(f"if {test}", node.body)
        self._block(f"unless {test}", node.orelse)

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        self._block(f"while {ast.unparse(node.test)}", node.body)

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        self._block(f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}", node.body)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._block(f"except {ast.unparse(node.type) if node.type else ''}".strip(), node.body)


def write() -> None:
    FINGERPRINTS.write_text(json.dumps(fingerprints(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
