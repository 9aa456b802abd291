"""Whether a shop's channels and categories, and a pod's segment values and business units, fit an integration's books
and rules. Pure: what was read is given, and what does not fit comes back in sentences.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from contracts.alignment import NAMED, CategoryNode, Misalignment, Misfit, SideCompared, Storefront, Unread
from contracts.configuration import Integration, MappingSet, Rule
from contracts.journal import Purpose
from contracts.master_data import SegmentValue
from mapping.rules import FROM_BOOKS, category_keys, condition_texts, parse_account

_PLACES: Final = frozenset({"category", "channel", "connection"})
"""Conditions of which a category and a channel alone decide whether they hold."""
_CATALOG_TYPES: Final = frozenset({"physical", "digital"})
"""Types of the products that have categories; custom lines and gift certificates have none."""


def shop_aligned(
    integration: Integration,
    mapping_set: MappingSet,
    *,
    storefronts: Sequence[Storefront] | None,
    categories: Sequence[CategoryNode] | None,
    today: dt.date,
    notes: Sequence[str] = (),
) -> SideCompared:
    """The shop's side. `None`: that could not be read, and `notes` say why."""
    found: list[Misalignment] = []
    compared: dict[str, int] = {}
    told = list(notes)
    unread: list[Unread] = []
    if storefronts is not None:
        found += _channels(integration, storefronts)
        compared["channels"] = len(storefronts)
    else:
        unread += [Unread(kind=Misfit.CHANNEL_WITHOUT_BOOKS), Unread(kind=Misfit.BOOKS_WITHOUT_CHANNEL)]
    if categories is not None:
        uncovered, partly = _uncovered(integration, mapping_set, categories, today)
        found += _categories(mapping_set, categories, uncovered)
        compared["categories"] = len(categories)
        if partly:
            few, more = ", ".join(f'"{path}"' for path in partly[:3]), len(partly) - 3
            told.append(
                f"{len(partly)} {'category has' if len(partly) == 1 else 'categories have'} only rules with further "
                f"conditions, such as a SKU or a country: {few}{f' and {more} more' if more > 0 else ''}."
            )
    else:
        unread.append(Unread(kind=Misfit.CATEGORY_WITHOUT_RULE))
    return _named(found, compared, told, unread)


def pod_aligned(
    integration: Integration,
    mapping_set: MappingSet,
    *,
    values: Mapping[str, tuple[str, Sequence[SegmentValue]]],
    units: Collection[str] | None,
    today: dt.date,
    notes: Sequence[str] = (),
) -> SideCompared:
    """Fusion's side. `values`: by segment, what its value set is called and holds; `units`: names of business units, or
    `None` where they could not be read, and `notes` say why."""
    found: list[Misalignment] = []
    compared: dict[str, int] = {}
    for segment, (value_set, held) in values.items():
        found += _values(integration, mapping_set, segment, value_set, {one.value: one for one in held}, today)
        compared[f"values of {segment}"] = len(held)
    unread = [
        Unread(kind=Misfit.SEGMENT_VALUE, prefix=f"{segment} ")
        for segment in integration.alignment.segments
        if segment not in values
    ]
    if units is not None:
        found += _units(integration, units)
        compared["business units"] = len(units)
    else:
        unread.append(Unread(kind=Misfit.BUSINESS_UNIT))
    return _named(found, compared, notes, unread)


def _channels(integration: Integration, storefronts: Sequence[Storefront]) -> Iterator[Misalignment]:
    booked = {books.channel for books in integration.books}
    known = {one.id: one for one in storefronts}
    for one in storefronts:
        if one.open and one.id not in booked:
            yield Misalignment(
                kind=Misfit.CHANNEL_WITHOUT_BOOKS,
                subject=f"channel {one.id}",
                sentence=f"The shop has channel {_titled(one)}, which has no books: its orders go to review.",
                remedy=f"Add [[integrations.books]] for channel {one.id} of integration {integration.id}, and the "
                "channel with its revenue owner; or close it in the shop.",
            )
    for channel in dict.fromkeys(books.channel for books in integration.books):
        there = known.get(channel)
        if there is not None and there.open:
            continue
        state = f"which the shop calls {there.status}" if there else "which the shop does not have"
        yield Misalignment(
            kind=Misfit.BOOKS_WITHOUT_CHANNEL,
            subject=f"channel {channel}",
            sentence=f"There are books for channel {channel}, {state}: nothing new can be booked there.",
            remedy="Correct the channel's id, or remove the channel and its books once its last order is settled.",
        )


def _titled(one: Storefront) -> str:
    return f"{one.id} ({one.name})" if one.name else one.id


def _uncovered(
    integration: Integration, mapping_set: MappingSet, categories: Sequence[CategoryNode], today: dt.date
) -> tuple[dict[int, str], list[str]]:
    """Paths of the categories that no rule gives a revenue account in some channel, and of those that only rules with
    further conditions do."""
    rules = [
        conditions
        for rule in mapping_set.rules
        if rule.purpose is Purpose.REVENUE
        and _in_effect(rule, today)
        and integration.source in (conditions := condition_texts(rule)).get("connection", (integration.source,))
    ]
    every = tuple(channel.id for channel in integration.channels)
    uncovered: dict[int, str] = {}
    partly: list[str] = []
    for node, path in _paths(categories):
        keys = category_keys(path)
        shown = [channel for channel in every if not node.channels or channel in node.channels]
        worst = min((_cover(rules, keys, channel) for channel in shown), default=2)
        if worst == 0:
            uncovered[node.id] = path
        elif worst == 1:
            partly.append(path)
    return uncovered, partly


def _cover(rules: Iterable[Mapping[str, frozenset[str]]], keys: frozenset[str], channel: str) -> int:
    """2: some rule holds for whatever is sold there. 1: some may, by a further condition. 0: none does."""
    best = 0
    for conditions in rules:
        if "category" in conditions and conditions["category"].isdisjoint(keys):
            continue
        if "channel" in conditions and channel.casefold() not in conditions["channel"]:
            continue
        types = conditions.get("product_type", _CATALOG_TYPES)
        if types.isdisjoint(_CATALOG_TYPES):
            continue
        if conditions.keys() - {"product_type"} <= _PLACES and types >= _CATALOG_TYPES:
            return 2
        best = 1
    return best


def _paths(categories: Sequence[CategoryNode]) -> Iterator[tuple[CategoryNode, str]]:
    """Each category with its path from the root, in the order of the paths."""
    nodes = {one.id: one for one in categories}

    def path(node: CategoryNode) -> tuple[str, ...]:
        steps: list[str] = []
        seen: set[int] = set()
        here: CategoryNode | None = node
        while here is not None and here.id not in seen:
            seen.add(here.id)
            steps.insert(0, here.name)
            here = nodes.get(here.parent_id)
        return tuple(steps)

    for steps, number in sorted((path(one), one.id) for one in categories):
        yield nodes[number], " > ".join(steps)


def _categories(
    mapping_set: MappingSet, categories: Sequence[CategoryNode], uncovered: Mapping[int, str]
) -> Iterator[Misalignment]:
    """One for each uncovered category whose parent is covered, or has none; those below are counted with it."""
    parents = {one.id: one.parent_id for one in categories}
    tops: dict[int, int] = {}
    for number in uncovered:
        top, seen = number, {number}
        while (above := parents.get(top, 0)) in uncovered and above not in seen:
            seen.add(above)
            top = above
        tops[top] = tops.get(top, 0) + 1
    fate = "go to review" if mapping_set.suspense is None else f"are booked to suspense {mapping_set.suspense}"
    for top in sorted(tops, key=lambda number: uncovered[number]):
        below = tops[top] - 1
        with_them = f", and {below} below it," if below else ""
        yield Misalignment(
            kind=Misfit.CATEGORY_WITHOUT_RULE,
            subject=uncovered[top],
            sentence=f'No rule gives category "{uncovered[top]}"{with_them} a revenue account: its sales {fate}.',
            remedy=f'Add a rule of purpose revenue with when.category = ["{uncovered[top]}"] to mapping set '
            f"{mapping_set.id}.",
            count=tops[top],
        )


def _values(
    integration: Integration,
    mapping_set: MappingSet,
    segment: str,
    value_set: str,
    held: Mapping[str, SegmentValue],
    today: dt.date,
) -> Iterator[Misalignment]:
    place = mapping_set.segments.index(segment)
    wanted: list[tuple[str, str, dt.date]] = [
        (f"Rule {rule.id}", rule.account, max(today, rule.effective_from or today))
        for rule in mapping_set.rules
        if (rule.effective_to is None or rule.effective_to >= today)
        and integration.source in condition_texts(rule).get("connection", (integration.source,))
    ]
    if mapping_set.suspense is not None:
        wanted.append((f"Suspense of {mapping_set.id}", mapping_set.suspense, today))
    entities = tuple(dict.fromkeys(books.balancing_segment for books in integration.books))
    users: dict[tuple[str, str], list[str]] = {}
    for who, account, on in wanted:
        value = parse_account(account, mapping_set)[place]
        for one in entities if value == FROM_BOOKS else (value,):
            if why := _unusable(held.get(one), on):
                users.setdefault((one, why), []).append(who)
    for (value, why), names in sorted(users.items()):
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield Misalignment(
            kind=Misfit.SEGMENT_VALUE,
            subject=f"{segment} {value}",
            sentence=f"{', '.join(names[:3])}{more}: {segment} {value} {why} (value set {value_set}).",
            remedy="Correct the account, or repair the value in Fusion (Manage Chart of Accounts Value Set Values); an "
            "import refuses the whole group for one bad account.",
        )


def _unusable(value: SegmentValue | None, on: dt.date) -> str:
    """Why nothing can be posted to it on a day; empty when it can."""
    if value is None:
        return "does not exist, or the integration user may not see it"
    if not value.enabled:
        return "is disabled"
    if value.summary:
        return "is a summary value, to which nothing is posted"
    if value.ends is not None and value.ends < on:
        return f"ended on {value.ends}"
    if value.starts is not None and value.starts > on:
        return f"begins on {value.starts} only"
    return ""


def _units(integration: Integration, units: Collection[str]) -> Iterator[Misalignment]:
    users: dict[str, list[str]] = {}
    for books in integration.books:
        if books.business_unit not in units:
            users.setdefault(books.business_unit, []).append(f"channel {books.channel} in {books.currency}")
    for unit, names in users.items():
        yield Misalignment(
            kind=Misfit.BUSINESS_UNIT,
            subject=unit,
            sentence=f'The pod has no business unit "{unit}", or the integration user may not see it; the books of '
            f"{', '.join(names)} name it.",
            remedy=f"Names are compared exactly; visible are: {', '.join(sorted(units)) or 'none'}.",
        )


def _in_effect(rule: Rule, on: dt.date) -> bool:
    return (rule.effective_from is None or rule.effective_from <= on) and (
        rule.effective_to is None or on <= rule.effective_to
    )


def _named(
    found: Iterable[Misalignment], compared: dict[str, int], notes: Sequence[str], unread: Sequence[Unread]
) -> SideCompared:
    named: dict[Misfit, list[Misalignment]] = {}
    unnamed: dict[Misfit, int] = {}
    for one in found:
        rows = named.setdefault(one.kind, [])
        if len(rows) < NAMED:
            rows.append(one)
        else:
            unnamed[one.kind] = unnamed.get(one.kind, 0) + one.count
    return SideCompared(
        misalignments=tuple(one for rows in named.values() for one in rows),
        unnamed=unnamed,
        compared=compared,
        notes=tuple(notes),
        unread=tuple(unread),
    )
