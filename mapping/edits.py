"""What counts as an edit of a sale that was already mapped.

Catalog, customer record and store settings move on after an order is placed, and an order is paid and shipped after it
was posted: none of that changes what was sold, so none of it may send a posted order to review.
"""

import hashlib
import json
from decimal import Decimal
from typing import Any

from contracts.configuration import PostingPolicy
from contracts.sale import Sale
from mapping.entries import plain


def sale_fingerprint(sale: Sale, policy: PostingPolicy) -> str:
    """SHA-256 of what the shop itself can edit in the order and what the policy recognizes revenue by.

    Left out: recognition events the policy does not use, product categories, customer group and the store's timezone;
    and how tax falls on titles where only its rows say so, which refunds lower. `10.0` and `10.00` are equal. Compares
    versions of one order; never part of a reference.
    """
    content = sale.model_dump(
        exclude={"customer_group": True, "store_timezone": True, "lines": {"__all__": {"categories"}}}
    )
    for event in {"paid", "shipped"} - {policy.recognise_on}:
        del content[f"{event}_at"]
    if any(tax.stated for tax in sale.taxes):
        del content["taxes"]
    else:
        for tax in content["taxes"]:
            del tax["stated"]
    return hashlib.sha256(json.dumps(content, default=_text, sort_keys=True).encode()).hexdigest()


def _text(value: Any) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)
