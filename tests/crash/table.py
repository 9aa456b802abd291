"""The table of the crash proof: postings x kill points x seeds.

A later kind of document adds its postings here, from a file of its own: `crash/invoice_rows.py` shows what one says.

Which rows a session has is said in three places: `Posting.all_strikes` is everything, `Posting.in_every_session` what
nobody has to ask for, `Posting.also_on_production` what of that is repeated on the production server.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Final

from crash.change_rows import CHANGE_POSTINGS
from crash.credit_rows import CREDIT_POSTINGS
from crash.customer_rows import CUSTOMER_POSTINGS
from crash.hooks_rows import HOOKS_POSTINGS
from crash.invoice_rows import INVOICE_POSTINGS
from crash.item_rows import ITEM_POSTINGS
from crash.journal_rows import JOURNAL_POSTINGS
from crash.note_rows import NOTE_POSTINGS
from crash.posting import Posting, Row
from crash.refund_rows import REFUND_POSTINGS
from crash.settings import asked_for_more, seeds
from crash.stale_rows import STALE_POSTINGS
from crash.strikes import Strike

POSTINGS: Final[Sequence[Posting]] = (
    *JOURNAL_POSTINGS,
    *CHANGE_POSTINGS,
    *INVOICE_POSTINGS,
    *REFUND_POSTINGS,
    *CREDIT_POSTINGS,
    *HOOKS_POSTINGS,
    *NOTE_POSTINGS,
    *ITEM_POSTINGS,
    *CUSTOMER_POSTINGS,
    *STALE_POSTINGS,
)

BY_CHANCE: Final = 4
"""How many of a posting's other strikes each further seed tries."""


def rows(postings: Sequence[Posting] = POSTINGS, *, production: bool = False) -> Iterator[Row]:
    """Every row of this session, the usual ones first.

    `production`: of a session on the production server, which is shorter unless seeds are asked for.
    """
    short = production and not asked_for_more()
    wanted = [range(1, 2) if short else seeds(posting.usual_seeds) for posting in postings]
    for seed in range(1, max(one[-1] for one in wanted) + 1):
        passed: frozenset[str] = frozenset()
        for posting, own_seeds in zip(postings, wanted, strict=True):
            if seed in own_seeds:
                strikes = strikes_of(posting, seed, passed)
                yield from (Row(posting, one, seed) for one in strikes if not short or posting.also_on_production(one))
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
