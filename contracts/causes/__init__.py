"""Every cause for which a document, a journal group or a decision waits for a person, by its code.

A `contracts.journal.Problem` says what is wrong with one document; the cause says what its code means everywhere, who
can do something about it, what is usually decided, and whether a newer mapping set may be all it needs.
"""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from contracts.causes.cause import Actor, Cause, Choice
from contracts.causes.fusion import FUSION
from contracts.causes.general import DECISIONS, GENERAL, NEEDS_REVIEW
from contracts.causes.mapping import MAPPING
from contracts.causes.records import RECORDS
from contracts.causes.refunds import REFUNDS
from contracts.journal import Problem

__all__ = ["CAUSES", "NEEDS_REVIEW", "Actor", "Cause", "Choice", "cause_of", "leading_cause", "mapping_heals"]

CAUSES: Final = (*MAPPING, *REFUNDS, *FUSION, *RECORDS, *GENERAL, *DECISIONS)

_BY_CODE: Final = MappingProxyType({cause.code: cause for cause in CAUSES})
_FAMILIES: Final = tuple(cause for cause in CAUSES if cause.is_family)


def cause_of(code: str) -> Cause:
    """The cause of a problem's code. A code that an older version wrote and this one does not know: `needs_review`."""
    known = _BY_CODE.get(code) or next((one for one in _FAMILIES if one.covers(code)), None)
    return known or _BY_CODE[NEEDS_REVIEW]


def mapping_heals(problems: Iterable[Problem]) -> bool:
    """Whether a newer mapping set may change anything for a document with these problems."""
    return any(cause_of(problem.code).mapping_heals for problem in problems)


def leading_cause(problems: Iterable[Problem]) -> Cause:
    """The cause that a document is listed under: that of its first problem."""
    first = next(iter(problems), None)
    return cause_of(first.code if first else NEEDS_REVIEW)
