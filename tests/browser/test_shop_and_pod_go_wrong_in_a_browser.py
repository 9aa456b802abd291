"""Money that goes back, webhooks that end, answers that are lost: pressed and read on the simulated systems' pages."""

import re
from decimal import Decimal

import httpx
import pytest
from playwright.async_api import BrowserContext, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from support.browser import PATIENCE, keep_picture, watched
from support.fusion_pod import JSON_ERRORS, Pod, import_body, sale

from sandbox.bigcommerce import US_SHOP, BigCommerceTwin, Shape, StoreSettings, draft, statuses
from sandbox.fusion import FusionTwin, demo_world
from sandbox.kit import serve

CONNECTOR = "https://connector.example.com"


async def test_a_piece_is_refunded_and_a_declined_payment_is_paid_again(
    person: BrowserContext, shops: BigCommerceTwin
) -> None:
    shop = shops.stores[US_SHOP.store_hash].shop
    order = shop.place(draft(Shape.ORDINARY, US_SHOP, seed=1))
    line = order.lines[0]
    async with watched(person, shops, f"/_twin/pages/orders/us1abc/{order.id}") as page:
        said = page.get_by_role("status")
        await page.get_by_label(f"Pieces of {line.item.name} to refund", exact=True).fill("1")
        await page.get_by_role("button", name=f"Refund {line.item.name}", exact=True).click()
        await expect(said).to_contain_text(f"of order {order.id} were refunded")
        piece = order.refunds[0]
        await expect(page.locator(f"#refund-row-{piece.id}")).to_contain_text(f"{piece.total:,}")
        await expect(page.locator("#order-state")).to_contain_text("Partially Refunded", timeout=PATIENCE)

        await page.get_by_role("checkbox", name="Declined").check()
        await page.get_by_role("button", name="Refund it").click()
        await expect(said).to_contain_text("the payment was declined")
        rest = order.refunds[1]
        row = page.locator(f"#refund-row-{rest.id}")
        await expect(row).to_contain_text("declined")
        assert order.status_id == statuses.PARTIALLY_REFUNDED
        assert shop.truth()[order.id].refunded == piece.total, "a declined payment gives nothing back"

        await page.get_by_role("button", name=f"Repeat the payment of refund {rest.id}").click()
        await expect(row).not_to_contain_text("declined")
        await expect(page.locator("#order-state")).to_contain_text("Refunded", timeout=PATIENCE)
        assert shop.truth()[order.id].refunded == order.priced.total.inc
        await keep_picture(page, "order-refunded")

        await page.get_by_role("link", name="Refunds").click()
        await expect(page.locator("#refunds-total")).to_contain_text(f"{order.priced.total.inc:,}")
        await expect(page.locator(f"#refund-{piece.id}")).to_contain_text(str(order.id))
    assert piece.total + rest.total == order.priced.total.inc > Decimal(0)


async def test_a_webhook_that_is_switched_off_delivers_nothing_until_it_is_switched_on(person: BrowserContext) -> None:
    got: list[bytes] = []

    async def take(request: Request) -> Response:
        got.append(await request.body())
        return Response()

    shops = BigCommerceTwin([StoreSettings(US_SHOP, activation_delay=0)])
    store = shops.stores[US_SHOP.store_hash]
    async with serve(Starlette(routes=[Route("/{path:path}", take, methods=["POST"])])) as receiver, serve(shops):
        store.deliveries.reachable[CONNECTOR] = receiver.url
        wanted = {"scope": "store/order/created", "destination": f"{CONNECTOR}/hooks", "is_active": True}
        hook = store.subscriptions.create(store.accounts[0], wanted)
        async with watched(person, shops, "/_twin/pages/webhooks") as page:
            row, log = page.locator(f"#hook-{hook.id}"), page.locator("#log")
            await expect(row).to_contain_text("active")
            heard = store.shop.place(draft(Shape.ORDINARY, US_SHOP)).id
            await expect(log.get_by_role("link", name=str(heard))).to_be_visible(timeout=PATIENCE)
            await expect(page.locator("#states")).to_contain_text("1 delivered", timeout=PATIENCE)

            await page.get_by_role("button", name=f"Deactivate subscription {hook.id}").click()
            await expect(page.get_by_role("status")).to_contain_text("was deactivated")
            await expect(row).to_contain_text("deactivated by the vendor")
            missed = store.shop.place(draft(Shape.ORDINARY, US_SHOP)).id
            await keep_picture(page, "webhook-off")

            await page.get_by_role("button", name=f"Re-activate subscription {hook.id}").click()
            await expect(page.get_by_role("status")).to_contain_text("was re-activated")
            again = store.shop.place(draft(Shape.ORDINARY, US_SHOP)).id
            await expect(log.get_by_role("link", name=str(again))).to_be_visible(timeout=PATIENCE)
            await expect(page.locator("#states")).to_contain_text("2 delivered", timeout=PATIENCE)
            await expect(log.get_by_role("link", name=str(missed))).to_have_count(0)
    assert len(got) == 2, "what happened meanwhile is never sent"


async def test_an_import_whose_answer_is_lost_is_in_the_books_all_the_same(person: BrowserContext) -> None:
    twin = FusionTwin(demo_world())
    headers = {"Accept": JSON_ERRORS}
    async with serve(twin), httpx.AsyncClient(base_url=twin.url, headers=headers, timeout=60) as http:
        pod = Pod(twin, http)
        await pod.sign_in()
        today = twin.clock.now().date()
        async with watched(person, twin) as page:
            await page.get_by_role("button", name="Import answer lost").click()
            await expect(page.locator("#in-force")).to_contain_text("1 time more", timeout=PATIENCE)
            with pytest.raises(httpx.TransportError):
                await pod.erp(import_body(sale("order-7", "1234.50", day=today)))
            await expect(page.locator("#in-force")).to_contain_text("None.", timeout=PATIENCE)
            twin.clock.advance(60)
            row = page.get_by_role("row", name=re.compile("order-7"))
            await expect(row).to_contain_text("1,234.50 USD", timeout=PATIENCE)
            await expect(row).to_contain_text("Posted", timeout=PATIENCE)
            await keep_picture(page, "answer-lost")
            await pod.run(sale("order-8", "10.00", day=today, group="1002"), group="1002")
            await expect(page.get_by_role("row", name=re.compile("order-8"))).to_be_visible(timeout=PATIENCE)
    assert len(twin.journals()) == 2
