"""The scheduler's own REST address, `/ess/rest/scheduler/v1/requests` (Oracle Fusion: 4.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.fusion.answers import RestError
from sandbox.fusion.erp_integrations import parameters_of
from sandbox.fusion.query import QueryError, compare, sort
from sandbox.fusion.scheduler import TERMINAL, EssRequest, JobRefusedError, Scheduler
from sandbox.kit import Clock

PAGE = 50
"""Requests in one answer; the vendor states no number and no paging parameter."""
_SORTABLE = frozenset(
    {
        "requestId", "parentRequestId", "absParentRequestId", "jobDefinitionId", "application", "product", "state",
        "requestType", "submitter", "submissionTime", "requestedStartTime", "processStartTime", "processEndTime",
        "completedTime", "elapsedTime",
    }
)  # fmt: skip
PATH = "/ess/rest/scheduler/v1/requests"

_CONDITION = re.compile(r"""\s*(\w+)\s+(eq|ne|gt|ge|lt|le|co|sw|pr)(?:\s+(?:"([^"]*)"|(\S+?)))?\s*$""", re.IGNORECASE)
_OPERATORS = {"eq": "=", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}


class SchedulerAddress:
    """Lists, shows and submits requests."""

    def __init__(self, scheduler: Scheduler, clock: Clock, base: Callable[[], str]) -> None:
        self._scheduler = scheduler
        self._clock = clock
        self._base = base

    def list(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """One page of matching requests, by id unless `orderBy` says otherwise. Raises `RestError` 400."""
        rows = [self._row(each) for each in self._scheduler.visible(self._clock.now())]
        try:
            for condition in _conditions(parameters.get("q", "")):
                rows = [row for row in rows if condition(row)]
            if parameters.get("id"):
                wanted = set(parameters["id"].split(","))
                rows = [row for row in rows if str(row["requestId"]) in wanted]
            order = parameters.get("orderBy") or "requestId:asc"
            rows = [dict(row) for row in sort(rows, order, known=_SORTABLE.__contains__)]
        except QueryError as error:
            raise RestError(400, str(error)) from error
        items = [_projected(row, parameters) for row in rows[:PAGE]]
        links = [{"rel": "self", "href": f"{self._base()}{PATH}"}]
        return {"items": items, "count": len(items), "pageIndex": 0, "links": links}

    def show(self, request_id: int, parameters: Mapping[str, str]) -> dict[str, Any]:
        """One request. Raises `RestError` 404."""
        for request in self._scheduler.visible(self._clock.now()):
            if request.id == request_id:
                return _projected(self._row(request), parameters)
        raise RestError(404, f"The request {request_id} was not found.")

    def submit(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Start a job by its definition. Raises `RestError` 400."""
        definition = str(body.get("jobDefinitionId") or "").removeprefix("JobDefinition:/")
        package, _, name = definition.rpartition("/")
        given = body.get("requestParameters") or []
        values = [
            str(each.get("value", "")) for each in given if str(each.get("name", "")).startswith("submit.argument")
        ]
        try:
            request = self._scheduler.run_job(f"{package},{name}", values, self._clock.now())
        except JobRefusedError as refused:
            raise RestError(400, str(refused)) from refused
        return {"id": request.id, "links": [{"rel": "self", "href": f"{self._base()}{PATH}/{request.id}"}]}

    def _row(self, request: EssRequest) -> dict[str, Any]:
        path, _, definition = request.job.partition(",")
        over = request.ended if request.state in TERMINAL else None
        started = request.started
        last = over or self._clock.now()
        elapsed = int((last - started).total_seconds() * 1000) if started else 0
        return {
            "requestId": request.id,
            "parentRequestId": request.parent.id if request.parent else 0,
            "absParentRequestId": request.root.id,
            "description": request.name,
            "jobDefinitionId": f"JobDefinition:/{path}/{definition}",
            "application": "FscmEss",
            "product": "GL",
            "state": request.state,
            "stateDescription": "",
            "priority": 4,
            "requestType": "SUB_REQUEST" if request.parent else "SINGLETON",
            "submitter": self._scheduler.world.credentials.user,
            "submissionTime": request.submitted,
            "requestedStartTime": request.submitted,
            "processStartTime": started,
            "processEndTime": over,
            "completedTime": over,
            "elapsedTime": elapsed,
            "isCancellable": over is None,
            "isHoldable": False,
            "requestParameters": parameters_of(request),
        }


def _projected(row: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """`fields` and `excludeFields`; a list without either leaves the parameters out."""
    if parameters.get("fields"):
        wanted = {name.strip() for name in parameters["fields"].split(",")}
    else:
        wanted = set(row) - {"requestParameters"}
    wanted -= {name.strip() for name in parameters.get("excludeFields", "").split(",")}
    return {name: value for name, value in row.items() if name in wanted and value is not None}


def _conditions(q: str) -> list[Callable[[Mapping[str, Any]], bool]]:
    """A SCIM filter of conditions joined by `and`. Raises `QueryError` for anything else."""
    conditions = []
    for part in re.split(r"\s+and\s+", q, flags=re.IGNORECASE) if q.strip() else []:
        match = _CONDITION.match(part)
        if match is None:
            raise QueryError(f"The filter cannot be read: {part}.")
        conditions.append(_condition(match[1], match[2].lower(), match[3] if match[3] is not None else match[4]))
    return conditions


def _condition(name: str, operator: str, value: str | None) -> Callable[[Mapping[str, Any]], bool]:
    if operator == "pr":
        return lambda row: row.get(name) is not None
    if value is None:
        raise QueryError(f"The filter on {name} lacks a value.")
    if operator == "co":
        return lambda row: value in str(row.get(name, ""))
    if operator == "sw":
        return lambda row: str(row.get(name, "")).startswith(value)
    return lambda row: compare(row.get(name), _OPERATORS[operator], value)
