"""A simulated BigCommerce: orders V2, the parts of V3 around them, catalog and customers, and signed webhooks.

twin = BigCommerceTwin([StoreSettings(US_SHOP, access_token="...", client_secret="...")])
async with serve(twin) as listener:
    order = twin.stores["us1abc"].shop.place(draft(Shape.WRAPPING, US_SHOP))
    twin.stores["us1abc"].deliveries.rules.append(Rule("duplicate", times=1))
"""

from sandbox.bigcommerce.app import BigCommerceTwin
from sandbox.bigcommerce.documents import Coupon, Delivery, Draft, Fee, Item, Returned, gift_certificate
from sandbox.bigcommerce.habits import Habits
from sandbox.bigcommerce.orders import Shape, draft, morning
from sandbox.bigcommerce.profiles import EU_SHOP, JP_SHOP, US_SHOP, Profile
from sandbox.bigcommerce.shop import Shop
from sandbox.bigcommerce.store import Store, StoreSettings
from sandbox.bigcommerce.truth import Truth
from sandbox.bigcommerce.webhooks import Rule

__all__ = [
    "EU_SHOP",
    "JP_SHOP",
    "US_SHOP",
    "BigCommerceTwin",
    "Coupon",
    "Delivery",
    "Draft",
    "Fee",
    "Habits",
    "Item",
    "Profile",
    "Returned",
    "Rule",
    "Shape",
    "Shop",
    "Store",
    "StoreSettings",
    "Truth",
    "draft",
    "gift_certificate",
    "morning",
]
