"""BigCommerce: orders V2, transactions, catalog and webhooks V3. One `BigCommerceClient` per connection."""

from clients.bigcommerce.client import BigCommerceClient

__all__ = ["BigCommerceClient"]
