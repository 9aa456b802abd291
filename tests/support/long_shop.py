"""A shop with any number of changed orders and refunds, none of which it keeps: pages are worked out when asked for."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from email.utils import format_datetime
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.bigcommerce import US_SHOP

FIRST: Final = 100_001
"""The lowest order id."""
_PRIME: Final = 7919
"""Steps from id to id in the order of change: neighbours by id did not change one after the other."""


class LongShop:
    """`count` orders, changed `per_second` at a time from `begin` on, and as many refunds as `refunds` says.

    All of them are in `store`; every other store is empty. No page is kept and nobody's request is remembered: what
    grows while it is read is the reader's.
    """

    def __init__(
        self,
        count: int,
        *,
        begin: dt.datetime,
        per_second: int = 10,
        refunds: int = 0,
        now: dt.datetime | None = None,
        store: str = US_SHOP.store_hash,
    ) -> None:
        self.begin = begin.astimezone(dt.UTC).replace(microsecond=0)
        self.per_second = per_second
        self.now = now
        self.store = store
        self.pages = 0
        """Pages of orders that were asked for."""
        self.resize(count, refunds)
        self.app = Starlette(
            routes=[
                Route("/stores/{store}/v2/store", self._about),
                Route("/stores/{store}/v2/time", self._time),
                Route("/stores/{store}/v2/orders", self._orders),
                Route("/stores/{store}/v3/orders/payment_actions/refunds", self._refunds),
            ]
        )

    def resize(self, count: int, refunds: int) -> None:
        """From now on so many. Raises `ValueError` for a number of orders that cannot be shuffled."""
        if math.gcd(count, _PRIME) != 1:
            raise ValueError(f"{count} orders cannot be shuffled by {_PRIME}")
        self.count, self.refunds = count, refunds
        self._back = pow(_PRIME, -1, count)

    def order_id(self, place: int) -> int:
        """Of the order that changed as the `place`-th, from 0."""
        return FIRST + place * _PRIME % self.count

    def modified(self, place: int) -> dt.datetime:
        return self.begin + dt.timedelta(seconds=place // self.per_second)

    def versions(self) -> Iterator[tuple[str, dt.datetime]]:
        """Every order with the moment of its change."""
        for place in range(self.count):
            yield str(self.order_id(place)), self.modified(place)

    async def _about(self, request: Request) -> Response:
        store = request.path_params["store"]
        zone = {"name": "America/Chicago", "raw_offset": -21600, "dst_offset": -18000, "dst_correction": True}
        return JSONResponse({"id": store, "domain": f"{store}.example.com", "timezone": zone, "currency": "USD"})

    async def _time(self, _: Request) -> Response:
        now = self.now or dt.datetime.now(dt.UTC)
        return JSONResponse({"time": int(now.timestamp())})

    async def _orders(self, request: Request) -> Response:
        if request.path_params["store"] != self.store:
            return Response(status_code=204)
        self.pages += 1
        asked = request.query_params
        limit = int(asked["limit"])
        start = (int(asked["page"]) - 1) * limit
        if "min_id" in asked:
            start += max(0, int(asked["min_id"]) - FIRST)
            places = [number * self._back % self.count for number in range(start, min(start + limit, self.count))]
        else:
            earliest = dt.datetime.fromisoformat(asked["min_date_modified"])
            start += max(0, math.ceil((earliest - self.begin).total_seconds())) * self.per_second
            places = list(range(start, min(start + limit, self.count)))
        return JSONResponse([self._row(place) for place in places]) if places else Response(status_code=204)

    def _row(self, place: int) -> dict[str, Any]:
        changed = format_datetime(self.modified(place))
        return {
            "id": self.order_id(place),
            "date_created": changed,
            "date_modified": changed,
            "status_id": 11,
            "channel_id": 1,
            "default_currency_code": "USD",
            "total_inc_tax": "10.0000",
            "total_tax": "0.0000",
            "is_deleted": False,
            "external_source": "",
        }

    async def _refunds(self, request: Request) -> Response:
        limit, page = int(request.query_params["limit"]), int(request.query_params["page"])
        every = self.refunds if request.path_params["store"] == self.store else 0
        chosen = range((page - 1) * limit, min(page * limit, every))
        rows = [
            {
                "id": 1 + place,
                "order_id": self.order_id(place),
                "created": self.modified(place).isoformat(),
                "total_amount": 1,
                "total_tax": 0,
                "items": [],
                "payments": [],
            }
            for place in chosen
        ]
        pagination = {"total": every, "total_pages": math.ceil(every / limit)}
        return JSONResponse({"data": rows, "meta": {"pagination": pagination}})
