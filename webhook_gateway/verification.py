"""Is a delivery genuine? Standard Webhooks signatures and secret headers, in constant time, over raw bytes.

BigCommerce signs with the raw UTF-8 bytes of the API account's client secret (vendor page "HTTPS webhooks"); the
library would base64-decode a text key, so it is given bytes.
"""

import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from standardwebhooks import Webhook
from starlette.datastructures import Headers

from contracts.configuration import WebhookVerification
from webhook_gateway.verdicts import Refusal, Verdict

SIGNATURES: Final = 10
"""Signatures looked at per delivery. The standard allows several for key rotation; a stranger may send thousands."""

_DELIVERY_ID = re.compile(r"[\x21-\x7e]{1,200}")
_TIMESTAMP = re.compile(r"[0-9]{1,11}")


def delivery_id(headers: Headers) -> str:
    """The `webhook-id` header, the same on every attempt of one delivery; empty when missing or unusable."""
    given = headers.get("webhook-id", "")
    return given if _DELIVERY_ID.fullmatch(given) else ""


def uses_signature(settings: WebhookVerification) -> bool:
    return settings.method in ("standard-webhooks", "both")


def uses_header(settings: WebhookVerification) -> bool:
    return settings.method in ("custom-header", "both")


def verify_signature(body: bytes, headers: Headers, *, secrets: Sequence[str], tolerance: int, now: datetime) -> None:
    """Checks `webhook-id`, `webhook-timestamp` and `webhook-signature` against any of `secrets`.

    Every secret and signature is compared, whichever matches first: several secrets are valid during a rotation. The
    library's own tolerance is fixed at five minutes, so only its `sign` is used and the age is judged here, after the
    signature, with `tolerance` in seconds. Raises `Refusal` (`BAD_SIGNATURE` or `STALE`).
    """
    identifier, stamp = delivery_id(headers), headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "").split()[:SIGNATURES]
    if not (identifier and given and _TIMESTAMP.fullmatch(stamp)):
        raise Refusal(Verdict.BAD_SIGNATURE, "The headers webhook-id, -timestamp and -signature are not all usable.")
    if stamp != str(int(stamp)):
        raise Refusal(Verdict.BAD_SIGNATURE, "The webhook-timestamp has leading zeros.")
    signed_at = datetime.fromtimestamp(int(stamp), tz=UTC)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Refusal(Verdict.BAD_SIGNATURE, "The body is not UTF-8, so it cannot be what was signed.") from error
    genuine = False
    for secret in secrets:
        expected = Webhook(secret.encode()).sign(identifier, signed_at, text).encode()
        for signature in given:
            genuine |= hmac.compare_digest(expected, signature.encode("latin-1"))
    if not genuine:
        raise Refusal(Verdict.BAD_SIGNATURE, f"No signature matches the {len(secrets)} valid secret(s).")
    age = (now - signed_at).total_seconds()
    if abs(age) > tolerance:
        direction = "old" if age > 0 else "in the future"
        raise Refusal(
            Verdict.STALE,
            f"The signature is genuine but {abs(age):.0f} seconds {direction}; the tolerance is {tolerance}.",
        )


def verify_header(headers: Headers, *, name: str, secrets: Sequence[str]) -> None:
    """Checks that exactly one header `name` carries one of `secrets`. Raises `Refusal` (`BAD_SIGNATURE`)."""
    given = headers.getlist(name)
    if len(given) != 1:
        raise Refusal(Verdict.BAD_SIGNATURE, f"The header {name} is there {len(given)} times.")
    genuine = False
    for secret in secrets:
        genuine |= hmac.compare_digest(secret.encode(), given[0].encode("latin-1"))
    if not genuine:
        raise Refusal(Verdict.BAD_SIGNATURE, f"The header {name} carries none of the valid secrets.")
