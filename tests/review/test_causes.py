"""Every code with which something waits for a person has one meaning, written down once."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import contracts
from contracts.causes import CAUSES, NEEDS_REVIEW, Cause, cause_of, leading_cause, mapping_heals
from contracts.journal import Problem
from runtime.operations.cause_table import BEGIN, END, markdown

ROOT = Path(contracts.__file__).parents[1]
ROOMS = (
    "contracts",
    "mapping",
    "clients",
    "store",
    "activities",
    "workflows",
    "webhook_gateway",
    "console",
    "runtime",
)


def codes_in_use() -> dict[str, str]:
    """Code, or family with a `*`, of every `Problem` that the product makes -> where."""
    found: dict[str, str] = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for call in _problems(tree):
                place = f"{path.relative_to(ROOT)}:{call.lineno}"
                given = next((one.value for one in call.keywords if one.arg == "code"), None)
                assert given is not None, f"{place}: a problem names its code"
                for code in _values(given, tree, place):
                    found.setdefault(code, place)
    return found


def _problems(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem":
            yield node


def _values(node: ast.expr, tree: ast.Module, place: str) -> list[str]:
    """What the expression may be: constants, names of constants, and text that begins with a constant."""
    match node:
        case ast.Constant(value=str(code)):
            return [code]
        case ast.JoinedStr(values=[ast.Constant(value=str(prefix)), *_]):
            return [f"{prefix}*"]
        case ast.IfExp(body=body, orelse=other):
            return [*_values(body, tree, place), *_values(other, tree, place)]
        case ast.Call(func=ast.Attribute(value=text, attr="lower" | "upper")):
            return _values(text, tree, place)
        case ast.Name(id=name):
            values = [
                one.value
                for one in ast.walk(_home_of(name, tree))
                if (isinstance(one, ast.Assign) and any(_is(target, name) for target in one.targets))
                or (isinstance(one, ast.AnnAssign) and _is(one.target, name))
            ]
            assert values, f"{place}: where does {name} come from?"
            return [code for value in values if value is not None for code in _values(value, tree, place)]
    raise AssertionError(f"{place}: cannot tell which codes {ast.unparse(node)} may be")


def _home_of(name: str, tree: ast.Module) -> ast.Module:
    """The module that assigns the name: this one, or the one it is imported from."""
    for node in tree.body:
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and any(name == (one.asname or one.name) for one in node.names)
        ):
            module = ROOT / node.module.replace(".", "/")
            file = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
            return _home_of(name, ast.parse(file.read_text(encoding="utf-8")))
    return tree


def _is(target: ast.expr, name: str) -> bool:
    return isinstance(target, ast.Name) and target.id == name


def test_every_problem_has_a_cause_and_every_cause_a_problem() -> None:
    used, known = codes_in_use(), {cause.code for cause in CAUSES}
    assert {code: place for code, place in used.items() if code not in known} == {}
    assert known - set(used) == set(), "a cause that nothing has any more"
    assert len(CAUSES) == len(known), "a code stands twice"


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.code)
def test_a_cause_is_one_sentence_and_says_what_to_do(cause: Cause) -> None:
    assert cause.means.endswith(".")
    assert ". " not in cause.means
    assert cause.remedy.endswith(".")
    assert "|" not in cause.means + cause.remedy


def test_a_vendors_own_code_belongs_to_its_family() -> None:
    assert cause_of("vendor_404").code == "vendor_*"
    assert cause_of("vendor_ar-855032").usual == "retry"


def test_a_code_of_an_older_version_is_still_listed() -> None:
    assert cause_of("no_such_code_any_more").code == NEEDS_REVIEW
    assert leading_cause(()).code == NEEDS_REVIEW


def test_a_mapping_heals_a_document_as_soon_as_it_heals_one_of_its_problems() -> None:
    closed = Problem(code="period_closed", sentence="closed", remedy="open")
    unmapped = Problem(code="unmapped_account", sentence="unmapped", remedy="map")
    assert not mapping_heals([closed])
    assert mapping_heals([closed, unmapped])
    assert not mapping_heals([])


def test_the_page_shows_the_table_of_today() -> None:
    page = (ROOT / "docs" / "review.md").read_text(encoding="utf-8")
    shown = page.partition(BEGIN)[2].partition(END)[0].strip()
    assert shown == markdown(), "put the output of `ml-connector review causes --markdown` between the two marks"
