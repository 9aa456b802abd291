"""What a cause says of its code."""

from enum import StrEnum
from typing import Literal

from contracts.model import Frozen

Choice = Literal["retry", "retry_with_mapping", "mark_posted", "skip"]
"""Kinds of decisions, as in `contracts.flow.Decision`."""


class Actor(StrEnum):
    """Who can do something about a cause."""

    FINANCE = "finance"
    """Whoever keeps the books in Fusion and the rules they are posted by."""
    OPERATOR = "operator"
    """Whoever keeps the connector's configuration and connections, and the shop's settings."""
    ENGINEER = "engineer"
    """Whoever can read logs and histories."""


class Cause(Frozen):
    """What one code means."""

    code: str
    """snake_case. One that ends in `*` is a family: codes that begin like it and go on with a vendor's own code."""
    means: str
    """One sentence that is true of every document with this code."""
    remedy: str
    actor: Actor
    usual: Choice
    """What usually ends the review once the remedy is applied."""
    mapping_heals: bool = False
    """A newer version of the mapping set may be all that is needed: what waits is then tried again by itself."""
    refuses: bool = False
    """Nothing waits with this code: it is why a decision was not taken."""

    @property
    def is_family(self) -> bool:
        return self.code.endswith("*")

    def covers(self, code: str) -> bool:
        return code.startswith(self.code[:-1]) if self.is_family else code == self.code


FINANCE, OPERATOR, ENGINEER = Actor.FINANCE, Actor.OPERATOR, Actor.ENGINEER
