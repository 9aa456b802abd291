"""What the buttons on the pages of the shops do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from sandbox.bigcommerce import orders, refunds, statuses
from sandbox.bigcommerce.documents import Fee, Item, Order, Refund, Returned
from sandbox.bigcommerce.money import ZERO
from sandbox.bigcommerce.orders import Shape
from sandbox.bigcommerce.store import Store
from sandbox.bigcommerce.webhooks import Rule
from sandbox.kit import Form
from sandbox.kit.pages import Act
from sandbox.kit.wording import counted, span

if TYPE_CHECKING:
    from sandbox.bigcommerce.app import BigCommerceTwin

MOST_AT_ONCE: Final = 500
"""Orders one button places."""
MIXED: Final = "mixed"
"""Instead of a shape: every shape in turn, as on an ordinary morning."""
EVERYTHING: Final = "everything"
AMOUNT: Final = "amount"
TAX: Final = "tax"
"""What else than a thing or a charge a refund may give back: all that is left, a free amount, nothing but tax."""
PROVIDERS: Final[Mapping[str, str]] = {
    "": "As it was paid",
    "storecredit": "As store credit",
    "giftcertificate": "As a gift certificate",
    "custom": "Outside the shop",
}
"""How a refund is paid back: provider -> in words."""

Luck = Literal["drop", "duplicate", "delay", "shuffle", "hold"]


class Buttons:
    """Each method takes the form of its button and says in a sentence what it did."""

    def __init__(self, twin: BigCommerceTwin) -> None:
        self._twin = twin

    def acts(self) -> dict[str, Act]:
        """By the name in the form."""
        return {
            "place": self.place,
            "status": self.status,
            "cancel": self.cancel,
            "ship": self.ship,
            "touch": self.touch,
            "archive": self.archive,
            "edit": self.edit,
            "add": self.add,
            "fees": self.fees,
            "move": self.move,
            "exempt": self.exempt,
            "refund": self.refund,
            "refund_other": self.refund_other,
            "repeat_refund": self.repeat_refund,
            "luck": self.luck,
            "lucky": self.lucky,
            "release": self.release,
            "redeliver": self.redeliver,
            "hook": self.hook,
            "hooks": self.hooks,
            "block": self.block,
            "settings": self.settings,
        }

    # The shopper and the merchant

    def place(self, form: Form) -> str:
        store = self._store(form)
        count = form.integer("count", least=1, most=MOST_AT_ONCE, otherwise=1)
        shape = form.text("shape", Shape.ORDINARY)
        status_id = form.integer("status_id", least=0, most=14, otherwise=statuses.AWAITING_FULFILLMENT)
        if shape not in (MIXED, *Shape):
            raise ValueError(f"There is no basket {shape!r}.")
        seed = len(store.shop.orders) + 1
        if shape == MIXED:
            drafts = orders.morning(store.profile, count, seed=seed)
        else:
            drafts = [orders.draft(shape, store.profile, seed=seed + number) for number in range(count)]
        placed = [store.shop.place(draft, status_id=status_id) for draft in drafts]
        if count == 1:
            total = placed[0].priced.total.inc
            return f"Order {placed[0].id} was placed at {store.profile.name}: {total:,} {placed[0].currency}."
        return f"{counted(count, 'order')} were placed at {store.profile.name}: {placed[0].id} to {placed[-1].id}."

    def status(self, form: Form) -> str:
        store, order_id = self._order(form)
        order = store.shop.set_status(order_id, form.integer("status_id", least=0, most=14))
        return f"Order {order.id} is now {statuses.LABELS[order.status_id]}."

    def cancel(self, form: Form) -> str:
        store, order_id = self._order(form)
        store.shop.set_status(order_id, statuses.CANCELLED)
        return f"Order {order_id} was cancelled."

    def ship(self, form: Form) -> str:
        store, order_id = self._order(form)
        store.shop.ship(order_id)
        return f"Everything in order {order_id} was shipped."

    def touch(self, form: Form) -> str:
        store, order_id = self._order(form)
        store.shop.touch(order_id)
        return f"The staff note of order {order_id} was changed, and no amount."

    def archive(self, form: Form) -> str:
        store, order_id = self._order(form)
        store.shop.archive(order_id)
        return f"Order {order_id} was archived."

    def edit(self, form: Form) -> str:
        store, order_id = self._order(form)
        quantity = form.integer("quantity", least=0, most=9999)
        price = form.amount("unit_price")
        before = store.shop.order(order_id).priced.total.inc
        return _edited(store.shop.edit_line(order_id, self._line(form), quantity=quantity, unit_price=price), before)

    def add(self, form: Form) -> str:
        """Another product is added to an order that was placed."""
        store, order_id = self._order(form)
        product_id = form.integer("product_id", least=1, most=10**9)
        known = next((each for each in store.profile.products if each.id == product_id), None)
        if known is None:
            raise LookupError(f"{store.profile.name} sells no product {product_id}.")
        item = Item(
            product_id=known.id,
            variant_id=known.variant_id,
            name=known.name,
            sku=known.sku,
            unit_price=known.price,
            quantity=form.integer("quantity", least=1, most=9999, otherwise=1),
            tax_class_id=known.tax_class_id,
            type=known.type,
        )
        before = store.shop.order(order_id).priced.total.inc
        return _edited(store.shop.add_line(order_id, item), before)

    def fees(self, form: Form) -> str:
        """One fee instead of those that the order has; without an amount it has none any more."""
        store, order_id = self._order(form)
        name, cost = form.text("fee", "Handling of paper"), form.amount("cost")
        before = store.shop.order(order_id).priced.total.inc
        fees = (Fee(name, cost, form.amount("fee_tax") or ZERO),) if cost else ()
        return _edited(store.shop.set_fees(order_id, fees), before)

    def move(self, form: Form) -> str:
        """Everything goes to somebody else of this shop's, at another address."""
        store, order_id = self._order(form)
        index = form.integer("person", least=0, most=len(store.profile.people) - 1)
        person = store.profile.people[index]
        store.shop.move(order_id, person)
        return f"Order {order_id} now ships to {person.city}, {person.country}."

    def exempt(self, form: Form) -> str:
        """All tax is taken off an order, or put on it again."""
        store, order_id = self._order(form)
        before = store.shop.order(order_id).priced.total.inc
        return _edited(store.shop.exempt(order_id, exempt=form.text("exempt") != "no"), before)

    def refund(self, form: Form) -> str:
        store, order_id = self._order(form)
        refund = store.shop.refund(order_id, self._line(form), form.integer("quantity", least=1, most=9999))
        return _refunded(store.shop.order(order_id), refund)

    def refund_other(self, form: Form) -> str:
        """Refund all that is left, a charge, wrapping, a free amount, or tax alone."""
        store, order_id = self._order(form)
        order = store.shop.order(order_id)
        what, amount, provider = form.text("what"), form.amount("amount"), form.text("provider")
        if provider not in PROVIDERS:
            raise ValueError(f"A refund cannot be paid back by {provider!r}.")
        if what in (AMOUNT, TAX) and not amount:
            raise ValueError("How much is refunded? Without an amount there is nothing to refund.")
        refund = store.shop.refund(
            order_id,
            items=() if what in (EVERYTHING, TAX) else (_returned(order, what, amount),),
            everything=what == EVERYTHING,
            tax_adjustment=amount or ZERO if what == TAX else ZERO,
            payments=provider or None,
            override=_typed(form),
            declined=form.text("declined") == "yes",
            over=form.text("over") == "yes",
        )
        return _refunded(order, refund)

    def repeat_refund(self, form: Form) -> str:
        store, order_id = self._order(form)
        order, refund_id = store.shop.order(order_id), form.integer("refund_id", least=1, most=10**12)
        if all(refund.id != refund_id for refund in order.refunds):
            raise LookupError(f"Order {order_id} has no refund {refund_id}.")
        return _refunded(order, store.shop.repeat_refund(refund_id))

    # Webhooks

    def luck(self, form: Form) -> str:
        store = self._store(form)
        action = form.text("action")
        if action not in get_args(Luck):
            raise ValueError(f"Webhooks cannot be told to {action!r}.")
        rule = Rule(
            cast(Luck, action),
            scope=form.text("scope", "*"),
            order_id=form.integer("order_id", least=1, most=10**9) if form.text("order_id") else None,
            seconds=form.number("seconds", least=0, most=86_400, otherwise=0),
            times=form.integer("times", least=1, most=10**6) if form.text("times") else None,
        )
        store.deliveries.rules.append(rule)
        which = "every webhook" if rule.times is None else f"the next {counted(rule.times, 'webhook')}"
        return f"{store.profile.name}: {action} {which}."

    def lucky(self, form: Form) -> str:
        store = self._store(form)
        store.deliveries.rules.clear()
        return f"{store.profile.name}: webhooks are announced as they should be again."

    def release(self, form: Form) -> str:
        backwards = form.text("order") == "reversed"
        number = self._store(form).deliveries.release(order="reversed" if backwards else "kept")
        return f"{counted(number, 'held webhook')} sent{', the last one first' if backwards else ''}."

    def redeliver(self, form: Form) -> str:
        store = self._store(form)
        store.deliveries.repeat(form.text("webhook_id"))
        return f"Webhook {form.text('webhook_id')} is sent once more, byte for byte."

    def hook(self, form: Form) -> str:
        """Switch a hook off as the vendor does after its last failed attempt, or on again."""
        store = self._store(form)
        hook_id = form.integer("hook_id", least=1, most=10**12)
        hook = next((each for each in store.subscriptions.every() if each.id == hook_id), None)
        if hook is None:
            raise LookupError(f"There is no webhook subscription {hook_id}.")
        on = form.text("active") == "yes"
        if on:
            store.subscriptions.switch_on(hook)
        else:
            store.subscriptions.give_up(hook)
        return f"Webhook subscription {hook_id} for {hook.scope} was {'re-activated' if on else 'deactivated'}."

    def hooks(self, form: Form) -> str:
        """Switch off, or take away, every subscription of a scope."""
        store, scope, what = self._store(form), form.text("scope", "*"), form.text("what")
        match what:
            case "deactivate":
                done, number = "deactivated", store.subscriptions.deactivate(scope)
            case "delete":
                done, number = "deleted", store.subscriptions.remove(scope)
            case _:
                raise ValueError(f"Subscriptions cannot be told to {what!r}.")
        return f"{store.profile.name}: {counted(number, 'webhook subscription')} {done}."

    def block(self, form: Form) -> str:
        """Let the vendor send nothing to a domain; 0 seconds end it."""
        store, domain = self._store(form), form.text("domain")
        if not domain:
            raise ValueError("Which domain is blocked?")
        seconds = form.number("seconds", least=0, most=86_400)
        store.deliveries.block(domain, seconds)
        if not seconds:
            return f"{store.profile.name} delivers to {domain} again."
        return f"{store.profile.name} delivers nothing to {domain} for {span(seconds)}."

    def settings(self, form: Form) -> str:
        store = self._store(form)
        requests = form.integer("requests", least=0, most=10**6)
        lag = form.number("refund_lag", least=0, most=86_400)
        pace = form.number("time_scale", least=0, most=1000)
        store.quota.requests, store.shop.refund_lag, store.deliveries.time_scale = requests, lag, pace
        delay = form.number("activation_delay", least=0, most=86_400, otherwise=store.subscriptions.activation_delay)
        store.subscriptions.activation_delay = delay
        return (
            f"{store.profile.name}: {requests:,} calls in {store.quota.window_seconds:g} s, refunds readable after "
            f"{lag:g} s, webhook retries after {pace:g} times the vendor's waits, new webhooks silent for {delay:g} s."
        )

    def _store(self, form: Form) -> Store:
        store = self._twin.stores.get(form.text("store"))
        if store is None:
            raise LookupError(f"There is no store {form.text('store')!r}.")
        return store

    def _order(self, form: Form) -> tuple[Store, int]:
        """The store and the id of an order it has."""
        store = self._store(form)
        return store, store.shop.order(form.integer("order_id", least=1, most=10**9)).id

    def _line(self, form: Form) -> int:
        return form.integer("line_id", least=1, most=10**12)


def _edited(order: Order, before: Decimal) -> str:
    return f"Order {order.id} was edited: {before:,} became {order.priced.total.inc:,} {order.currency}."


def left_to_refund(order: Order) -> dict[str, tuple[str, Decimal | None]]:
    """What a merchant may refund beside pieces of lines: name in the form -> words, and the amount that is left of it.

    Amounts are in the store's price basis; wrapping comes back whole and has none.
    """
    found: dict[str, tuple[str, Decimal | None]] = {
        EVERYTHING: ("Everything that is left", None),
        AMOUNT: ("A free amount", None),
        TAX: ("Tax alone", None),
    }
    for item in refunds.everything_left(order):
        match item.type:
            case "PRODUCT":
                continue
            case "GIFT_WRAPPING":
                words = f"Wrapping of {order.line(item.item_id).item.name}"
            case "FEE":
                words = next(fee.name for index, fee in enumerate(order.fees) if order.fee_id(index) == item.item_id)
            case kind:
                city = order.draft.deliveries[order.address_ids.index(item.item_id)].person.city
                words = f"{kind.capitalize()} to {city}"
        found[_key(item)] = (words, item.amount)
    return found


def _key(item: Returned) -> str:
    return f"{item.type}-{item.item_id}"


def _returned(order: Order, what: str, amount: Decimal | None) -> Returned:
    """The item of a refund that the form names; LookupError when nothing of it is left."""
    if what == AMOUNT:
        return Returned("ORDER", order.id, amount=amount)
    found = next((item for item in refunds.everything_left(order) if _key(item) == what), None)
    if found is None:
        raise LookupError(f"Order {order.id} has no {what!r} left to refund.")
    return found if found.quantity or amount is None else replace(found, amount=amount)


def _typed(form: Form) -> tuple[Decimal, Decimal] | None:
    """Total and tax as the merchant types them, or None."""
    total, tax = form.amount("total"), form.amount("tax")
    if total is None and tax is None:
        return None
    if total is None or tax is None:
        raise ValueError("Total and tax are typed together, or neither of them.")
    return total, tax


def _refunded(order: Order, refund: Refund) -> str:
    how = "are to be refunded, but the payment was declined" if refund.declined else "were refunded"
    return f"{refund.total:,} {order.currency} of order {order.id} {how}."
