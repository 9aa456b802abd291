"""Who we are at a vendor, so that a new secret of another pod or store is noticed before anything is posted there."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Account:
    """`identity` stays the same for as long as pod and account do; `sentence` is how people tell one from another.

    `identity` is a hash: a token may name a person. `sentence` names systems only.
    """

    identity: str
    sentence: str


def account(sentence: str, facts: Mapping[str, Any]) -> Account:
    """The account that these facts, JSON values, belong to. Facts that a vendor does not tell are left out."""
    return Account(identity=_digest(facts), sentence=sentence)


def short_name(facts: Mapping[str, Any]) -> str:
    """By which people tell two accounts apart whose own names are nobody's business: `3f9a21c4`."""
    return _digest(facts)[:8] if facts else "unknown"


def _digest(facts: Mapping[str, Any]) -> str:
    told = {name: value for name, value in facts.items() if value not in (None, "", [])}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
