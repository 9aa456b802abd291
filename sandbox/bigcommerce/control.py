"""Routes below `/_twin` that play the shopper, the merchant and bad luck, and tell what is true."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from sandbox.bigcommerce import orders, statuses
from sandbox.bigcommerce.documents import Fee, Order, Returned, ReturnType
from sandbox.bigcommerce.profiles import Person
from sandbox.bigcommerce.shop import Shop
from sandbox.bigcommerce.store import Store
from sandbox.bigcommerce.truth import Truth
from sandbox.bigcommerce.webhooks import Rule

if TYPE_CHECKING:
    from sandbox.bigcommerce.app import BigCommerceTwin

_ACTIONS = (
    "status",
    "line",
    "fees",
    "move",
    "exempt",
    "touch",
    "ship",
    "archive",
    "refund",
    "repeat-refund",
    "decline-refund",
)


def control_routes(twin: BigCommerceTwin) -> list[BaseRoute]:
    """
    GET  /_twin/orders                             every order of every store with the amounts a ledger must show
    POST /_twin/stores/{hash}/orders               {"shape": "wrapping", "seed": 3} or {"morning": 40}
                                                   (+ categories, currency, status_id, created, quiet)
    POST /_twin/stores/{hash}/orders/{id}/{what}   what: status {"status_id": 2} | line {"line_id": 1, "quantity": 2,
                                                   "unit_price": "9.50"} | touch | ship | archive
                                                   | fees {"fees": [{"name": "Rush", "cost": "4.00", "tax": "0.33"}]}
                                                   | move {"state": "Ohio", "country_iso2": "US"} | exempt
                                                   | refund {"line_id": 1, "quantity": 1} or {"items": [{"type":
                                                   "SHIPPING", "id": 10012, "amount": "4.00"}]} or {"everything":
                                                   true} or {"tax_adjustment": "1.20"} (+ payments {"storecredit":
                                                   "5.00"}, override {"total", "tax"}, declined, over)
                                                   | repeat-refund {"refund_id": 10019} | decline-refund, later
    GET  /_twin/stores/{hash}/deliveries           ?state=exhausted&order_id=1001
    GET, POST, DELETE /_twin/stores/{hash}/luck    {"action": "drop", "scope": "store/order/*", "times": 2}
    GET, POST /_twin/stores/{hash}/settings        {"reachable": {"https://connector.example.com":
                                                   "http://127.0.0.1:8080"}, "time_scale": 0.001,
                                                   "requests_per_window": 450, "refund_lag": 5, "resign": false,
                                                   "activation_delay": 60, "others_per_second": 2.5}
    GET  /_twin/stores/{hash}/hooks                what is registered, and which domains are blocked for how long
    POST /_twin/stores/{hash}/hooks/{what}         what: deactivate | delete {"scope": "store/order/*"}
                                                   | block {"domain": "connector.example.com", "seconds": 180}
    POST /_twin/stores/{hash}/release              {"order": "reversed"}: send what is held
    POST /_twin/stores/{hash}/repeat               {"webhook_id": "msg_..."}: send once more
    """
    control = _Control(twin)
    store = "/_twin/stores/{store_hash}"
    return [
        Route("/_twin/orders", control.truth, methods=["GET"]),
        Route(f"{store}/orders", control.place, methods=["POST"]),
        Route(f"{store}/orders/{{order_id:int}}/{{what}}", control.act, methods=["POST"]),
        Route(f"{store}/deliveries", control.deliveries, methods=["GET"]),
        Route(f"{store}/luck", control.luck, methods=["GET", "POST", "DELETE"]),
        Route(f"{store}/settings", control.settings, methods=["GET", "POST"]),
        Route(f"{store}/hooks", control.hooks, methods=["GET"]),
        Route(f"{store}/hooks/{{what}}", control.spoil, methods=["POST"]),
        Route(f"{store}/release", control.release, methods=["POST"]),
        Route(f"{store}/repeat", control.repeat, methods=["POST"]),
    ]


class _Control:
    def __init__(self, twin: BigCommerceTwin) -> None:
        self._twin = twin

    async def truth(self, request: Request) -> JSONResponse:
        return JSONResponse(
            {
                store.profile.store_hash: [render_truth(truth) for truth in store.shop.truth().values()]
                for store in self._twin.stores.values()
            }
        )

    async def place(self, request: Request) -> JSONResponse:
        store = self._store(request)
        wanted = await _body(request)
        if store is None:
            return _unknown()
        try:
            placed = _place(store, wanted)
        except (KeyError, TypeError, ValueError) as error:
            return _bad(f"No such basket: {error}.")
        return JSONResponse({"ids": [order.id for order in placed]}, status_code=201)

    async def act(self, request: Request) -> JSONResponse:
        store = self._store(request)
        if store is None:
            return _unknown()
        shop, order_id = store.shop, int(request.path_params["order_id"])
        try:
            _act(shop, order_id, str(request.path_params["what"]), await _body(request))
        except (LookupError, TypeError, ValueError) as error:
            return _bad(str(error))
        return JSONResponse(render_truth(shop.truth()[order_id]))

    async def deliveries(self, request: Request) -> JSONResponse:
        store = self._store(request)
        if store is None:
            return _unknown()
        query = request.query_params
        rows = [
            delivery.facts()
            for delivery in store.deliveries.log
            if query.get("state", delivery.state) == delivery.state
            and query.get("order_id", str(delivery.order_id)) == str(delivery.order_id)
        ]
        return JSONResponse({"count": len(rows), "deliveries": rows, "mails": store.deliveries.mails})

    async def luck(self, request: Request) -> JSONResponse:
        store = self._store(request)
        if store is None:
            return _unknown()
        rules = store.deliveries.rules
        if request.method == "DELETE":
            rules.clear()
        elif request.method == "POST":
            try:
                rules.append(Rule(**await _body(request)))
            except TypeError as error:
                return _bad(f"No such rule: {error}.")
        return JSONResponse([asdict(rule) for rule in rules])

    async def settings(self, request: Request) -> JSONResponse:
        store = self._store(request)
        if store is None:
            return _unknown()
        if request.method == "POST":
            try:
                _set(store, await _body(request))
            except (TypeError, ValueError) as error:
                return _bad(f"No such setting: {error}.")
        return JSONResponse(
            {
                "reachable": store.deliveries.reachable,
                "time_scale": store.deliveries.time_scale,
                "resign": store.deliveries.resign,
                "requests_per_window": store.quota.requests,
                "others_per_second": store.quota.others_per_second,
                "refund_lag": store.shop.refund_lag,
                "activation_delay": store.subscriptions.activation_delay,
            }
        )

    async def hooks(self, request: Request) -> JSONResponse:
        store = self._store(request)
        return _unknown() if store is None else JSONResponse(_hooks(store))

    async def spoil(self, request: Request) -> JSONResponse:
        store = self._store(request)
        if store is None:
            return _unknown()
        wanted = await _body(request)
        try:
            match request.path_params["what"]:
                case "deactivate":
                    store.subscriptions.deactivate(str(wanted.get("scope", "*")))
                case "delete":
                    store.subscriptions.remove(str(wanted.get("scope", "*")))
                case "block":
                    store.deliveries.block(str(wanted["domain"]), float(wanted.get("seconds", 180)))
                case what:
                    return _bad(f"Nobody can {what} hooks; choose deactivate, delete or block.")
        except (KeyError, TypeError, ValueError) as error:
            return _bad(f"No such hooks: {error}.")
        return JSONResponse(_hooks(store))

    async def release(self, request: Request) -> JSONResponse:
        store = self._store(request)
        if store is None:
            return _unknown()
        backwards = (await _body(request)).get("order") == "reversed"
        return JSONResponse({"released": store.deliveries.release(order="reversed" if backwards else "kept")})

    async def repeat(self, request: Request) -> JSONResponse:
        store = self._store(request)
        if store is None:
            return _unknown()
        try:
            store.deliveries.repeat(str((await _body(request)).get("webhook_id", "")))
        except LookupError as error:
            return _bad(str(error))
        return JSONResponse({})

    def _store(self, request: Request) -> Store | None:
        return self._twin.stores.get(request.path_params["store_hash"])


def _hooks(store: Store) -> dict[str, Any]:
    """Without the custom headers, which may be secret."""
    shown = ("id", "scope", "destination", "is_active", "created_at", "updated_at")
    return {
        "hooks": [{name: hook.render()[name] for name in shown} for hook in store.subscriptions.every()],
        "blocked_domains": store.deliveries.blocked_domains(),
    }


def render_truth(truth: Truth) -> dict[str, Any]:
    """The truth as JSON: amounts as plain decimal strings, times in ISO 8601."""
    return {name: _plain(value) for name, value in asdict(truth).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    return value


def _place(store: Store, wanted: dict[str, Any]) -> list[Order]:
    profile, seed = store.profile, int(wanted.get("seed", 0))
    if "morning" in wanted:
        drafts = orders.morning(profile, int(wanted["morning"]), seed=seed)
    else:
        drafts = [
            orders.draft(
                wanted.get("shape", "ordinary"),
                profile,
                seed=seed,
                categories=wanted.get("categories"),
                currency=wanted.get("currency"),
            )
        ]
    created = datetime.fromisoformat(wanted["created"]) if "created" in wanted else None
    status_id = int(wanted.get("status_id", statuses.AWAITING_FULFILLMENT))
    quiet = bool(wanted.get("quiet", False))
    return [store.shop.place(draft, status_id=status_id, created=created, quiet=quiet) for draft in drafts]


def _set(store: Store, wanted: dict[str, Any]) -> None:
    for name, value in wanted.items():
        match name:
            case "reachable":
                store.deliveries.reachable = {
                    str(public): [str(one) for one in real] if isinstance(real, list) else str(real)
                    for public, real in dict(value).items()
                }
            case "time_scale":
                store.deliveries.time_scale = float(value)
            case "resign":
                store.deliveries.resign = bool(value)
            case "requests_per_window":
                store.quota.requests = int(value)
            case "others_per_second":
                store.quota.others_per_second = float(value)
            case "refund_lag":
                store.shop.refund_lag = float(value)
            case "activation_delay":
                store.subscriptions.activation_delay = float(value)
            case _:
                raise ValueError(name)


def _act(shop: Shop, order_id: int, what: str, wanted: dict[str, Any]) -> None:
    match what:
        case "status":
            shop.set_status(order_id, int(wanted["status_id"]))
        case "line":
            quantity, price = wanted.get("quantity"), wanted.get("unit_price")
            shop.edit_line(
                order_id,
                int(wanted["line_id"]),
                quantity=None if quantity is None else int(quantity),
                unit_price=None if price is None else Decimal(price),
            )
        case "touch":
            shop.touch(order_id)
        case "ship":
            shop.ship(order_id)
        case "archive":
            shop.archive(order_id)
        case "fees":
            fees = [(one["name"], Decimal(str(one["cost"])), Decimal(str(one.get("tax", 0)))) for one in wanted["fees"]]
            shop.set_fees(order_id, tuple(Fee(*one) for one in fees))
        case "move":
            shop.move(order_id, _moved(shop.order(order_id).draft.person, wanted))
        case "exempt":
            shop.exempt(order_id, exempt=bool(wanted.get("exempt", True)))
        case "refund":
            _refund(shop, order_id, wanted)
        case "repeat-refund":
            shop.repeat_refund(int(wanted["refund_id"]))
        case "decline-refund":
            shop.decline_refund(int(wanted["refund_id"]))
        case _:
            raise ValueError(f"An order cannot {what}; it knows {', '.join(_ACTIONS)}.")


def _moved(person: Person, wanted: dict[str, Any]) -> Person:
    """The person at another address."""
    if unknown := set(wanted) - {"state", "country", "country_iso2"}:
        raise ValueError(f"An address has no {', '.join(sorted(unknown))} here.")
    return replace(
        person,
        state=str(wanted.get("state", person.state)),
        country=str(wanted.get("country", person.country)),
        country_iso2=str(wanted.get("country_iso2", person.country_iso2)),
    )


def _refund(shop: Shop, order_id: int, wanted: dict[str, Any]) -> None:
    override, declined, payments = wanted.get("override"), wanted.get("declined", False), wanted.get("payments")
    shop.refund(
        order_id,
        int(wanted.get("line_id", 0)),
        int(wanted.get("quantity", 1)),
        items=[_returned(shop.order(order_id), item) for item in wanted.get("items", ())],
        everything=bool(wanted.get("everything", False)),
        tax_adjustment=Decimal(str(wanted.get("tax_adjustment", 0))),
        payments=None if payments is None else {str(name): Decimal(str(amount)) for name, amount in payments.items()},
        override=None if override is None else (Decimal(str(override["total"])), Decimal(str(override["tax"]))),
        declined=declined if isinstance(declined, bool) else [str(one) for one in declined],
        over=bool(wanted.get("over", False)),
    )


def _returned(order: Order, item: dict[str, Any]) -> Returned:
    """An item of a refund. Without an id it is about the order's first line, address or fee."""
    kind = str(item["type"])
    if kind not in get_args(ReturnType):
        raise ValueError(f"There is no item type {kind}.")
    first = {
        "PRODUCT": order.lines[0].id if order.lines else 0,
        "GIFT_WRAPPING": next((line.id for line in order.lines if line.item.wrapping), 0),
        "SHIPPING": next(iter(order.address_ids), 0),
        "HANDLING": next(iter(order.address_ids), 0),
        "ORDER": order.id,
        "FEE": order.fee_id(0),
    }
    quantity, amount = item.get("quantity"), item.get("amount")
    if kind in ("PRODUCT", "GIFT_WRAPPING"):
        quantity = 1 if quantity is None else int(quantity)
    return Returned(
        cast(ReturnType, kind),
        int(item.get("id", first[kind])),
        quantity,
        None if amount is None else Decimal(str(amount)),
        tuple(Decimal(str(one)) for one in item.get("adjustments", ())),
    )


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    wanted = await request.json() if raw else {}
    return wanted if isinstance(wanted, dict) else {}


def _bad(sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status_code=400)


def _unknown() -> JSONResponse:
    return JSONResponse({"error": "There is no such store."}, status_code=404)
