"""What an integration says of records of each kind, and where they are read and written."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from activities.collaborators import Collaborators
from activities.converging.customers_at_fusion import CustomersAtFusion
from activities.converging.customers_at_shop import CustomersAtShop
from activities.converging.desks import Desk
from activities.converging.items_at_fusion import ItemsAtFusion
from activities.converging.items_at_shop import ItemsAtShop
from contracts import names
from contracts.configuration import Integration
from contracts.ownership import ConvergingPolicy, Side

Make = Callable[[Collaborators, Integration], Desk]

POLICIES: Final = MappingProxyType[str, Callable[[Integration], ConvergingPolicy]](
    {names.ITEM: lambda integration: integration.items, names.CUSTOMER: lambda integration: integration.customers}
)
DESKS: Final = MappingProxyType[tuple[str, Side], Make](
    {
        (names.ITEM, "shop"): lambda parts, integration: ItemsAtShop(
            parts.shops[integration.source].catalog, integration.items
        ),
        (names.ITEM, "fusion"): lambda parts, integration: ItemsAtFusion(
            parts.fusions[integration.fusion].items, integration.items
        ),
        (names.CUSTOMER, "shop"): lambda parts, integration: CustomersAtShop(
            parts.shops[integration.source].clientele, integration
        ),
        (names.CUSTOMER, "fusion"): CustomersAtFusion,
    }
)
"""A further kind of record adds its rows here."""


def policy_of(integration: Integration, kind: str) -> ConvergingPolicy:
    """Raises `KeyError` for a kind that nobody keeps equal."""
    return POLICIES[kind](integration)


def desk_of(parts: Collaborators, integration: Integration, kind: str, side: Side) -> Desk:
    """Raises `KeyError`."""
    return DESKS[kind, side](parts, integration)


def connection_of(integration: Integration, side: Side) -> str:
    """Whose account a side is."""
    return integration.fusion if side == "fusion" else integration.source
