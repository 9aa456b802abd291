"""The accounts that a document was booked to: what takes it back, or changes it, is booked to the same ones."""

from collections.abc import Iterable
from decimal import Decimal

from contracts.journal import JournalLine


class Origins:
    """Lines of all journals of one document, by what they were for (`source_key`); `given` those of its refunds."""

    def __init__(self, lines: Iterable[JournalLine] = (), given: Iterable[JournalLine] = ()) -> None:
        own, back = tuple(lines), tuple(given)
        self._own, self._lines = _by_account(own), _by_account((*own, *back))

    def __bool__(self) -> bool:
        return bool(self._lines)

    def of(self, source_key: str) -> tuple[JournalLine, ...]:
        """A line for each account on which something of `source_key` still stands, the largest amount first; where
        refunds took all of it, each on which the document itself stands."""
        for lines in (self._lines, self._own):
            standing = [one for one in lines.get(source_key, {}).values() if one[0]]
            if standing:
                return tuple(line for _, line in sorted(standing, key=lambda one: -abs(one[0])))
        return ()

    def pick(self, source_key: str, segments: tuple[str, ...] | None) -> JournalLine | None:
        """The line that decides the account: of several, the one with the account that the rules would name."""
        lines = self.of(source_key)
        return next((line for line in lines if line.segments == segments), lines[0] if lines else None)


def _by_account(lines: Iterable[JournalLine]) -> dict[str, dict[tuple[str, ...], tuple[Decimal, JournalLine]]]:
    """Debits less credits by source key and account, each with its first line."""
    found: dict[str, dict[tuple[str, ...], tuple[Decimal, JournalLine]]] = {}
    for line in lines:
        accounts = found.setdefault(line.source_key, {})
        balance, first = accounts.get(line.segments, (Decimal(0), line))
        accounts[line.segments] = (balance + line.debit - line.credit, first)
    return found


def standing(lines: Iterable[JournalLine]) -> bool:
    """Whether the lines leave anything on any account."""
    balances: dict[tuple[str, ...], Decimal] = {}
    for line in lines:
        balances[line.segments] = balances.get(line.segments, Decimal(0)) + line.debit - line.credit
    return any(balances.values())
