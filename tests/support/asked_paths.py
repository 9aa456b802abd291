"""The paths that a client's source can ask, without a run: what a contract must speak of."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ANY = "*"
"""Stands for what is known only when it is asked."""


def paths_in(folder: Path, begin: str) -> set[str]:
    """Every path in the modules of `folder` that begins as the expression says, with `ANY` for its variable parts.

    A path that is put together from a parameter begins with `ANY`.
    """
    texts = (text for path in sorted(folder.glob("*.py")) for text in _Module(ast.parse(path.read_text())).texts())
    return {text for text in texts if re.match(rf"(?:{begin}|\*/)[\w*/-]*$", text) and text.strip(f"{ANY}/")}


def fits(pattern: str, path: str) -> bool:
    """Whether a path that was asked is one of the pattern's."""
    expression = re.escape(pattern).replace(re.escape(ANY), "[^/]+")
    if pattern.startswith(ANY):
        expression = f".+{expression.removeprefix('[^/]+')}"
    return re.fullmatch(expression, path) is not None


class _Module:
    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._known: dict[str, str] = dict(_assigned(tree.body, {}))
        self._made = {
            node.name: text
            for node in tree.body
            if isinstance(node, ast.FunctionDef)
            for inner in node.body
            if isinstance(inner, ast.Return) and (text := _text(inner.value, self._known, {}))
        }

    def texts(self) -> Iterator[str]:
        """Every text that is put together somewhere."""
        for node in self._tree.body:
            yield from self._within(node, self._known)

    def _within(self, node: ast.AST, known: Mapping[str, str]) -> Iterator[str]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = [one for one in ast.walk(node) if isinstance(one, ast.Assign)]
            known = {**known, **dict(_assigned(inner, {**known}, self._made))}
        if isinstance(node, ast.Constant | ast.JoinedStr | ast.Name | ast.Call):
            text = _text(node, known, self._made)
            if text:
                yield text
        if isinstance(node, ast.JoinedStr):
            return  # its parts are no texts of their own
        for child in ast.iter_child_nodes(node):
            yield from self._within(child, known)


def _assigned(
    nodes: list[ast.stmt] | list[ast.Assign], known: Mapping[str, str], made: Mapping[str, str] | None = None
) -> Iterator[tuple[str, str]]:
    for node in nodes:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and (text := _text(value, known, made or {})):
            yield target.id, text


def _text(node: ast.AST | None, known: Mapping[str, str], made: Mapping[str, str]) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return known.get(name)
        case ast.Call(func=ast.Name(id=name)):
            return made.get(name)
        case ast.JoinedStr(values=values):
            return "".join(_text(one, known, made) or ANY for one in values)
        case ast.FormattedValue(value=value):
            return _text(value, known, made) or ANY
    return None
