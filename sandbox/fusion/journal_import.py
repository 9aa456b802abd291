"""Journal Import: interface rows become journals, or the whole group is refused (Oracle Fusion: 4.5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby

from sandbox.fusion.interface_file import InterfaceRow
from sandbox.fusion.ledger import Batch, GeneralLedger, Journal, JournalLine
from sandbox.fusion.report import BatchCreated, ErrorLine, Unbalanced, execution_report
from sandbox.fusion.world import GENERAL_LEDGER, Ledger, World

JournalKey = tuple[str, str, str, str, date, str]


@dataclass(frozen=True)
class ImportOrder:
    """One run of the import, after its parameters were understood."""

    ledger: Ledger
    source: str
    group_id: str
    to_suspense: bool
    request_id: int
    purge: bool
    visible_after: datetime


@dataclass
class ImportOutcome:
    """What a run did; `refused` groups left their rows in the interface (unless purged)."""

    batches: list[Batch] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    report: str = ""
    rows: int = 0


def run_import(books: GeneralLedger, order: ImportOrder, at: datetime) -> ImportOutcome:
    """Import the rows of the order's group, or of every group of its ledger and source.

    A group is all or nothing: one bad row refuses it and marks every row. Nothing prevents importing the same
    journals twice: the books cannot know that they are the same.
    """
    outcome = ImportOutcome()
    rows = books.take(ledger_id=str(order.ledger.id), source=order.source, group_id=order.group_id)
    outcome.rows = len(rows)
    if not rows:
        outcome.report = _report(order, at, order.group_id, 0)
    for group_id, some in groupby(sorted(rows, key=lambda row: (row.group_id, row.id)), key=lambda row: row.group_id):
        group = list(some)
        errors = [line for row in group if (line := _errors(books.world, order, row))]
        unbalanced = _unbalanced(order, group)
        if errors or any(entry.code == "EU02" for entry in unbalanced):
            outcome.refused.append(group_id)
            _mark(group, errors, unbalanced)
            if order.purge:
                books.remove(group)
            outcome.report += _report(order, at, group_id, len(group), unbalanced=unbalanced, errors=errors)
            continue
        batches = _create(books, order, group, at)
        outcome.batches.extend(batches)
        books.remove(group)
        created = [
            BatchCreated(batch.name, batch.period, len(batch.journals), sum(len(each.lines) for each in batch.journals))
            for batch in batches
        ]
        outcome.report += _report(order, at, group_id, len(group), batches=created, unbalanced=unbalanced)
    return outcome


def _report(
    order: ImportOrder,
    at: datetime,
    group_id: str,
    rows: int,
    *,
    batches: list[BatchCreated] | None = None,
    unbalanced: list[Unbalanced] | None = None,
    errors: list[ErrorLine] | None = None,
) -> str:
    return execution_report(
        request_id=order.request_id,
        at=at,
        ledger=order.ledger.name,
        source=order.source,
        group_id=group_id,
        rows=rows,
        batches=batches or (),
        unbalanced=unbalanced or (),
        errors=errors or (),
    )


def _errors(world: World, order: ImportOrder, row: InterfaceRow) -> ErrorLine | None:
    codes = [*_period_codes(order.ledger, row), *_account_codes(world, order.ledger, row)]
    codes += _currency_codes(world, order.ledger, row)
    if row.text("USER_JE_CATEGORY_NAME") not in world.categories:
        codes.append("EM01")
    if not codes:
        return None
    period = order.ledger.period_of(row.accounting_date)
    return ErrorLine(
        codes=tuple(dict.fromkeys(codes)),
        line=row.line,
        journal=row.journal,
        accounting_date=row.accounting_date.isoformat(),
        period=period.name if period else "",
        category=row.text("USER_JE_CATEGORY_NAME"),
        currency=row.text("CURRENCY_CODE"),
        account="-".join(row.segments),
        debit=row.text("ENTERED_DR"),
        credit=row.text("ENTERED_CR"),
    )


def _period_codes(ledger: Ledger, row: InterfaceRow) -> Iterable[str]:
    enterable = [each for each in ledger.periods if each.status[GENERAL_LEDGER] in ("O", "F")]
    if not enterable:
        yield "EP02"
    elif ledger.period_of(row.accounting_date) not in enterable:
        yield "EP01"


def _account_codes(world: World, ledger: Ledger, row: InterfaceRow) -> Iterable[str]:
    combination = world.combination(ledger.chart_id, row.segments)
    if combination is None:
        if ledger.dynamic_insertion and len(row.segments) == len(world.chart(ledger.chart_id).segments):
            world.add_account("-".join(row.segments), ledger.chart_id)
        else:
            yield "EF04"
        return
    day = row.accounting_date
    if not combination.enabled:
        yield "EF03"
    if (combination.starts and day < combination.starts) or (combination.ends and day > combination.ends):
        yield "EF01"
    if not combination.posting_allowed:
        yield "EF02"
    if combination.import_refuses:
        yield combination.import_refuses


def _currency_codes(world: World, ledger: Ledger, row: InterfaceRow) -> Iterable[str]:
    currency, kind = row.text("CURRENCY_CODE"), row.text("USER_CURRENCY_CONVERSION_TYPE")
    accounted = row.amount("ACCOUNTED_DR") or row.amount("ACCOUNTED_CR")
    if currency not in world.currencies:
        yield "EC09"
    elif currency == ledger.currency:
        if accounted is not None and accounted != (row.amount("ENTERED_DR") or row.amount("ENTERED_CR")):
            yield "EC12"
    elif not kind:
        if accounted is None:
            yield "EC03"
    elif kind not in world.conversion_types:
        yield "EC08"
    elif kind == "User":
        if row.amount("CURRENCY_CONVERSION_RATE") is None:
            yield "EC01"
    elif row.conversion_date is None:
        yield "EC02"
    elif _rate(world, ledger, row) is None:
        yield "EC06"


def _rate(world: World, ledger: Ledger, row: InterfaceRow) -> Decimal | None:
    if row.text("CURRENCY_CODE") == ledger.currency:
        return Decimal(1)
    kind = row.text("USER_CURRENCY_CONVERSION_TYPE")
    if kind == "User":
        return row.amount("CURRENCY_CONVERSION_RATE")
    day = row.conversion_date
    return world.rate(row.text("CURRENCY_CODE"), ledger.currency, kind, day) if day else None


def _key(row: InterfaceRow) -> JournalKey:
    """What makes rows one journal."""
    return (
        row.journal,
        row.text("USER_JE_CATEGORY_NAME"),
        row.text("CURRENCY_CODE"),
        row.text("USER_CURRENCY_CONVERSION_TYPE") + row.text("CURRENCY_CONVERSION_DATE"),
        row.accounting_date,
        row.text("REFERENCE1"),
    )


def _journals(rows: list[InterfaceRow]) -> dict[JournalKey, list[InterfaceRow]]:
    journals: dict[JournalKey, list[InterfaceRow]] = {}
    for row in rows:
        journals.setdefault(_key(row), []).append(row)
    return journals


def _unbalanced(order: ImportOrder, rows: list[InterfaceRow]) -> list[Unbalanced]:
    found = []
    accepted = order.to_suspense and order.ledger.suspense
    for key, some in _journals(rows).items():
        debit = sum((row.amount("ENTERED_DR") or Decimal(0) for row in some), start=Decimal(0))
        credit = sum((row.amount("ENTERED_CR") or Decimal(0) for row in some), start=Decimal(0))
        if debit != credit:
            period = order.ledger.period_of(key[4])
            code = "WU01" if accepted else "EU02"
            found.append(Unbalanced(code, key[0], period.name if period else "", key[1], key[2], debit, credit))
    return found


def _mark(rows: list[InterfaceRow], errors: list[ErrorLine], unbalanced: list[Unbalanced]) -> None:
    """Refused rows carry their codes; clean neighbours of a refused group carry P, processed but not imported."""
    by_line = {line.line: ",".join(line.codes) for line in errors}
    names = {entry.journal: entry.code for entry in unbalanced}
    for row in rows:
        row.status = by_line.get(row.line) or names.get(row.journal) or "P"


def _create(books: GeneralLedger, order: ImportOrder, rows: list[InterfaceRow], at: datetime) -> list[Batch]:
    """One batch per batch name, period and currency; one journal per key."""
    batches: dict[tuple[str, str, str], Batch] = {}
    for key, some in _journals(rows).items():
        period = order.ledger.period_of(key[4])
        assert period is not None  # noqa: S101 - rows were checked before
        place = (key[5], period.name, key[2])
        batch = batches.get(place)
        if batch is None:
            batch = batches[place] = Batch(
                id=books.next_id(),
                name=_batch_name(books.world, order, some[0]),
                description=some[0].text("REFERENCE2") or f"Journal Import {order.request_id}",
                source=order.source,
                ledger_id=order.ledger.id,
                period=period.name,
                group_id=some[0].group_id,
                request_id=order.request_id,
                created=at,
                updated=at,
                visible_from=order.visible_after,
            )
        batch.journals.append(_journal(books, order, key, some, batch))
    books.batches.extend(batches.values())
    return list(batches.values())


def _batch_name(world: World, order: ImportOrder, row: InterfaceRow) -> str:
    given = row.text("REFERENCE1")
    if not world.habits.decorated_names and given:
        return given
    return f"{given} {order.source} {order.request_id}: A {row.group_id}".strip()[:100]


def _journal(
    books: GeneralLedger, order: ImportOrder, key: JournalKey, rows: list[InterfaceRow], batch: Batch
) -> Journal:
    given, category, currency, _, day, _ = key
    first = rows[0]
    rate = _rate(books.world, order.ledger, first)
    digits = books.world.currencies.get(order.ledger.currency, 2)
    lines = [_line(number, row, rate, digits) for number, row in enumerate(rows, start=1)]
    debit = sum((row.amount("ENTERED_DR") or Decimal(0) for row in rows), start=Decimal(0))
    credit = sum((row.amount("ENTERED_CR") or Decimal(0) for row in rows), start=Decimal(0))
    if debit != credit:
        short, over = (credit - debit, None) if credit > debit else (None, debit - credit)
        lines.append(JournalLine(len(lines) + 1, "SUSPENSE", short, over, short, over, "Suspense", {}))
    name = given or f"Journal Import {order.request_id}"
    if books.world.habits.decorated_names:
        name = f"{name} {category} {currency}"[:100]
    return Journal(
        id=books.next_id(),
        name=name,
        given_name=given,
        description=first.text("REFERENCE5"),
        external_reference=first.text("REFERENCE6"),
        ledger=order.ledger.name,
        category=category,
        currency=currency,
        period=batch.period,
        accounting_date=day,
        conversion_type=first.text("USER_CURRENCY_CONVERSION_TYPE") or "User",
        conversion_date=first.conversion_date or day,
        conversion_rate=rate,
        lines=lines,
        batch=batch,
    )


def _line(number: int, row: InterfaceRow, rate: Decimal | None, digits: int) -> JournalLine:
    def accounted(side: str) -> Decimal | None:
        entered = row.amount(f"ENTERED_{side}")
        given = row.amount(f"ACCOUNTED_{side}")
        if entered is None or given is not None:
            return given
        return (entered * (rate or Decimal(1))).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)

    references = {f"REFERENCE{n}": row.text(f"REFERENCE{n}") for n in range(21, 31) if row.text(f"REFERENCE{n}")}
    return JournalLine(
        number=number,
        account="-".join(row.segments),
        entered_dr=row.amount("ENTERED_DR"),
        entered_cr=row.amount("ENTERED_CR"),
        accounted_dr=accounted("DR"),
        accounted_cr=accounted("CR"),
        description=row.text("REFERENCE10"),
        references=references,
    )
