"""What happens to orders and items after they were posted, with texts about people at every place that has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.leaks.canaries import NOTES, POD_USER
from support.stack import eventually

from contracts import names
from contracts.flow import State
from runtime.demo.wholesale import CHANNEL
from sandbox.bigcommerce import US_SHOP, Returned, Shape, draft, statuses
from sandbox.bigcommerce.access import Account
from sandbox.bigcommerce.documents import Order, Refund

if TYPE_CHECKING:
    from support.leaks.story import Teller

REASON, ITEM_REASON, DECLINED, NOTE = NOTES
SKU = "KIT-TOWEL"


async def give_back(teller: Teller) -> None:
    """A piece, all with a payment that is declined and repeated, more than was charged, and one as a credit memo."""
    shop = teller.shop
    pieces, declined, over, billed = [await _sold(teller, 60 + number, number == 3) for number in range(4)]
    line = pieces.lines[0]
    refund = shop.refund(
        pieces.id, items=[Returned("PRODUCT", line.id, 1, reason=NOTES[ITEM_REASON])], reason=NOTES[REASON]
    )
    await _announced(teller, pieces, refund)
    await teller.ended(refund.id, State.POSTED, kind=names.REFUND)

    refused = shop.refund(declined.id, everything=True, declined=True, reason=NOTES[REASON])
    for payment in refused.payments:
        payment.declined_message = NOTES[DECLINED]
    await _announced(teller, declined, refused)
    told = NOTES[DECLINED].encode()
    await eventually(lambda: any(told in answer for answer in teller.story.served.values()), "the shop said why")
    await teller.command("audit", "show", str(declined.id))
    shop.repeat_refund(refused.id)
    await teller.ended(refused.id, State.POSTED, kind=names.REFUND)

    more = over.priced.total.inc + 5
    wanted = Returned("ORDER", over.id, amount=more, reason=NOTES[ITEM_REASON])
    excess = shop.refund(over.id, items=[wanted], override=(more, more - more), over=True, reason=NOTES[REASON])
    await _announced(teller, over, excess)
    await teller.ended(excess.id, State.NEEDS_REVIEW, kind=names.REFUND)
    document = f"bc-us/{names.REFUND}/{excess.id}"
    await teller.command("review", "show", document)
    await teller.command("review", "show", document, "--json")
    await teller.command("review", "resolve", document, "skip", "--who", "dana", "--why", "typed twice")
    await teller.ended(excess.id, State.SKIPPED, kind=names.REFUND)

    memo = shop.refund(
        billed.id, items=[Returned("PRODUCT", billed.lines[0].id, 1, reason=NOTES[ITEM_REASON])], reason=NOTES[REASON]
    )
    await _announced(teller, billed, memo)
    await teller.ended(memo.id, State.POSTED, kind=names.REFUND)
    assert teller.fusion.applications(), "no credit memo was applied"


async def edit_and_cancel(teller: Teller) -> None:
    """An order with another app's note is edited, then taken back."""
    store = teller.shops.stores[US_SHOP.store_hash]
    order = await _sold(teller, 70)
    crm = Account(US_SHOP.store_hash, "crm", "no-secret", "no-token")
    note = {"namespace": "ml_connector", "key": "fusion", "value": NOTES[NOTE], "permission_set": "read"}
    store.metafields.create(order, crm, {**note, "description": NOTES[NOTE]})
    line = order.lines[0]
    store.shop.edit_line(order.id, line.id, quantity=line.item.quantity + 1)
    await teller.deliver(order.id)
    await eventually(lambda: _journals(teller, f"order/{order.id}/delta/"), "the difference is posted")
    store.shop.set_status(order.id, statuses.CANCELLED)
    await teller.deliver(order.id)
    await teller.ended(order.id, State.REVERSED)
    own = store.accounts[0].client_id
    await eventually(
        lambda: {row.owner for row in store.metafields.every(order.id)} == {"crm", own}, "the order says so in the shop"
    )
    await teller.command("audit", "show", str(order.id), "--json")


async def rename_item(teller: Teller) -> None:
    """An item that a user of the pod made is named otherwise than its product."""
    catalog = teller.shops.stores[US_SHOP.store_hash].catalog
    (product,) = [one for one in catalog.products.values() if one.fields.get("sku") == SKU]
    teller.fusion.items.user = POD_USER
    teller.fusion.items.add(ItemNumber=SKU, ItemDescription="Flax towel", OrganizationCode="ITM")
    await teller.announce("store/product/updated", {"type": "product", "id": product.id})
    await eventually(lambda: catalog.get(product.id).fields["name"] == "Flax towel", "the product has the item's name")
    await teller.command("items", "links", "shop-us")
    await teller.command("items", "unmapped", "shop-us", "--csv", fails=None)


async def _sold(teller: Teller, seed: int, billed: bool = False) -> Order:
    order = teller.shop.place(
        draft(Shape.ORDINARY, teller.shop.profile, seed=seed), channel_id=CHANNEL if billed else None
    )
    await teller.deliver(order.id)
    await teller.ended(order.id, State.POSTED)
    return order


async def _announced(teller: Teller, order: Order, refund: Refund) -> None:
    data = {"type": "order", "id": order.id, "refund": {"refund_id": refund.id, "reason": refund.reason}}
    await teller.announce("store/order/refund/created", data)


def _journals(teller: Teller, name: str) -> bool:
    return any(name in one.given_name and one.batch.status == "P" for one in teller.fusion.journals())
