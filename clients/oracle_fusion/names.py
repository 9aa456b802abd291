"""Names that flows and rules use, looked up for people: what a pod has under them, and what it has instead.

Unlike the reads of the flows these say what is near when a name is wrong, and why a list is empty.
"""

import datetime as dt
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from clients.oracle_fusion.links import Links
from clients.oracle_fusion.reference_data import GENERAL_LEDGER, ReferenceData
from clients.oracle_fusion.rest import FusionRest, Row, quoted, text
from clients.oracle_fusion.visibility import Emptiness, Visibility
from contracts.model import Frozen

_LISTS: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "ledger": ("ledgersLOV", "LedgerId", ("Name", "LedgerName", "LedgerShortName")),
    "source": ("journalSourcesLOV", "", ("UserJeSourceName", "Name", "JournalSourceName")),
    "category": ("journalCategoriesLOV", "", ("UserJeCategoryName", "Name", "JournalCategoryName")),
    "business unit": ("finBusinessUnitsLOV", "BusinessUnitId", ("BusinessUnitName", "Name")),
}
"""Short lists by what people call an entry: resource, sort, attributes that may hold the name."""
NEAR: Final = 5


class Found(Frozen):
    """What was found under a name."""

    kind: str
    name: str
    rows: tuple[dict[str, Any], ...] = ()
    near: tuple[str, ...] = ()
    """Names that are like it, when there is none of that name."""
    why_empty: str = ""
    """When the pod shows nothing of the kind at all."""
    sentence: str = ""
    """What else is to be known of it, e.g. why nothing can be posted to an account."""


class Names:
    """Look-ups by name at one pod. Names are compared exactly, as imports do. Raises the errors of `clients.errors`."""

    def __init__(self, rest: FusionRest, reference: ReferenceData) -> None:
        self._rest = rest
        self._reference = reference
        self._links = Links(rest)
        self._visibility = Visibility(rest)

    async def listed(self, kind: str, name: str = "") -> Found:
        """An entry of a short list (`ledger`, `source`, `category`, `business unit`), or all of them."""
        resource, order, attributes = _LISTS[kind]
        rows = [row async for row in self._rest.rows(resource, subject=f"the {kind} {name}".strip(), order_by=order)]
        if not rows:
            return Found(
                kind=kind, name=name, why_empty=_told(await self._visibility.why_empty(resource, never_empty=True))
            )
        if not name:
            return Found(kind=kind, name=name, rows=_plain(rows))
        fits = [row for row in rows if name in {text(row, one) for one in attributes}]
        return Found(kind=kind, name=name, rows=_plain(fits), near=() if fits else near(name, rows, attributes))

    async def account(self, account: str, ledger: str, on: dt.date, separator: str = "-") -> Found:
        """An account combination of a ledger, and whether it can be posted to on a day."""
        facts = await self._reference.ledger(ledger)
        segments = tuple(account.split(separator))
        if facts.segment_count and len(segments) != facts.segment_count:
            return Found(
                kind="account",
                name=account,
                sentence=f"{account} has {len(segments)} segments; accounts of {ledger} have {facts.segment_count}.",
            )
        state = (await self._reference.combinations(facts, [segments], separator))[segments]
        if not state.exists:
            return Found(kind="account", name=account, sentence=state.refusal(on))
        row = state.model_dump(mode="json", exclude={"segments", "exists"})
        return Found(
            kind="account", name=account, rows=(row,), sentence=state.refusal(on) or f"It can be posted to on {on}."
        )

    async def period(
        self, ledger: str, name: str = "", on: dt.date | None = None, application: int = GENERAL_LEDGER
    ) -> Found:
        """Periods of a ledger in one application: by name, by a day, or those that are open."""
        facts = await self._reference.ledger(ledger)
        periods = await self._reference.periods(facts.ledger_id, application)
        if not periods:
            told = await self._visibility.why_empty("accountingPeriodStatusLOV", never_empty=True)
            return Found(kind="period", name=name, why_empty=_told(told))
        fits = [
            one
            for one in periods
            if (one.name == name if name else one.starts <= on <= one.ends if on else one.status in ("open", "future"))
        ]
        known = [one.name for one in periods]
        return Found(
            kind="period",
            name=name or (on.isoformat() if on else ""),
            rows=tuple(one.model_dump(mode="json") for one in fits),
            near=tuple(difflib.get_close_matches(name, known, n=NEAR)) if name and not fits else (),
        )

    async def customer(self, account: str) -> Found:
        """The active bill-to sites of a customer account."""
        resource = "customerAccountSitesLOV"
        rows = [
            row
            async for row in self._rest.rows(
                resource,
                subject=f"the sites of customer account {account}",
                q=f"AccountNumber={quoted(account)}",
                order_by="SiteUseId",
            )
        ]
        if rows:
            return Found(kind="customer", name=account, rows=_plain(rows))
        return Found(kind="customer", name=account, why_empty=_told(await self._visibility.why_empty(resource)))

    async def value(self, value_set: str, value: str = "") -> Found:
        """A value of a value set, or all of them; the set's key is opaque, so its link is followed."""
        subject = f"the value set {value_set}"
        found = await self._links.find("valueSets", subject=subject, q=f"ValueSetCode={quoted(value_set)}")
        if found is None:
            rows = [
                row async for row in self._rest.rows("valueSets", subject="the value sets", order_by="ValueSetCode")
            ]
            if not rows:
                told = await self._visibility.why_empty("valueSets", never_empty=True)
                return Found(kind="value set", name=value_set, why_empty=_told(told))
            return Found(kind="value set", name=value_set, near=near(value_set, rows, ("ValueSetCode",)))
        path = self._links.child(found[1], "values", subject=subject)
        values = await self._values(path, value, subject)
        if values or not value:
            return Found(kind="value", name=value, rows=_plain(values))
        every = await self._values(path, "", subject)
        return Found(kind="value", name=value, near=near(value, every, ("Value", "IndependentValue")))

    async def _values(self, path: str, value: str, subject: str) -> list[Row]:
        rows: list[Row] = []
        while True:
            params: dict[str, str | int | bool] = {"limit": 499, "offset": len(rows), "orderBy": "Value:asc"}
            if value:
                params["q"] = f"Value={quoted(value)}"
            body = await self._rest.page(path, subject=f"values of {subject}", params={**params, "onlyData": True})
            rows += body["items"]
            if not body["items"] or not body.get("hasMore"):
                return rows


def near(name: str, rows: Iterable[Row], attributes: Sequence[str]) -> tuple[str, ...]:
    """Names like one that does not exist, whatever their case; the likest first."""
    known = {text(row, one): text(row, one).casefold() for row in rows for one in attributes if text(row, one)}
    fits = difflib.get_close_matches(name.casefold(), list(known.values()), n=NEAR, cutoff=0.5)
    return tuple(dict.fromkeys(one for fit in fits for one, folded in known.items() if folded == fit))[:NEAR]


def _told(why: Emptiness) -> str:
    return f"{why.sentence} {why.remedy}".strip()


def _plain(rows: Iterable[Row]) -> tuple[dict[str, Any], ...]:
    return tuple({name: value for name, value in row.items() if name != "links"} for row in rows)
