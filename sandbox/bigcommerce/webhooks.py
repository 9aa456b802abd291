"""Webhook deliveries of one store: signed, repeated on the vendor's ladder, and as unreliable as told.

A delivery is signed as Standard Webhooks says, the key being the raw client secret of the account that made the hook:
HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{raw body}`. The id stays the same in all attempts; the timestamp
is that of the attempt unless `resign` is off.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from math import ceil
from typing import Any, Literal
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from sandbox.bigcommerce.shop import Event
from sandbox.bigcommerce.subscriptions import EXCEPTIONS, Subscription, Subscriptions
from sandbox.kit import send

LADDER = (60.0, 180.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0, 50400.0, 86400.0)
"""Seconds before each of the eleven retries; after the last the hook is deactivated."""
WINDOW = timedelta(seconds=120)
WINDOW_LEAST = 100
WINDOW_SUCCESS = 0.9
BLOCKED_FOR = timedelta(seconds=180)
RETRYING, EXHAUSTED, BLOCKED = 90001, 90002, 90003

State = Literal["waiting", "held", "delivered", "dropped", "exhausted", "abandoned"]


@dataclass(slots=True)
class Rule:
    """What goes wrong with the deliveries it covers.

    `drop` never sends; `duplicate` sends `copies` more, each up to `seconds` later; `delay` waits `seconds` before the
    first attempt; `shuffle` waits a random time up to `seconds`, so deliveries overtake each other; `hold` keeps them
    until `release`. `times` limits how many deliveries are struck, `chance` how likely each is. Seconds are real ones.
    """

    action: Literal["drop", "duplicate", "delay", "shuffle", "hold"]
    scope: str = "*"
    order_id: int | None = None
    seconds: float = 0.0
    copies: int = 1
    times: int | None = None
    chance: float = 1.0
    struck: int = 0

    def covers(self, event: Event) -> bool:
        return (
            self.times != 0
            and fnmatchcase(event.scope, self.scope)
            and (self.order_id is None or self.order_id == event.order_id)
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    at: datetime
    status: int | None
    """None: no answer came."""


@dataclass(slots=True)
class Delivery:
    """One event on its way to one hook."""

    webhook_id: str
    hook_id: int
    destination: str
    scope: str
    order_id: int | None
    body: bytes = field(repr=False)
    state: State = "waiting"
    copy: bool = False
    attempts: list[Attempt] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        return {
            "webhook_id": self.webhook_id,
            "hook_id": self.hook_id,
            "scope": self.scope,
            "order_id": self.order_id,
            "state": self.state,
            "copy": self.copy,
            "attempts": [{"at": attempt.at.isoformat(), "status": attempt.status} for attempt in self.attempts],
        }


class Deliveries:
    """Sends a store's events to its hooks. `start` and `stop` bracket the life of its tasks."""

    def __init__(
        self,
        store_hash: str,
        store_id: str,
        subscriptions: Subscriptions,
        *,
        now: Callable[[], datetime],
        time_scale: float = 1.0,
        timeout: float = 10.0,
        reachable: Mapping[str, str | Sequence[str]] | None = None,
        concurrency: int = 20,
        seed: int = 0,
    ) -> None:
        self.log: list[Delivery] = []
        self.rules: list[Rule] = []
        self.mails: list[str] = []
        """Sentences the vendor would mail to the owner of a deactivated hook."""
        self.time_scale = time_scale
        """Real seconds per second of the vendor's waits: ladder, block list."""
        self.resign = True
        """A fresh timestamp and signature per attempt; the vendor does not say."""
        self.reachable: dict[str, str | Sequence[str]] = dict(reachable or {})
        """Public address prefixes -> where they are in reality, e.g. a gateway on this machine. Of several, each
        attempt goes to any: a balancer in front of them would do that."""
        self._store_hash, self._store_id = store_hash, store_id
        self._subscriptions = subscriptions
        self._now = now
        self._timeout = timeout
        self._slots = asyncio.Semaphore(concurrency)
        self._random = random.Random(seed)  # noqa: S311 - repeatable misfortune, not secrets
        self._tasks: set[asyncio.Task[None]] = set()
        self._backlog: list[Callable[[], None]] = []
        self._held: list[Delivery] = []
        self._running = False
        self._last = 0
        self._recent: dict[str, deque[tuple[datetime, bool]]] = {}
        self._blocked: dict[str, datetime] = {}
        self._warned: dict[str, datetime] = {}

    # Events

    def announce(self, event: Event) -> None:
        """Deliver an event to every hook that wants it; the listener of a `Shop`."""
        for hook in self._subscriptions.every():
            if hook.is_active and hook.wants(event.scope) and hook.active_from <= self._now():
                hook.last_event = self._now()
                self._accept(event, hook)

    def _accept(self, event: Event, hook: Subscription) -> None:
        delivery = self._delivery(event, hook)
        wait, copies, held = 0.0, [], False
        for rule in self.rules:
            if not rule.covers(event) or (rule.chance < 1 and self._random.random() >= rule.chance):
                continue
            rule.struck += 1
            rule.times = None if rule.times is None else rule.times - 1
            match rule.action:
                case "drop":
                    delivery.state = "dropped"
                case "duplicate":
                    copies += [self._random.uniform(0, rule.seconds) for _ in range(rule.copies)]
                case "delay":
                    wait += rule.seconds
                case "shuffle":
                    wait += self._random.uniform(0, rule.seconds)
                case "hold":
                    held = True
        self.log.append(delivery)
        if delivery.state == "dropped":
            return
        if held:
            delivery.state = "held"
            self._held.append(delivery)
        else:
            self._spawn(delivery, hook, wait)
        for later in copies:
            repeat = Delivery(
                delivery.webhook_id, hook.id, hook.destination, event.scope, event.order_id, delivery.body, copy=True
            )
            self.log.append(repeat)
            self._spawn(repeat, hook, wait + later)

    def release(self, *, order: Literal["kept", "reversed"] = "kept") -> int:
        """Send everything that is held, one after the other; returns how many."""
        held, self._held = self._held, []
        hooks = {hook.id: hook for hook in self._subscriptions.every()}
        if order == "reversed":
            held.reverse()
        for position, delivery in enumerate(held):
            delivery.state = "waiting"
            if delivery.hook_id in hooks:
                self._spawn(delivery, hooks[delivery.hook_id], position * 0.005)
        return len(held)

    def repeat(self, webhook_id: str) -> None:
        """Send one recorded delivery once more, byte for byte. LookupError when there is none."""
        hooks = {hook.id: hook for hook in self._subscriptions.every()}
        for known in self.log:
            if known.webhook_id == webhook_id and known.hook_id in hooks:
                again = Delivery(
                    known.webhook_id, known.hook_id, known.destination, known.scope, known.order_id, known.body
                )
                again.copy = True
                self.log.append(again)
                self._spawn(again, hooks[known.hook_id], 0.0)
                return
        raise LookupError(f"No delivery {webhook_id} can be repeated.")

    # Tasks

    async def start(self) -> None:
        self._running = True
        for begin in self._backlog:
            begin()
        self._backlog.clear()

    async def stop(self) -> None:
        """Drop what is still on its way."""
        self._running = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def idle(self, timeout: float = 30.0) -> None:
        """Wait until nothing is on its way any more, retries included; TimeoutError when that takes longer."""
        async with asyncio.timeout(timeout):
            while self._tasks:
                await asyncio.wait(set(self._tasks))

    def _spawn(self, delivery: Delivery, hook: Subscription, wait: float) -> None:
        def begin() -> None:
            task = asyncio.get_running_loop().create_task(self._deliver(delivery, hook, wait))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        if self._running:
            begin()
        else:
            self._backlog.append(begin)

    async def _deliver(self, delivery: Delivery, hook: Subscription, wait: float) -> None:
        if wait > 0:
            await asyncio.sleep(wait)
        signed_at = self._now()
        for retry in (*LADDER, None):
            if not hook.is_active:
                delivery.state = "abandoned"
                return
            status = await self._attempt(delivery, hook, self._now() if self.resign else signed_at)
            if status is not None and 200 <= status < 300:
                delivery.state = "delivered"
                return
            if retry is not None:
                self._complain(hook, RETRYING, "Delivery failed and will be retried.")
                await asyncio.sleep(retry * self.time_scale)
        delivery.state = "exhausted"
        self._deactivate(hook)

    async def _attempt(self, delivery: Delivery, hook: Subscription, signed_at: datetime) -> int | None:
        domain = urlsplit(hook.destination).netloc
        now = self._now()
        if self.blocked(domain):
            return None
        headers = {
            **hook.headers,
            "content-type": "application/json",
            "accept": "*/*",
            "user-agent": "BigCommerce-Webhooks",
            **signature(hook.account.client_secret, delivery.webhook_id, signed_at, delivery.body),
        }
        status: int | None
        async with self._slots:
            try:
                answer = await send("POST", self._address(hook), delivery.body, headers, timeout=self._timeout)
                status = answer.status
            except (OSError, TimeoutError, ValueError):
                status = None
        delivery.attempts.append(Attempt(now, status))
        self._judge(hook, domain, success=status is not None and 200 <= status < 300)
        return status

    def _address(self, hook: Subscription) -> str:
        for prefix, real in self.reachable.items():
            if hook.destination.startswith(prefix):
                one = real if isinstance(real, str) else self._random.choice(real)
                return one + hook.destination.removeprefix(prefix)
        return hook.destination

    # Failing destinations

    def blocked(self, domain: str) -> bool:
        """True while the vendor sends nothing to this domain."""
        until = self._blocked.get(domain)
        return until is not None and until > self._now()

    def blocked_domains(self) -> dict[str, int]:
        """Domain -> seconds until the vendor delivers there again."""
        now = self._now()
        return {domain: ceil((until - now).total_seconds()) for domain, until in self._blocked.items() if until > now}

    def block(self, domain: str, seconds: float = BLOCKED_FOR.total_seconds()) -> None:
        """As after two bad minutes; 0 seconds end it."""
        self._blocked[domain] = self._now() + timedelta(seconds=seconds)

    def _judge(self, hook: Subscription, domain: str, *, success: bool) -> None:
        """Block a domain for three minutes once 100 requests within two were less than 90 % successful."""
        now = self._now()
        recent = self._recent.setdefault(domain, deque())
        recent.append((now, success))
        while recent and now - recent[0][0] > WINDOW * self.time_scale:
            recent.popleft()
        if len(recent) >= WINDOW_LEAST and sum(good for _, good in recent) < WINDOW_SUCCESS * len(recent):
            self._blocked[domain] = now + BLOCKED_FOR * self.time_scale
            recent.clear()
            self._complain(hook, BLOCKED, "The destination's domain is blocked.")

    def _deactivate(self, hook: Subscription) -> None:
        if hook.is_active:
            hook.is_active = False
            hook.deactivated = True
            hook.updated = self._now()
            self.mails.append(f"Webhook {hook.id} for {hook.scope} was deactivated: no delivery succeeded in 48 hours.")
            self._complain(hook, EXHAUSTED, "All retries failed; the webhook is deactivated.")

    def _complain(self, hook: Subscription, code: int, message: str) -> None:
        """Tell the account's exception hook; repeated failures of one destination once in ten minutes."""
        now = self._now()
        if code == RETRYING:
            if now - self._warned.get(hook.destination, now - timedelta(days=1)) < timedelta(minutes=10):
                return
            self._warned[hook.destination] = now
        data = {"type": "webhook", "id": hook.id, "error_code": code, "message": message}
        event = Event(EXCEPTIONS, data, now.replace(microsecond=0))
        for listening in self._subscriptions.of(hook.account):
            if listening.scope == EXCEPTIONS and listening.is_active and listening is not hook:
                self._accept(event, listening)

    def _delivery(self, event: Event, hook: Subscription) -> Delivery:
        self._last += 1
        content = {
            "scope": event.scope,
            "store_id": self._store_id,
            "data": event.data,
            "created_at": int(event.at.timestamp()),
            "producer": f"stores/{self._store_hash}",
        }
        digest = hashlib.sha1(_json(content), usedforsecurity=False).hexdigest()
        body = _json({name: content[name] for name in ("scope", "store_id", "data")} | {"hash": digest} | content)
        number = hashlib.sha256(f"{self._store_hash}/{hook.id}/{self._last}".encode()).hexdigest()[:27]
        return Delivery(f"msg_{number}", hook.id, hook.destination, event.scope, event.order_id, body)


def signature(client_secret: str, webhook_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three Standard Webhooks headers; the library wants the raw key in base64."""
    key = base64.b64encode(client_secret.encode()).decode()
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(key).sign(webhook_id, at, body.decode()),
    }


def undelivered(log: Iterable[Delivery]) -> list[Delivery]:
    """Deliveries nobody acknowledged (yet)."""
    return [delivery for delivery in log if delivery.state != "delivered"]


def _json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
