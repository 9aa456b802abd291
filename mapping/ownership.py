"""Who is right about a field: its owner. Decided field by field, from what both sides show and what was agreed last.

equal                                       agreed, whatever happened before
nothing agreed yet                          the owner's value is written
the owner alone changed it                  its value is written
the other side changed it, or both did      a person is asked, or the owner's value is written back
neither changed it since                    agreed: a system may keep a value in its own way
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from contracts.converging import Comparison, Digests, FieldConflict, FieldWrite, SeenRecord
from contracts.ownership import OTHER, Side

MAY_BE_MADE: Final = ""
"""Stands among the fields for whether a record may be made after this one."""


def digest(salt: str, field: str, value: str) -> str:
    """Of one value of one record: the same value of another record, or in another field, has another digest."""
    return hashlib.sha256("\x1f".join((salt, field, value)).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def digests_of(salt: str, seen: SeenRecord) -> dict[str, str]:
    """What is remembered of a side; nothing where there is no record."""
    if not seen.there:
        return {}
    found = {field: digest(salt, field, value) for field, value in seen.values.items()}
    return {**found, MAY_BE_MADE: digest(salt, MAY_BE_MADE, seen.unfit)}


def agreement(salt: str, fusion: SeenRecord, shop: SeenRecord) -> Digests:
    """What both sides show, taken for agreed."""
    return Digests(fusion=digests_of(salt, fusion), shop=digests_of(salt, shop))


def compare(
    salt: str,
    fusion: SeenRecord,
    shop: SeenRecord,
    *,
    owners: Mapping[str, Side],
    agreed: Digests | None,
    on_conflict: Literal["review", "owner"],
    sent: Mapping[str, str] = MappingProxyType({}),
) -> Comparison:
    """What makes the two agree in every field that has an owner and that both sides have.

    Once what it says is written, comparing again with that agreement says nothing: in one step, whatever came before.

    `sent`: digests of values that were on their way when nobody heard what became of them. What the other side shows
    then is no change of anybody's for as long as the owner shows that value: it is written once more.
    """
    writes: list[FieldWrite] = []
    conflicts: list[FieldConflict] = []
    for field in sorted(owners):
        owner = owners[field]
        theirs, ours = _value(owner, field, fusion, shop), _value(OTHER[owner], field, fusion, shop)
        if theirs is None or ours is None or theirs == ours:
            continue
        was, had = (_agreed(agreed, side, field) for side in (owner, OTHER[owner]))
        if was is None or had is None:
            rule: Literal["first", "owner_changed", "restored"] = "first"
        else:
            owner_moved, other_moved = digest(salt, field, theirs) != was, digest(salt, field, ours) != had
            if not owner_moved and not other_moved:
                continue
            other_moved = other_moved and sent.get(field) != digest(salt, field, theirs)
            if other_moved and on_conflict == "review":
                conflicts.append(
                    FieldConflict(
                        field=field,
                        owner=owner,
                        fusion=fusion.values[field],
                        shop=shop.values[field],
                        both=owner_moved,
                    )
                )
                continue
            rule = "restored" if other_moved else "owner_changed"
        writes.append(FieldWrite(field=field, side=OTHER[owner], value=theirs, rule=rule))
    return Comparison(writes=tuple(writes), conflicts=tuple(conflicts))


def _value(side: Side, field: str, fusion: SeenRecord, shop: SeenRecord) -> str | None:
    return (fusion if side == "fusion" else shop).values.get(field)


def _agreed(agreed: Digests | None, side: Side, field: str) -> str | None:
    return agreed.of(side).get(field) if agreed else None
