"""Where a request comes from: pages of other sites must not press a twin's buttons."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

READING = frozenset({"GET", "HEAD", "OPTIONS"})


def from_elsewhere(headers: Mapping[str, str]) -> bool:
    """True when a browser says that a page of another origin made the request.

    Header names are lower case. Programs send neither header and pass.
    """
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")
