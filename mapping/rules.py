"""Choosing an account: the rules of a mapping set, compiled once and matched in order.

The first rule of a purpose that is in effect on the accounting date and whose conditions all hold wins. Text is
compared without regard to case and outer spaces. A category condition holds for the category and everything below it:
a path ("Apparel > Shirts") is read from the catalog's root, a bare name ("Shirts") wherever that category sits.
A SKU condition holds for no line without a SKU, not even as `*`.
Custom lines have the product type `custom` beside the shop's own word for them.
"""

import datetime as dt
import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from fnmatch import translate
from typing import Final

from contracts.configuration import MappingSet, Rule, RuleConditions
from contracts.journal import Purpose

FROM_BOOKS: Final = "*"
"""Stands for the balancing segment's value in an account: the legal entity of the books."""

CONDITIONS: Final = tuple(RuleConditions.model_fields)
"""Names of all conditions a rule can have."""

SOLD_EVERYWHERE: Final = frozenset({"channel", "connection", "ship_to_country", "ship_to_state", "customer_group"})
"""Conditions that hold for a whole sale, and so for a rule of any purpose."""

_ARTICLE: Final = frozenset({"category", "sku", "product_type"})
CONDITIONS_OF: Final[Mapping[Purpose, frozenset[str]]] = {
    Purpose.REVENUE: SOLD_EVERYWHERE | _ARTICLE,
    Purpose.SHIPPING: SOLD_EVERYWHERE,
    Purpose.HANDLING: SOLD_EVERYWHERE,
    Purpose.WRAPPING: SOLD_EVERYWHERE,
    Purpose.FEE: SOLD_EVERYWHERE | {"fee"},
    Purpose.TAX: SOLD_EVERYWHERE | {"tax_title", "tax_class"},
    Purpose.CLEARING: SOLD_EVERYWHERE | {"payment_method"},
    Purpose.STORE_CREDIT: SOLD_EVERYWHERE | {"payment_method"},
    Purpose.GIFT_CERTIFICATE: SOLD_EVERYWHERE | _ARTICLE | {"payment_method"},
    Purpose.ROUNDING: SOLD_EVERYWHERE,
    Purpose.RECEIVABLE: SOLD_EVERYWHERE,
}
"""Which conditions can hold for which purpose. A purpose that is not named here is booked by no rule."""


class MappingSetError(ValueError):
    """A mapping set that cannot be used; `mistakes` lists every reason, one sentence each."""

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        super().__init__(" ".join(mistakes))
        self.mistakes = mistakes


def parse_account(account: str, mapping_set: MappingSet) -> tuple[str, ...]:
    """The segment values of a full account combination, in the chart's order.

    `*` is kept, and only accepted as the balancing segment. Raises `ValueError` with a sentence that names the account.
    """
    values = tuple(value.strip() for value in account.split(mapping_set.separator))
    names = mapping_set.segments
    if len(values) != len(names):
        raise ValueError(
            f'Account "{account}" has {len(values)} segments; mapping set {mapping_set.id} has {len(names)}:'
            f" {mapping_set.separator.join(names)}."
        )
    for name, value in zip(names, values, strict=True):
        if not value:
            raise ValueError(f'Account "{account}" has no value for segment {name}.')
        if FROM_BOOKS in value and (value != FROM_BOOKS or name != mapping_set.balancing_segment):
            raise ValueError(
                f'Account "{account}" has "{value}" for segment {name}; only the balancing segment'
                f' {mapping_set.balancing_segment} may be "{FROM_BOOKS}".'
            )
    return values


def category_keys(category: str) -> frozenset[str]:
    """Every condition text that a category path satisfies: each part by name, and each path from the root."""
    parts = [part for part in (_fold(part) for part in category.split(">")) if part]
    return frozenset(parts) | {" > ".join(parts[:depth]) for depth in range(1, len(parts) + 1)}


class Facts:
    """What the conditions of a rule are held against, for one line of a journal."""

    __slots__ = ("values",)

    def __init__(self, **values: str | Iterable[str]) -> None:
        """One argument per condition, a text or several; what is left out satisfies no condition.

        Raises `ValueError` for a name that is no condition.
        """
        self.values: dict[str, frozenset[str]] = {}
        for name, given in values.items():
            if name not in CONDITIONS:
                raise ValueError(f"{name} is not a condition of a mapping rule")
            texts = (given,) if isinstance(given, str) else tuple(given)
            if name == "category":
                self.values[name] = frozenset().union(*(category_keys(text) for text in texts))
            else:
                self.values[name] = frozenset(folded for folded in map(_fold, texts) if folded)


class CompiledRule:
    """A rule with its account parsed and its conditions ready to compare."""

    __slots__ = ("place", "rule", "segments", "sku_patterns", "wanted")

    def __init__(self, place: int, rule: Rule, segments: tuple[str, ...]) -> None:
        self.place = place
        self.rule = rule
        self.segments = segments
        self.wanted = condition_texts(rule)
        skus = self.wanted.pop("sku", frozenset())
        self.sku_patterns: tuple[Callable[[str], object], ...] = ()
        if any(is_pattern(sku) for sku in skus):
            self.sku_patterns = tuple(re.compile(translate(sku)).match for sku in sorted(skus))
        elif skus:
            self.wanted["sku"] = skus

    def in_effect(self, on: dt.date) -> bool:
        """Whether `on` lies in the rule's effective dates, both inclusive."""
        starts, ends = self.rule.effective_from, self.rule.effective_to
        return (starts is None or starts <= on) and (ends is None or on <= ends)

    def holds(self, facts: Facts) -> bool:
        """Whether every condition holds. A condition on something the facts do not have never holds."""
        nothing: frozenset[str] = frozenset()
        if any(facts.values.get(name, nothing).isdisjoint(texts) for name, texts in self.wanted.items()):
            return False
        return not self.sku_patterns or any(
            matches(sku) for sku in facts.values.get("sku", nothing) for matches in self.sku_patterns
        )


class CompiledRules:
    """The rules of one mapping set version, ready to match. Made by `compile_rules`.

    Rules are indexed by one exact condition each, so that a table of thousands of rows costs a few lookups a line.
    """

    def __init__(self, mapping_set: MappingSet, rules: Iterable[CompiledRule]) -> None:
        self.mapping_set = mapping_set
        self._indexed: dict[tuple[Purpose, str, str], list[CompiledRule]] = {}
        self._others: dict[Purpose, list[CompiledRule]] = {}
        for rule in rules:
            if not rule.wanted:
                self._others.setdefault(rule.rule.purpose, []).append(rule)
                continue
            name = min(rule.wanted, key=lambda one: (one in SOLD_EVERYWHERE, len(rule.wanted[one])))
            for text in rule.wanted[name]:
                self._indexed.setdefault((rule.rule.purpose, name, text), []).append(rule)

    def match(self, purpose: Purpose, facts: Facts, on: dt.date) -> CompiledRule | None:
        """The first rule of `purpose`, in the set's order, that is in effect on `on` and holds; None without one."""
        candidates = list(self._others.get(purpose, ()))
        for name, texts in facts.values.items():
            for text in texts:
                candidates.extend(self._indexed.get((purpose, name, text), ()))
        candidates.sort(key=lambda one: one.place)
        return next((one for one in candidates if one.in_effect(on) and one.holds(facts)), None)


def compile_rules(mapping_set: MappingSet) -> CompiledRules:
    """Parse every account and index every rule. Raises `MappingSetError` with all mistakes."""
    mistakes: list[str] = []
    rules: list[CompiledRule] = []
    seen: set[str] = set()
    for place, rule in enumerate(mapping_set.rules):
        if rule.id in seen:
            mistakes.append(f"Rule {rule.id} of mapping set {mapping_set.id} appears twice; ids must be unique.")
        seen.add(rule.id)
        try:
            rules.append(CompiledRule(place, rule, parse_account(rule.account, mapping_set)))
        except ValueError as wrong:
            mistakes.append(f"Rule {rule.id}: {wrong}")
    if mapping_set.suspense is not None:
        try:
            parse_account(mapping_set.suspense, mapping_set)
        except ValueError as wrong:
            mistakes.append(f"Suspense: {wrong}")
    if mistakes:
        raise MappingSetError(tuple(mistakes))
    return CompiledRules(mapping_set, rules)


_COMPILED_KEPT: Final = 32
_compiled: OrderedDict[tuple[str, int], CompiledRules] = OrderedDict()


def compiled(mapping_set: MappingSet) -> CompiledRules:
    """`compile_rules`, remembered for the mapping set versions used last.

    A version's content never changes, but it is compared all the same: a wrong account is dearer than a comparison.
    """
    key = (mapping_set.id, mapping_set.version)
    known = _compiled.get(key)
    if known is None or known.mapping_set != mapping_set:
        known = _compiled[key] = compile_rules(mapping_set)
    # pop and put back instead of move_to_end: another thread may have evicted the key in between.
    _compiled.pop(key, None)
    _compiled[key] = known
    while len(_compiled) > _COMPILED_KEPT:
        _compiled.popitem(last=False)
    return known


def condition_texts(rule: Rule) -> dict[str, frozenset[str]]:
    """The given conditions of a rule, folded for comparison; category paths with uniform separators."""
    given: dict[str, frozenset[str]] = {}
    for name in CONDITIONS:
        values: Collection[str] = getattr(rule.when, name)
        if values:
            given[name] = frozenset(_category(value) if name == "category" else _fold(value) for value in values)
    return given


def is_pattern(sku: str) -> bool:
    """Whether a SKU condition is a shell pattern and not one literal SKU."""
    return any(sign in sku for sign in "*?[")


def _fold(text: str) -> str:
    return text.strip().casefold()


def _category(path: str) -> str:
    return " > ".join(part for part in (_fold(part) for part in path.split(">")) if part)
