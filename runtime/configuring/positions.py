"""Where each value of a TOML file stands, so that a mistake can be reported with its line."""

import tomllib
from collections.abc import Mapping
from typing import Any, Final

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Path = tuple[str | int, ...]
"""Keys and list positions from the root, as pydantic reports them: `("connections", 0, "base_url")`."""

_LANGUAGE: Final = Language(tree_sitter_toml.language())
_KEYS: Final = ("bare_key", "quoted_key", "dotted_key")


class Positions:
    """Lines by path, for one file. Lines count from 1."""

    def __init__(self, lines: Mapping[Path, int]) -> None:
        self._lines = dict(lines)

    def line(self, path: Path) -> int:
        """The line of the value, or of the nearest enclosing table that the file spells out; 1 for the whole file.

        Steps that the file does not have (a missing key, the tag pydantic adds for a union) are skipped.
        """
        here: Path = ()
        for step in path:
            if (*here, step) in self._lines:
                here = (*here, step)
        return self._lines.get(here, 1)

    def key_line(self, path: Path) -> int | None:
        """The line of exactly this path; None when the file does not have it."""
        return self._lines.get(path)


def locate(text: str) -> Positions:
    """Positions of every table, key and list element of `text`, which must be valid TOML."""
    tree = Parser(_LANGUAGE).parse(text.encode())
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    for node in tree.root_node.named_children:
        if node.type == "pair":
            _pair(node, (), lines)
        elif node.type in ("table", "table_array_element"):
            header = _steps(next(child for child in node.named_children if child.type in _KEYS))
            path = _resolved(header, counts, new_element=node.type == "table_array_element")
            _mark(path, node, lines)
            for child in node.named_children:
                if child.type == "pair":
                    _pair(child, path, lines)
    return Positions(lines)


def _resolved(header: tuple[str, ...], counts: dict[Path, int], *, new_element: bool) -> Path:
    """The header of a table with the positions of the array elements it lies in.

    A header below an array of tables means the array's last element: `[integrations.poll]` after the second
    `[[integrations]]` is `("integrations", 1, "poll")`.
    """
    path: Path = ()
    for index, name in enumerate(header):
        path = (*path, name)
        if new_element and index == len(header) - 1:
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path = (*path, counts[path] - 1)
    return path


def _mark(path: Path, node: Node, lines: dict[Path, int]) -> None:
    line = node.start_point.row + 1
    for length in range(1, len(path) + 1):
        lines.setdefault(path[:length], line)
    lines[path] = line


def _pair(node: Node, base: Path, lines: dict[Path, int]) -> None:
    key, value = node.named_children[0], node.named_children[-1]
    path = (*base, *_steps(key))
    _mark(path, node, lines)
    _value(value, path, lines)


def _value(node: Node, path: Path, lines: dict[Path, int]) -> None:
    if node.type == "inline_table":
        for child in node.named_children:
            if child.type == "pair":
                _pair(child, path, lines)
    elif node.type == "array":
        for index, child in enumerate(child for child in node.named_children if child.type != "comment"):
            _mark((*path, index), child, lines)
            _value(child, (*path, index), lines)


def _steps(key: Node) -> tuple[str, ...]:
    if key.type == "dotted_key":
        return tuple(step for child in key.named_children for step in _steps(child))
    text = (key.text or b"").decode()
    if key.type == "quoted_key":
        parsed: dict[str, Any] = tomllib.loads(f"{text} = 0")
        return (next(iter(parsed)),)
    return (text,)
