"""The pages of the shops: what they sold, to whom, and whom they told, with buttons for people and for bad luck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

from starlette.requests import Request

from sandbox.bigcommerce import statuses
from sandbox.bigcommerce.buttons import PROVIDERS, Buttons, left_to_refund
from sandbox.bigcommerce.buttons_master import GROUP_NAMES, HABITS, MasterButtons
from sandbox.bigcommerce.customers import ATTRIBUTES
from sandbox.bigcommerce.documents import Order
from sandbox.bigcommerce.money import ZERO
from sandbox.bigcommerce.orders import Shape
from sandbox.bigcommerce.store import Store
from sandbox.bigcommerce.subscriptions import SCOPES
from sandbox.bigcommerce.webhooks import Delivery
from sandbox.kit import Knob, Pages, View
from sandbox.kit.knobs import KINDS, by, lasting, times, usual_knobs
from sandbox.kit.pages import Act
from sandbox.kit.paging import Leaf, newest_first

if TYPE_CHECKING:
    from sandbox.bigcommerce.app import BigCommerceTwin

LATEST: Final = 12
"""Orders of each shop on the overview."""
TONES: Final[Mapping[int, str]] = {
    statuses.INCOMPLETE: "idle",
    statuses.PENDING: "idle",
    statuses.AWAITING_PAYMENT: "idle",
    statuses.MANUAL_VERIFICATION: "warn",
    statuses.DISPUTED: "warn",
    statuses.PARTIALLY_REFUNDED: "warn",
    statuses.REFUNDED: "warn",
    statuses.CANCELLED: "bad",
    statuses.DECLINED: "bad",
}
"""How a status looks where it is not good news."""
DELIVERY_TONES: Final[Mapping[str, str]] = {
    "waiting": "idle",
    "held": "warn",
    "delivered": "good",
    "dropped": "bad",
    "exhausted": "bad",
    "abandoned": "bad",
}


@dataclass(frozen=True)
class OrderLine:
    """An order in a list, with how its webhooks fare."""

    order: Order
    refunded: Decimal
    deliveries: Counter[str]

    @property
    def tone(self) -> str:
        return TONES.get(self.order.status_id, "good")


class BigCommercePages(Pages):
    """What `BigCommerceTwin` shows at `/`."""

    title = "BigCommerce twin"
    lead = "Simulated shops, as their merchants and shoppers see them"
    templates: ClassVar[Path] = Path(__file__).parent / "templates"
    twin: BigCommerceTwin

    def __init__(self, twin: BigCommerceTwin) -> None:
        self._buttons = Buttons(twin)
        self._master = MasterButtons(twin)
        super().__init__(twin)
        self._templates.globals.update(
            labels=statuses.LABELS,
            delivery_tones=DELIVERY_TONES,
            shapes=list(Shape),
            providers=PROVIDERS,
            stores=self.twin.stores,
            groups=GROUP_NAMES,
            attributes=ATTRIBUTES,
            habits=HABITS,
            key_of=lambda delivery: f"{delivery.webhook_id}-{id(delivery):x}",
        )

    def views(self) -> list[View]:
        overview, faults, calls = super().views()
        return [
            overview,
            View("orders", "Orders", "orders.html", self.orders),
            View("orders/{store_hash}/{order_id:int}", "Order", "order.html", self.order, under="orders"),
            View("refunds", "Refunds", "refunds.html", self.refunds),
            View("webhooks", "Webhooks", "webhooks.html", self.webhooks),
            View("products", "Products", "products.html", self.products),
            View("customers", "Customers", "customers.html", self.customers),
            faults,
            calls,
        ]

    def acts(self) -> dict[str, Act]:
        return super().acts() | self._buttons.acts() | self._master.acts()

    def kinds(self) -> dict[str, str]:
        return KINDS | {"late_visibility": "New orders are hidden"}

    def knobs(self) -> tuple[Knob, ...]:
        return (
            *usual_knobs(),
            Knob(
                "lost_answer",
                "Answer lost",
                "The next change a client makes is done, and the connection cut before it hears of it.",
                "lost_answer",
                {"method": "POST|PUT|PATCH|DELETE"},
                (times(),),
            ),
            Knob(
                "hidden",
                "New orders hidden",
                "New orders are announced at once and can be read only later.",
                "late_visibility",
                measures=(by(10), lasting(60)),
            ),
        )

    # What the pages show

    def overview(self, request: Request) -> dict[str, Any]:
        return {
            "shops": [
                {
                    "store": store,
                    "lines": self._lines(store, newest_first(list(store.shop.orders.values()), None, LATEST).rows),
                    "refunds": sum(len(order.refunds) for order in store.shop.orders.values()),
                    "sold": sum((order.priced.total.inc for order in store.shop.orders.values()), ZERO),
                    "products": len(store.catalog.products),
                    "customers": len(store.customers.rows),
                    "hooks": store.subscriptions.every(),
                    "deliveries": Counter(delivery.state for delivery in store.deliveries.log),
                }
                for store in self.twin.stores.values()
            ],
            "calls": newest_first(list(self.twin.calls), None, 8),
        }

    def orders(self, request: Request) -> dict[str, Any]:
        store = self._store(request)
        sought = request.query_params.get("sought", "").strip()
        status = request.query_params.get("status", "")
        rows = [
            order
            for order in store.shop.orders.values()
            if (not sought or sought in str(order.id)) and status in ("", str(order.status_id))
        ]
        leaf = newest_first(rows, request.query_params.get("page"))
        return {
            "store": store,
            "leaf": leaf,
            "lines": self._lines(store, leaf.rows),
            "sought": sought,
            "status": status,
        }

    def order(self, request: Request) -> dict[str, Any]:
        store_hash, order_id = request.path_params["store_hash"], request.path_params["order_id"]
        if store_hash not in self.twin.stores:
            raise LookupError(f"There is no store {store_hash}.")
        store = self.twin.stores[store_hash]
        order = store.shop.order(order_id)
        deliveries = [delivery for delivery in store.deliveries.log if delivery.order_id == order_id]
        [line] = self._lines(store, [order])
        return {
            "store": store,
            "order": order,
            "line": line,
            "deliveries": deliveries[::-1][:100],
            "shown": store.shop.visible(order),
            "left": left_to_refund(order),
            "metafields": store.metafields.every(order_id),
        }

    def refunds(self, request: Request) -> dict[str, Any]:
        store = self._store(request)
        rows = [(order, refund) for order in store.shop.orders.values() for refund in order.refunds]
        rows.sort(key=lambda row: row[1].id)
        return {
            "store": store,
            "leaf": newest_first(rows, request.query_params.get("page")),
            "total": sum((refund.total for _, refund in rows if not refund.declined), ZERO),
            "now": self.twin.clock.now(),
        }

    def webhooks(self, request: Request) -> dict[str, Any]:
        store = self._store(request)
        state = request.query_params.get("state", "")
        log = store.deliveries.log
        leaf: Leaf[Delivery] = newest_first(
            [delivery for delivery in log if state in ("", delivery.state)], request.query_params.get("page")
        )
        return {
            "store": store,
            "leaf": leaf,
            "state": state,
            "states": Counter(delivery.state for delivery in log),
            "hooks": store.subscriptions.every(),
            "blocked": {
                hook.id
                for hook in store.subscriptions.every()
                if store.deliveries.blocked(urlsplit(hook.destination).netloc)
            },
            "domains": sorted({urlsplit(hook.destination).netloc for hook in store.subscriptions.every()}),
            "blocked_domains": store.deliveries.blocked_domains(),
            "rules": store.deliveries.rules,
            "mails": store.deliveries.mails[::-1][:20],
            "scopes": sorted(SCOPES),
        }

    def products(self, request: Request) -> dict[str, Any]:
        store = self._store(request)
        sought = request.query_params.get("sought", "").strip().lower()
        rows = [
            row
            for row in store.catalog.products.values()
            if sought in f"{row.id} {row.fields['name']} {row.fields.get('sku', '')}".lower()
            or any(sought in str(each.fields.get("sku", "")).lower() for each in row.variants)
        ]
        return {
            "store": store,
            "leaf": newest_first(rows[::-1], request.query_params.get("page")),
            "sought": request.query_params.get("sought", ""),
            "categories": {category.id: category.name for category in store.profile.categories},
        }

    def customers(self, request: Request) -> dict[str, Any]:
        store = self._store(request)
        sought = request.query_params.get("sought", "").strip().lower()
        told = ("first_name", "last_name", "company", "email")
        rows = [
            row
            for row in store.customers.rows.values()
            if sought in f"{row.id} {' '.join(str(row.fields.get(name, '')) for name in told)}".lower()
        ]
        return {
            "store": store,
            "leaf": newest_first(rows[::-1], request.query_params.get("page")),
            "sought": request.query_params.get("sought", ""),
        }

    def _store(self, request: Request) -> Store:
        """The chosen store, else the first one. LookupError for one that is not there."""
        wanted = request.query_params.get("store") or next(iter(self.twin.stores))
        if wanted not in self.twin.stores:
            raise LookupError(f"There is no store {wanted}.")
        return self.twin.stores[wanted]

    def _lines(self, store: Store, orders: list[Order]) -> list[OrderLine]:
        """The orders of one page; one pass over the log, however long it is."""
        wanted = {order.id: Counter[str]() for order in orders}
        for delivery in store.deliveries.log:
            if delivery.order_id in wanted:
                wanted[delivery.order_id][delivery.state] += 1
        return [
            OrderLine(
                order, sum((refund.total for refund in order.refunds if not refund.declined), ZERO), wanted[order.id]
            )
            for order in orders
        ]
