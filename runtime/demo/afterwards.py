"""What happens to orders after they were placed: money goes back in every way a shop knows, one is edited, one is
cancelled, one is billed and credited, one refund is heard of before its order, and a shop switches a webhook off."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from runtime.demo.wholesale import CHANNEL, NAME
from sandbox.bigcommerce import (
    EU_SHOP,
    US_SHOP,
    BigCommerceTwin,
    Draft,
    Profile,
    Returned,
    Rule,
    Shape,
    Shop,
    draft,
    statuses,
)
from sandbox.fusion import FusionTwin

EARLY_SECONDS: Final = 6.0
"""How much earlier than its order's webhooks the one of a refund comes."""
DECLINED_SECONDS: Final = 5.0
PATIENCE: Final = 100.0
"""Seconds until the demo no longer waits for a journal; the reconciliation then says what is missing."""
OTHER_THAN_REFUNDS: Final = "store/order/[!r]*"
PLACED: Final = "store/order/created"
SEED: Final = 933
"""Before the first basket: these baskets have pieces and shipping to give back one by one."""

RESTOCKING: Final = Decimal("1.50")
"""What is kept back of a returned piece."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Placed:
    """Orders that something will happen to, by their numbers. The last three are the European shop's."""

    whole: int
    parts: int
    declined: int
    edited: int
    cancelled: int
    tenders: int
    """Paid with a gift certificate, store credit and a card."""
    charged: int
    """With a fee."""
    handled: int
    wrapped: int
    billed: int
    """Of the channel that is billed in Receivables."""
    taxed: int
    credited: int
    amount: int

    @property
    def names(self) -> list[str]:
        """What the journals of their sales are called by."""
        eu = (self.taxed, self.credited, self.amount)
        us = [self.whole, self.parts, self.declined, self.edited, self.cancelled]
        us += [self.tenders, self.charged, self.handled, self.wrapped]
        of = [("bc-us", one) for one in us] + [("bc-eu", one) for one in eu]
        return [f"/{connection}/order/{order_id}/sale/" for connection, order_id in of]


class Afterwards:
    """Plays against the twins, with orders of its own. `tell` gets a line for people."""

    def __init__(self, fusion: FusionTwin, shops: BigCommerceTwin, tell: Tell) -> None:
        self._fusion, self._shops, self._tell = fusion, shops, tell
        self.switched_off = False
        self._seed = SEED
        self._us, self._eu = self._shop(US_SHOP), self._shop(EU_SHOP)

    def refund_first(self) -> None:
        """An order whose webhooks are late: its refund is heard of before it."""
        order_id = max(self._us.orders, default=US_SHOP.first_order_id - 1) + 1
        rule = Rule("delay", scope=OTHER_THAN_REFUNDS, order_id=order_id, seconds=EARLY_SECONDS)
        self._shops.stores[US_SHOP.store_hash].deliveries.rules.append(rule)
        self._us.place(self._draft(US_SHOP))
        refund = self._us.refund(order_id, everything=True)
        self._tell(f"Refund {refund.id} (bc-us) is announced {EARLY_SECONDS:g} seconds before its order {order_id}.")

    def switch_off(self) -> None:
        """A webhook of the European shop, and orders of which nobody hears then."""
        self._shops.stores[EU_SHOP.store_hash].subscriptions.deactivate(PLACED)
        self.switched_off = True
        missed = [self._eu.place(self._draft(EU_SHOP)).id for _ in range(2)]
        orders = " and ".join(map(str, missed))
        self._tell(f"The shop switches webhook {PLACED} (bc-eu) off; orders {orders} are placed unheard.")

    def place(self) -> Placed:
        """The orders that something will happen to."""

        def us(shape: Shape = Shape.ORDINARY, channel_id: int | None = None) -> int:
            return self._us.place(self._draft(US_SHOP, shape), channel_id=channel_id).id

        def eu() -> int:
            return self._eu.place(self._draft(EU_SHOP)).id

        placed = Placed(
            whole=us(),
            parts=us(),
            declined=us(),
            edited=us(),
            cancelled=us(),
            tenders=us(Shape.SPLIT_TENDER),
            charged=us(Shape.FEE),
            handled=us(Shape.HANDLING),
            wrapped=us(Shape.WRAPPING),
            billed=us(channel_id=CHANNEL),
            taxed=eu(),
            credited=eu(),
            amount=eu(),
        )
        self._tell(f"Order {placed.billed} (bc-us) is placed in channel {NAME}: it is billed in Receivables.")
        return placed

    async def play(self, placed: Placed) -> None:
        """Everything is in Fusion's books when this returns, unless that takes too long."""
        await self._booked(*placed.names)
        american, european = self._refund_us(placed), self._refund_eu(placed)
        line = self._us.order(placed.edited).lines[0]
        self._us.edit_line(placed.edited, line.id, quantity=line.item.quantity + 1)
        self._us.set_status(placed.cancelled, statuses.CANCELLED)
        self._tell(f"Order {placed.edited} (bc-us) is edited after posting, order {placed.cancelled} is cancelled.")
        declined = self._us.refund(placed.declined, everything=True, declined=True).id
        self._tell(f"Refund {declined} (bc-us) of all of order {placed.declined}: its payment is declined.")
        await self._credit(placed.billed)
        await asyncio.sleep(DECLINED_SECONDS)
        self._us.repeat_refund(declined)
        self._tell(f"The declined payment of refund {declined} (bc-us) is repeated.")
        await self._booked(
            *(f"/bc-us/refund/{refund_id}/" for refund_id in (*american, declined)),
            *(f"/bc-eu/refund/{refund_id}/" for refund_id in european),
            f"/bc-us/order/{placed.edited}/delta/",
            f"/bc-us/order/{placed.cancelled}/reversal/",
        )

    def _refund_us(self, placed: Placed) -> list[int]:
        """Of things and charges, and to every tender that paid."""
        parts, charged = self._us.order(placed.parts), self._us.order(placed.charged)
        handled, wrapped = self._us.order(placed.handled), self._us.order(placed.wrapped)
        gift = next(line for line in wrapped.lines if line.item.wrapping)
        kept = Returned("PRODUCT", charged.lines[0].id, 1, adjustments=(-RESTOCKING,))
        given = [
            self._us.refund(placed.whole, everything=True),
            self._us.refund(placed.parts, parts.lines[0].id, 1),
            self._us.refund(placed.parts, items=[Returned("SHIPPING", parts.address_ids[0])]),
            self._us.refund(placed.parts, everything=True),
            self._us.refund(placed.tenders, everything=True),
            self._us.refund(placed.charged, items=[Returned("FEE", charged.fee_id(0))]),
            self._us.refund(placed.charged, items=[kept]),
            self._us.refund(placed.handled, items=[Returned("HANDLING", handled.address_ids[0])]),
            self._us.refund(placed.wrapped, items=[Returned("GIFT_WRAPPING", gift.id, 1)]),
        ]
        self._tell(
            f"Refunds (bc-us): all of order {placed.whole}; one piece, the shipping, then the rest of {placed.parts}; "
            f"{placed.tenders} to the three tenders that paid it; the fee of {placed.charged}, and a piece of it less "
            f"{RESTOCKING} for restocking; the handling of {placed.handled}; the wrapping of {placed.wrapped}."
        )
        return [one.id for one in given]

    def _refund_eu(self, placed: Placed) -> list[int]:
        line = self._eu.order(placed.credited).lines[0]
        given = [
            self._eu.refund(placed.taxed, tax_adjustment=Decimal("0.50")),
            self._eu.refund(placed.credited, line.id, line.item.quantity, payments="storecredit"),
            self._eu.refund(placed.amount, items=[Returned("ORDER", placed.amount, amount=Decimal("5.00"))]),
        ]
        self._tell(
            f"Refunds (bc-eu): tax alone of order {placed.taxed}; a whole line of {placed.credited}, as store credit; "
            f"an amount of {placed.amount}."
        )
        return [one.id for one in given]

    async def _credit(self, billed: int) -> None:
        """A piece of an order that is billed: a credit memo, applied to the order's invoice."""
        await self._until(lambda: any(one.given.get("PurchaseOrder") == str(billed) for one in self._fusion.invoices()))
        line = self._us.order(billed).lines[0]
        refund = self._us.refund(billed, line.id, 1).id
        self._tell(f"Refund {refund} (bc-us) of a piece of order {billed}: a credit memo.")
        await self._until(lambda: bool(self._fusion.applications()))

    async def _booked(self, *names: str) -> None:
        """Until a posted journal of each is in the ledger."""

        def there() -> bool:
            posted = [one.given_name for one in self._fusion.journals() if one.batch.status == "P"]
            return all(any(name in one for one in posted) for name in names)

        await self._until(there)

    async def _until(self, true: Callable[[], bool]) -> None:
        gives_up_at = time.monotonic() + PATIENCE
        while time.monotonic() < gives_up_at:
            if true():
                return
            await asyncio.sleep(0.3)

    def _draft(self, profile: Profile, shape: Shape = Shape.ORDINARY) -> Draft:
        self._seed += 1
        return draft(shape, profile, seed=self._seed)

    def _shop(self, profile: Profile) -> Shop:
        return self._shops.stores[profile.store_hash].shop
