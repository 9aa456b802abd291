"""What looking after webhooks counts. Exposed by the runtime on its private metrics port."""

from typing import Final

from prometheus_client import Counter

LOST: Final = Counter(
    "ml_connector_hooks_lost_total",
    "Webhooks found not to deliver, by connection and what was wrong: missing, switched_off, wrong_header, "
    "wrong_address, blocked.",
    ("connection", "found"),
)
HEALED: Final = Counter(
    "ml_connector_hooks_healed_total", "Webhooks that deliver again after they were found not to.", ("connection",)
)
CHECKS: Final = Counter(
    "ml_connector_hooks_checks_total",
    "Looks at the webhooks of a connection, by how they ended: sound, healed, down.",
    ("connection", "outcome"),
)
SWEPT: Final = Counter(
    "ml_connector_hooks_swept_orders_total",
    "Orders and refunds that a sweep over a gap of webhooks had to start.",
    ("connection",),
)
