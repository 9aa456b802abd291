"""Receivables below `/_twin`: the truth, and changes to its setup while the twin runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

if TYPE_CHECKING:
    from sandbox.fusion.twin import FusionTwin

Handler = Callable[[Request], Awaitable[JSONResponse]]
Changed = TypeVar("Changed")


def receivables_control_routes(twin: FusionTwin) -> list[BaseRoute]:
    """
    GET  /_twin/invoices             every invoice with lines and distributions; ?source=, business_unit=, number=,
                                     reference= (number, cross-reference or anything in a flexfield)
    GET  /_twin/invoices/summary     totals per business unit and currency, references that occur more than once
    GET  /_twin/credit-memos         every credit memo likewise; ?number=
    GET  /_twin/credit-memos/summary totals per business unit and currency: credited, not applied
    GET  /_twin/applications         what of credit memos was applied, also what was taken back
    POST /_twin/applications         {"unapply": 3001000...}: a person takes an application back
    POST /_twin/receivables          any of Receivables' habits, e.g. {"tax_engine": "adds"}
    POST /_twin/customers            {"number": "1006", "enabled": false}
    POST /_twin/transaction-sources  {"name", "business_unit", "numbering": "automatic"}; unknown ones are added
    """
    control = _Control(twin)
    return [
        Route("/_twin/invoices", control.invoices, methods=["GET"]),
        Route("/_twin/invoices/summary", control.summary, methods=["GET"]),
        Route("/_twin/credit-memos", control.credit_memos, methods=["GET"]),
        Route("/_twin/credit-memos/summary", control.credit_memo_summary, methods=["GET"]),
        Route("/_twin/applications", control.applications, methods=["GET"]),
        Route("/_twin/applications", _safely(control.unapply), methods=["POST"]),
        Route("/_twin/receivables", _safely(control.habits), methods=["POST"]),
        Route("/_twin/customers", _safely(control.customers), methods=["POST"]),
        Route("/_twin/transaction-sources", _safely(control.sources), methods=["POST"]),
    ]


def change(subject: Changed, facts: Mapping[str, Any], *, but: Collection[str] = ()) -> Changed:
    """Set fields of a dataclass. Raises KeyError for unknown ones, ValueError for a choice that is not one of its."""
    hints = get_type_hints(type(subject))
    known = {each.name for each in fields(subject)} - set(but)  # type: ignore[arg-type]
    for name, value in facts.items():
        if name not in known:
            raise KeyError(f"There is no {name} to be changed.")
        if get_origin(hints[name]) is Literal and value not in get_args(hints[name]):
            raise ValueError(f"{name} is one of {', '.join(get_args(hints[name]))}, not {value!r}.")
    for name, value in facts.items():
        setattr(subject, name, value)
    return subject


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

    async def invoices(self, request: Request) -> JSONResponse:
        query = request.query_params
        reference = query.get("reference")
        return JSONResponse(
            [
                each.facts()
                for each in self._twin.invoices()
                if query.get("source", each.source) == each.source
                and query.get("business_unit", each.business_unit) == each.business_unit
                and query.get("number", each.number) == each.number
                and (reference is None or reference in each.references())
            ]
        )

    async def summary(self, request: Request) -> JSONResponse:
        return JSONResponse(self._twin.receivables.summary())

    async def credit_memos(self, request: Request) -> JSONResponse:
        number = request.query_params.get("number")
        memos = self._twin.credit_memos.all()
        return JSONResponse([each.facts() for each in memos if number in (None, each.number)])

    async def credit_memo_summary(self, request: Request) -> JSONResponse:
        return JSONResponse(self._twin.credit_memos.summary())

    async def applications(self, request: Request) -> JSONResponse:
        return JSONResponse([each.facts() for each in self._twin.receivables.applications.all()])

    async def unapply(self, request: Request) -> JSONResponse:
        wanted = await request.json()
        return JSONResponse(self._twin.receivables.applications.unapply(int(wanted["unapply"])).facts())

    async def habits(self, request: Request) -> JSONResponse:
        habits = self._twin.world.receivables.habits
        return JSONResponse(asdict(change(habits, await request.json())))

    async def customers(self, request: Request) -> JSONResponse:
        wanted: dict[str, Any] = await request.json()
        return JSONResponse(asdict(self._twin.set_customer(wanted.pop("number"), **wanted)))

    async def sources(self, request: Request) -> JSONResponse:
        wanted: dict[str, Any] = await request.json()
        source = self._twin.set_source(wanted.pop("name"), wanted.pop("business_unit"), **wanted)
        return JSONResponse(asdict(source))
