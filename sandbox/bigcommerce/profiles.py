"""What makes one store differ from another: currency, price basis, taxes, time zone, catalog."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from sandbox.bigcommerce.money import minor_units


@dataclass(frozen=True, slots=True)
class TaxRate:
    title: str
    percent: Decimal


@dataclass(frozen=True, slots=True)
class TaxClass:
    id: int
    name: str
    rates: tuple[TaxRate, ...] = ()


@dataclass(frozen=True, slots=True)
class Category:
    id: int
    name: str
    parent_id: int = 0


@dataclass(frozen=True, slots=True)
class Product:
    id: int
    name: str
    sku: str
    price: Decimal
    """In the store's price basis: with tax where `Profile.tax_inclusive`."""
    categories: tuple[int, ...]
    type: Literal["physical", "digital"] = "physical"
    tax_class_id: int = 0
    cost: Decimal = Decimal(0)

    @property
    def variant_id(self) -> int:
        """Every product has one base variant."""
        return self.id + 1000


@dataclass(frozen=True, slots=True)
class Person:
    first_name: str
    last_name: str
    street: str
    city: str
    state: str
    zip: str
    country: str
    country_iso2: str
    customer_id: int = 0
    """0: a guest."""
    customer_group_id: int = 0

    @property
    def email(self) -> str:
        return f"{self.first_name}.{self.last_name}@example.com".lower()


@dataclass(frozen=True, slots=True)
class Profile:
    """One store. Amounts a shopper sees are in `currency`; `tax_inclusive` says whether prices contain tax."""

    store_hash: str
    name: str
    store_id: str
    currency: str
    timezone: str
    raw_offset: int
    """Seconds east of UTC without daylight saving."""
    dst_offset: int
    country: str
    country_code: str
    tax_inclusive: bool
    tax_classes: tuple[TaxClass, ...]
    categories: tuple[Category, ...]
    products: tuple[Product, ...]
    people: tuple[Person, ...]
    channel_id: int = 1
    shipping_tax_class_id: int = 0
    handling_tax_class_id: int = 0
    wrapping_tax_class_id: int = 0
    fees_in_total: bool = True
    """Whether `total_*` contain custom fees. The vendor does not say; its own sample leaves them out."""
    tax_rounding: Literal["row", "order"] = "row"
    """`order`: tax rows keep four decimals and only the order's totals are rounded, so rows miss totals by a cent."""
    line_tax: Literal["before_discounts", "after_discounts"] = "after_discounts"
    """Basis of a line's own `total_tax` in a tax-exclusive store; tax-inclusive stores always show it before."""
    exchange_rates: tuple[tuple[str, Decimal], ...] = ()
    """Further transactional currencies: units per one unit of `currency`."""
    first_order_id: int = 1001
    status_labels: tuple[tuple[int, str], ...] = field(default=())
    """Statuses the merchant renamed: (status id, label)."""

    @property
    def places(self) -> int:
        return minor_units(self.currency)

    def tax_class(self, class_id: int) -> TaxClass:
        return next(known for known in self.tax_classes if known.id == class_id)

    def product(self, product_id: int) -> Product:
        return next(known for known in self.products if known.id == product_id)

    def category_id(self, name: str) -> int:
        return next(known.id for known in self.categories if known.name == name)

    def category_names(self, product_id: int) -> tuple[str, ...]:
        """Plain names of a catalog product's categories; empty for lines without catalog product."""
        if not product_id:
            return ()
        names = {category.id: category.name for category in self.categories}
        return tuple(names[category_id] for category_id in self.product(product_id).categories)


NON_TAXABLE = 1
"""Tax class of what carries no tax: sold gift certificates, fees."""

_CATEGORIES = (
    Category(18, "Home"),
    Category(19, "Garden", 18),
    Category(20, "Kitchen", 18),
    Category(21, "Apparel"),
    Category(22, "Shirts", 21),
    Category(23, "Outerwear", 21),
    Category(24, "Books"),
    Category(25, "Downloads"),
    Category(26, "Antiques"),
    Category(27, "Clearance"),
)

_ROWS: tuple[tuple[int, str, str, str, tuple[int, ...], Literal["physical", "digital"], str], ...] = (
    (77, "Linen tea towel", "KIT-TOWEL", "14.95", (20,), "physical", "6.10"),
    (78, "Cast iron skillet 26 cm", "KIT-SKIL26", "49.90", (20,), "physical", "21.00"),
    (79, "Glass storage jar", "KIT-JAR", "7.95", (20,), "physical", "2.35"),
    (80, "Bread knife", "KIT-KNIFE", "33.49", (20,), "physical", "12.80"),
    (86, "Garden trowel", "GAR-TROWEL", "18.25", (19,), "physical", "7.00"),
    (87, "Watering can 8 l", "GAR-CAN8", "27.99", (19,), "physical", "11.45"),
    (88, "Terracotta pot set", "GAR-POTS", "36.75", (19,), "physical", "15.20"),
    (92, "Oxford shirt", "APP-SHIRT-OX", "59.00", (22,), "physical", "23.60"),
    (93, "Linen shirt", "APP-SHIRT-LI", "64.50", (22,), "physical", "26.10"),
    (94, "Rain jacket", "APP-RAIN", "129.00", (23,), "physical", "61.40"),
    (95, "Wool cap", "APP-CAP", "22.10", (21,), "physical", "8.05"),
    (101, "Vegetable garden year book", "BOK-GARDEN", "24.90", (24,), "physical", "9.99"),
    (102, "Sourdough handbook", "BOK-BREAD", "19.90", (24, 20), "physical", "8.25"),
    (110, "Knitting pattern (PDF)", "DIG-KNIT", "6.00", (25,), "digital", "0.00"),
    (111, "Planting calendar (PDF)", "DIG-PLANT", "4.50", (25,), "digital", "0.00"),
    (120, "Brass ship's clock", "ANT-CLOCK", "410.00", (26,), "physical", "180.00"),
    (130, "Last season's scarf", "CLR-SCARF", "12.00", (27,), "physical", "9.00"),
)


def _products(book_tax_class: int) -> tuple[Product, ...]:
    return tuple(
        Product(
            id=number,
            name=name,
            sku=sku,
            price=Decimal(price),
            categories=categories,
            type=kind,
            tax_class_id=book_tax_class if categories[0] == 24 else 0,
            cost=Decimal(cost),
        )
        for number, name, sku, price, categories, kind, cost in _ROWS
    )


US_SHOP = Profile(
    store_hash="us1abc",
    name="Maple & Pine Goods",
    store_id="1025646",
    currency="USD",
    timezone="America/Chicago",
    raw_offset=-21600,
    dst_offset=-18000,
    country="United States",
    country_code="US",
    tax_inclusive=False,
    tax_classes=(
        TaxClass(0, "Default Tax Class", (TaxRate("State Tax", Decimal("6.25")), TaxRate("City Tax", Decimal("2.00")))),
        TaxClass(NON_TAXABLE, "Non-Taxable Products"),
        TaxClass(2, "Shipping", (TaxRate("State Tax", Decimal("6.25")),)),
    ),
    categories=_CATEGORIES,
    products=_products(0),
    people=(
        Person("Ada", "Quill", "12 Cedar Lane", "Austin", "Texas", "78701", "United States", "US", 11, 2),
        Person("Ben", "Harrow", "9 Prairie Road", "Dallas", "Texas", "75201", "United States", "US", 12),
        Person("Cleo", "Marsh", "400 Bayou Street", "Houston", "Texas", "77002", "United States", "US", 13),
        Person("Dora", "Finch", "77 Mission Avenue", "San Antonio", "Texas", "78205", "United States", "US"),
    ),
    shipping_tax_class_id=2,
)
"""A store in Texas: prices without tax, US dollars, two tax titles."""

EU_SHOP = Profile(
    store_hash="eu2def",
    name="Linden & Kiefer",
    store_id="1029907",
    currency="EUR",
    timezone="Europe/Berlin",
    raw_offset=3600,
    dst_offset=7200,
    country="Germany",
    country_code="DE",
    tax_inclusive=True,
    tax_classes=(
        TaxClass(0, "Default Tax Class", (TaxRate("VAT 19%", Decimal(19)),)),
        TaxClass(NON_TAXABLE, "Non-Taxable Products"),
        TaxClass(3, "Reduced rate", (TaxRate("VAT 7%", Decimal(7)),)),
    ),
    categories=_CATEGORIES,
    products=_products(3),
    people=(
        Person("Emil", "Sommer", "Lindenweg 4", "Berlin", "Berlin", "10115", "Germany", "DE", 21),
        Person("Frida", "Falk", "Hafenstrasse 30", "Hamburg", "Hamburg", "20457", "Germany", "DE", 22, 3),
        Person("Gilles", "Roche", "8 rue des Tilleuls", "Lyon", "Rhone", "69002", "France", "FR", 23),
        Person("Hanna", "Berg", "Am Ring 19", "Wien", "Wien", "1010", "Austria", "AT"),
    ),
    tax_rounding="order",
    first_order_id=5001,
)
"""A store in Germany: prices with tax, euros, two VAT rates, taxes rounded once per order."""

JP_SHOP = replace(
    US_SHOP,
    store_hash="jp3ghi",
    name="Matsu Trading",
    store_id="1031112",
    currency="JPY",
    timezone="Asia/Tokyo",
    raw_offset=32400,
    dst_offset=32400,
    country="Japan",
    country_code="JP",
    tax_inclusive=True,
    tax_classes=(
        TaxClass(0, "Default Tax Class", (TaxRate("Consumption tax 10%", Decimal(10)),)),
        TaxClass(NON_TAXABLE, "Non-Taxable Products"),
    ),
    products=tuple(replace(product, price=(product.price * 100).quantize(Decimal(1))) for product in _products(0)),
    people=(Person("Jiro", "Mori", "1-2-3 Matsubara", "Tokyo", "Tokyo", "100-0001", "Japan", "JP", 31),),
    shipping_tax_class_id=0,
    first_order_id=9001,
)
"""A store in Japan: yen, no minor unit."""
