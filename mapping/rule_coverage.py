"""Which rules of a mapping set can never be chosen, and why. Warnings for `ml-connector check`."""

import datetime as dt
from collections.abc import Iterable
from fnmatch import fnmatchcase

from contracts.configuration import MappingSet, Rule
from contracts.journal import Purpose
from contracts.model import Frozen
from mapping.rules import CONDITIONS_OF, category_keys, condition_texts, is_pattern


class UnreachableRule(Frozen):
    """A rule that no document can ever reach."""

    rule: str
    sentence: str
    hidden_by: tuple[str, ...] = ()
    """The earlier rules that take everything; empty when the rule is at fault by itself."""


def unreachable(mapping_set: MappingSet) -> tuple[UnreachableRule, ...]:
    """Every rule that is hidden by earlier ones on all its days, or whose conditions cannot hold for its purpose.

    Never names a rule that could be chosen. Overlaps of several partial conditions are not searched for.
    """
    found: list[UnreachableRule] = []
    earlier: dict[Purpose, list[tuple[Rule, dict[str, frozenset[str]]]]] = {}
    for rule in mapping_set.rules:
        conditions = condition_texts(rule)
        allowed = CONDITIONS_OF.get(rule.purpose)
        before = earlier.setdefault(rule.purpose, [])
        if allowed is None:
            found.append(UnreachableRule(rule=rule.id, sentence=_unused_purpose(rule)))
            continue
        if foreign := sorted(set(conditions) - allowed):
            found.append(UnreachableRule(rule=rule.id, sentence=_foreign_conditions(rule, foreign)))
            continue
        hiding = [one for one, wider in before if _covers(wider, conditions)]
        if hidden_by := _fill(hiding, rule):
            found.append(UnreachableRule(rule=rule.id, sentence=_hidden(rule, hidden_by), hidden_by=hidden_by))
        before.append((rule, conditions))
    return tuple(found)


def _covers(wide: dict[str, frozenset[str]], narrow: dict[str, frozenset[str]]) -> bool:
    """Whether everything that satisfies `narrow` satisfies `wide`."""
    return all(
        name in narrow and all(_value_covered(name, texts, text) for text in narrow[name])
        for name, texts in wide.items()
    )


def _value_covered(name: str, wide: Iterable[str], text: str) -> bool:
    if name == "category":
        return not category_keys(text).isdisjoint(wide)
    if name == "sku":
        return any(_pattern_covers(pattern, text) for pattern in wide)
    return text in wide


def _pattern_covers(wide: str, narrow: str) -> bool:
    if wide == narrow:
        return True
    if not is_pattern(narrow):
        return fnmatchcase(narrow, wide)
    # Matching the narrow pattern as text is sound only while its own wildcards are swallowed by the other's `*`.
    return "?" not in wide and "[" not in wide and "[" not in narrow and fnmatchcase(narrow, wide)


def _fill(hiding: Iterable[Rule], rule: Rule) -> tuple[str, ...]:
    """The rules that together are in effect on every day of `rule`; empty when a day is left."""
    used: list[str] = []
    day = rule.effective_from or dt.date.min
    last = rule.effective_to or dt.date.max
    for one in sorted(hiding, key=lambda other: other.effective_from or dt.date.min):
        starts, ends = one.effective_from or dt.date.min, one.effective_to or dt.date.max
        if starts > day:
            return ()
        if ends < day:
            continue
        used.append(one.id)
        if ends >= last:
            return tuple(used)
        day = ends + dt.timedelta(days=1)
    return ()


def _hidden(rule: Rule, hidden_by: tuple[str, ...]) -> str:
    names = " and ".join(hidden_by)
    rules = "rule" if len(hidden_by) == 1 else "rules"
    return (
        f"Rule {rule.id} can never be chosen: {rules} {names} before it always match first."
        f" Move rule {rule.id} up or remove it."
    )


def _foreign_conditions(rule: Rule, names: list[str]) -> str:
    return (
        f"Rule {rule.id} can never be chosen: {rule.purpose.value} has no {' and no '.join(names)}."
        " Remove the condition or correct the purpose."
    )


def _unused_purpose(rule: Rule) -> str:
    remedy = "Use the mapping set's suspense setting." if rule.purpose is Purpose.SUSPENSE else "Remove it."
    return f"Rule {rule.id} can never be chosen: no flow books {rule.purpose.value} by rule. {remedy}"
