"""How a person proves who they are: signed texts with a name and an end, made and verified with the key ring alone.

A *token* is printed by `ml-connector console token`; the Temporal CLI sends it as a bearer token, and the sign-in page
asks for it. A *session* is what a browser gets for it as a cookie; one is not accepted in place of the other. Nothing
is stored: a pass ends with its time, or when the key that signed it leaves the ring.
"""

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from itsdangerous import BadData, URLSafeSerializer

from store import KeyRing

PURPOSE: Final = "console-sign-in"
"""The purpose the signing keys are derived for."""
LONGEST: Final = 4096
"""Characters; a longer text is no pass of ours."""
LONGEST_NAME: Final = 80

Kind = Literal["token", "session"]


@dataclass(frozen=True)
class Pass:
    """Who somebody is, and until when they are believed."""

    who: str
    until: dt.datetime


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Passes:
    """Issues and reads passes of one kind."""

    def __init__(self, keys: KeyRing, kind: Kind, *, now: Callable[[], dt.datetime] = _utc_now) -> None:
        self._keys = keys
        self._kind = kind
        self._now = now

    def issue(self, who: str, lifetime: dt.timedelta, *, at_most: dt.datetime | None = None) -> tuple[str, Pass]:
        """A pass as text, and what it says. Signed with the current key. Raises `ValueError` for an unusable name."""
        name = who.strip()
        if not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
            raise ValueError(f"A name has 1 to {LONGEST_NAME} printable characters.")
        until = self._now() + lifetime
        if at_most is not None:
            until = min(until, at_most)
        until = until.replace(microsecond=0)
        return self._serializer().dumps([name, int(until.timestamp())]), Pass(name, until)

    def read(self, text: str) -> Pass | None:
        """What a genuine pass says that has not ended; compared in constant time. Signed with any key of the ring."""
        if not text or len(text) > LONGEST or not text.isascii():
            return None
        try:
            who, until = self._serializer().loads(text)
        except BadData:
            return None
        found = Pass(str(who), dt.datetime.fromtimestamp(until, dt.UTC))
        return found if self._now() < found.until else None

    def _serializer(self) -> URLSafeSerializer:
        # The last one signs; all of them verify, so that a rotation signs nobody out.
        secrets = [self._keys.derive(key_id, PURPOSE) for key_id in reversed(self._keys.ids)]
        return URLSafeSerializer(
            secrets,
            salt=f"ml-connector console {self._kind}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )
