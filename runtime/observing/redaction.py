"""Keeps secrets out of what we print: values that are known, and anything that looks like a credential."""

import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable
from typing import Final
from urllib.parse import quote, quote_plus

HIDDEN: Final = "[hidden]"

SHORTEST: Final = 6
"""Shorter values are not searched for: they would blank out ordinary words."""

_CREDENTIALS: Final = (
    re.compile(r"(?P<kept>\b(?:Bearer|Basic)\s+)[A-Za-z0-9+/=._~-]{6,}", re.IGNORECASE),
    re.compile(r"(?P<kept>)\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+){1,4}"),
    re.compile(r"(?P<kept>\w://[^\s:/@]+:)[^\s@/]+(?=@)"),
    re.compile(
        r"(?P<kept>\b(?:access_token|refresh_token|client_secret|client_assertion|password|api_key|x-auth-token)"
        r"\\?[\"']?\s*[=:]\s*\\?[\"']?)[^\s\"'&,;}\\]+",
        re.IGNORECASE,
    ),
)


class Redactor:
    """Replaces secrets in text. Values are added as they are read, and stay known for the life of the process."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for secret in secrets:
            self.remember(secret)

    def remember(self, secret: str) -> None:
        """Hides `secret` from now on, also as it looks in a URL, in base64 and in JSON."""
        if len(secret) < SHORTEST or secret in self._values:
            return
        escaped = secret.replace("\\", "\\\\").replace('"', '\\"')
        encoded = b64encode(secret.encode()).decode()
        self._values |= {secret, escaped, quote(secret, safe=""), quote_plus(secret), encoded}
        longest_first = sorted(self._values, key=len, reverse=True)
        self._pattern = re.compile("|".join(re.escape(value) for value in longest_first))

    def __call__(self, text: str) -> str:
        if self._pattern is not None:
            text = self._pattern.sub(HIDDEN, text)
        for credential in _CREDENTIALS:
            text = credential.sub(rf"\g<kept>{HIDDEN}", text)
        return text

    def watching(self, read: Callable[[], Awaitable[str]]) -> Callable[[], Awaitable[str]]:
        """`read`, remembering every secret it gives."""

        async def remembering() -> str:
            secret = await read()
            self.remember(secret)
            return secret

        return remembering

    def __repr__(self) -> str:
        return f"Redactor({len(self._values)} values)"


redactor: Final = Redactor()
"""The one of this process: `runtime.observing.logs` applies it to every line."""
