"""Lists of values of the general ledger, and daily rates (Oracle Fusion: 4.7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sandbox.fusion.query import QueryError
from sandbox.fusion.resources import Entity, Resource
from sandbox.fusion.world import World

COMBINATION_ATTRIBUTES = (
    "_CODE_COMBINATION_ID", "_CHART_OF_ACCOUNTS_ID", "AccountType", "EnabledFlag", "SummaryFlag",
    "DetailPostingAllowedFlag", "DetailBudgetingAllowedFlag", "JgzzReconFlag", "FinancialCategory", "Reference3",
    "StartDateActive", "EndDateActive",
)  # fmt: skip


def reference_resources(world: World) -> list[Resource]:
    """The resources, over a world that may change while they are read."""

    def resource(name: str, attributes: str, rows: Any, key: str | None, **more: Any) -> Resource:
        def entities(_: Any) -> list[Entity]:
            return [Entity(row, row) for row in rows(world)]

        names = tuple(attributes.split())
        if key is None:
            more.setdefault("hash_of", names)
        return Resource(name, names, entities, key, **more)

    def rates(variables: Mapping[str, str]) -> list[Entity]:
        return [Entity(row) for row in _rates_found(world, variables)]

    segments = tuple(dict.fromkeys(name for chart in world.charts for name in chart.segments))
    return [
        resource(
            "ledgersLOV",
            "LedgerId Name LedgerName LedgerShortName LedgerType CurrencyCode ChartOfAccountsStructureId "
            "AccountingCalendar Description EnabledFlag",
            _ledgers,
            "LedgerId",
        ),
        resource(
            "chartOfAccountsLOV",
            "StructureInstanceId StructureInstanceNumber StructureInstanceCode Name Description EnabledFlag",
            _charts,
            "StructureInstanceId",
        ),
        resource(
            "accountCombinationsLOV",
            " ".join((*COMBINATION_ATTRIBUTES, *segments)),
            _combinations,
            "_CODE_COMBINATION_ID",
        ),
        resource(
            "accountingPeriodStatusLOV",
            "ApplicationId LedgerId PeriodNameId PeriodYear PeriodNumber PeriodType StartDate EndDate ClosingStatus "
            "AdjustmentPeriodFlag EffectivePeriodNumber",
            _periods,
            None,
            hash_of=("ApplicationId", "LedgerId", "PeriodNameId"),
        ),
        resource("dataAccessSetsLOV", "AccessSetId Name Description", _access_sets, "AccessSetId"),
        resource(
            "dataAccessSetLedgersLOV",
            "AccessSetId LedgerId LedgerName",
            _access_set_ledgers,
            None,
        ),
        resource(
            "journalSourcesLOV", "JeSourceKey JeSourceName UserJeSourceName Description", _sources, "JeSourceName"
        ),
        resource(
            "journalCategoriesLOV", "JeCategoryName UserJeCategoryName Description", _categories, "JeCategoryName"
        ),
        resource(
            "finBusinessUnitsLOV",
            "BusinessUnitId BusinessUnitName PrimaryLedgerId LegalEntityId",
            _business_units,
            "BusinessUnitId",
        ),
        resource("legalEntitiesLOV", "LegalEntityId Name LegalEntityIdentifier", _legal_entities, "LegalEntityId"),
        resource(
            "currencyConversionTypesLOV", "ConversionType UserConversionType", _conversion_types, "ConversionType"
        ),
        resource("preferredCurrenciesLOV", "CurrencyCode Name Precision", _currencies, "CurrencyCode"),
        resource(
            "currencyRates",
            "FromCurrency ToCurrency UserConversionType ConversionDate ConversionRate",
            _rates,
            None,
            finders={"CurrencyRatesFinder": rates},
        ),
    ]


def _ledgers(world: World) -> list[dict[str, Any]]:
    return [
        {
            "LedgerId": each.id,
            "Name": each.name,
            "LedgerName": each.name,
            "LedgerShortName": each.name.replace(" ", "_").upper()[:20],
            "LedgerType": "Primary",
            "CurrencyCode": each.currency,
            "ChartOfAccountsStructureId": each.chart_id,
            "AccountingCalendar": each.calendar,
            "Description": None,
            "EnabledFlag": True,
        }
        for each in world.ledgers
    ]


def _charts(world: World) -> list[dict[str, Any]]:
    return [
        {
            "StructureInstanceId": each.id,
            "StructureInstanceNumber": each.id,
            "StructureInstanceCode": each.name.upper().replace(" ", "_"),
            "Name": each.name,
            "Description": None,
            "EnabledFlag": "Y",
        }
        for each in world.charts
    ]


def _combinations(world: World) -> list[dict[str, Any]]:
    layouts = {chart.id: chart.segments for chart in world.charts}
    return [
        {
            "_CODE_COMBINATION_ID": each.id,
            "_CHART_OF_ACCOUNTS_ID": each.chart_id,
            "AccountType": each.account_type,
            "EnabledFlag": "Y" if each.enabled else "N",
            "SummaryFlag": "N",
            "DetailPostingAllowedFlag": "Y" if each.posting_allowed else "N",
            "DetailBudgetingAllowedFlag": "Y",
            "JgzzReconFlag": "N",
            "FinancialCategory": None,
            "Reference3": "Y" if each.control else "N",
            "StartDateActive": each.starts,
            "EndDateActive": each.ends,
            **dict(zip(layouts[each.chart_id], each.segments, strict=True)),
        }
        for each in world.combinations
    ]


def _periods(world: World) -> list[dict[str, Any]]:
    return [
        {
            "ApplicationId": application,
            "LedgerId": ledger.id,
            "PeriodNameId": period.name,
            "PeriodYear": period.year,
            "PeriodNumber": period.number,
            "PeriodType": "Month1",
            "StartDate": period.starts,
            "EndDate": period.ends,
            "ClosingStatus": status,
            "AdjustmentPeriodFlag": period.adjustment,
            "EffectivePeriodNumber": period.year * 10000 + period.number,
        }
        for ledger in world.ledgers
        for period in ledger.periods
        for application, status in sorted(period.status.items(), reverse=True)
    ]


def _access_sets(world: World) -> list[dict[str, Any]]:
    return [{"AccessSetId": each.id, "Name": each.name, "Description": None} for each in world.access_sets]


def _access_set_ledgers(world: World) -> list[dict[str, Any]]:
    return [
        {"AccessSetId": each.id, "LedgerId": ledger_id, "LedgerName": world.ledger(ledger_id).name}
        for each in world.access_sets
        for ledger_id in each.ledger_ids
    ]


def _sources(world: World) -> list[dict[str, Any]]:
    return [
        {
            "JeSourceKey": name.replace(" ", ""),
            "JeSourceName": str(number),
            "UserJeSourceName": name,
            "Description": None,
        }
        for name, number in world.sources.items()
    ]


def _categories(world: World) -> list[dict[str, Any]]:
    return [
        {"JeCategoryName": str(300000000010000 + number), "UserJeCategoryName": name, "Description": None}
        for number, name in enumerate(world.categories)
    ]


def _business_units(world: World) -> list[dict[str, Any]]:
    return [
        {
            "BusinessUnitId": each.id,
            "BusinessUnitName": each.name,
            "PrimaryLedgerId": str(each.ledger_id),
            "LegalEntityId": str(each.legal_entity_id),
        }
        for each in world.business_units
    ]


def _legal_entities(world: World) -> list[dict[str, Any]]:
    return [
        {"LegalEntityId": each.legal_entity_id, "Name": each.legal_entity, "LegalEntityIdentifier": str(each.id)[-6:]}
        for each in world.business_units
    ]


def _conversion_types(world: World) -> list[dict[str, Any]]:
    return [{"ConversionType": name, "UserConversionType": name} for name in world.conversion_types]


def _currencies(world: World) -> list[dict[str, Any]]:
    return [{"CurrencyCode": code, "Name": code, "Precision": digits} for code, digits in world.currencies.items()]


def _rates(world: World) -> list[dict[str, Any]]:
    return [
        {
            "FromCurrency": each.from_currency,
            "ToCurrency": each.to_currency,
            "UserConversionType": each.conversion_type,
            "ConversionDate": each.day,
            "ConversionRate": each.rate,
        }
        for each in world.rates
    ]


def _rates_found(world: World, variables: Mapping[str, str]) -> list[dict[str, Any]]:
    """CurrencyRatesFinder: currencies, type and dates are all required."""
    needed = ("fromCurrency", "toCurrency", "userConversionType", "startDate", "endDate")
    missing = [name for name in needed if not variables.get(name)]
    if missing:
        raise QueryError(f"The finder CurrencyRatesFinder needs {', '.join(missing)}.")
    try:
        first, last = date.fromisoformat(variables["startDate"]), date.fromisoformat(variables["endDate"])
    except ValueError as error:
        raise QueryError("The dates of CurrencyRatesFinder must be yyyy-MM-dd.") from error
    wanted = tuple(variables[name] for name in needed[:3])
    return [
        row
        for row in _rates(world)
        if (row["FromCurrency"], row["ToCurrency"], row["UserConversionType"]) == wanted
        and first <= row["ConversionDate"] <= last
    ]
