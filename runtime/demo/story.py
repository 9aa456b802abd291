"""What happens this morning: which orders are placed when, and what goes wrong on the way."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from runtime.demo.afterwards import Afterwards, Tell
from sandbox.bigcommerce import (
    EU_SHOP,
    US_SHOP,
    BigCommerceTwin,
    Draft,
    Profile,
    Rule,
    Shape,
    Shop,
    Store,
    draft,
    morning,
    statuses,
)
from sandbox.fusion import FusionTwin

PER_SHOP: Final = 22
"""Everyday orders of each shop: every basket shape the shops know, then ordinary ones."""
DISABLED_ACCOUNT: Final = "101-120-41400-1000"
"""Clearance sales of the US entity. The chart shows it as good; the import refuses it."""
OUTAGE_SECONDS: Final = 4.0
LATE_SECONDS: Final = 6.0


@dataclass
class Told:
    """Orders the reconciliation has something to say about, by connection and order id."""

    unmapped: tuple[str, int] = ("", 0)
    disabled: tuple[str, int] = ("", 0)
    unannounced: list[tuple[str, int]] = field(default_factory=list)


class Morning:
    """Plays against the twins. `tell` gets a line for people whenever something special happens."""

    def __init__(self, fusion: FusionTwin, shops: BigCommerceTwin, tell: Tell) -> None:
        self._fusion = fusion
        self._shops = shops
        self._tell = tell
        self.told = Told()
        self._afterwards = Afterwards(fusion, shops, tell)

    async def play(self) -> None:
        """All orders are placed when this returns, and what happened to them afterwards is in the ledger; the last ones
        are still under way."""
        self._fusion.set_account(DISABLED_ACCOUNT, import_refuses="EF03")
        await asyncio.gather(self._shop("bc-us", US_SHOP, pause=0.35), self._shop("bc-eu", EU_SHOP, pause=0.45))
        self._odd_ones()
        placed = self._afterwards.place()
        self._afterwards.refund_first()
        self._afterwards.switch_off()
        self._tell(f"Fusion goes down for {OUTAGE_SECONDS:g} seconds.")
        self._fusion.faults.set("outage", lasts=OUTAGE_SECONDS)
        self._fusion.faults.set("lost_answer", method="POST", path="/erpintegrations", count=1)
        self._tell("The answer to the next import will be lost after Fusion has accepted it.")
        await self._more_status_changes()
        await self._afterwards.play(placed)

    @property
    def switched_off(self) -> bool:
        """Whether a shop has switched a webhook off by now, or had."""
        return self._afterwards.switched_off

    async def _shop(self, connection: str, profile: Profile, *, pause: float) -> None:
        shop, deliveries = self._store(profile).shop, self._store(profile).deliveries
        self._tell(f"{profile.name} opens: {PER_SHOP} orders, {profile.currency}, prices {_basis(profile)}.")
        for number, basket in enumerate(morning(profile, PER_SHOP, seed=7)):
            order_id = max(shop.orders, default=profile.first_order_id - 1) + 1
            if number % 9 == 4:
                self._tell(f"Order {order_id} ({connection}) is placed; its webhooks will never be sent.")
                deliveries.rules.append(Rule("drop", order_id=order_id))
                self.told.unannounced.append((connection, order_id))
            elif number % 9 == 7:
                self._tell(f"The webhooks of order {order_id} ({connection}) will be {LATE_SECONDS:g} seconds late.")
                deliveries.rules.append(Rule("delay", order_id=order_id, seconds=LATE_SECONDS))
            elif number % 4 == 1:
                deliveries.rules.append(Rule("duplicate", order_id=order_id, seconds=1.0))
            self._place(shop, basket, number)
            await asyncio.sleep(pause)

    def _place(self, shop: Shop, basket: Draft, number: int) -> None:
        """Created with an unfinished checkout, then paid, then changes that are no money: several webhooks each."""
        order_id = shop.place(basket, status_id=statuses.INCOMPLETE).id
        shop.set_status(order_id, statuses.AWAITING_FULFILLMENT)
        if number % 3 == 0:
            shop.touch(order_id, "Checked by the warehouse.")

    def _odd_ones(self) -> None:
        us, eu = self._store(US_SHOP).shop, self._store(EU_SHOP).shop
        unmapped = eu.place(draft(Shape.ORDINARY, EU_SHOP, seed=900, categories=("Antiques",))).id
        self.told.unmapped = ("bc-eu", unmapped)
        self._tell(f"Order {unmapped} (bc-eu) sells an antique: no rule maps that category.")
        disabled = us.place(draft(Shape.ORDINARY, US_SHOP, seed=901, categories=("Clearance",))).id
        self.told.disabled = ("bc-us", disabled)
        self._tell(f"Order {disabled} (bc-us) sells clearance goods: Fusion will refuse account {DISABLED_ACCOUNT}.")
        for number in range(3):
            us.place(draft(Shape.ORDINARY, US_SHOP, seed=910 + number))

    async def _more_status_changes(self) -> None:
        """Shipments after posting: several more webhooks an order, and nothing to post."""
        for shop in (self._store(US_SHOP).shop, self._store(EU_SHOP).shop):
            for order_id in list(shop.orders)[:8]:
                shop.ship(order_id)
                await asyncio.sleep(0.1)

    def enable_account(self) -> None:
        self._fusion.set_account(DISABLED_ACCOUNT, import_refuses=None)

    def _store(self, profile: Profile) -> Store:
        return self._shops.stores[profile.store_hash]


def _basis(profile: Profile) -> str:
    return "with tax" if profile.tax_inclusive else "without tax"
