"""BigCommerce: orders V2; transactions, refunds, catalog, customers, metafields and webhooks V3.

One `BigCommerceClient` per connection.
"""

from clients.bigcommerce.batches import Written
from clients.bigcommerce.client import BigCommerceClient

__all__ = ["BigCommerceClient", "Written"]
