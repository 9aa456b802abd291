"""Everything that belongs to one store at the twin: its shop, accounts, quota and webhooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sandbox.bigcommerce.access import Account, Quota
from sandbox.bigcommerce.catalog import Catalog
from sandbox.bigcommerce.channels import Channel
from sandbox.bigcommerce.customers import Customers
from sandbox.bigcommerce.habits import Habits
from sandbox.bigcommerce.metafields import Metafields
from sandbox.bigcommerce.profiles import Profile
from sandbox.bigcommerce.shop import Shop
from sandbox.bigcommerce.subscriptions import Subscriptions
from sandbox.bigcommerce.webhooks import Deliveries


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How one store is set up."""

    profile: Profile
    client_id: str = "client-id"
    client_secret: str = field(default="client-secret", repr=False)
    access_token: str = field(default="access-token", repr=False)
    requests_per_window: int = 150
    window_seconds: float = 30.0
    time_scale: float = 1.0
    """Real seconds per second of the vendor's webhook waits; 0.001 makes the 48-hour ladder last three minutes."""
    activation_delay: float = 0.0
    """Seconds until a new hook gets its first event (the vendor: up to a minute)."""
    delivery_timeout: float = 10.0
    plain_http: bool = False
    """Accept http destinations. The vendor wants https on port 443; `reachable` keeps that rule and still works."""
    reachable: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    """Public address prefix of a destination -> where it really is, e.g. a gateway on this machine, or several."""
    empty_lists: int = 204
    """Answer to an empty V2 list: 204 without body, or 200 with `[]` (both are seen in the wild)."""
    habits: Habits = field(default_factory=Habits)
    """What the vendor leaves open."""
    seed: int = 0


class Store:
    """One store, ready to be asked."""

    def __init__(
        self,
        settings: StoreSettings,
        *,
        now: Callable[[], datetime],
        late_by: Callable[[], float] | None = None,
        seed: int = 0,
    ) -> None:
        profile = settings.profile
        self.settings = settings
        self.profile = profile
        self.shop = Shop(profile, now=now, late_by=late_by)
        self.habits = settings.habits.copied()
        announce = self.shop.announce
        self.catalog = Catalog(profile, self.habits, now=now, announce=announce, late_by=late_by)
        self.customers = Customers(profile, self.habits, now=now, announce=announce)
        self.metafields = Metafields(self.shop, self.habits, now=now)
        self.channels = [Channel(profile.channel_id, profile.name)]
        self.accounts = [
            Account(profile.store_hash, settings.client_id, settings.client_secret, settings.access_token),
        ]
        self.quota = Quota(now, settings.requests_per_window, settings.window_seconds)
        self.subscriptions = Subscriptions(
            now, plain_http=settings.plain_http, activation_delay=settings.activation_delay
        )
        self.deliveries = Deliveries(
            profile.store_hash,
            profile.store_id,
            self.subscriptions,
            now=now,
            time_scale=settings.time_scale,
            timeout=settings.delivery_timeout,
            reachable=settings.reachable,
            seed=seed or settings.seed,
        )
        self.shop.listeners.append(self.deliveries.announce)

    def account(self, token: str) -> Account | None:
        """The account with this access token."""
        return next((known for known in self.accounts if known.access_token == token), None)

    def rotate_token(self, access_token: str) -> Account:
        """Replace the first account's token, as a re-installation of an app does; the old one dies at once."""
        first = self.accounts[0]
        renewed = Account(first.store_hash, first.client_id, first.client_secret, access_token, first.scopes)
        self.accounts[0] = renewed
        return renewed
