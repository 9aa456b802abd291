"""The shops as a person sees them: orders, refunds and webhooks, and the buttons of shopper, merchant and bad luck."""

import time
from dataclasses import replace
from decimal import Decimal

import pytest
from support.html_pages import Page
from support.stack import eventually

from sandbox.bigcommerce import US_SHOP, Rule, Shape, draft, statuses
from sandbox.bigcommerce.documents import Fee, Refund

PAGES = "/_twin/pages"
EVIL = "<img src=x onerror=alert(1)>"


async def look(us, path="/", **parameters) -> Page:
    answer = await us.control.get(path, params=parameters or None)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


async def press(us, path="/", /, **fields) -> Page:
    """Send a button's form and follow to the page it leads back to."""
    answer = await us.control.post(path, data={"store": "us1abc", **fields})
    assert answer.status_code == 303, Page(answer.text).by_id("said").text
    return await look(us, answer.headers["location"])


def place(us, shape=Shape.ORDINARY, **facts):
    return us.shop.place(replace(draft(shape, US_SHOP), **facts))


async def test_every_page_can_be_used_by_everybody_and_shows_names_as_they_are_written(us):
    hook = await us.hook()
    us.receiver.status = 500
    person = replace(US_SHOP.people[0], first_name=EVIL, city=EVIL)
    order = place(us, person=person)
    us.shop.touch(order.id, EVIL)
    us.shop.refund(order.id, order.lines[0].id, 1, reason=EVIL)
    await us.settled()
    assert us.store.deliveries.mails
    await press(us, f"{PAGES}/webhooks", act="luck", action="drop", scope="*")
    us.store.catalog.edit(next(iter(us.store.catalog.products)), name=EVIL)
    us.store.customers.edit(next(iter(us.store.customers.rows)), company=EVIL)
    body = {"namespace": EVIL, "key": EVIL, "value": EVIL, "permission_set": "app_only", "description": EVIL}
    us.store.metafields.create(order, us.store.accounts[0], body)
    paths = ("/orders", f"/orders/us1abc/{order.id}", "/refunds", "/webhooks", "/products", "/customers", "/faults")
    for path in ("/", *paths, "/calls"):
        page = await look(us, path if path == "/" else PAGES + path)
        assert page.faults() == [], path
        assert page.every("img") == [], path
    page = await look(us, f"{PAGES}/orders/us1abc/{order.id}")
    assert f"{EVIL} Quill" in page.by_id("facts").text
    page = await look(us, f"{PAGES}/webhooks")
    assert "deactivated by the vendor" in page.by_id(f"hook-{hook['id']}").text
    assert "no delivery succeeded in 48 hours" in page.by_id("mails").text


async def test_a_placed_order_is_on_the_overview_and_on_its_own_page(us):
    page = await press(us, act="place", shape="wrapping", status_id="11", count="1")
    [order] = us.shop.orders.values()
    assert (order.draft.shape, order.status_id) == ("wrapping", statuses.AWAITING_FULFILLMENT)
    assert f"Order {order.id} was placed at Maple & Pine Goods" in page.by_id("said").text
    row = page.by_id(f"order-us1abc-{order.id}")
    assert f"{order.priced.total.inc} USD" in row.text
    assert "Awaiting Fulfillment" in row.text
    page = await look(us, row.every("a")[0].attributes["href"])
    for line in order.lines:
        assert line.item.name in page.by_id(f"line-{line.id}").text


async def test_a_morning_of_orders_is_placed_at_once(us):
    page = await press(us, f"{PAGES}/orders", act="place", shape="mixed", count="30")
    assert len({order.draft.shape for order in us.shop.orders.values()}) > 20
    assert "30 orders were placed" in page.by_id("said").text
    assert len(page.by_id("orders").every("tr")) == 31


async def test_the_merchant_edits_ships_refunds_and_cancels(us):
    order, other = place(us), place(us)
    line = order.lines[0]
    here = f"{PAGES}/orders/us1abc/{order.id}"
    named = {"order_id": str(order.id)}

    page = await press(us, here, act="edit", line_id=str(line.id), quantity="3", unit_price="10.00", **named)
    assert (line.item.quantity, line.item.unit_price) == (3, Decimal("10.00"))
    assert f"became {order.priced.total.inc} USD" in page.by_id("said").text

    await press(us, here, act="touch", **named)
    page = await press(us, here, act="ship", **named)
    assert "Shipped" in page.by_id("order-state").text

    page = await press(us, here, act="refund", line_id=str(line.id), quantity="1", **named)
    [refund] = order.refunds
    assert f"{refund.total} USD of order {order.id} were refunded." in page.by_id("said").text
    assert str(refund.id) in (await look(us, f"{PAGES}/refunds")).by_id("refunds").text

    page = await press(us, act="cancel", order_id=str(other.id))
    assert other.status_id == statuses.CANCELLED
    assert "Cancelled" in page.by_id(f"order-us1abc-{other.id}").text

    await press(us, here, act="status", status_id="10", **named)
    await press(us, here, act="archive", **named)
    assert (order.status_id, order.deleted) == (statuses.COMPLETED, True)


async def test_refunds_of_every_kind_are_made_on_the_page_of_the_order(us):
    order = place(us, Shape.WRAPPING, fees=(Fee("Rush", Decimal("4.00"), Decimal("0.33")),))
    here = f"{PAGES}/orders/us1abc/{order.id}"

    async def refund(what: str, **fields: str) -> Refund:
        page = await press(us, here, act="refund_other", order_id=str(order.id), what=what, **fields)
        made = order.refunds[-1]
        assert f"{made.total} USD of order {order.id} " in page.by_id("said").text
        assert str(made.id) in page.by_id("money").text
        return made

    wrapped = next(line for line in order.lines if line.item.wrapping)
    offered = [each.attributes["value"] for each in (await look(us, here)).by_id("refund").every("option")]
    assert {"everything", "amount", "tax", f"GIFT_WRAPPING-{wrapped.id}", f"SHIPPING-{order.address_ids[0]}"} <= {
        *offered
    }

    shipping = await refund(f"SHIPPING-{order.address_ids[0]}", amount="1.50", provider="storecredit")
    assert (shipping.items[0].amount, shipping.payments[0].provider_id) == (Decimal("1.50"), "storecredit")
    wrapping = await refund(f"GIFT_WRAPPING-{wrapped.id}")
    assert [(one.type, one.quantity) for one in wrapping.items] == [("GIFT_WRAPPING", wrapped.item.quantity)]
    free = await refund("amount", amount="0.70")
    assert (free.total, free.tax, free.items[0].type) == (Decimal("0.70"), Decimal(0), "ORDER")
    tax = await refund("tax", amount="0.10")
    assert (tax.total, tax.tax, tax.items) == (Decimal("0.10"), Decimal("0.10"), ())
    typed = await refund("amount", amount="2", total="1.00", tax="0.25")
    assert (typed.total, typed.tax, typed.override) == (Decimal("1.00"), Decimal("0.25"), True)
    rest = await refund("everything")
    assert sum(each.total for each in order.refunds) == order.priced.total.inc
    assert rest.total > 0
    more = await refund("amount", amount="9.99", over="yes")
    assert more.total == Decimal("9.99")
    offered = [each.attributes["value"] for each in (await look(us, here)).by_id("refund").every("option")]
    assert not any("-" in each for each in offered), "nothing is left"


async def test_a_declined_refund_is_shown_as_such_until_it_is_paid_again(us):
    order = place(us)
    here = f"{PAGES}/orders/us1abc/{order.id}"
    named = {"order_id": str(order.id)}
    page = await press(us, here, act="refund_other", what="everything", declined="yes", **named)
    [refund] = order.refunds
    assert "the payment was declined" in page.by_id("said").text
    assert "declined" in page.by_id(f"refund-row-{refund.id}").text
    page = await look(us, f"{PAGES}/refunds")
    assert "declined" in page.by_id(f"refund-{refund.id}").text
    assert page.by_id("refunds-total").text == "0.00 in all"
    page = await press(us, here, act="repeat_refund", refund_id=str(refund.id), **named)
    assert "declined" not in page.by_id(f"refund-row-{refund.id}").text
    assert us.shop.truth()[order.id].refunded == order.priced.total.inc


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"act": "place", "shape": "round"}, "There is no basket 'round'."),
        ({"act": "place", "count": "501"}, "Count is a number from 1 to 500"),
        ({"act": "place", "store": "nowhere"}, "There is no store 'nowhere'."),
        ({"act": "cancel", "order_id": "77"}, "Maple & Pine Goods has no order 77."),
        ({"act": "status", "order_id": "1001", "status_id": "15"}, "Status id is a number from 0 to 14"),
        ({"act": "edit", "order_id": "1001", "line_id": "1", "quantity": "1"}, "Order 1001 has no line 1."),
        ({"act": "edit", "order_id": "1001", "line_id": "1", "quantity": "1", "unit_price": "-3"}, "is an amount"),
        (
            {"act": "refund_other", "order_id": "1001", "what": "amount"},
            "Without an amount there is nothing to refund.",
        ),
        ({"act": "refund_other", "order_id": "1001", "what": EVIL}, "left to refund."),
        (
            {"act": "refund_other", "order_id": "1001", "what": "everything", "provider": "x"},
            "cannot be paid back by 'x'",
        ),
        ({"act": "refund_other", "order_id": "1001", "what": "tax", "amount": "1", "total": "1"}, "typed together"),
        ({"act": "refund_other", "order_id": "1001", "what": "amount", "amount": "1E9"}, "of tax left, not"),
        ({"act": "repeat_refund", "order_id": "1001", "refund_id": "7"}, "Order 1001 has no refund 7."),
        ({"act": "redeliver", "webhook_id": EVIL}, "can be repeated."),
        ({"act": "hooks", "what": "win"}, "Subscriptions cannot be told to 'win'."),
        ({"act": "block", "seconds": "5"}, "Which domain is blocked?"),
        ({"act": "hook", "hook_id": "5"}, "There is no webhook subscription 5."),
        ({"act": "luck", "action": "win"}, "Webhooks cannot be told to 'win'."),
    ],
)
async def test_what_cannot_be_done_is_said(us, fields, sentence):
    place(us)
    answer = await us.control.post("/", data={"store": "us1abc", **fields})
    assert answer.status_code == 400
    page = Page(answer.text)
    assert sentence in page.by_id("said").text
    assert page.every("img") == []


async def test_deliveries_are_shown_with_their_attempts_and_sent_again(us):
    await us.hook("store/order/created")
    us.receiver.refusals = [500, 503]
    order = place(us)
    await us.settled()
    here = f"{PAGES}/orders/us1abc/{order.id}"
    [row] = (await look(us, here)).by_id("deliveries").every("tbody")[0].every("tr")
    assert "store/order/created" in row.text
    assert [each.text for each in row.every("span") if each.text.isdigit()] == ["200", "500", "503"]
    [delivery] = us.store.deliveries.log
    await press(us, here, act="redeliver", webhook_id=delivery.webhook_id)
    await us.settled()
    assert [got.body for got in us.receiver.got[-2:]] == [delivery.body] * 2
    assert "once more" in (await look(us, here)).by_id("deliveries").text


async def test_bad_luck_is_set_shown_and_taken_back(us):
    await us.hook("store/order/created")
    webhooks = f"{PAGES}/webhooks"
    page = await press(us, webhooks, act="luck", action="hold", scope="store/order/*", times="1")
    assert "the next 1 webhook" in page.by_id("said").text
    place(us)
    page = await look(us, webhooks)
    assert "1 held" in page.by_id("states").text
    await press(us, webhooks, act="release", order="kept")
    await us.settled()
    assert "1 delivered" in (await look(us, webhooks)).by_id("states").text
    page = await press(us, webhooks, act="lucky")
    assert us.store.deliveries.rules == []
    assert "None. Every event is sent once, at once." in page.by_id("rules").text


async def test_a_subscription_is_deactivated_as_the_vendor_does_and_brought_back(us):
    hook = await us.hook()
    page = await press(us, f"{PAGES}/webhooks", act="hook", hook_id=str(hook["id"]), active="no")
    assert "deactivated by the vendor" in page.by_id(f"hook-{hook['id']}").text
    assert (await us.http.get(f"/v3/hooks/{hook['id']}")).json()["data"]["is_active"] is False
    await press(us, f"{PAGES}/webhooks", act="hook", hook_id=str(hook["id"]), active="yes")
    assert (await us.http.get(f"/v3/hooks/{hook['id']}")).json()["data"]["is_active"] is True


async def test_a_subscription_that_was_idle_for_too_long_stays_on_once_it_is_switched_on_again(us):
    hook = await us.hook()
    us.twin.clock.advance(91 * 86_400)
    page = await look(us, f"{PAGES}/webhooks")
    assert "deactivated by the vendor" in page.by_id(f"hook-{hook['id']}").text
    page = await press(us, f"{PAGES}/webhooks", act="hook", hook_id=str(hook["id"]), active="yes")
    assert "deactivated by the vendor" not in page.by_id(f"hook-{hook['id']}").text


async def test_all_subscriptions_of_an_event_are_deactivated_or_deleted(us):
    created, shipped = await us.hook("store/order/created"), await us.hook("store/shipment/created")
    here = f"{PAGES}/webhooks"
    page = await press(us, here, act="hooks", what="deactivate", scope="store/order/*")
    assert "1 webhook subscription deactivated" in page.by_id("said").text
    assert "deactivated by the vendor" in page.by_id(f"hook-{created['id']}").text
    assert "deactivated" not in page.by_id(f"hook-{shipped['id']}").text
    page = await press(us, here, act="hooks", what="delete")
    assert "2 webhook subscriptions deleted" in page.by_id("said").text
    assert "Nobody has subscribed to anything." in page.by_id("hooks").text


async def test_a_domain_is_blocked_and_delivered_to_again(us):
    hook = await us.hook()
    here = f"{PAGES}/webhooks"
    page = await press(us, here, act="block", domain="connector.example.com", seconds="180")
    assert "delivers nothing to connector.example.com for 3 min" in page.by_id("said").text
    assert "connector.example.com" in page.by_id("blocked").text
    assert "destination blocked" in page.by_id(f"hook-{hook['id']}").text
    assert page.faults() == []
    [domain] = (await us.http.get("/v3/hooks/admin")).json()["data"]["blocked_domains"]
    assert domain["destination"] == "https://connector.example.com"
    page = await press(us, here, act="block", domain="connector.example.com", seconds="0")
    assert "delivers to connector.example.com again" in page.by_id("said").text
    assert "None." in page.by_id("blocked").text


async def test_a_destination_the_vendor_has_blocked_is_shown_as_such(us):
    hook = await us.hook("store/order/created")
    us.store.deliveries.time_scale = 1.0
    us.receiver.status = 500
    for _ in range(100):
        place(us)
    await eventually(lambda: us.store.deliveries.blocked("connector.example.com"), "the domain is blocked")
    page = await look(us, f"{PAGES}/webhooks")
    assert "destination blocked" in page.by_id(f"hook-{hook['id']}").text


async def test_a_quota_shared_with_others_can_be_made_small(us):
    fields = {"requests": "0", "refund_lag": "2.5", "time_scale": "0.5", "activation_delay": "30"}
    page = await press(us, f"{PAGES}/faults", act="settings", **fields)
    assert "0 calls in 30 s" in page.by_id("said").text
    assert (us.shop.refund_lag, us.store.deliveries.time_scale) == (2.5, 0.5)
    assert us.store.subscriptions.activation_delay == 30
    assert (await us.http.get("/v2/orders")).status_code == 429


async def test_what_is_not_there_is_a_page_that_says_so(us):
    for path in ("/orders/us1abc/77", "/orders/nowhere/1", "/orders?store=nowhere", "/webhooks?store=nowhere"):
        answer = await us.control.get(PAGES + path)
        assert answer.status_code == 404
        assert "Not here" in Page(answer.text).every("h1")[0].text


async def test_ten_thousand_orders_are_shown_a_page_at_a_time_and_at_once(us):
    await us.hook("store/order/created")
    us.store.deliveries.rules.append(Rule("drop"))
    basket = draft(Shape.ORDINARY, US_SHOP)
    for _ in range(10_000):
        us.shop.place(basket)
    first = us.shop.profile.first_order_id
    for path in ("/", f"{PAGES}/orders", f"{PAGES}/orders/us1abc/{first}", f"{PAGES}/webhooks", f"{PAGES}/refunds"):
        began = time.process_time()
        page = await look(us, path)
        assert time.process_time() - began < 2, path
        assert len(page.every("tr")) < 200, path
    page = await look(us, f"{PAGES}/orders", page=200)
    assert "9,951 to 10,000 of 10,000" in page.by_id("orders-pager").text
    assert page.by_id("orders").every("a")[-1].text == str(first)
    page = await look(us, f"{PAGES}/orders", sought=str(first + 5000))
    assert len(page.by_id("orders").every("tr")) == 2


async def test_the_merchant_adds_lines_and_fees_moves_orders_and_takes_tax_off(us):
    order = place(us)
    here = f"{PAGES}/orders/us1abc/{order.id}"
    named = {"order_id": str(order.id)}
    product = US_SHOP.products[2]
    before = order.priced.total.inc
    page = await press(us, here, act="add", product_id=str(product.id), quantity="2", **named)
    assert f"Order {order.id} was edited: {before:,} became {order.priced.total.inc:,} USD." in page.by_id("said").text
    assert (order.lines[-1].item.product_id, order.lines[-1].item.quantity) == (product.id, 2)
    assert product.name in page.by_id(f"line-{order.lines[-1].id}").text

    await press(us, here, act="fees", fee="Rush", cost="4.00", fee_tax="0.33", **named)
    assert order.fees == [Fee("Rush", Decimal("4.00"), Decimal("0.33"))]
    page = await press(us, here, act="fees", fee="Rush", cost="", **named)
    assert order.fees == []
    assert "Charge it" in page.by_id("edits").text

    page = await press(us, here, act="move", person="1", **named)
    person = US_SHOP.people[1]
    assert {each.person for each in order.draft.deliveries} == {person}
    assert person.city in page.by_id("facts").text

    page = await press(us, here, act="exempt", exempt="yes", **named)
    assert order.priced.total.tax == 0
    assert "Charge tax again" in page.by_id("edits").text
    await press(us, here, act="exempt", exempt="no", **named)
    assert order.priced.total.tax > 0
    answer = await us.control.post(here, data={"store": "us1abc", "act": "add", "product_id": "1", **named})
    assert answer.status_code == 400


async def test_metafields_are_on_the_page_of_their_order(us):
    order = place(us)
    body = {"namespace": "ns", "key": "k", "value": '{"state":"posted"}', "permission_set": "app_only"}
    us.store.metafields.create(order, us.store.accounts[0], body)
    page = await look(us, f"{PAGES}/orders/us1abc/{order.id}")
    assert "ns.k by us-client" in page.by_id("metafields").text
    assert '{"state":"posted"}' in page.by_id("metafields").text


async def test_products_are_found_changed_hidden_split_and_deleted(us):
    here = f"{PAGES}/products?store=us1abc"
    product = US_SHOP.products[0]
    page = await look(us, f"{PAGES}/products", sought=product.sku.lower())
    assert product.name in page.by_id(f"product-{product.id}").text
    assert len(page.by_id("products").every("tbody")[0].every("tr")) == 1
    named = {"product_id": str(product.id)}
    page = await press(us, here, act="product", name="Oak bowl", price="12.5", **named)
    row = us.store.catalog.get(product.id)
    assert (row.fields["name"], row.fields["price"]) == ("Oak bowl", 12.5)
    assert "Oak bowl" in page.by_id("said").text
    await press(us, here, act="product", is_visible="no", **named)
    assert row.fields["is_visible"] is False
    page = await press(us, here, act="split_product", **named)
    assert len(row.variants) == 3
    assert f"{row.fields['sku']}-000" in page.by_id(f"product-{product.id}").text
    taken = US_SHOP.products[1].name
    answer = await us.control.post(here, data={"store": "us1abc", "act": "product", "name": taken, **named})
    assert answer.status_code == 400
    assert "The product name is a duplicate." in Page(answer.text).by_id("said").text
    page = await press(us, here, act="delete_product", **named)
    assert product.id not in us.store.catalog.products
    page = await press(us, here, act="grow_products", count="120")
    assert "120 products more" in page.by_id("said").text
    assert "of 1" in page.by_id("products-pager").text
    told = [one.scope for one in us.store.deliveries.log]
    assert told == [], "nobody has subscribed"


async def test_customers_are_found_changed_and_deleted(us):
    here = f"{PAGES}/customers?store=us1abc"
    customer_id, row = next(iter(us.store.customers.rows.items()))
    page = await look(us, f"{PAGES}/customers", sought=row.fields["email"])
    assert row.addresses[0]["city"] in page.by_id(f"customer-{customer_id}").text
    named = {"customer_id": str(customer_id)}
    page = await press(us, here, act="customer", company="Quill & Co", customer_group_id="2", **named)
    assert (row.fields["company"], row.fields["customer_group_id"]) == ("Quill & Co", 2)
    assert "Quill & Co" in page.by_id(f"customer-{customer_id}").text
    answer = await us.control.post(here, data={"store": "us1abc", "act": "customer", "customer_group_id": "9", **named})
    assert answer.status_code == 400
    await press(us, here, act="delete_customer", **named)
    assert customer_id not in us.store.customers.rows
    count = len(us.store.customers.rows)
    await press(us, here, act="grow_customers", count="7")
    assert len(us.store.customers.rows) == count + 7


async def test_what_the_vendor_leaves_open_is_switched(us):
    order = place(us)
    page = await press(us, f"{PAGES}/faults", act="habits", idle_writes="yes")
    habits = us.store.habits
    assert (habits.idle_writes, habits.metafields_touch, habits.variants_touch) == (True, False, False)
    assert "writes that change nothing move the date" in page.by_id("said").text
    before = order.modified
    body = {"namespace": "ns", "key": "k", "value": "1", "permission_set": "read"}
    us.store.metafields.create(order, us.store.accounts[0], body)
    assert order.modified == before
