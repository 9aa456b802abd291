"""The channels of one store: where it sells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Channel:
    """A storefront, a marketplace or a point of sale."""

    id: int
    name: str
    type: str = "storefront"
    platform: str = "bigcommerce"
    status: str = "active"
