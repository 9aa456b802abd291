"""Proves the Fusion side of a configuration: ledgers, access sets, sources, units, periods, accounts, rates."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Protocol

from clients.errors import VendorError
from clients.oracle_fusion import BusinessUnit, CombinationState
from clients.oracle_fusion.reference_data import GENERAL_LEDGER, RECEIVABLES
from contracts.configuration import Books, FusionConnection, Integration, MappingSet, Rule
from contracts.journal import LedgerFacts, Period, Purpose
from mapping.books import billed_in_receivables
from mapping.rules import FROM_BOOKS, parse_account
from runtime.checking.check_receivables import BillingProof, ReceivablesProbe
from runtime.checking.findings import Finding, Level, refused
from runtime.checking.notes import Notes
from runtime.configuring.configuration import ConfigurationFile
from runtime.configuring.positions import Path


class LedgerProbe(ReceivablesProbe, Protocol):
    """The part of `clients.oracle_fusion.FusionClient` that a check needs."""

    async def ledgers(self) -> tuple[LedgerFacts, ...]: ...
    async def periods(self, ledger_id: int, application: int = GENERAL_LEDGER) -> tuple[Period, ...]: ...
    async def data_access_set_id(self, name: str) -> int: ...
    async def journal_source_id(self, name: str) -> int | str: ...
    async def journal_category_exists(self, name: str) -> bool: ...
    async def business_units(self) -> tuple[BusinessUnit, ...]: ...
    async def conversion_rate(self, from_: str, to: str, conversion_type: str, on: dt.date) -> Decimal | None: ...
    async def combinations(
        self, ledger: LedgerFacts, wanted: Collection[tuple[str, ...]], separator: str = "-"
    ) -> dict[tuple[str, ...], CombinationState]: ...


async def prove_fusion(
    file: ConfigurationFile, connection: FusionConnection, pod: LedgerProbe, today: dt.date
) -> list[Finding]:
    """Everything that the integrations of one Fusion connection name there, as it stands on `today`."""
    return await _FusionProof(file, connection, pod, today).run()


class _FusionProof:
    def __init__(self, file: ConfigurationFile, connection: FusionConnection, pod: LedgerProbe, today: dt.date) -> None:
        self._file = file
        self._connection = connection
        self._pod = pod
        self._today = today
        self._notes = Notes(file, connection.id)

    async def run(self) -> list[Finding]:
        place = self._position_of_connection()
        try:
            ledgers = {ledger.ledger: ledger for ledger in await self._pod.ledgers()}
        except VendorError as error:
            name, line = self._file.place(*place)
            return [refused(error, self._connection.id, file=name, line=line)]
        if not ledgers:
            self._notes.note(
                Level.MISTAKE,
                place,
                "Signed in, but the integration user sees no ledger.",
                "Give the user a data role with a data access set for the ledgers (an empty answer means missing data "
                "security, not missing data).",
            )
            return self._notes.found
        units = await self._notes.ask(place, self._pod.business_units()) or ()
        for index, integration in enumerate(self._file.configuration.integrations):
            if integration.fusion == self._connection.id:
                await self._integration(index, integration, ledgers, units)
        return self._notes.found

    async def _integration(
        self, index: int, integration: Integration, ledgers: Mapping[str, LedgerFacts], units: Collection[BusinessUnit]
    ) -> None:
        foreign = False
        for number, books in enumerate(integration.books):
            here: Path = ("integrations", index, "books", number)
            ledger = ledgers.get(books.ledger)
            # Of a ledger that is not seen, nobody knows.
            foreign = foreign or ledger is None or books.currency != ledger.currency
            if ledger is None:
                self._notes.note(
                    Level.MISTAKE,
                    (*here, "ledger"),
                    f'There is no ledger "{books.ledger}", or the integration user may not see it.',
                    f"Names are compared exactly; visible are: {', '.join(sorted(ledgers))}.",
                )
                continue
            billed = billed_in_receivables(books.channel, integration)
            if not billed:
                await self._names(here, books)
            self._unit(here, books, ledger, units)
            await self._currency(here, books, ledger)
            await self._periods(here, integration, ledger, RECEIVABLES if billed else GENERAL_LEDGER)
            if billed and books.receivable is not None:
                proof = BillingProof(self._pod, self._notes, tenant=integration.tenant, today=self._today)
                await proof.run((*here, "receivable"), books.business_unit, books.receivable)
        if integration.posting.refund_rate == "refund_date" and not foreign:
            self._notes.note(
                Level.WARNING,
                ("integrations", index, "posting", "refund_rate"),
                "No books are in a currency that is foreign to their ledger: refund_rate changes nothing.",
                "Remove it, or check that the books name the currencies you mean.",
            )
        await self._accounts(index, integration, ledgers)

    async def _names(self, here: Path, books: Books) -> None:
        await self._notes.ask((*here, "data_access_set"), self._pod.data_access_set_id(books.data_access_set))
        await self._notes.ask((*here, "journal_source"), self._pod.journal_source_id(books.journal_source))
        known = await self._notes.ask(
            (*here, "journal_category"), self._pod.journal_category_exists(books.journal_category)
        )
        if known is False:
            self._notes.note(
                Level.MISTAKE,
                (*here, "journal_category"),
                f'There is no journal category "{books.journal_category}".',
                "Create it in Fusion (Manage Journal Categories) or correct the name.",
            )

    def _unit(self, here: Path, books: Books, ledger: LedgerFacts, units: Collection[BusinessUnit]) -> None:
        if not units:
            return
        unit = next((unit for unit in units if unit.name == books.business_unit), None)
        if unit is None:
            self._notes.note(
                Level.MISTAKE,
                (*here, "business_unit"),
                f'There is no business unit "{books.business_unit}".',
                f"Visible are: {', '.join(sorted(unit.name for unit in units))}.",
            )
        elif unit.primary_ledger_id not in (None, ledger.ledger_id):
            self._notes.note(
                Level.WARNING,
                (*here, "business_unit"),
                f'Business unit "{books.business_unit}" belongs to another ledger than "{books.ledger}".',
                "Check that the books name the ledger you mean.",
            )

    async def _currency(self, here: Path, books: Books, ledger: LedgerFacts) -> None:
        if books.currency == ledger.currency:
            return
        if books.conversion_type is None:
            self._notes.note(
                Level.MISTAKE,
                here,
                f"These books are in {books.currency}, ledger {ledger.ledger} in {ledger.currency}, and there is no "
                f"conversion type.",
                'Set conversion_type, e.g. "Corporate".',
            )
            return
        place = (*here, "conversion_type")
        pair = self._pod.conversion_rate(books.currency, ledger.currency, books.conversion_type, self._today)
        before = len(self._notes.found)
        rate = await self._notes.ask(place, pair)
        if rate is None and len(self._notes.found) == before:
            self._notes.note(
                Level.WARNING,
                place,
                f"Fusion has no {books.conversion_type} rate from {books.currency} to {ledger.currency} for "
                f"{self._today}: today's orders would wait for it.",
                "Load daily rates, or correct the conversion type.",
            )

    async def _periods(self, here: Path, integration: Integration, ledger: LedgerFacts, application: int) -> None:
        periods = await self._notes.ask((*here, "ledger"), self._pod.periods(ledger.ledger_id, application))
        if periods is None:
            return
        place = ledger.ledger if application == GENERAL_LEDGER else f"{ledger.ledger} in Receivables"
        usable = [period for period in periods if not period.adjustment]
        opened = [period for period in usable if period.status == "open"]
        subject = f"Ledger {place}"
        if not opened:
            self._notes.note(
                Level.MISTAKE,
                (*here, "ledger"),
                f"{subject} has no open period.",
                "Open one in Manage Accounting Periods.",
            )
            return
        if not any(period.starts <= self._today <= period.ends for period in opened):
            status = next((p.status for p in usable if p.starts <= self._today <= p.ends), "not defined")
            self._notes.note(
                Level.WARNING,
                (*here, "ledger"),
                f"{subject}: the period of {self._today} is {status.replace('_', ' ')}.",
                f"Open it. Until then orders move to the next open period within {integration.posting.late_days} days, "
                f"and go to review beyond.",
            )
        else:
            self._notes.note(Level.OK, (*here, "ledger"), f"{subject}: the period of {self._today} is open.", "")
        first = min(period.starts for period in opened)
        if integration.cut_over + dt.timedelta(days=integration.posting.late_days) < first:
            self._notes.note(
                Level.WARNING,
                ("integrations", here[1], "cut_over"),
                f"Orders are posted from {integration.cut_over} on, but the first open day of {place} is "
                f"{first}: those placed before go to review.",
                "Move the cut-over date, or open the periods for as long as the catch-up takes.",
            )

    async def _accounts(self, index: int, integration: Integration, ledgers: Mapping[str, LedgerFacts]) -> None:
        number, mapping_set = next(
            (number, one)
            for number, one in enumerate(self._file.configuration.mapping_sets)
            if one.id == integration.mapping_set
        )
        here: Path = ("mapping_sets", number)
        for name in dict.fromkeys(books.ledger for books in integration.books):
            ledger = ledgers.get(name)
            if ledger is None:
                continue
            if ledger.segment_count != len(mapping_set.segments):
                self._notes.note(
                    Level.MISTAKE,
                    (*here, "segments"),
                    f"Mapping set {mapping_set.id} has {len(mapping_set.segments)} segments, the chart of accounts of "
                    f"ledger {name} has {ledger.segment_count}.",
                    "Name every segment of the chart, in its order.",
                )
                continue
            books = [one for one in integration.books if one.ledger == name]
            wanted = dict(self._wanted(here, mapping_set, integration, books))
            states = await self._notes.ask(
                here,
                self._pod.combinations(
                    ledger, {segments for uses in wanted.values() for segments in uses}, mapping_set.separator
                ),
            )
            if states is not None:
                self._judge(wanted, states, mapping_set, name)

    def _wanted(
        self, here: Path, mapping_set: MappingSet, integration: Integration, books: Iterable[Books]
    ) -> Iterable[tuple[tuple[Path, Rule | None], list[tuple[str, ...]]]]:
        """Each rule's place with the combinations it can lead to in these books, from today on."""
        books = tuple(books)
        for number, rule in enumerate(mapping_set.rules):
            if rule.effective_to is not None and rule.effective_to < self._today:
                continue
            if rule.when.connection and integration.source not in {name.casefold() for name in rule.when.connection}:
                continue
            mine = [one for one in books if not rule.when.channel or one.channel in rule.when.channel]
            yield ((*here, "rules", number, "account"), rule), _combinations(rule.account, mapping_set, mine)
        if mapping_set.suspense is not None:
            yield ((*here, "suspense"), None), _combinations(mapping_set.suspense, mapping_set, books)

    def _judge(
        self,
        wanted: Mapping[tuple[Path, Rule | None], list[tuple[str, ...]]],
        states: Mapping[tuple[str, ...], CombinationState],
        mapping_set: MappingSet,
        ledger: str,
    ) -> None:
        bad = 0
        for (place, rule), uses in wanted.items():
            subject = f"Rule {rule.id}" if rule is not None else f"Suspense account of {mapping_set.id}"
            on = max(self._today, rule.effective_from or self._today) if rule is not None else self._today
            for segments in uses:
                state = states[segments]
                if reason := state.refusal(on):
                    bad += 1
                    self._notes.note(
                        Level.MISTAKE,
                        place,
                        f"{subject}, ledger {ledger}: {reason[:1].lower()}{reason[1:]}",
                        "Correct the rule, or create and enable the combination in Fusion (Manage Account "
                        "Combinations); an import refuses the whole group for one bad account.",
                    )
                elif state.control_account and not (rule and rule.purpose is Purpose.RECEIVABLE):
                    on_purpose = rule is not None and rule.control_account
                    bad += not on_purpose
                    self._notes.note(
                        Level.WARNING if on_purpose else Level.MISTAKE,
                        place,
                        f"{subject}: account {state.account} is a control account: its subledger will not agree with "
                        f"the general ledger.",
                        "Named on purpose: reconcile it by hand."
                        if on_purpose
                        else "Use a clearing account, or set control_account = true to name it on purpose.",
                    )
        if not bad and states:
            self._notes.note(
                Level.OK,
                ("mapping_sets",),
                f"Ledger {ledger}: all {len(states)} accounts of mapping set {mapping_set.id} can be posted to.",
                "",
            )

    def _position_of_connection(self) -> Path:
        ids = [one.id for one in self._file.configuration.connections]
        return ("connections", ids.index(self._connection.id))


def _combinations(account: str, mapping_set: MappingSet, books: Iterable[Books]) -> list[tuple[str, ...]]:
    segments = parse_account(account, mapping_set)
    place = mapping_set.segments.index(mapping_set.balancing_segment)
    entities = dict.fromkeys(one.balancing_segment for one in books)
    if segments[place] != FROM_BOOKS:
        return [segments] if segments[place] in entities else []
    return [(*segments[:place], entity, *segments[place + 1 :]) for entity in entities]
