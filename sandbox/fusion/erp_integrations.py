"""`erpintegrations`, one resource for file import, jobs and their output (Oracle Fusion: 4.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sandbox.fusion.answers import RestError
from sandbox.fusion.ledger import GeneralLedger
from sandbox.fusion.query import QueryError, parse_finder
from sandbox.fusion.report import zipped
from sandbox.fusion.scheduler import NAMES, EssRequest, JobRefusedError, Scheduler
from sandbox.kit import Clock, Faults

ATTRIBUTES = (
    "OperationName", "DocumentId", "DocumentContent", "FileName", "ContentType", "FileType", "DocumentAccount",
    "Comments", "ProcessName", "LoadRequestId", "JobPackageName", "JobDefName", "ReqstId", "RequestStatus", "JobName",
    "ParameterList", "NotificationCode", "CallbackURL", "JobOptions", "StatusCode", "ESSParameters",
)  # fmt: skip

_REQUIRED = {
    "importBulkData": ("DocumentContent", "FileName", "DocumentAccount", "JobName", "ParameterList"),
    "submitESSJobRequest": ("JobPackageName", "JobDefName"),
    "uploadFileToUCM": ("DocumentContent", "FileName", "DocumentAccount"),
    "downloadESSJobExecutionDetails": ("ReqstId",),
}
_ACCOUNT = "fin$/generalLedger$/import$"


class ErpIntegrations:
    """Creates (which start work) and finders (which look at it). A `rejected_job` fault answers request id -1."""

    def __init__(self, scheduler: Scheduler, books: GeneralLedger, clock: Clock, faults: Faults) -> None:
        self._scheduler = scheduler
        self._books = books
        self._clock = clock
        self._faults = faults
        self.documents: dict[str, str] = {}

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """One operation. Raises `RestError` 400 for an unknown operation or a missing attribute."""
        operation = str(body.get("OperationName") or "")
        required = _REQUIRED.get(operation)
        if required is None:
            raise RestError(400, f"The operation {operation or '(none)'} is not supported.", "JBO-27014")
        unknown = sorted(set(body) - set(ATTRIBUTES))
        if unknown:
            raise RestError(400, f"Unable to parse the payload: unknown attribute {unknown[0]}.", "JBO-25009")
        missing = [name for name in required if not body.get(name)]
        if missing:
            raise RestError(400, f"Attribute {missing[0]} in ErpIntegration is required.", "JBO-27014")
        answer: dict[str, Any] = {name: body.get(name) for name in ATTRIBUTES}
        answer |= {"DocumentContent": None, "RequestStatus": None, "StatusCode": None}
        try:
            answer |= {
                "importBulkData": self._import,
                "submitESSJobRequest": self._submit,
                "uploadFileToUCM": self._upload,
                "downloadESSJobExecutionDetails": self._download,
            }[operation](body)
        except JobRefusedError as refused:
            answer |= {"ReqstId": "-1", "RequestStatus": None, "Comments": str(refused)}
        return answer

    def _import(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if str(body["DocumentAccount"]) != _ACCOUNT:
            raise JobRefusedError(f"The document account {body['DocumentAccount']} can't be used for this import.")
        if str(body.get("ContentType") or "zip").lower() != "zip":
            raise JobRefusedError("The content type must be zip.")
        self._refuse("Import Journals")
        document = self._keep(body)
        request = self._scheduler.bulk_import(
            _job(str(body["JobName"])),
            _parameters(str(body["ParameterList"])),
            str(body["DocumentContent"]),
            _options(str(body.get("JobOptions") or "")),
            self._clock.now(),
        )
        return {"ReqstId": str(request.id), "DocumentId": document}

    def _submit(self, body: Mapping[str, Any]) -> dict[str, Any]:
        job = _job(f"{body['JobPackageName']},{body['JobDefName']}")
        self._refuse(NAMES.get(job, job))
        parameters = _parameters(str(body.get("ESSParameters") or ""))
        request = self._scheduler.run_job(job, parameters, self._clock.now())
        return {"ReqstId": str(request.id)}

    def _upload(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {"DocumentId": self._keep(body)}

    def _download(self, body: Mapping[str, Any]) -> dict[str, Any]:
        rows = self._output({"requestId": str(body["ReqstId"]), "fileType": str(body.get("FileType") or "ALL")})
        if not rows:
            raise RestError(404, f"The request {body['ReqstId']} was not found.")
        return {"DocumentContent": rows[0]["DocumentContent"]}

    def _refuse(self, what: str) -> None:
        if self._faults.take("rejected_job", "POST", what):
            raise JobRefusedError("The request could not be submitted.")

    def _keep(self, body: Mapping[str, Any]) -> str:
        document = str(self._books.next_id())
        self.documents[document] = str(body["FileName"])
        return document

    def find(self, finder: str) -> list[dict[str, Any]]:
        """Rows of a finder; none for a request that is unknown or not visible yet. Raises `RestError` 400."""
        try:
            name, variables = parse_finder(finder)
        except QueryError as error:
            raise RestError(400, str(error)) from error
        finders = {
            "ESSJobStatusRF": self._status,
            "ESSExecutionDetailsRF": self._details,
            "ESSJobExecutionDetailsRF": self._output,
        }
        if name not in finders:
            raise RestError(400, f"The finder {name} is not known.")
        if not variables.get("requestId"):
            raise RestError(400, f"The finder {name} needs requestId.")
        empty = dict.fromkeys(ATTRIBUTES)
        return [{**empty, **row} for row in finders[name](variables)]

    def _request(self, variables: Mapping[str, str]) -> EssRequest | None:
        wanted = variables["requestId"]
        return next((each for each in self._scheduler.visible(self._clock.now()) if str(each.id) == wanted), None)

    def _status(self, variables: Mapping[str, str]) -> list[dict[str, Any]]:
        request = self._request(variables)
        if request is None:
            return []
        status = self._shown(request)
        return [{"OperationName": "getESSJobStatus", "ReqstId": str(request.id), "RequestStatus": status}]

    def _details(self, variables: Mapping[str, str]) -> list[dict[str, Any]]:
        request = self._request(variables)
        if request is None:
            return []
        text = json.dumps({"JOBS": self._node(request)}, separators=(",", ":"))
        return [{"OperationName": "getESSExecutionDetails", "ReqstId": str(request.id), "RequestStatus": text}]

    def _node(self, request: EssRequest) -> dict[str, Any]:
        node: dict[str, Any] = {
            "JOBNAME": request.name,
            "JOBPATH": request.path,
            "REQUESTID": str(request.id),
            "STATUS": self._shown(request),
        }
        if request.children:
            node["CHILD"] = [self._node(child) for child in request.children]
        return node

    def _shown(self, request: EssRequest) -> str:
        state = request.state
        return state.title() if self._scheduler.world.habits.status_case == "title" else state

    def _output(self, variables: Mapping[str, str]) -> list[dict[str, Any]]:
        request = self._request(variables)
        kind = variables.get("fileType", "ALL").upper()
        if request is None:
            return []
        if kind not in ("ALL", "LOG", "OUT"):
            raise RestError(400, f"The file type {kind} is not known.")
        files = {
            name: text
            for name, text in request.files(self._scheduler.world.habits.report_in_parent).items()
            if kind == "ALL" or name.endswith(".log" if kind == "LOG" else ".txt")
        }
        row = {"OperationName": "downloadESSJobExecutionDetails", "ReqstId": str(request.id), "FileType": kind}
        return [{**row, "DocumentContent": zipped(files), "ContentType": "zip"}]


def _job(text: str) -> str:
    """The leading slash is optional in job names, and a semicolon may stand for the comma."""
    return "/" + text.replace(";", ",").strip().lstrip("/")


def _parameters(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if text.strip() else []


def _options(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def parameters_of(request: EssRequest) -> list[dict[str, str]]:
    """A request's parameters as the scheduler's own address shows them."""
    return [
        {"name": f"submit.argument{number}", "paramType": "STRING", "value": value}
        for number, value in enumerate(request.parameters, start=1)
    ]
