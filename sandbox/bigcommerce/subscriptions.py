"""The webhooks of a store: who wants which events where. An account sees only its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from sandbox.bigcommerce.access import Account
from sandbox.bigcommerce.refusals import RefusedError

SCOPES = frozenset(
    {
        *(f"store/order/{name}" for name in ("created", "updated", "archived", "statusUpdated", "refund/created")),
        *(f"store/order/{name}" for name in ("message/created", "transaction/created", "transaction/updated", "*")),
        *(f"store/shipment/{name}" for name in ("created", "updated", "deleted", "*")),
        *(f"store/order/metafield/{name}" for name in ("created", "updated", "deleted")),
        *(f"store/product/{name}" for name in ("created", "updated", "deleted", "*")),
        *(f"store/sku/{name}" for name in ("created", "updated", "deleted", "*")),
        *(f"store/customer/{name}" for name in ("created", "updated", "deleted", "*")),
        *(f"store/customer/address/{name}" for name in ("created", "updated", "deleted")),
        "store/hook/deliveryException",
    }
)
EXCEPTIONS = "store/hook/deliveryException"
MOST_PER_SCOPE = 10
IDLE = timedelta(days=90)
"""Without an event for so long a hook is deactivated."""
NOT_FOUND = "Webhook with id [{}] not found"


@dataclass(slots=True)
class Subscription:
    """One hook. `active_from` delays its first delivery: activation takes up to a minute."""

    id: int
    account: Account
    scope: str
    destination: str
    headers: dict[str, str]
    is_active: bool
    created: datetime
    updated: datetime
    active_from: datetime
    deactivated: bool = False
    """Switched off by the vendor after the last failed delivery or 90 idle days, not by its owner."""
    last_event: datetime | None = None

    def wants(self, scope: str) -> bool:
        """True for its own scope and, for `store/order/*`, everything below."""
        if self.scope.endswith("/*"):
            return scope.startswith(self.scope[:-1])
        return self.scope == scope

    def render(self) -> dict[str, Any]:
        """The hook as the API shows it: custom headers in clear, times as epoch seconds."""
        return {
            "id": self.id,
            "client_id": self.account.client_id,
            "store_hash": self.account.store_hash,
            "scope": self.scope,
            "destination": self.destination,
            "headers": self.headers,
            "is_active": self.is_active,
            "created_at": int(self.created.timestamp()),
            "updated_at": int(self.updated.timestamp()),
        }


class Subscriptions:
    """All hooks of one store."""

    def __init__(self, now: Callable[[], datetime], *, plain_http: bool, activation_delay: float) -> None:
        self.activation_delay = activation_delay
        """Seconds until a hook that was created or switched on gets its first event."""
        self.emails: list[str] = []
        """Whom the vendor would tell."""
        self._now = now
        self._plain_http = plain_http
        self._all: dict[int, Subscription] = {}
        self._last = 18_048_286

    def every(self) -> list[Subscription]:
        for hook in self._all.values():
            self._retire(hook)
        return list(self._all.values())

    def _retire(self, hook: Subscription) -> None:
        """A hook that nothing was announced to for 90 days is off since then."""
        ends = max(moment for moment in (hook.created, hook.active_from, hook.last_event) if moment) + IDLE
        if hook.is_active and ends <= self._now():
            hook.is_active, hook.deactivated, hook.updated = False, True, ends

    def of(self, account: Account) -> list[Subscription]:
        """Hooks this account created; those of other accounts do not exist for it."""
        return [known for known in self.every() if known.account.client_id == account.client_id]

    def get(self, account: Account, hook_id: int) -> Subscription:
        """The hook, or a 404 refusal."""
        known = next((one for one in self.of(account) if one.id == hook_id), None)
        if known is None:
            raise RefusedError(404, NOT_FOUND.format(hook_id))
        return known

    def create(self, account: Account, wanted: object) -> Subscription:
        """A new hook from a request's body, or a 400 or 422 refusal."""
        body = _object(wanted)
        missing = {name: "error.path.missing." for name in ("scope", "destination") if name not in body}
        if missing:
            raise RefusedError(422, "JSON data is missing or invalid", errors=missing)
        scope, destination = str(body["scope"]), str(body["destination"])
        self._check(account, scope, destination)
        self._last += 1
        now = self._now()
        hook = Subscription(
            id=self._last,
            account=account,
            scope=scope,
            destination=destination,
            headers=_headers(body.get("headers")),
            is_active=bool(body.get("is_active", True)),
            created=now,
            updated=now,
            active_from=self._awake(),
        )
        self._all[hook.id] = hook
        return hook

    def change(self, account: Account, hook_id: int, wanted: object) -> Subscription:
        """Change what the body names; `is_active: true` brings a deactivated hook back."""
        hook, body = self.get(account, hook_id), _object(wanted)
        scope, destination = str(body.get("scope", hook.scope)), str(body.get("destination", hook.destination))
        self._check(account, scope, destination, besides=hook)
        hook.scope, hook.destination = scope, destination
        if "headers" in body:
            hook.headers = _headers(body["headers"])
        if "is_active" in body:
            if body["is_active"]:
                self.switch_on(hook)
            else:
                hook.is_active, hook.deactivated = False, False
        hook.updated = self._now()
        return hook

    def delete(self, account: Account, hook_id: int) -> Subscription:
        hook = self.get(account, hook_id)
        del self._all[hook.id]
        return hook

    def switch_on(self, hook: Subscription) -> None:
        """It is silent for a while if it was off."""
        if not hook.is_active:
            hook.active_from = self._awake()
        hook.is_active, hook.deactivated, hook.updated = True, False, self._now()

    def give_up(self, hook: Subscription) -> None:
        """The vendor switches it off."""
        hook.is_active, hook.deactivated, hook.updated = False, True, self._now()

    def deactivate(self, scope: str = "*") -> int:
        """The vendor gives up on every hook of such a scope; how many those are."""
        off = [hook for hook in self.every() if hook.is_active and fnmatchcase(hook.scope, scope)]
        for hook in off:
            self.give_up(hook)
        return len(off)

    def remove(self, scope: str = "*") -> int:
        """Somebody deletes every hook of such a scope; how many those were."""
        gone = [key for key, hook in self._all.items() if fnmatchcase(hook.scope, scope)]
        for key in gone:
            del self._all[key]
        return len(gone)

    def _awake(self) -> datetime:
        return self._now() + timedelta(seconds=self.activation_delay)

    def drop_account(self, client_id: str) -> None:
        """An account that is deleted takes its hooks along."""
        self._all = {key: hook for key, hook in self._all.items() if hook.account.client_id != client_id}

    def _check(self, account: Account, scope: str, destination: str, *, besides: Subscription | None = None) -> None:
        if scope not in SCOPES:
            raise RefusedError(400, "Input is invalid.")
        address = urlsplit(destination)
        public = address.scheme == "https" and (address.port or 443) == 443
        if not address.hostname or not (public or (self._plain_http and address.scheme == "http")):
            errors = {"destination": "error.expected.https.url"}
            raise RefusedError(422, "JSON data is missing or invalid", errors=errors)
        same = [known for known in self.of(account) if known.scope == scope and known is not besides]
        if any(known.destination == destination for known in same):
            raise RefusedError(422, "A webhook with this scope and destination exists already.", errors={})
        if len(same) >= MOST_PER_SCOPE or (scope == EXCEPTIONS and same):
            raise RefusedError(422, f"No more webhooks are allowed for the scope {scope}.", errors={})


def _object(body: object) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise RefusedError(400, "Input is invalid.")
    return body


def _headers(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(entry, str) for entry in value.values()):
        raise RefusedError(422, "JSON data is missing or invalid", errors={"headers": "error.expected.jsobject"})
    return {str(name): str(entry) for name, entry in value.items()}
