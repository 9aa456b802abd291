import asyncio
import datetime as dt
import json
from base64 import b64decode
from typing import Any

import httpx
import pytest

from clients.errors import InDoubt, NotFound, RateLimited, Rejected
from clients.oracle_fusion import FusionClient, JobState
from contracts.journal import LedgerFacts

GROUP = 176000000000001


async def submit(fusion: FusionClient, journal: Any, ledger: LedgerFacts, deadline: float = 600.0) -> int:
    return await fusion.submit_journal_import(
        [journal],
        group_id=GROUP,
        ledger=ledger,
        data_access_set_id=11,
        source_id=22,
        batch_name=f"MLC {GROUP}",
        ends=asyncio.get_running_loop().time() + deadline,
    )


async def test_a_group_is_sent_as_one_zip_with_the_pods_parameters(
    pod: Any, fusion: FusionClient, make_journal: Any, ledger: LedgerFacts
) -> None:
    pod.on("/erpintegrations", httpx.Response(201, json={"ReqstId": "4711"}))
    assert await submit(fusion, make_journal(), ledger) == 4711
    (body,) = pod.bodies()
    assert body["OperationName"] == "importBulkData"
    assert body["ParameterList"] == f"11,22,300000001,{GROUP},N,N,N"
    assert body["DocumentAccount"] == "fin$/generalLedger$/import$"
    assert b64decode(body["DocumentContent"])[:2] == b"PK"
    (request,) = pod.requests
    assert request.headers["REST-Framework-Version"] == "4"
    assert "adf.error+json" in request.headers["Accept"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(201, json={"ReqstId": "-1", "RequestStatus": "The job was not found."}), Rejected),
        (httpx.Response(201, json={"ReqstId": None}), InDoubt),
        (httpx.Response(201, text="<html>"), InDoubt),
        (httpx.Response(400, text="URL request parameter X cannot be used in this context."), Rejected),
        (httpx.Response(500, text="Internal Server Error"), InDoubt),
        (httpx.Response(503, headers={"Retry-After": "5"}), InDoubt),
        (httpx.Response(504), InDoubt),
        (httpx.Response(429, headers={"Retry-After": "5"}), RateLimited),
    ],
)
async def test_only_what_fusion_plainly_refused_counts_as_not_imported(
    pod: Any, fusion: FusionClient, make_journal: Any, ledger: LedgerFacts, answer: httpx.Response, error: type
) -> None:
    pod.on("/erpintegrations", answer)
    with pytest.raises(error):
        await submit(fusion, make_journal(), ledger)
    assert len(pod.requests) == 1


async def test_an_error_body_is_read_in_json_and_in_text(
    pod: Any, fusion: FusionClient, make_journal: Any, ledger: LedgerFacts
) -> None:
    body = {
        "title": "Bad Request",
        "status": "400",
        "o:errorDetails": [{"detail": "You can't do that. (AR-857798)", "o:errorCode": "27014"}],
    }
    pod.on("/erpintegrations", httpx.Response(400, json=body))
    with pytest.raises(Rejected) as told:
        await submit(fusion, make_journal(), ledger)
    assert told.value.code == "AR-857798"
    assert told.value.messages == ("You can't do that. (AR-857798)",)


def details(tree: object) -> httpx.Response:
    return httpx.Response(
        200, json={"items": [{"RequestStatus": json.dumps({"JOBS": tree})}], "count": 1, "hasMore": False}
    )


def node(request_id: int, status: str, **more: Any) -> dict[str, Any]:
    return {"JOBNAME": f"job {request_id}", "REQUESTID": str(request_id), "STATUS": status, **more}


@pytest.mark.parametrize(
    ("tree", "terminal", "succeeded"),
    [
        (node(1, "WAIT"), False, False),
        (node(1, "COMPLETED"), False, False),
        (node(1, "Succeeded"), True, True),
        (node(1, "SUCCEEDED", CHILD=[node(2, "RUNNING")]), False, False),
        (node(1, "SUCCEEDED", CHILD=[node(2, "SUCCEEDED"), node(3, "WARNING")]), True, False),
        (node(1, "SUCCEEDED", CHILD=node(2, "SUCCEEDED", CHILD=node(3, "SUCCEEDED"))), True, True),
        ([node(1, "SUCCEEDED"), node(2, "ERROR")], True, False),
        (node(1, "CANCELLED"), True, False),
        (node(1, "SOMETHING_NEW"), False, False),
    ],
)
async def test_a_job_is_done_when_all_its_children_are_and_good_when_all_are_good(
    pod: Any, fusion: FusionClient, tree: object, terminal: bool, succeeded: bool
) -> None:
    pod.on("/erpintegrations", details(tree))
    job = await fusion.job(1)
    assert (job.terminal, job.succeeded) == (terminal, succeeded)


async def test_a_pod_that_answers_with_the_bare_state_is_understood(pod: Any, fusion: FusionClient) -> None:
    pod.on("/erpintegrations", httpx.Response(200, json={"items": [{"RequestStatus": "RUNNING"}]}))
    assert (await fusion.job(1)).state is JobState.RUNNING


async def test_a_request_fusion_does_not_show_is_not_found(pod: Any, fusion: FusionClient) -> None:
    pod.on("/erpintegrations", httpx.Response(200, json={"items": []}))
    with pytest.raises(NotFound):
        await fusion.job(1)


async def test_a_lost_import_is_found_by_its_group_and_its_topmost_request_is_followed(
    pod: Any, fusion: FusionClient
) -> None:
    def parameter(value: str) -> dict[str, str]:
        return {"name": "submit.argument4", "paramType": "STRING", "value": value}

    rows = [
        {"requestId": 10, "jobDefinitionId": "x/JournalImportLauncher", "requestParameters": [parameter("176000000")]},
        {
            "requestId": 12,
            "absParentRequestId": 11,
            "jobDefinitionId": "x/JournalImportLauncher",
            "requestParameters": [parameter(str(GROUP))],
        },
    ]
    pod.on("/scheduler/v1/requests", httpx.Response(200, json={"items": rows, "count": 2}))
    since = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    assert await fusion.find_import(GROUP, since=since) == 11
    assert await fusion.find_import(GROUP + 1, since=since) is None


async def test_purge_and_posting_use_the_connections_job_and_parameter_order(
    pod: Any, fusion: FusionClient, ledger: LedgerFacts
) -> None:
    pod.on("/erpintegrations", httpx.Response(201, json={"ReqstId": "12"}))
    assert await fusion.purge_group(GROUP, ledger=ledger, source_id=22) == 12
    assert await fusion.submit_posting(ledger=ledger, source_id=22, data_access_set_id=11) == 12
    purge, posting = pod.bodies()
    assert purge["OperationName"] == "submitESSJobRequest"
    assert purge["JobPackageName"] == "/oracle/apps/ess/financials/generalLedger/programs/common"
    assert (purge["JobDefName"], purge["ESSParameters"]) == ("JournalImportDelete", f"22,300000001,{GROUP}")
    assert (posting["JobDefName"], posting["ESSParameters"]) == ("AutomaticPosting", "11,300000001,22")
