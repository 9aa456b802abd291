"""What comparing shops and pods with books and rules counts. Exposed by the runtime on its private metrics port."""

from typing import Final

from prometheus_client import Counter

COMPARISONS: Final = Counter(
    "ml_connector_alignments_total",
    "Comparisons of a shop and a pod with the books and rules between them, by how they ended: aligned, misaligned, "
    "unread (nothing is known not to fit, and not everything could be compared).",
    ("integration", "outcome"),
)
NEW: Final = Counter(
    "ml_connector_misalignments_new_total",
    "What a comparison found and the one before had not, by kind: channel_without_books, segment_value, ...",
    ("integration", "kind"),
)
