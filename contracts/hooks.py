"""Webhooks: what a shop shall announce to us, and what looking after that takes and gives."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from contracts.model import Frozen, Instant

ORDER_SCOPES: Final = (
    "store/order/created",
    "store/order/updated",
    "store/order/statusUpdated",
    "store/order/archived",
    "store/order/refund/created",
)
"""BigCommerce: the scopes that say an order may have changed."""
PRODUCT_SCOPES: Final = (
    "store/product/created",
    "store/product/updated",
    "store/product/deleted",
    "store/sku/created",
    "store/sku/updated",
    "store/sku/deleted",
)
"""BigCommerce: the scopes that say a product or a variant may have changed. Registered where items are kept equal."""
STOCK_SCOPES: Final = ("store/product/inventory/updated", "store/sku/inventory/updated")
"""BigCommerce: stock levels changed. Registered where stock is kept equal, too: every sale changes one."""
CUSTOMER_SCOPES: Final = (
    "store/customer/created",
    "store/customer/updated",
    "store/customer/deleted",
    "store/customer/address/created",
    "store/customer/address/updated",
    "store/customer/address/deleted",
)
"""BigCommerce: the scopes that say a customer may have changed. Registered where customers are kept equal."""
EXCEPTION_SCOPE: Final = "store/hook/deliveryException"
"""BigCommerce: the scope that says deliveries fail. One such hook per API account, at a destination of its own."""
HTTPS: Final = 443


def public_address(url: str) -> str:
    """A gateway's public address without a trailing slash. Raises `ValueError` when shops would not deliver there.

    BigCommerce: destinations are https on port 443 with a publicly trusted certificate.
    """
    address = urlsplit(url.strip())
    try:
        port = address.port or HTTPS
    except ValueError:
        port = 0
    if address.scheme != "https" or not address.hostname or port != HTTPS:
        raise ValueError(f"{url} cannot receive webhooks: shops deliver to https on port 443 only.")
    if address.username or address.query or address.fragment:
        raise ValueError("Give the gateway's address alone: no user, no query, no fragment.")
    return f"https://{address.hostname}{address.path.rstrip('/')}"


def route(tenant: str, connection: str) -> str:
    """Where a gateway takes the deliveries of a connection, below its address."""
    return f"/webhooks/{tenant}/{connection}"


def exceptions_of(destination: str) -> str:
    """Where it takes those that tell of failed deliveries."""
    return f"{destination}/exceptions"


Destination = Annotated[str, AfterValidator(public_address)]
Scope = Annotated[str, Field(pattern=r"^store/(order|shipment)/[A-Za-z/]*[A-Za-z*]$")]


class HookSettings(Frozen):
    """Which webhooks a shop shall have for us, and how often that is looked after."""

    destination: Destination | None = None
    """The gateway's public address. Unless set, where `ml-connector hooks register` registered them last."""
    scopes: tuple[Scope, ...] = Field(default=ORDER_SCOPES, min_length=1)
    exceptions: bool = True
    """Have the shop tell when deliveries fail, too, so that they are looked after at once."""
    check_cron: str = "*/15 * * * *"
    activation: float = Field(default=60.0, ge=0)
    """Seconds until a webhook that was created or switched on delivers (the vendor: up to a minute)."""


class HooksHealthInput(Frozen):
    """Input of `hooks-health`: one per shop."""

    connection: str


class EnsureHooks(Frozen):
    connection: str
    job: str


class HooksEnsured(Frozen):
    """How the webhooks of a shop are, after what could be healed was healed."""

    down: tuple[str, ...] = ()
    """Scopes that do not deliver."""
    gap_from: Instant | None = None
    """By the shop's clock: what changed since then may not have been announced. None: everything was."""
    rest: float = 0.0
    """Seconds until what was healed delivers."""


class CloseGap(Frozen):
    """Changes were read from `since` on; those up to `until`, by the shop's clock, have been looked at."""

    connection: str
    job: str
    since: Instant
    until: Instant
    seen: int
    started: int
    refunds_seen: int = 0
    refunds_started: int = 0


class HooksChecked(Frozen):
    """How `hooks-health` ended."""

    down: tuple[str, ...] = ()
    swept_from: Instant | None = None
    swept_until: Instant | None = None
    started: int = 0
    """Orders of the gap that were not settled."""
