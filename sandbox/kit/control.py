"""Routes below `/_twin` with which another process sets faults and hooks, moves the clock and counts calls."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

if TYPE_CHECKING:
    from sandbox.kit.twin import Twin

_FAULT = {"method", "path", "count", "skip", "chance", "seconds", "lasts", "status", "retry_after", "options"}
_CONDITIONS = {"method", "path", "body", "times"}


def control_routes(twin: Twin) -> list[BaseRoute]:
    """
    GET, POST, DELETE /_twin/faults   {"kind": "error", "status": 503, "path": "/erpintegrations", "count": 2}
    GET, POST, DELETE /_twin/hooks    {"point": "committed", "path": "...", "callback_url": "http://..."}
                                      or {"point": "committed", "hold": true}
    GET /_twin/hooks/{id}, POST /_twin/hooks/{id}/release
    GET, DELETE /_twin/calls          ?method=POST&path=erpintegrations (DELETE forgets them)
    GET, POST /_twin/clock            {"advance": 3600} or {"skew": -400}
    """
    control = _Control(twin)
    return [
        Route("/_twin/faults", control.faults, methods=["GET", "POST", "DELETE"]),
        Route("/_twin/hooks", control.hooks, methods=["GET", "POST", "DELETE"]),
        Route("/_twin/hooks/{id:int}", control.hook, methods=["GET"]),
        Route("/_twin/hooks/{id:int}/release", control.release, methods=["POST"]),
        Route("/_twin/calls", control.calls, methods=["GET", "DELETE"]),
        Route("/_twin/clock", control.clock, methods=["GET", "POST"]),
        Route("/_twin/ready", control.ready, methods=["GET"]),
    ]


class _Control:
    def __init__(self, twin: Twin) -> None:
        self._twin = twin

    async def ready(self, request: Request) -> JSONResponse:
        return JSONResponse({"twin": self._twin.name})

    async def faults(self, request: Request) -> JSONResponse:
        faults = self._twin.faults
        if request.method == "DELETE":
            faults.clear(request.query_params.get("kind"))
        elif request.method == "POST":
            wanted: dict[str, Any] = await request.json()
            kind = wanted.pop("kind", "")
            unknown = sorted(set(wanted) - _FAULT)
            if not kind or unknown:
                return _bad(f"A fault needs a kind and knows {', '.join(sorted(_FAULT))}; not {', '.join(unknown)}.")
            try:
                fault = faults.set(kind, **wanted)
            except re.error as error:
                return _bad(f"Not a regular expression: {error}.")
            if kind == "outage" and fault.options.get("mode") == "refuse" and fault.lasts is None:
                faults.clear(kind)
                return _bad("An outage that refuses connections needs `lasts`: nothing could end it from outside.")
            return JSONResponse(fault.facts(), status_code=201)
        return JSONResponse([fault.facts() for fault in faults])

    async def hooks(self, request: Request) -> JSONResponse:
        hooks = self._twin.hooks
        if request.method == "DELETE":
            hooks.clear()
        elif request.method == "POST":
            wanted: dict[str, Any] = await request.json()
            conditions = {name: wanted[name] for name in _CONDITIONS & set(wanted)}
            try:
                if wanted.get("hold"):
                    hooks.hold(wanted["point"], **conditions)
                    hook = hooks.all()[-1]
                else:
                    hook = hooks.call(wanted["point"], wanted["callback_url"], **conditions)
            except (KeyError, ValueError) as error:
                return _bad(f"A hook needs a point and a callback_url, or hold: {error}.")
            return JSONResponse(hook.facts(), status_code=201)
        return JSONResponse([hook.facts() for hook in hooks.all()])

    async def hook(self, request: Request) -> JSONResponse:
        hook = self._twin.hooks.get(request.path_params["id"])
        return JSONResponse(hook.facts()) if hook else JSONResponse({"error": "No such hook."}, status_code=404)

    async def release(self, request: Request) -> JSONResponse:
        hook = self._twin.hooks.get(request.path_params["id"])
        if hook is None or hook.gate is None:
            return JSONResponse({"error": "No such hook that holds."}, status_code=404)
        hook.gate.release()
        return JSONResponse(hook.facts())

    async def calls(self, request: Request) -> JSONResponse:
        calls = self._twin.calls
        if request.method == "DELETE":
            calls.clear()
        query = request.query_params
        found = calls.matching(query.get("method", ".*"), query.get("path", ".*"))
        statuses = Counter(str(call.status or "cut") for call in found)
        newest = [call.facts() for call in found[-int(query.get("limit", "100")) :]]
        return JSONResponse({"total": calls.total, "matching": len(found), "statuses": statuses, "calls": newest})

    async def clock(self, request: Request) -> JSONResponse:
        clock = self._twin.clock
        if request.method == "POST":
            wanted = await request.json()
            if "skew" in wanted:
                clock.advance(float(wanted["skew"]) - clock.offset.total_seconds())
            clock.advance(float(wanted.get("advance", 0)))
            self._twin.agenda.run_due()
        return JSONResponse({"now": clock.now().isoformat(), "offset": clock.offset.total_seconds()})


def _bad(sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status_code=400)
