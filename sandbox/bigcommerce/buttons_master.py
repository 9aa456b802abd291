"""What the buttons on the pages of products and customers do: the merchant changes them, or there are more of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sandbox.bigcommerce.customers import GROUPS
from sandbox.bigcommerce.money import number
from sandbox.bigcommerce.refusals import RefusedError
from sandbox.bigcommerce.store import Store
from sandbox.kit import Form
from sandbox.kit.pages import Act
from sandbox.kit.wording import counted

if TYPE_CHECKING:
    from sandbox.bigcommerce.app import BigCommerceTwin

T = TypeVar("T")

MOST_AT_ONCE: Final = 5000
"""Products or customers one button adds."""
GROUP_NAMES: Final[Mapping[int, str]] = {0: "None", **GROUPS}
HABITS: Final[Mapping[str, str]] = {
    "idle_writes": "Writes that change nothing move the date",
    "variants_touch": "A variant moves its product's date",
    "addresses_touch": "An address moves its customer's date",
    "metafields_touch": "A metafield moves its order's date",
}
"""What the vendor leaves open, and a button can switch: name -> in words."""


class MasterButtons:
    """Each method takes the form of its button and says in a sentence what it did."""

    def __init__(self, twin: BigCommerceTwin) -> None:
        self._twin = twin

    def acts(self) -> dict[str, Act]:
        """By the name in the form."""
        return {
            "grow_products": self.grow_products,
            "product": self.product,
            "split_product": self.split_product,
            "delete_product": self.delete_product,
            "grow_customers": self.grow_customers,
            "customer": self.customer,
            "delete_customer": self.delete_customer,
            "habits": self.habits,
        }

    def grow_products(self, form: Form) -> str:
        store, count = self._store(form), form.integer("count", least=1, most=MOST_AT_ONCE)
        store.catalog.grow(count)
        return f"{store.profile.name} sells {counted(count, 'product')} more, and nobody was told."

    def product(self, form: Form) -> str:
        """Change what the form names of a product: its name, price, SKU, and whether shoppers see it."""
        store, product_id = self._store(form), form.integer("product_id", least=1, most=10**9)
        fields: dict[str, Any] = {name: form.text(name) for name in ("name", "sku") if form.text(name)}
        price = form.amount("price")
        if price is not None:
            fields["price"] = number(price)
        if form.text("is_visible"):
            fields["is_visible"] = form.text("is_visible") == "yes"
        row = _allowed(lambda: store.catalog.edit(product_id, **fields))
        return f"Product {product_id}, {row.fields['name']}, was changed."

    def split_product(self, form: Form) -> str:
        store, product_id = self._store(form), form.integer("product_id", least=1, most=10**9)
        count = form.integer("count", least=1, most=100, otherwise=3)
        _allowed(lambda: store.catalog.add_variants(product_id, count))
        return f"Product {product_id} comes in {counted(count, 'size')}."

    def delete_product(self, form: Form) -> str:
        store, product_id = self._store(form), form.integer("product_id", least=1, most=10**9)
        _allowed(lambda: store.catalog.delete(product_id))
        return f"Product {product_id} was deleted."

    def grow_customers(self, form: Form) -> str:
        store, count = self._store(form), form.integer("count", least=1, most=MOST_AT_ONCE)
        store.customers.grow(count)
        return f"{store.profile.name} has {counted(count, 'customer')} more, and nobody was told."

    def customer(self, form: Form) -> str:
        """Change what the form names of a customer: company and group."""
        store, customer_id = self._store(form), form.integer("customer_id", least=1, most=10**9)
        fields: dict[str, Any] = {"company": form.text("company")} if form.text("company") else {}
        group = form.integer("customer_group_id", least=0, most=10**6, otherwise=-1)
        if group >= 0:
            if group not in GROUP_NAMES:
                raise LookupError(f"There is no customer group {group}.")
            fields["customer_group_id"] = group
        store.customers.edit(customer_id, **fields)
        return f"Customer {customer_id} was changed."

    def delete_customer(self, form: Form) -> str:
        store, customer_id = self._store(form), form.integer("customer_id", least=1, most=10**9)
        store.customers.delete(customer_id)
        return f"Customer {customer_id} was deleted."

    def habits(self, form: Form) -> str:
        """What the vendor leaves open: those that the form does not name are off."""
        store = self._store(form)
        on = [name for name in HABITS if form.text(name) == "yes"]
        for name in HABITS:
            setattr(store.habits, name, name in on)
        told = ", ".join(HABITS[name].lower() for name in on)
        return f"{store.profile.name}: {told or 'nothing moves a date but a change of the row itself'}."

    def _store(self, form: Form) -> Store:
        store = self._twin.stores.get(form.text("store"))
        if store is None:
            raise LookupError(f"There is no store {form.text('store')!r}.")
        return store


def _allowed(change: Callable[[], T]) -> T:
    """A refusal of the API is a sentence for people as well."""
    try:
        return change()
    except RefusedError as refused:
        raise ValueError(f"{refused.title}.") from None
