"""What a pod's general ledger holds: the interface, and the journals made from it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sandbox.fusion.interface_file import InterfaceRow
from sandbox.fusion.world import World


@dataclass
class JournalLine:
    number: int
    account: str
    entered_dr: Decimal | None
    entered_cr: Decimal | None
    accounted_dr: Decimal | None
    accounted_cr: Decimal | None
    description: str
    references: dict[str, str]
    """REFERENCE21 to REFERENCE30 of the interface row; kept, but not shown by the REST resources."""


@dataclass
class Journal:
    id: int
    name: str
    given_name: str
    """REFERENCE4 as it stood in the file."""
    description: str
    external_reference: str
    ledger: str
    category: str
    currency: str
    period: str
    accounting_date: date
    conversion_type: str
    conversion_date: date | None
    conversion_rate: Decimal | None
    lines: list[JournalLine]
    batch: Batch
    _totals: dict[str, Decimal] = field(default_factory=dict, repr=False)

    def total(self, side: str) -> Decimal:
        """Sum of one side: entered_dr, entered_cr, accounted_dr or accounted_cr. Lines never change once made."""
        if side not in self._totals:
            amounts: list[Decimal] = [getattr(line, side) or Decimal(0) for line in self.lines]
            self._totals[side] = sum(amounts, start=Decimal(0))
        return self._totals[side]

    def facts(self) -> dict[str, Any]:
        """The journal as tests see it: everything, whatever the resources hide; amounts as text."""
        return {
            "id": self.id,
            "batch_id": self.batch.id,
            "batch": self.batch.name,
            "group_id": self.batch.group_id,
            "request_id": self.batch.request_id,
            "source": self.batch.source,
            "name": self.name,
            "given_name": self.given_name,
            "description": self.description,
            "external_reference": self.external_reference,
            "ledger": self.ledger,
            "category": self.category,
            "currency": self.currency,
            "period": self.period,
            "accounting_date": self.accounting_date.isoformat(),
            "conversion_type": self.conversion_type,
            "conversion_rate": None if self.conversion_rate is None else str(self.conversion_rate),
            "status": self.batch.status,
            "debit": str(self.total("entered_dr")),
            "credit": str(self.total("entered_cr")),
            "accounted_debit": str(self.total("accounted_dr")),
            "accounted_credit": str(self.total("accounted_cr")),
            "lines": [
                {
                    "number": line.number,
                    "account": line.account,
                    "debit": str(line.entered_dr or 0),
                    "credit": str(line.entered_cr or 0),
                    "description": line.description,
                    "references": line.references,
                }
                for line in self.lines
            ],
        }


@dataclass
class Batch:
    id: int
    name: str
    description: str
    source: str
    ledger_id: int
    period: str
    group_id: str
    request_id: int
    created: datetime
    updated: datetime
    visible_from: datetime
    status: str = "U"
    error: str | None = None
    posted: datetime | None = None
    posting_run: int | None = None
    journals: list[Journal] = field(default_factory=list)


class GeneralLedger:
    """The pod's books. Ids are 15 digits and only grow."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.interface: list[InterfaceRow] = []
        self.batches: list[Batch] = []
        self._ids = itertools.count(300100176990001)
        self.row_id = 0

    def next_id(self) -> int:
        return next(self._ids)

    def journals(self) -> list[Journal]:
        """Every journal there is, visible or not, in order of creation."""
        return [journal for batch in self.batches for journal in batch.journals]

    def load(self, rows: list[InterfaceRow]) -> None:
        """Put loaded rows into the interface."""
        self.interface.extend(rows)
        self.row_id += len(rows)

    def take(self, *, ledger_id: str, source: str, group_id: str) -> list[InterfaceRow]:
        """The interface rows of a group (`ALL`: of every group), in order; they stay where they are."""
        return [
            row
            for row in self.interface
            if row.ledger_id == ledger_id and row.source == source and group_id in ("ALL", row.group_id)
        ]

    def remove(self, rows: list[InterfaceRow]) -> int:
        """Take rows out of the interface; returns how many were there."""
        gone = {row.id for row in rows}
        before = len(self.interface)
        self.interface = [row for row in self.interface if row.id not in gone]
        return before - len(self.interface)

    def post(self, batch: Batch, at: datetime, run: int) -> bool:
        """Post a batch if its period is open; otherwise leave a message on it."""
        ledger = self.world.ledger(batch.ledger_id)
        period = next((each for each in ledger.periods if each.name == batch.period), None)
        if batch.status == "P":
            return True
        batch.updated = at
        if period is None or period.status[101] != "O":
            batch.error = "The batch wasn't posted because its accounting period isn't open."
            return False
        batch.status, batch.posted, batch.posting_run, batch.error = "P", at, run, None
        return True
