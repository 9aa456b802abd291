"""Reference data of the general ledger: ledgers, periods, accounts, sources, rates (Oracle Fusion: 4.7)."""

import datetime as dt
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Final

from clients.errors import NotFound
from clients.oracle_fusion.models import BusinessUnit, CombinationState
from clients.oracle_fusion.rest import RESOURCES, FusionRest, Row, day, finder, flag, money, quoted, text, whole
from contracts.journal import LedgerFacts, Period

GENERAL_LEDGER: Final = 101
RECEIVABLES: Final = 222
"""Application ids: each closes its own periods, and those of all of them look just the same."""

_CLOSING_STATUS: Final = {
    "O": "open",
    "F": "future",
    "C": "closed",
    "W": "closed",  # close pending
    "N": "never_opened",
    "P": "permanently_closed",
}
_MINOR_UNITS: Final = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"), 0),
    **dict.fromkeys(("PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""ISO 4217 currencies that do not have two decimals."""
_FIXED_ATTRIBUTES: Final = frozenset(
    {
        "AccountCombination",
        "AccountType",
        "ChartOfAccountsId",
        "CodeCombinationId",
        "ConcatenatedSegments",
        "Description",
        "DetailBudgetingAllowedFlag",
        "DetailPostingAllowedFlag",
        "EnabledFlag",
        "EndDateActive",
        "FinancialCategory",
        "JgzzReconFlag",
        "Reference3",
        "StartDateActive",
        "SummaryFlag",
        "links",
    }
)
"""Attributes of `accountCombinationsLOV` that are not segments. Those with a leading underscore are not either."""
_COMBINATIONS_PER_CALL: Final = 15
"""Keeps the address below about 4,000 characters."""


class ReferenceData:
    """Reads that flows cache. Names are compared exactly, as the import does."""

    def __init__(self, rest: FusionRest) -> None:
        self._rest = rest
        self._segment_names: dict[int, tuple[str, ...]] = {}
        self._charts: dict[int, int] = {}

    async def ledgers(self) -> tuple[LedgerFacts, ...]:
        """All ledgers the integration user may see."""
        return tuple([await self._facts(row) for row in await self._ledger_rows()])

    async def ledger(self, name: str) -> LedgerFacts:
        """One ledger by name. Raises `NotFound`."""
        rows = await self._ledger_rows()
        for row in rows:
            if text(row, "Name", "LedgerName") == name:
                return await self._facts(row)
        raise self._missing("ledger", name, [text(row, "Name", "LedgerName") for row in rows])

    async def periods(self, ledger_id: int, application: int = GENERAL_LEDGER) -> tuple[Period, ...]:
        """The periods of a ledger in one application, by first day; adjustment periods included."""
        subject = f"the accounting periods of ledger {ledger_id} in application {application}"
        periods = []
        async for row in self._rest.rows(
            "accountingPeriodStatusLOV",
            subject=subject,
            q=f"ApplicationId={application} and LedgerId={ledger_id}",
            order_by="PeriodNameId",
        ):
            if whole(row, "ApplicationId") not in (application, None) or whole(row, "LedgerId") not in (
                ledger_id,
                None,
            ):
                continue
            status = _CLOSING_STATUS.get(text(row, "ClosingStatus").upper()[:1])
            starts, ends = day(row, "StartDate"), day(row, "EndDate")
            if status is None or starts is None or ends is None:
                raise self._rest.http.bad_answer(subject, "a period has no known status or no dates")
            periods.append(
                Period.model_validate(
                    {
                        "name": text(row, "PeriodNameId", "PeriodName"),
                        "starts": starts,
                        "ends": ends,
                        "status": status,
                        "adjustment": flag(row, "AdjustmentPeriodFlag"),
                    }
                )
            )
        return tuple(sorted(periods, key=lambda period: (period.starts, period.adjustment, period.name)))

    async def data_access_set_id(self, name: str) -> int:
        """Raises `NotFound`."""
        rows = [row async for row in self._rest.rows("dataAccessSetsLOV", subject="data access sets", order_by="")]
        names = ("Name", "DataAccessSetName", "AccessSetName")
        for row in rows:
            found = whole(row, "DataAccessSetId", "AccessSetId")
            if text(row, *names) == name and found is not None:
                return found
        raise self._missing("data access set", name, [text(row, *names) for row in rows])

    async def journal_source_id(self, name: str) -> int | str:
        """The id the import job takes for a journal source; text for Oracle's own sources. Raises `NotFound`."""
        rows = [row async for row in self._rest.rows("journalSourcesLOV", subject="journal sources", order_by="")]
        names = ("UserJeSourceName", "Name", "JournalSourceName")
        for row in rows:
            found = text(row, "JeSourceId", "JournalSourceId", "JeSourceName", "JeSourceKey")
            if text(row, *names) == name and found:
                return int(found) if found.isdigit() else found
        raise self._missing("journal source", name, [text(row, *names) for row in rows])

    async def journal_category_exists(self, name: str) -> bool:
        rows = self._rest.rows("journalCategoriesLOV", subject="journal categories", order_by="")
        return any([text(row, "UserJeCategoryName", "Name", "JournalCategoryName") == name async for row in rows])

    async def business_units(self) -> tuple[BusinessUnit, ...]:
        rows = self._rest.rows("finBusinessUnitsLOV", subject="business units", order_by="BusinessUnitId")
        return tuple(
            [
                BusinessUnit(
                    business_unit_id=whole(row, "BusinessUnitId") or 0,
                    name=text(row, "BusinessUnitName", "Name"),
                    primary_ledger_id=whole(row, "PrimaryLedgerId"),
                )
                async for row in rows
            ]
        )

    async def conversion_rate(self, from_: str, to: str, conversion_type: str, on: dt.date) -> Decimal | None:
        """The daily rate of one day, or `None` when Fusion has none: the import would refuse the journal."""
        if from_ == to:
            return Decimal(1)
        subject = f"the {conversion_type} rate from {from_} to {to} on {on}"
        rows = self._rest.rows(
            "currencyRates",
            subject=subject,
            finder=finder(
                "CurrencyRatesFinder",
                fromCurrency=from_,
                toCurrency=to,
                userConversionType=conversion_type,
                startDate=on.isoformat(),
                endDate=on.isoformat(),
            ),
            order_by="",
        )
        async for row in rows:
            try:
                rate = money(row, "ConversionRate")
            except ValueError:
                raise self._rest.http.bad_answer(subject, "the rate is not a number") from None
            if day(row, "ConversionDate") in (on, None) and rate > 0:
                return rate
        return None

    async def combinations(
        self, ledger: LedgerFacts, wanted: Collection[tuple[str, ...]], separator: str = "-"
    ) -> dict[tuple[str, ...], CombinationState]:
        """The state of each wanted account combination in the ledger's chart of accounts.

        `wanted` holds segment values in the chart's order; every one is a key of the answer. `separator` only joins
        them for people.
        """
        states = {
            segments: CombinationState(segments=segments, account=separator.join(segments), exists=False)
            for segments in wanted
        }
        chart = await self._chart(ledger.ledger_id)
        names = await self._layout(chart)
        asked = sorted(segments for segments in states if len(segments) == len(names))
        for start in range(0, len(asked), _COMBINATIONS_PER_CALL):
            some = asked[start : start + _COMBINATIONS_PER_CALL]
            alternatives = " or ".join(
                "(" + " and ".join(f"{name}={quoted(value)}" for name, value in zip(names, segments, strict=True)) + ")"
                for segments in some
            )
            async for row in self._rest.rows(
                "accountCombinationsLOV",
                subject=f"{len(some)} account combinations of ledger {ledger.ledger}",
                q=f"_CHART_OF_ACCOUNTS_ID={chart} and ({alternatives})",
                order_by="_CODE_COMBINATION_ID",
            ):
                segments = tuple(text(row, name) for name in names)
                if segments in states:
                    states[segments] = _state(row, segments, separator)
        return states

    async def _ledger_rows(self) -> Sequence[Row]:
        rows = [row async for row in self._rest.rows("ledgersLOV", subject="the ledgers", order_by="LedgerId")]
        for row in rows:
            ledger_id = whole(row, "LedgerId")
            chart = whole(row, "ChartOfAccountsId", "ChartOfAccountsStructureInstanceId", "ChartOfAccountsStructureId")
            if ledger_id is not None and chart is not None:
                self._charts[ledger_id] = chart
        return rows

    async def _facts(self, row: Row) -> LedgerFacts:
        ledger_id, currency = whole(row, "LedgerId"), text(row, "CurrencyCode")
        if ledger_id is None or not currency:
            raise self._rest.http.bad_answer("the ledgers", "a ledger has no id or no currency")
        chart = self._charts.get(ledger_id)
        return LedgerFacts(
            ledger=text(row, "Name", "LedgerName"),
            ledger_id=ledger_id,
            currency=currency,
            minor_units=_MINOR_UNITS.get(currency, 2),
            segment_count=len(await self._layout(chart)) if chart is not None else 0,
        )

    async def _chart(self, ledger_id: int) -> int:
        if ledger_id not in self._charts:
            await self._ledger_rows()
        if ledger_id not in self._charts:
            raise self._missing("ledger", str(ledger_id), [str(known) for known in self._charts])
        return self._charts[ledger_id]

    async def _layout(self, chart: int) -> tuple[str, ...]:
        """Attribute names of a chart's segments, in its order.

        Each chart names its own; they are read from one combination, whose other attributes are known.
        """
        names = self._segment_names.get(chart)
        if names is None:
            subject = f"an account combination of chart {chart}"
            body = await self._rest.page(
                f"{RESOURCES}/accountCombinationsLOV",
                subject=subject,
                params={"q": f"_CHART_OF_ACCOUNTS_ID={chart}", "limit": 1, "onlyData": True},
            )
            if not body["items"]:
                raise NotFound(
                    self._rest.connection.id,
                    f"Chart of accounts {chart} shows no account combination to the integration user.",
                    remedy="Give the user data access to the ledger and check that the chart has accounts.",
                )
            row = body["items"][0]
            names = tuple(name for name in row if name not in _FIXED_ATTRIBUTES and not name.startswith(("_", "@")))
            self._segment_names[chart] = names
        return names

    def _missing(self, kind: str, name: str, known: Sequence[str]) -> NotFound:
        some = ", ".join(f'"{one}"' for one in sorted(filter(None, known))[:10]) or "none"
        return NotFound(
            self._rest.connection.id,
            f'Oracle Fusion ({self._rest.connection.id}) has no {kind} "{name}" that the integration user may see.',
            remedy=f"Correct the name or give the user access. It sees: {some}.",
        )


def _state(row: Row, segments: tuple[str, ...], separator: str) -> CombinationState:
    control = text(row, "Reference3").strip().upper()
    return CombinationState(
        segments=segments,
        account=separator.join(segments),
        exists=True,
        enabled=flag(row, "EnabledFlag"),
        detail_posting_allowed=flag(row, "DetailPostingAllowedFlag") and not flag(row, "SummaryFlag"),
        account_type=text(row, "AccountType")[:1].upper(),
        control_account=control not in ("", "N", "NO"),
        combination_id=whole(row, "_CODE_COMBINATION_ID", "CodeCombinationId"),
        starts=day(row, "StartDateActive"),
        ends=day(row, "EndDateActive"),
    )
