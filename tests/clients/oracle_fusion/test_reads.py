import datetime as dt
from decimal import Decimal
from typing import Any

import httpx
import pytest

from clients.errors import BadAnswer, NotFound
from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.rest import finder, quoted
from contracts.journal import LedgerFacts

LEDGERS = [
    {"LedgerId": 300000001, "Name": "US Primary", "CurrencyCode": "USD", "ChartOfAccountsId": 7},
    {"LedgerId": "300000002", "LedgerName": "JP Primary", "CurrencyCode": "JPY", "ChartOfAccountsId": 7},
]


def combination(account: str, **changes: Any) -> dict[str, Any]:
    company, cost_center, natural, future = account.split("-")
    return {
        "AccountType": "R",
        "DetailPostingAllowedFlag": "Y",
        "EnabledFlag": "Y",
        "SummaryFlag": "N",
        "Reference3": None,
        "StartDateActive": None,
        "EndDateActive": None,
        "_CODE_COMBINATION_ID": int(account.replace("-", "")),
        "_CHART_OF_ACCOUNTS_ID": 7,
        "usChartCompany": company,
        "usChartCostCenter": cost_center,
        "usChartAccount": natural,
        "usChartFuture": future,
        **changes,
    }


async def test_pages_are_stable_complete_and_each_row_comes_once(pod: Any, fusion: FusionClient) -> None:
    rows = [{"BusinessUnitId": number, "BusinessUnitName": f"BU {number}"} for number in range(1200)]
    pod.collection("/finBusinessUnitsLOV", rows)
    units = await fusion.business_units()
    assert [unit.business_unit_id for unit in units] == list(range(1200))
    assert {request.url.params["orderBy"] for request in pod.requests} == {"BusinessUnitId:asc"}


async def test_a_server_that_silently_gives_smaller_pages_loses_nothing(pod: Any, fusion: FusionClient) -> None:
    def capped(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        page = [{"BusinessUnitId": number, "BusinessUnitName": "x"} for number in range(offset, min(offset + 10, 30))]
        return httpx.Response(200, json={"items": page, "limit": 10, "hasMore": False, "count": len(page)})

    pod.on("/finBusinessUnitsLOV", capped)
    assert len(await fusion.business_units()) == 30


async def test_a_ledger_is_known_by_either_spelling_of_its_name(pod: Any, fusion: FusionClient) -> None:
    pod.collection("/ledgersLOV", LEDGERS)
    pod.collection("/accountCombinationsLOV", [combination("101-10-41000-000")])
    us, jp = await fusion.ledgers()
    assert us == LedgerFacts(ledger="US Primary", ledger_id=300000001, currency="USD", segment_count=4)
    assert (jp.ledger, jp.minor_units) == ("JP Primary", 0)
    with pytest.raises(NotFound, match='no ledger "UK Primary"') as told:
        await fusion.ledger("UK Primary")
    assert '"US Primary"' in told.value.remedy


async def test_only_the_general_ledgers_periods_count(pod: Any, fusion: FusionClient) -> None:
    def period(application: int, status: str, month: int, **more: Any) -> dict[str, Any]:
        return {
            "ApplicationId": application,
            "LedgerId": 300000001,
            "PeriodNameId": f"{month:02}-26",
            "ClosingStatus": status,
            "StartDate": f"2026-{month:02}-01",
            "EndDate": f"2026-{month:02}-28",
            **more,
        }

    rows = [
        period(101, "O", 2, AdjustmentPeriodFlag=False),
        period(222, "C", 2),
        period(101, "C", 1),
        period(101, "W", 3),
        period(101, "F", 4, AdjustmentPeriodFlag="true"),
    ]
    pod.collection("/accountingPeriodStatusLOV", rows)
    periods = await fusion.periods(300000001)
    assert [(period.name, period.status, period.adjustment) for period in periods] == [
        ("01-26", "closed", False),
        ("02-26", "open", False),
        ("03-26", "closed", False),
        ("04-26", "future", True),
    ]
    assert pod.requests[0].url.params["q"] == "ApplicationId=101 and LedgerId=300000001"


async def test_a_period_without_a_known_status_is_not_guessed(pod: Any, fusion: FusionClient) -> None:
    pod.collection("/accountingPeriodStatusLOV", [{"ClosingStatus": "?", "PeriodNameId": "x"}])
    with pytest.raises(BadAnswer):
        await fusion.periods(1)


async def test_accounts_are_looked_up_by_the_charts_own_segment_names(
    pod: Any, fusion: FusionClient, ledger: LedgerFacts
) -> None:
    rows = [
        combination("101-10-41000-000"),
        combination("101-10-41999-000", EnabledFlag="N"),
        combination("101-10-40000-000", DetailPostingAllowedFlag="N"),
        combination("101-10-12000-000", Reference3="CUSTOMER", AccountType="A"),
        combination("101-10-49000-000", EndDateActive="2026-01-31"),
    ]
    pod.collection("/ledgersLOV", LEDGERS)
    pod.collection("/accountCombinationsLOV", rows)
    wanted = {tuple(f"101-10-{number}-000".split("-")) for number in (41000, 41999, 40000, 12000, 49000, 99999)}
    states = await fusion.combinations(ledger, wanted)
    on = dt.date(2026, 3, 1)
    refusals = {state.segments[2]: state.refusal(on) for state in states.values()}
    assert refusals["41000"] == refusals["12000"] == ""
    assert "disabled" in refusals["41999"]
    assert "detail posting" in refusals["40000"]
    assert "not in effect" in refusals["49000"]
    assert "does not exist" in refusals["99999"]
    assert states[("101", "10", "12000", "000")].control_account
    query = pod.requests[-1].url.params["q"]
    assert "usChartAccount='41000'" in query
    assert query.startswith("_CHART_OF_ACCOUNTS_ID=7 and (")


async def test_many_accounts_take_few_calls(pod: Any, fusion: FusionClient, ledger: LedgerFacts) -> None:
    pod.collection("/ledgersLOV", LEDGERS)
    pod.collection("/accountCombinationsLOV", [combination("101-10-41000-000")])
    await fusion.combinations(ledger, {("101", "10", str(41000 + number), "000") for number in range(60)})
    assert len(pod.requests) == 2 + 4
    assert max(len(str(request.url)) for request in pod.requests) < 4000


@pytest.mark.parametrize(
    ("rows", "rate"),
    [
        ([{"ConversionDate": "2026-03-01", "ConversionRate": 1.0837}], Decimal("1.0837")),
        ([{"ConversionDate": "2026-03-01", "ConversionRate": "1.0837"}], Decimal("1.0837")),
        ([{"ConversionDate": "2026-02-28", "ConversionRate": 1.08}], None),
        ([], None),
    ],
)
async def test_a_missing_rate_is_said_and_not_replaced_by_another_days(
    pod: Any, fusion: FusionClient, rows: list[dict[str, Any]], rate: Decimal | None
) -> None:
    pod.collection("/currencyRates", rows)
    assert await fusion.conversion_rate("EUR", "USD", "Corporate", dt.date(2026, 3, 1)) == rate


def batch(batch_id: int, name: str, status: str = "U", period: str = "Mar-26") -> dict[str, Any]:
    return {"JeBatchId": batch_id, "BatchName": name, "Status": status, "DefaultPeriodName": period}


def header(name: str, key: str, **more: Any) -> dict[str, Any]:
    return {
        "JournalName": name,
        "CurrencyCode": "USD",
        "PeriodName": "Mar-26",
        "RunningTotalDr": "10.50",
        "RunningTotalCr": 10.5,
        "links": [{"rel": "self", "href": f"https://pod.example/x/child/journalHeaders/{key}"}],
        **more,
    }


async def test_a_groups_journals_are_found_under_decorated_names_and_never_another_groups(
    pod: Any, fusion: FusionClient
) -> None:
    pod.collection(
        "/journalBatches", [batch(1, "MLC 12 Web Shop 4711 12"), batch(2, "MLC 12", "P"), batch(3, "MLC 123")]
    )
    pod.collection("/journalBatches/1/child/journalHeaders", [header("a/1 Sales USD", "AAA", ExternalReference="a/1")])
    pod.collection("/journalBatches/2/child/journalHeaders", [header("a/2 Sales USD", "BBB")])
    first, second = await fusion.journals("MLC 12")
    assert (first.reference, first.posted, first.header_key, first.debit) == ("a/1", False, "AAA", Decimal("10.50"))
    assert (second.reference, second.posted, second.batch_id) == ("a/2", True, 2)
    assert pod.requests[0].url.params["q"] == "BatchName like 'MLC 12*'"


async def test_lines_that_did_not_all_come_along_are_paged(pod: Any, fusion: FusionClient) -> None:
    rows = [{"JeLineNumber": number, "EnteredDr": "1", "Description": "x"} for number in range(1, 601)]
    partly = header("a/1", "AAA", journalLines={"items": rows[:25], "hasMore": True})
    wholly = header("a/2", "BBB", journalLines={"items": rows[:2], "hasMore": False})
    pod.collection("/journalBatches", [batch(1, "MLC 12")])
    pod.collection("/journalBatches/1/child/journalHeaders", [partly, wholly])
    pod.collection("/journalHeaders/AAA/child/journalLines", rows)
    many, few = await fusion.journals("MLC 12", lines=True)
    assert [line.number for line in many.lines] == list(range(1, 601))
    assert len(few.lines) == 2


async def test_a_user_typed_name_cannot_leave_its_literal() -> None:
    assert quoted("O'Neil' or 'a'='a") == "'O''Neil'' or ''a''=''a'"
    with pytest.raises(ValueError, match="control character"):
        quoted("a\nb")
    with pytest.raises(ValueError, match="cannot take the value"):
        finder("CurrencyRatesFinder", userConversionType="Corporate,endDate=2030-01-01")


async def test_what_a_resource_describes_is_known(pod: Any, fusion: FusionClient) -> None:
    attributes = [{"name": "JeBatchId", "queryable": True}, {"name": "ErrorMessage", "queryable": False}]
    pod.on(
        "/journalBatches/describe",
        httpx.Response(200, json={"Resources": {"journalBatches": {"attributes": attributes}}}),
    )
    described = await fusion.describe("journalBatches")
    assert described.attributes == ("JeBatchId", "ErrorMessage")
    assert described.queryable == {"JeBatchId"}
