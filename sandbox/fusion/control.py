"""The Fusion twin's own routes below `/_twin`: its truth, and changes to its world while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from sandbox.fusion.world import Rate

if TYPE_CHECKING:
    from sandbox.fusion.twin import FusionTwin

Handler = Callable[[Request], Awaitable[JSONResponse]]


def fusion_control_routes(twin: FusionTwin) -> list[BaseRoute]:
    """
    GET  /_twin/journals     every journal with its lines; ?source=, group=, name= (start of the given name)
    GET  /_twin/interface    rows left in the interface, with their error codes; ?group=
    GET  /_twin/requests     scheduler requests
    GET  /_twin/summary      totals per ledger and currency, duplicates, rows left
    POST /_twin/periods      {"ledger", "period", "status": "C", "application": 101}
    POST /_twin/accounts     {"account", "enabled": false, ...}; unknown ones need "create": true
    POST /_twin/rates        {"from", "to", "type", "day", "rate"}; rate null takes it away
    POST /_twin/habits       any of the habits
    POST /_twin/tokens       ends every token
    """
    control = _Control(twin)
    return [
        Route("/_twin/journals", control.journals, methods=["GET"]),
        Route("/_twin/interface", control.interface, methods=["GET"]),
        Route("/_twin/requests", control.requests, methods=["GET"]),
        Route("/_twin/summary", control.summary, methods=["GET"]),
        Route("/_twin/periods", _safely(control.periods), methods=["POST"]),
        Route("/_twin/accounts", _safely(control.accounts), methods=["POST"]),
        Route("/_twin/rates", _safely(control.rates), methods=["POST"]),
        Route("/_twin/habits", _safely(control.habits), methods=["POST"]),
        Route("/_twin/tokens", control.tokens, methods=["POST"]),
    ]


def _safely(handler: Handler) -> Handler:
    async def handle(request: Request) -> JSONResponse:
        try:
            return await handler(request)
        except (KeyError, ValueError, TypeError) as error:
            return JSONResponse({"error": str(error.args[0] if error.args else error)}, status_code=400)

    return handle


class _Control:
    def __init__(self, twin: FusionTwin) -> None:
        self._twin = twin

    async def journals(self, request: Request) -> JSONResponse:
        query = request.query_params
        return JSONResponse(
            [
                facts
                for journal in self._twin.journals()
                if (facts := journal.facts())
                and query.get("source", facts["source"]) == facts["source"]
                and query.get("group", facts["group_id"]) == facts["group_id"]
                and facts["given_name"].startswith(query.get("name", ""))
            ]
        )

    async def interface(self, request: Request) -> JSONResponse:
        group = request.query_params.get("group")
        return JSONResponse(
            [
                {
                    "group_id": row.group_id,
                    "journal": row.journal,
                    "line": row.line,
                    "account": "-".join(row.segments),
                    "status": row.status,
                }
                for row in self._twin.interface()
                if group in (None, row.group_id)
            ]
        )

    async def requests(self, request: Request) -> JSONResponse:
        return JSONResponse(
            [
                {
                    "id": each.id,
                    "parent": each.parent.id if each.parent else None,
                    "name": each.name,
                    "state": each.state,
                    "parameters": each.parameters,
                    "log": each.log,
                }
                for each in self._twin.requests()
            ]
        )

    async def summary(self, request: Request) -> JSONResponse:
        return JSONResponse(self._twin.summary())

    async def periods(self, request: Request) -> JSONResponse:
        wanted = await request.json()
        ledger, period = wanted["ledger"], wanted["period"]
        self._twin.set_period(ledger, period, wanted["status"], application=int(wanted.get("application", 101)))
        return JSONResponse({"ledger": ledger, "period": period, "status": wanted["status"]})

    async def accounts(self, request: Request) -> JSONResponse:
        wanted: dict[str, Any] = await request.json()
        account, create = wanted.pop("account"), wanted.pop("create", False)
        for name in ("starts", "ends"):
            if wanted.get(name):
                wanted[name] = date.fromisoformat(wanted[name])
        combination = self._twin.set_account(account, create=bool(create), **wanted)
        return JSONResponse({"id": combination.id, "account": combination.account, "enabled": combination.enabled})

    async def rates(self, request: Request) -> JSONResponse:
        wanted = await request.json()
        kind, day = str(wanted.get("type", "Corporate")), date.fromisoformat(wanted["day"])
        key = (str(wanted["from"]), str(wanted["to"]), kind, day)
        rates = self._twin.world.rates
        rates[:] = [
            each for each in rates if (each.from_currency, each.to_currency, each.conversion_type, each.day) != key
        ]
        if wanted.get("rate") is not None:
            rates.append(Rate(*key, Decimal(str(wanted["rate"]))))
        return JSONResponse({"rates": len(rates)})

    async def habits(self, request: Request) -> JSONResponse:
        wanted = await request.json()
        habits = self._twin.world.habits
        unknown = set(wanted) - {each.name for each in fields(habits)}
        if unknown:
            raise KeyError(f"There is no habit {', '.join(sorted(unknown))}.")
        for name, value in wanted.items():
            setattr(habits, name, value)
        return JSONResponse({each.name: getattr(habits, each.name) for each in fields(habits)})

    async def tokens(self, request: Request) -> JSONResponse:
        self._twin.identity.revoke()
        return JSONResponse({"issued": self._twin.identity.issued})


def summarize(twin: FusionTwin) -> dict[str, Any]:
    """Totals per ledger and currency, names that occur more than once, and what is left in the interface."""
    journals = twin.journals()
    totals: dict[tuple[str, str], dict[str, Any]] = {}
    for journal in journals:
        entry = totals.setdefault(
            (journal.ledger, journal.currency),
            {"ledger": journal.ledger, "currency": journal.currency, "journals": 0, "posted": 0, "debit": Decimal(0)},
        )
        entry["journals"] += 1
        entry["posted"] += journal.batch.status == "P"
        entry["debit"] += journal.total("entered_dr")
    names = Counter(journal.given_name for journal in journals)
    return {
        "journals": len(journals),
        "totals": [{**entry, "debit": str(entry["debit"])} for _, entry in sorted(totals.items())],
        "duplicates": sorted(name for name, times in names.items() if times > 1),
        "interface_rows": len(twin.interface()),
    }
