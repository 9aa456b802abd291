"""What a pod does not show: not yet, not to this user, or because there is none (Oracle Fusion: 2.14, pitfall 12).

A user without data access gets empty lists, not errors, so an empty list alone proves nothing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeVar

from clients.errors import Forbidden, NotFound, Rejected
from clients.oracle_fusion.errors import NotVisibleYet
from clients.oracle_fusion.rest import FusionRest, address

T = TypeVar("T")

NEVER_EMPTY: Final = frozenset(
    {
        "accountCombinationsLOV",
        "accountingPeriodStatusLOV",
        "chartOfAccountsLOV",
        "currencyConversionTypesLOV",
        "dataAccessSetsLOV",
        "finBusinessUnitsLOV",
        "hubOrganizations",
        "journalCategoriesLOV",
        "journalSourcesLOV",
        "ledgersLOV",
        "legalEntitiesLOV",
        "preferredCurrenciesLOV",
        "valueSets",
    }
)
"""Resources that have rows at every pod that keeps books."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for what was just created, seconds. Half a minute is what is reported of pods."""

    limit: float = 30.0
    first: float = 0.5
    longest: float = 5.0
    factor: float = 2.0


@dataclass(frozen=True)
class Appeared(Generic[T]):
    """Something that was created, read back."""

    found: T
    asked: int
    """How often; 1 when it was there at once."""
    waited: float
    """Seconds."""


Told = Callable[[int, float], None]
"""Gets each try that found nothing: its number, and the seconds waited so far."""


async def appear(
    read: Callable[[], Awaitable[T | None]],
    *,
    connection: str,
    subject: str,
    patience: Patience | None = None,
    told: Told | None = None,
) -> Appeared[T]:
    """Read what was just created until it can be read; for that `NotFound` and `None` mean "not yet".

    Raises `NotVisibleYet` when patience ends, and every other error of `read` at once.
    """
    how = patience or Patience()
    began, pause, asked = time.monotonic(), how.first, 0
    while True:
        asked += 1
        try:
            found = await read()
        except NotFound:
            found = None
        waited = time.monotonic() - began
        if found is not None:
            return Appeared(found, asked, waited)
        if told is not None:
            told(asked, waited)
        if waited + pause > how.limit:
            raise NotVisibleYet(
                connection,
                f"Oracle Fusion ({connection}) has created {subject}, but does not show it after {waited:.0f} s "
                f"({asked} tries).",
            )
        await asyncio.sleep(pause)
        pause = min(pause * how.factor, how.longest)


class Reason(StrEnum):
    NO_MATCH = "no_match"
    """The user sees other rows: none fits the question."""
    NO_ROWS = "no_rows"
    """The user sees a row of a kind that proves data access: there are none here."""
    NO_PRIVILEGE = "no_privilege"
    """The user may not use the resource at all."""
    NO_DATA_ACCESS = "no_data_access"
    """What must be there is not shown."""
    UNTOLD = "untold"
    """None there, or none for this user: the pod does not say which."""


@dataclass(frozen=True)
class Emptiness:
    """Why a list is empty, as far as the pod lets it be known."""

    reason: Reason
    sentence: str
    remedy: str = ""

    @property
    def proved(self) -> bool:
        """Whether the emptiness is a fact about the books and not perhaps about the user."""
        return self.reason in (Reason.NO_MATCH, Reason.NO_ROWS)


class Visibility:
    """Tells "there are none" from "none for you" as far as possible."""

    def __init__(self, rest: FusionRest) -> None:
        self._rest = rest

    async def why_empty(
        self, resource: str, *, known: str = "", never_empty: bool = False, privilege: str = ""
    ) -> Emptiness:
        """Why `resource` answered a question with no rows.

        `known`: a record that exists and needs the same data access: its path below the version
        (`ledgersLOV/300000046975971`) or a collection that is never empty for who may see it (`ledgersLOV`).
        `never_empty`: the resource itself has rows at every pod. `privilege`: what the user needs, for the sentence.
        Raises the errors of the reads that are no answer to the question.
        """
        who = f"the integration user of {self._rest.connection.id}"
        needed = f"Give the user {privilege or 'the job role and the data access of this resource'}."
        try:
            seen = await self._sees(resource)
        except Rejected:
            return Emptiness(
                Reason.UNTOLD,
                f"{resource} answers {who} only when asked for something, so it is not known whether there are others.",
                f"If there should be some: {needed[0].lower()}{needed[1:]}",
            )
        if seen is None:
            return Emptiness(Reason.NO_PRIVILEGE, f"{resource} is not for {who}: the privilege is missing.", needed)
        if seen:
            return Emptiness(Reason.NO_MATCH, f"{resource} shows other rows to {who}; none fits the question.")
        if never_empty:
            return Emptiness(
                Reason.NO_DATA_ACCESS, f"{resource} is never empty, but shows nothing to {who}: no data access.", needed
            )
        if not known:
            return Emptiness(
                Reason.UNTOLD,
                f"{resource} shows no row at all to {who}. Fusion answers the same when there are none and when a "
                "role or data access is missing.",
                f"If there should be some: {needed[0].lower()}{needed[1:]}",
            )
        if not await self._sees(known):
            return Emptiness(
                Reason.NO_DATA_ACCESS,
                f"{resource} shows nothing to {who}, and neither does {known}, which exists: no data access.",
                needed,
            )
        return Emptiness(Reason.NO_ROWS, f"{resource} has no rows; {who} sees {known}, which needs the same access.")

    async def _sees(self, path: str) -> bool | None:
        """Whether there is anything at a path for this user; `None` when the user may not ask."""
        try:
            body = await self._rest.http.read(
                address(path), subject=path, params={"limit": 1, "onlyData": True} if "/" not in path else None
            )
        except Forbidden:
            return None
        except NotFound:
            if "/" in path:
                return False
            raise
        items = body.get("items") if isinstance(body, dict) else None
        return bool(items) if isinstance(items, list) else isinstance(body, dict)
