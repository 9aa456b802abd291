"""The table of the crash proof: postings x kill points x seeds.

A later kind of document adds its postings here, from a file of its own: `crash/journal_rows.py` shows what one says.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Final

from crash.invoice_rows import INVOICE_POSTINGS
from crash.journal_rows import JOURNAL_POSTINGS
from crash.posting import Posting, Row
from crash.settings import seeds
from crash.stale_rows import STALE_POSTINGS
from crash.strikes import Strike

POSTINGS: Final[Sequence[Posting]] = (*JOURNAL_POSTINGS, *INVOICE_POSTINGS, *STALE_POSTINGS)

BY_CHANCE: Final = 4
"""How many of a posting's other strikes each further seed tries."""


def rows(postings: Sequence[Posting] = POSTINGS) -> Iterator[Row]:
    """Every row of this session, the usual ones first."""
    furthest = max(seeds(posting.usual_seeds)[-1] for posting in postings)
    for seed in range(1, furthest + 1):
        passed: frozenset[str] = frozenset()
        for posting in postings:
            if seed in seeds(posting.usual_seeds):
                yield from (Row(posting, strike, seed) for strike in strikes_of(posting, seed, passed))
            passed |= frozenset(posting.way)


def strikes_of(posting: Posting, seed: int, passed: frozenset[str]) -> list[Strike]:
    """Those of every session; from the second seed on some of the others as well."""
    strikes = list(posting.all_strikes())
    usual = [one for one in strikes if posting.in_every_session(one, passed)]
    others = [one for one in strikes if one not in usual]
    if seed > 1 and others:
        usual += random.Random(f"{posting.name}/{seed}").sample(others, min(BY_CHANCE, len(others)))
    return usual


def on_the_way() -> frozenset[str]:
    """Every activity at whose boundaries some posting is struck."""
    return frozenset(name for posting in POSTINGS for name in posting.way)
