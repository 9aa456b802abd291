"""What the gateway counts. Exposed by the runtime on its private metrics port, never on the public one."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

DELIVERIES: Final = Counter(
    "ml_connector_deliveries_total",
    "Webhook deliveries by connection and verdict; the connection is empty for unknown routes.",
    ("connection", "verdict"),
)
ANSWER_SECONDS: Final = Histogram(
    "ml_connector_delivery_answer_seconds",
    "Seconds from the first byte of a delivery to its answer.",
    ("outcome",),
    buckets=(0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.1, 0.2, 0.5, 1, 2, 5),
)
BREAKER_OPEN: Final = Gauge(
    "ml_connector_gateway_breaker_open", "1 while durable starts are not tried because Temporal does not answer."
)
INBOX_DEPTH: Final = Gauge("ml_connector_inbox_depth", "Deliveries stored in the inbox and not yet started.")
RECEIPTS_LOST: Final = Counter(
    "ml_connector_receipts_lost_total",
    "Delivery records not written because the store was down too long.",
)
