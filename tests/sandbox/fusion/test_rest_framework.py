"""Sign-in and the REST framework: what every client of a pod meets first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.fusion_pod import RESOURCES, Pod

from sandbox.fusion.query import QueryError, parse


async def test_tokens_are_given_to_basic_and_form_clients_with_the_right_scope(pod: Pod) -> None:
    known = pod.twin.world.credentials
    form = {"grant_type": "client_credentials", "scope": known.scope}
    by_form = await pod.http.post(
        "/oauth2/v1/token", data={**form, "client_id": known.client_id, "client_secret": known.client_secret}
    )
    assert (by_form.status_code, by_form.json()["token_type"], by_form.json()["expires_in"]) == (200, "Bearer", 3600)
    wrong = await pod.http.post("/oauth2/v1/token", data=form, auth=(known.client_id, "guess"))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    scope = await pod.http.post(
        "/oauth2/v1/token", data={**form, "scope": "openid"}, auth=(known.client_id, known.client_secret)
    )
    assert (scope.status_code, scope.json()["error"]) == (400, "invalid_scope")


async def test_a_bad_or_expired_token_gets_a_challenge_and_no_json(pod: Pod) -> None:
    pod.twin.clock.advance(3601)
    answer = await pod.get("ledgersLOV")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="owsm"'
    assert "json" not in answer.headers["content-type"]
    await pod.sign_in()
    assert (await pod.get("ledgersLOV")).status_code == 200


async def test_a_token_may_die_before_its_time(pod: Pod) -> None:
    pod.twin.faults.set("token_expiry", count=1, seconds=10)
    await pod.sign_in()
    assert (await pod.get("ledgersLOV")).status_code == 200
    pod.twin.clock.advance(11)
    assert (await pod.get("ledgersLOV")).status_code == 401


async def test_pages_have_25_rows_unless_asked_and_never_more_than_500(pod: Pod) -> None:
    first = (await pod.get("accountCombinationsLOV")).json()
    assert (first["count"], first["limit"], first["hasMore"], first["offset"]) == (25, 25, True, 0)
    for number in range(400):
        pod.twin.world.add_account(f"101-900-{50000 + number}-0000")
    capped = (await pod.get("accountCombinationsLOV", limit=9999, totalResults="true")).json()
    assert (capped["count"], capped["limit"], capped["hasMore"]) == (500, 500, True)
    assert capped["totalResults"] == len(pod.twin.world.combinations)
    rest = (await pod.get("accountCombinationsLOV", limit=500, offset=500)).json()
    assert (rest["count"], rest["hasMore"]) == (capped["totalResults"] - 500, False)


async def test_unsorted_pages_may_repeat_and_miss_rows_and_sorted_ones_do_not(pod: Pod) -> None:
    pod.twin.faults.set("unstable_order")

    async def ids(**sort: str) -> list[int]:
        pages = [
            await pod.items("accountCombinationsLOV", limit=50, offset=start, **sort) for start in range(0, 252, 50)
        ]
        return [row["_CODE_COMBINATION_ID"] for page in pages for row in page]

    unsorted, ordered = await ids(), await ids(orderBy="_CODE_COMBINATION_ID:asc")
    assert len(set(unsorted)) < len(unsorted)
    assert ordered == sorted(each.id for each in pod.twin.world.combinations)


async def test_both_dialects_of_q_work_and_do_not_mix(pod: Pod) -> None:
    by_example = await pod.items("accountingPeriodStatusLOV", 1, q="PeriodNameId=Nov-26;ApplicationId=101")
    assert [row["ClosingStatus"] for row in by_example] == ["O", "O"]
    q = "PeriodNameId in ('Oct-26','Nov-26') and ApplicationId = 222 and LedgerId = 300000046975971"
    row_match = await pod.items("accountingPeriodStatusLOV", 4, q=q)
    assert {row["PeriodNameId"]: row["ClosingStatus"] for row in row_match} == {"Oct-26": "C", "Nov-26": "O"}
    for version, q in (
        (4, "LedgerId=1;ApplicationId=101"),
        (4, "PeriodName = 'Nov-26'"),
        (1, "LedgerId=1 or LedgerId=2"),
    ):
        answer = await pod.get("accountingPeriodStatusLOV", version, q=q)
        assert answer.status_code == 400, q


ROW = {"Name": "O'Hara 100%", "Count": 7, "Empty": None}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("Name = 'O''Hara 100%'", True),
        ("Name like 'O*'", True),
        ("Name like '%Hara%' and Count between 5 and 9", True),
        ("Count in (1, 7)", True),
        ("not (Count > 7 or Count < 7)", True),
        ("Empty is null and Name is not null", True),
        ("Empty = 1", False),
        ("Count != 7", False),
        ("Count not in (1, 2)", True),
    ],
)
def test_row_match_expressions(expression: str, expected: bool) -> None:
    known: Callable[[str], bool] = ROW.__contains__
    assert parse(expression, version=4, queryable=known)(ROW) is expected


@pytest.mark.parametrize("expression", ["Count =", "(Count = 7", "Count = 7 Name = 'x'", "Other = 1", "Count ~ 7", ""])
def test_malformed_expressions_are_refused(expression: str) -> None:
    with pytest.raises(QueryError):
        parse(expression, version=4, queryable=ROW.__contains__)


async def test_errors_are_json_only_when_asked_for(pod: Pod) -> None:
    path = f"{RESOURCES}/ledgersLOV"
    asked = await pod.http.get(path, params={"q": "Nothing=1"}, headers={"REST-Framework-Version": "4"})
    assert asked.headers["content-type"] == "application/vnd.oracle.adf.error+json"
    body = asked.json()
    assert (body["title"], body["status"]) == ("Bad Request", "400")
    assert body["o:errorDetails"][0]["detail"]
    plain = await pod.http.get(path, params={"q": "Nothing=1"}, headers={"Accept": "application/json"})
    assert plain.status_code == 400
    assert plain.headers["content-type"].startswith("text/plain")
    pod.twin.faults.set("text_errors", count=1)
    assert (await pod.http.get(path, params={"q": "Nothing=1"})).headers["content-type"].startswith("text/plain")


async def test_projection_links_and_items(pod: Pod) -> None:
    answer = (await pod.get("ledgersLOV", fields="LedgerId,Name", q="CurrencyCode='EUR'", onlyData="true")).json()
    assert answer["items"] == [{"LedgerId": 300000046975980, "Name": "EU Primary Ledger"}]
    linked = (await pod.items("ledgersLOV", limit=1))[0]
    href = next(link["href"] for link in linked["links"] if link["rel"] == "self")
    item = await pod.http.get(href)
    assert item.json()["LedgerId"] == linked["LedgerId"]
    assert (await pod.get("ledgersLOV/1")).status_code == 404
    assert (await pod.get("ledgersLOV", unknown="1")).status_code == 400


async def test_total_results_may_fail_where_the_read_works(pod: Pod) -> None:
    pod.twin.faults.set("total_results_500")
    assert (await pod.get("ledgersLOV", totalResults="true")).status_code == 500
    assert (await pod.get("ledgersLOV")).status_code == 200


async def test_a_user_without_data_access_sees_empty_collections(pod: Pod) -> None:
    pod.twin.faults.set("no_data", path="ledgersLOV")
    answer = await pod.get("ledgersLOV")
    assert (answer.status_code, answer.json()["items"]) == (200, [])


async def test_reference_data_is_told_apart_by_application_and_day(pod: Pod) -> None:
    rates = await pod.items(
        "currencyRates",
        finder="CurrencyRatesFinder;fromCurrency=EUR,toCurrency=USD,userConversionType=Corporate,"
        "startDate=2026-11-19,endDate=2026-11-20",
    )
    assert {row["ConversionDate"]: row["ConversionRate"] for row in rates} == {
        "2026-11-19": 1.0832,
        "2026-11-20": 1.0832,
    }
    q = "PeriodNameId='Oct-26' and LedgerId=300000046975971"
    states = {row["ApplicationId"]: row["ClosingStatus"] for row in await pod.items("accountingPeriodStatusLOV", q=q)}
    assert states == {101: "O", 200: "C", 222: "C"}


async def test_accounts_are_found_by_segments_and_show_their_state(pod: Pod) -> None:
    pod.twin.set_account("101-000-41000-0000", enabled=False)
    q = "_CHART_OF_ACCOUNTS_ID=21001 and (company='101' and costCenter='000' and account='41000' and product='0000')"
    (row,) = await pod.items("accountCombinationsLOV", q=q, onlyData="true")
    assert (row["EnabledFlag"], row["DetailPostingAllowedFlag"], row["AccountType"]) == ("N", "Y", "R")


async def test_describe_and_the_root_say_what_there_is(pod: Pod) -> None:
    described: dict[str, Any] = (await pod.get("journalBatches/describe")).json()["Resources"]["journalBatches"]
    queryable = {each["name"]: each["queryable"] for each in described["attributes"]}
    assert queryable["BatchName"]
    assert not queryable["ErrorMessage"]
    assert "journalHeaders" in described["children"]
    root = (await pod.http.get("/fscmRestApi/resources")).json()
    assert root["items"][0]["version"] == "11.13.18.05"


async def test_outages_look_like_outages(pod: Pod) -> None:
    pod.twin.faults.set("outage", count=1, retry_after=7)
    answer = await pod.get("ledgersLOV")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    pod.twin.faults.set("unauthorized", count=1)
    assert (await pod.get("ledgersLOV")).headers["www-authenticate"] == 'Basic realm="owsm"'
    pod.twin.faults.set("rate_limit", count=1, retry_after=1)
    assert (await pod.get("ledgersLOV")).status_code == 429
