"""The pages of the simulated systems in a real browser: watched while something happens, and made to go wrong.

`SCREENSHOTS=DIRECTORY` keeps pictures of what was seen.
"""

import re

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, expect
from support.browser import PATIENCE, keep_picture, watched
from support.fusion_pod import JSON_ERRORS, Pod, invoice_body, sale

from sandbox.bigcommerce import US_SHOP, BigCommerceTwin, Shape, draft, statuses
from sandbox.fusion import FusionTwin, demo_world
from sandbox.fusion.receivables.applications import Wanted
from sandbox.kit import serve


async def test_a_fault_set_by_its_button_strikes_and_an_order_placed_by_another_is_seen_to_change(
    person: BrowserContext, shops: BigCommerceTwin
) -> None:
    shop = shops.stores[US_SHOP.store_hash].shop
    async with watched(person, shops) as page, httpx.AsyncClient(base_url=shops.url, timeout=60) as client:
        await page.evaluate("window.stayed = true")
        await page.get_by_role("button", name="Outage").click()
        await expect(page.get_by_role("status")).to_contain_text("Outage: every call")
        await expect(page.locator("#in-force")).to_contain_text("Down")
        assert (await client.get("/stores/us1abc/v2/orders")).status_code == 503
        await expect(page.locator("#calls")).to_contain_text("/stores/us1abc/v2/orders", timeout=PATIENCE)

        await page.get_by_label("Basket").select_option("wrapping")
        await page.get_by_role("button", name="Place", exact=True).click()
        row = page.get_by_role("row", name="1001")
        await expect(row).to_contain_text("Awaiting Fulfillment")
        shop.set_status(1001, statuses.SHIPPED)
        await expect(row).to_contain_text("Shipped", timeout=PATIENCE)
        await page.get_by_role("button", name="Cancel order 1001").click()
        await expect(row).to_contain_text("Cancelled")
        assert shop.order(1001).status_id == statuses.CANCELLED
        await keep_picture(page, "shops")

        await page.get_by_role("button", name="Clear Down").click()
        await expect(page.locator("#in-force")).to_contain_text("None.")
        assert list(shops.faults) == []
        assert await page.evaluate("window.stayed"), "no button loads the page anew"


async def test_what_is_being_typed_is_not_overwritten_and_what_was_open_stays_open(
    person: BrowserContext, shops: BigCommerceTwin
) -> None:
    shop = shops.stores[US_SHOP.store_hash].shop
    order = shop.place(draft(Shape.ORDINARY, US_SHOP))
    line = order.lines[0]
    async with watched(person, shops, f"/_twin/pages/orders/us1abc/{order.id}") as page:
        quantity = page.get_by_label(f"Quantity of {line.item.name}", exact=True)
        await quantity.fill("7")
        shop.set_status(order.id, statuses.COMPLETED)
        await expect(page.locator("#order-state")).to_contain_text("Completed", timeout=PATIENCE)
        await expect(quantity).to_have_value("7")
        button = page.get_by_role("button", name=f"Change {line.item.name}", exact=True)
        await button.focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#order-state")).to_contain_text(f"{order.priced.total.inc:,}")
        await expect(page.get_by_role("status")).to_contain_text(f"Order {order.id} was edited")
        assert line.item.quantity == 7
        await expect(button).to_be_focused()
        await quantity.fill("0.5")
        await button.click()
        assert line.item.quantity == 7, "the browser itself knows that this is no quantity"


async def test_an_order_is_edited_in_every_way_and_shows_what_apps_attach_to_it(
    person: BrowserContext, shops: BigCommerceTwin
) -> None:
    store = shops.stores[US_SHOP.store_hash]
    order = store.shop.place(draft(Shape.ORDINARY, US_SHOP))
    lines = len(order.lines)
    async with watched(person, shops, f"/_twin/pages/orders/us1abc/{order.id}") as page:
        said = page.get_by_role("status")
        await page.get_by_role("combobox", name="Add").select_option(index=1)
        await page.get_by_label("Pieces", exact=True).fill("2")
        await page.get_by_role("button", name="Add it").click()
        await expect(said).to_contain_text("was edited")
        assert (len(order.lines), order.lines[-1].item.quantity) == (lines + 1, 2)

        await page.get_by_label("Cost", exact=True).fill("4.00")
        await page.get_by_label("Its tax", exact=True).fill("0.33")
        await page.get_by_role("button", name="Charge it").click()
        await expect(page.locator("#lines")).to_contain_text("Fees")
        await expect(page.get_by_role("button", name="Replace 1 fee")).to_be_visible()
        assert [(str(fee.cost), str(fee.tax)) for fee in order.fees] == [("4.00", "0.33")]

        await page.get_by_label("Ship everything to").select_option(index=1)
        await page.get_by_role("button", name="Move it").click()
        await expect(page.locator("#facts")).to_contain_text(US_SHOP.people[1].city)

        await page.get_by_role("button", name="Take all tax off").click()
        await expect(page.get_by_role("button", name="Charge tax again")).to_be_visible()
        assert order.draft.tax_exempt

        await expect(page.locator("#metafields")).to_contain_text("None.")
        note = {"namespace": "ml_connector", "key": "fusion", "value": '{"state":"posted"}', "permission_set": "read"}
        store.metafields.create(order, store.accounts[0], note)
        await expect(page.locator("#metafields")).to_contain_text('{"state":"posted"}', timeout=PATIENCE)
        await keep_picture(page, "order-edited")


async def test_products_and_customers_are_changed_where_they_are_listed(
    person: BrowserContext, shops: BigCommerceTwin
) -> None:
    store = shops.stores[US_SHOP.store_hash]
    product, customer = US_SHOP.products[0], next(each for each in US_SHOP.people if each.customer_id)
    async with watched(person, shops, "/_twin/pages/products") as page:
        await page.get_by_label(f"Price of {product.name}", exact=True).fill("19.5")
        await page.get_by_role("button", name=f"Change {product.name}", exact=True).click()
        await expect(page.get_by_role("status")).to_contain_text("was changed")
        assert store.catalog.get(product.id).fields["price"] == 19.5
        await page.get_by_role("button", name=f"Hide {product.name}", exact=True).click()
        await expect(page.locator(f"#product-{product.id}")).to_contain_text("do not see it")
        await page.get_by_label("Number, name or SKU contains").fill(product.sku)
        await page.get_by_role("button", name="Show", exact=True).first.click()
        await expect(page.locator("#products tbody tr")).to_have_count(1)
        await keep_picture(page, "products")
        await page.get_by_role("link", name="Customers").click()
        name = f"{customer.first_name} {customer.last_name}"
        await page.get_by_label(f"Group of {name}", exact=True).select_option("2")
        await page.get_by_role("button", name=f"Change {name}", exact=True).click()
        await expect(page.get_by_role("status")).to_contain_text(f"Customer {customer.customer_id} was changed")
        assert store.customers.get(customer.customer_id).fields["customer_group_id"] == 2
        await keep_picture(page, "customers")


async def test_a_credit_memo_is_watched_while_it_is_applied_and_taken_back(person: BrowserContext) -> None:
    twin = FusionTwin(demo_world())
    headers = {"Accept": JSON_ERRORS}
    async with serve(twin), httpx.AsyncClient(base_url=twin.url, headers=headers, timeout=60) as http:
        pod = Pod(twin, http)
        await pod.sign_in()
        today = twin.clock.now().date().isoformat()
        await pod.billed(invoice_body("MLC-1", "100.00", TransactionDate=today, AccountingDate=today))
        [invoice] = twin.invoices()
        line = {"LineNumber": 1, "LineDescription": "Back", "LineQuantityCredit": 1, "UnitSellingPrice": "-30.00"}
        body = {
            "BusinessUnit": "US Web Sales",
            "TransactionSource": "ML Connector",
            "TransactionType": "Web Credit Memo",
            "TransactionNumber": "CM-1",
            "TransactionDate": today,
            "CreditMemoCurrency": "USD",
            "BillToCustomerNumber": "1006",
            "receivablesCreditMemoLines": [line],
        }
        async with watched(person, twin, "/_twin/pages/credits") as page:
            await expect(page.locator("#credits")).to_contain_text("No credit memos.")
            memo = twin.credit_memos.create(body, "receivablesCreditMemos")
            row = page.locator(f"#credit-{memo.id}")
            await expect(row).to_contain_text("nothing", timeout=PATIENCE)
            twin.receivables.applications.apply(Wanted(memo, invoice), "CreditMemoService")
            await expect(row.get_by_role("link", name="MLC-1")).to_be_visible(timeout=PATIENCE)
            await keep_picture(page, "credits")
            await row.get_by_role("link", name="MLC-1").click()
            await expect(page.locator("#invoice-state")).to_contain_text("70.00 open")
            await page.get_by_role("button", name="Take the application of CM-1 back").click()
            await expect(page.locator("#invoice-state")).to_contain_text("100.00 open")
            await expect(page.locator("#applications")).to_contain_text("taken back")


async def test_who_pauses_sees_the_page_stand_still(person: BrowserContext, shops: BigCommerceTwin) -> None:
    shop = shops.stores[US_SHOP.store_hash].shop
    async with watched(person, shops) as page:
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator("#live")).to_contain_text("paused")
        before = await page.locator("#clock").inner_text()
        shop.place(draft(Shape.ORDINARY, US_SHOP))
        await page.get_by_role("button", name="Pause").click()
        assert await page.locator("#clock").inner_text() >= before
        await expect(page.get_by_role("row", name="1001")).to_be_visible(timeout=PATIENCE)


async def test_while_the_port_is_closed_the_page_says_so_and_comes_back_by_itself(
    person: BrowserContext, shops: BigCommerceTwin
) -> None:
    assert shops.listener is not None
    async with watched(person, shops) as page:
        shops.listener.refuse()
        await expect(page.locator("#live")).to_contain_text("no answer", timeout=PATIENCE)
        await shops.listener.accept()
        await expect(page.locator("#live")).to_contain_text("live", timeout=PATIENCE)


async def test_without_scripts_the_buttons_work_too(browser: Browser, shops: BigCommerceTwin) -> None:
    context = await browser.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    await page.goto(shops.url)
    await page.get_by_role("button", name="Place", exact=True).click()
    await expect(page.get_by_role("status")).to_contain_text("Order 1001 was placed")
    await page.reload()
    assert list(shops.stores[US_SHOP.store_hash].shop.orders) == [1001], "loading again places nothing again"
    await context.close()


async def test_journals_appear_while_the_pod_is_watched_and_a_closed_period_refuses_the_next(
    person: BrowserContext,
) -> None:
    twin = FusionTwin(demo_world())
    headers = {"Accept": JSON_ERRORS}
    async with serve(twin), httpx.AsyncClient(base_url=twin.url, headers=headers, timeout=60) as http:
        pod = Pod(twin, http)
        await pod.sign_in()
        today = twin.clock.now().date()
        period = twin.world.ledger("US Primary Ledger").period_of(today)
        assert period is not None
        async with watched(person, twin) as page:
            await pod.run(sale("order-7", "1234.50", day=today))
            row = page.get_by_role("row", name=re.compile("order-7"))
            await expect(row).to_contain_text("1,234.50 USD", timeout=PATIENCE)
            await expect(row).to_contain_text("Posted", timeout=PATIENCE)
            await page.get_by_role("button", name=f"Close {period.name} of US Primary Ledger").click()
            await expect(page.get_by_role("status")).to_contain_text(
                f"{period.name} of US Primary Ledger is now closed"
            )
            await pod.run(sale("order-8", group="1002", day=today), group="1002")
            await expect(page.locator("#tiles")).to_contain_text("2 rows left in the interface", timeout=PATIENCE)
            await keep_picture(page, "pod")
            await page.get_by_role("link", name="Refused groups").click()
            await expect(page.get_by_role("row", name=re.compile("order-8")).first).to_contain_text("EP01")
            await page.get_by_role("link", name="Requests").click()
            await page.locator("summary").first.click()
            await pod.run(sale("order-9", group="1003", day=today), group="1003")
            await expect(page.locator("#requests")).to_contain_text("Import Journals: Child")
            await expect(page.locator("details[open]")).to_have_count(1)


SHOP_PAGES = (
    "/",
    "/_twin/pages/orders",
    "/_twin/pages/orders/us1abc/1003",
    "/_twin/pages/refunds",
    "/_twin/pages/webhooks",
    "/_twin/pages/products",
    "/_twin/pages/customers",
    "/_twin/pages/faults",
)
POD_PAGES = (
    "/",
    "/_twin/pages/periods",
    "/_twin/pages/accounts",
    "/_twin/pages/credits",
    "/_twin/pages/customers",
    "/_twin/pages/items",
    "/_twin/pages/faults",
    "/_twin/pages/calls",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_stands_out_from_its_background(browser: Browser, shops: BigCommerceTwin, scheme: str) -> None:
    """A contrast of 4.5 to 1 (WCAG 2.2, 1.4.3), in both colour schemes."""
    shop = shops.stores[US_SHOP.store_hash].shop
    for status_id in statuses.LABELS:
        shop.place(draft(Shape.ORDINARY, US_SHOP), status_id=status_id)
    shop.refund(shop.place(draft(Shape.ORDINARY, US_SHOP)).id, everything=True, declined=True)
    pod = FusionTwin(demo_world())
    context = await browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": 1440, "height": 1100},
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    async with serve(pod), httpx.AsyncClient(timeout=60) as client:
        for twin, paths in ((shops, SHOP_PAGES), (pod, POD_PAGES)):
            twin.faults.set("latency", seconds=0.01)
            for status in (503, 404):
                twin.faults.set("error", status=status, count=1)
                await client.get(f"{twin.url}/stores")
            for path in paths:
                await page.goto(twin.url + path)
                await expect(page.locator("#live")).to_contain_text("live")
                await keep_picture(page, f"{twin.name}-{scheme}{path.replace('/', '-')}")
                assert await page.evaluate(FAINT) == [], path
    await context.close()


FAINT = """() => {
  const parts = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => (part /= 255) <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = parts(getComputedStyle(element).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || element.closest(".unseen, .skip, noscript, option, script")) continue;
    const [a, b] = [light(parts(getComputedStyle(element).color).slice(0, 3)), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)} ${texts.currentNode.data.trim()}`);
  }
  return found;
}"""
"""Texts with too little contrast."""
