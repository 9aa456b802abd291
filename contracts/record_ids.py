"""Ids of records that are known by a text of people's own making, such as an item number."""

import hashlib
import re
from typing import Final

LONGEST: Final = 80
"""Characters of a document's id in workflow ids."""
ESCAPED: Final = "x__"
"""What an id begins with whose text does not begin with a letter or digit."""
HASHED: Final = "h__"
"""What an id begins with that stands for a text too long to be written out."""
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")
_ESCAPE: Final = re.compile(r"_([0-9a-f]{2})")


def record_id(text: str) -> str:
    """A document id that stands for this text alone, the same whenever it is asked for.

    Letters, digits, dots and hyphens stand for themselves, every other byte of its UTF-8 is `_` and two hex digits. A
    text that becomes longer than 80 characters is named by the first 40 hex digits of its SHA-256.
    """
    written = "".join(
        one if one in _PLAIN else "".join(f"_{byte:02x}" for byte in one.encode("utf-8", "surrogatepass"))
        for one in text
    )
    if not written or not written[0].isalnum():
        written = ESCAPED + written
    if len(written) <= LONGEST:
        return written
    return HASHED + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def text_of(written: str) -> str | None:
    """The text that an id stands for; None where only its hash is left. Raises `ValueError` for no id of ours."""
    if written.startswith(HASHED):
        return None
    bare = written.removeprefix(ESCAPED)
    parts = _ESCAPE.split(bare)
    if any("_" in part for part in parts[::2]):
        raise ValueError(f"{written} is not the id of a record.")
    raw = b"".join(bytes.fromhex(part) if index % 2 else part.encode() for index, part in enumerate(parts))
    return raw.decode("utf-8", "surrogatepass")
