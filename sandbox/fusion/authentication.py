"""The identity domain's token endpoint and the bearer check (Oracle Fusion: 1).

Access tokens are JWTs without a signature worth checking: their claims say of which domain, client and account they
are.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from starlette.responses import JSONResponse, Response

from sandbox.fusion.world import Credentials, World
from sandbox.kit import Clock, Faults


@dataclass
class Token:
    value: str
    expires: datetime


class IdentityDomain:
    """Client credentials, by Basic header or form fields. A `token_expiry` fault shortens lives to `seconds`."""

    def __init__(self, world: World, clock: Clock, faults: Faults) -> None:
        self._world = world
        self._clock = clock
        self._faults = faults
        self._tokens: dict[str, Token] = {}
        self.asked = 0
        """Sign-ins that were tried."""
        self.issued = 0

    def issue(self, authorization: str, body: bytes) -> Response:
        """POST /oauth2/v1/token. Errors are `{"error", "error_description"}` as OAuth 2 has them."""
        self.asked += 1
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        if form.get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type", "The grant type is not supported.")
        client = _client(authorization) or (form.get("client_id", ""), form.get("client_secret", ""))
        known = next(
            (
                each
                for each in (self._world.credentials, *self._world.other_credentials)
                if _same(client[0], each.client_id) and _same(client[1], each.client_secret)
            ),
            None,
        )
        if known is None:
            return _refused(401, "invalid_client", "Client authentication failed.")
        if form.get("scope") != known.scope:
            return _refused(400, "invalid_scope", "The requested scope is invalid or unknown.")
        short = self._faults.take("token_expiry", "POST", "/oauth2/v1/token")
        lifetime = self._world.habits.token_lifetime
        lives = short.seconds if short else float(lifetime)
        token = Token(self._jwt(known, lifetime), self._clock.now() + timedelta(seconds=lives))
        self._tokens[token.value] = token
        self.issued += 1
        # A shortened life is not announced: that is how a revoked token looks from outside.
        return JSONResponse({"access_token": token.value, "token_type": "Bearer", "expires_in": lifetime})

    def accepts(self, authorization: str) -> bool:
        """True for a bearer token of ours that has not expired."""
        scheme, _, value = authorization.partition(" ")
        token = self._tokens.get(value.strip())
        return scheme.lower() == "bearer" and token is not None and token.expires > self._clock.now()

    def _jwt(self, known: Credentials, lifetime: int) -> str:
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": "https://identity.oraclecloud.com/",
            "tenant": known.tenant,
            "sub": known.user,
            "client_id": known.client_id,
            "aud": [known.scope],
            "jti": secrets.token_hex(16),
            "iat": now,
            "exp": now + lifetime,
        }
        return ".".join((_part({"alg": "RS256", "typ": "JWT"}), _part(claims), secrets.token_urlsafe(32)))

    def revoke(self) -> None:
        """End every token now."""
        self._tokens.clear()


def _part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _client(authorization: str) -> tuple[str, str] | None:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ("", "")
    # OAuth 2 form-encodes both before joining them; most clients do not. Either is accepted.
    return unquote_plus(name), secret if "%" not in secret else unquote_plus(secret)


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())


def _refused(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status_code=status)
