"""What a vendor says, made fit for a log line: no markup, no credentials, not longer than a sentence."""

import html
import re

_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]{0,2000}>", re.IGNORECASE | re.DOTALL)
_SPACE = re.compile(r"\s+")
_HIDDEN = "[hidden]"
_CREDENTIAL = (
    re.compile(r"\b(?:Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{6,}", re.IGNORECASE),
    re.compile(r"\beyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,4}"),
    re.compile(
        r"(?:access_token|refresh_token|client_secret|client_assertion|assertion|password|x-auth-token|authorization)"
        r"[\"']?\s*[=:]\s*[\"']?[^\s\"'&,;}]+",
        re.IGNORECASE,
    ),
)
_QUERY = re.compile(r"(https?://[^\s?#\"'<>]+)[?#][^\s\"'<>]*")


def plain(text: str, limit: int = 300) -> str:
    """`text` as plain words in one line, credentials and URL queries hidden, at most `limit` characters."""
    words = _TAG.sub(" ", text[:20_000])
    words = html.unescape(words)
    for pattern in _CREDENTIAL:
        words = pattern.sub(_HIDDEN, words)
    words = _QUERY.sub(r"\1", words)
    words = _SPACE.sub(" ", words).strip()
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"
