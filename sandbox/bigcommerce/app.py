"""The BigCommerce twin: several stores behind one address."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import Response
from starlette.routing import BaseRoute

from sandbox.bigcommerce import (
    routes_catalog,
    routes_channels,
    routes_customers,
    routes_metafields,
    routes_v2,
    routes_v3,
)
from sandbox.bigcommerce.control import control_routes
from sandbox.bigcommerce.control_master import master_routes
from sandbox.bigcommerce.desk import Desk
from sandbox.bigcommerce.pages import BigCommercePages
from sandbox.bigcommerce.profiles import EU_SHOP, US_SHOP
from sandbox.bigcommerce.refusals import RefusedError, answer, version_of
from sandbox.bigcommerce.store import Store, StoreSettings
from sandbox.kit import Clock, Exchange, Fault, Twin

DEFAULT_STORES = (StoreSettings(US_SHOP), StoreSettings(EU_SHOP))
_TITLES = {
    401: "Unauthorized",
    429: "You have used up the requests allowed in this time window.",
    500: "Internal server error.",
    502: "Bad gateway.",
    503: "The store is down for maintenance.",
    504: "Gateway timeout.",
}


class BigCommerceTwin(Twin):
    """`stores` by store hash; each has a `shop` to act on, `deliveries` to spoil and a `quota` to tighten.

    Besides the faults every twin knows: `late_visibility` hides new orders and products for `seconds`, in lists and by
    id. What the vendor leaves open is played as a store's `habits` say.
    """

    name = "bigcommerce"

    def __init__(
        self, stores: Iterable[StoreSettings] = DEFAULT_STORES, *, clock: Clock | None = None, seed: int = 0
    ) -> None:
        clock = clock or Clock()
        self.stores = {
            settings.profile.store_hash: Store(settings, now=clock.now, late_by=self._late_by, seed=seed)
            for settings in stores
        }
        super().__init__(clock=clock, seed=seed)

    def routes(self) -> list[BaseRoute]:
        desk = Desk(self.stores)
        rooms = (routes_v2, routes_v3, routes_catalog, routes_channels, routes_customers, routes_metafields)
        own = [*control_routes(self), *master_routes(self)]
        return [*own, *(route for room in rooms for route in room.routes(desk))]

    def pages(self) -> BigCommercePages:
        return BigCommercePages(self)

    def refusal(self, exchange: Exchange, fault: Fault, status: int) -> Response:
        """The vendor's error shapes. A fault's 429 has no quota headers, as when the platform is overloaded."""
        title = str(fault.options.get("text", _TITLES.get(status, "Something went wrong.")))
        refused = RefusedError(status, title, plain=bool(fault.options.get("plain", False)))
        response = answer(refused, version_of(exchange.path))
        if fault.retry_after is not None:
            response.headers["X-Retry-After"] = f"{fault.retry_after:g}"
        return response

    async def startup(self) -> None:
        for store in self.stores.values():
            await store.deliveries.start()

    async def shutdown(self) -> None:
        for store in self.stores.values():
            await store.deliveries.stop()

    def _late_by(self) -> float:
        fault = self.faults.take("late_visibility")
        return fault.seconds if fault else 0.0
