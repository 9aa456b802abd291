"""What counting the orders of a shop counts. Exposed by the runtime on its private metrics port.

Counters only: any worker may do the next count, and a gauge of the one before would stay where it was.
"""

from typing import Final

from prometheus_client import Counter

COUNTS: Final = Counter(
    "ml_connector_loss_counts_total",
    "Counts of a shop's postable orders against what was posted, by how they ended: complete, missing.",
    ("integration", "outcome"),
)
MISSING: Final = Counter(
    "ml_connector_orders_missing_total",
    "Postable orders that a count found and nobody had announced or polled, by store. They were started.",
    ("integration", "channel"),
)
STILL_MISSING: Final = Counter(
    "ml_connector_orders_still_missing_total",
    "Orders that a count found missing although the count before had started them.",
    ("integration", "channel"),
)
EDITED: Final = Counter(
    "ml_connector_orders_edited_unseen_total",
    "Orders of which a count found a newer version than the posted one, by store. They were looked at again.",
    ("integration", "channel"),
)
