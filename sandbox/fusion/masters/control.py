"""Control routes of the masters below `/_twin`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from sandbox.fusion.masters.customer_accounts import facts
from sandbox.fusion.masters.setup import ITEM_MASTER

if TYPE_CHECKING:
    from sandbox.fusion.twin import FusionTwin

Handler = Callable[[Request], Awaitable[JSONResponse]]


def master_control_routes(twin: FusionTwin) -> list[BaseRoute]:
    """
    GET  /_twin/customer_accounts  every customer account with its sites, and references that more than one record has
    GET  /_twin/parties            every organization
    GET  /_twin/items              how many items there are; ?number= shows those of a number
    POST /_twin/items              {"number", "description", ...} adds an item or changes it; {"seed": 20000}
    POST /_twin/master_habits      any of the masters' habits
    """

    async def customers(request: Request) -> JSONResponse:
        accounts = [facts(each) for each in twin.customers.accounts]
        duplicates = [list(each) for each in twin.references.duplicates()]
        return JSONResponse({"accounts": accounts, "duplicates": duplicates})

    async def parties(request: Request) -> JSONResponse:
        shown = ("PartyId", "PartyNumber", "OrganizationName")
        return JSONResponse([{name: row.values[name] for name in shown} for row in twin.parties.rows])

    async def items(request: Request) -> JSONResponse:
        number = request.query_params.get("number")
        rows = [row for row in twin.items.rows if number is None or row.values["ItemNumber"] == number]
        shown = [_item(row.values) for row in rows[:100]] if number is not None else []
        return JSONResponse({"count": len(rows), "items": shown})

    async def change_items(request: Request) -> JSONResponse:
        wanted: dict[str, Any] = await request.json()
        if "seed" in wanted:
            twin.items.seed(int(wanted["seed"]))
            return JSONResponse({"count": len(twin.items.rows)})
        number, organization = str(wanted.pop("number")), str(wanted.pop("organization", ITEM_MASTER))
        if "description" in wanted:
            wanted["ItemDescription"] = wanted.pop("description")
        unknown = set(wanted) - set(twin.items.attributes)
        if unknown:
            raise KeyError(f"An item has no {', '.join(sorted(unknown))}.")
        there = twin.items.numbered(number, organization)
        row = there[0] if there else twin.items.add(ItemNumber=number, OrganizationCode=organization, **wanted)
        twin.items.touch(row, **wanted)
        return JSONResponse(_item(row.values))

    async def habits(request: Request) -> JSONResponse:
        wanted = await request.json()
        held = twin.world.masters.habits
        unknown = set(wanted) - {each.name for each in fields(held)}
        if unknown:
            raise KeyError(f"There is no habit {', '.join(sorted(unknown))}.")
        for name, value in wanted.items():
            setattr(held, name, value)
        return JSONResponse({each.name: getattr(held, each.name) for each in fields(held)})

    return [
        Route("/_twin/customer_accounts", customers, methods=["GET"]),
        Route("/_twin/parties", parties, methods=["GET"]),
        Route("/_twin/items", items, methods=["GET"]),
        Route("/_twin/items", _safely(change_items), methods=["POST"]),
        Route("/_twin/master_habits", _safely(habits), methods=["POST"]),
    ]


def _item(values: dict[str, Any]) -> dict[str, Any]:
    names = ("ItemId", "ItemNumber", "OrganizationCode", "ItemDescription", "ItemStatusValue")
    return {name: values[name] for name in names}


def _safely(handler: Handler) -> Handler:
    async def handle(request: Request) -> JSONResponse:
        try:
            return await handler(request)
        except (KeyError, ValueError, TypeError) as error:
            return JSONResponse({"error": str(error.args[0] if error.args else error)}, status_code=400)

    return handle
