"""Items read with their version and changed on condition of it (Oracle Fusion: 2.9).

Which resources have change indicators is not documented. `If-Match` is sent where one came; where none came, what was
read is compared by nobody, and the last write wins.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from clients.errors import Rejected
from clients.oracle_fusion.errors import Contended, Outdated, changed_meanwhile
from clients.oracle_fusion.rest import FusionRest, Row, link

TRIES: Final = 4
"""How often a change is made when others are quicker: people and other jobs, so more often than that says something."""


@dataclass(frozen=True)
class Item:
    """A row by its own address, as it was at one moment."""

    path: str
    """Below the pod's address."""
    row: Row
    etag: str = ""
    """Its version, as `If-Match` takes it; empty where the resource has none."""


@dataclass(frozen=True)
class Change:
    """What became of a change."""

    item: Item
    """As it is now."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """What was sent; empty when the item was already as it should be."""
    tries: int = 1


Apply = Callable[[Row], Mapping[str, Any] | None]
"""What to send for a row as it is now, only what differs; nothing when there is nothing to change."""
Check = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Raises when something must not be sent."""


class Versions:
    """Reads and changes of single items of one pod. Raises the errors of `clients.errors`."""

    def __init__(self, rest: FusionRest) -> None:
        self._rest = rest

    async def read(self, path: str, *, subject: str, fields: str = "", expand: str = "") -> Item:
        """One item with its version. Raises `NotFound`."""
        params = {name: value for name, value in (("fields", fields), ("expand", expand)) if value}
        response = await self._rest.http.send("GET", path, subject=subject, params=params)
        return self._item(path, response, subject)

    async def update(self, item: Item, changes: Mapping[str, Any], *, subject: str, ends: float | None = None) -> Item:
        """Change the item if it still is as it was read, and give it as it is then.

        `ends`: moment of the event loop's clock at which the call is over. Raises `Outdated` when somebody else
        changed it, `InDoubt` when the answer was lost: read it again then, and see what is left to change.
        """
        try:
            response = await self._rest.http.send(
                "PATCH", item.path, subject=subject, body=dict(changes), headers=_condition(item), write=True, ends=ends
            )
        except Rejected as error:
            raise _outdated(error) from None
        if response.content.strip():
            changed = self._item(item.path, response, subject)
            if changed.etag or not item.etag:
                return changed
        # The answer to a change may say less than a read; what is handed on must have the version.
        return await self.read(item.path, subject=subject)

    async def delete(self, item: Item, *, subject: str, ends: float | None = None) -> None:
        """Delete the item if it still is as it was read. Raises as `update` does."""
        try:
            await self._rest.http.send(
                "DELETE", item.path, subject=subject, headers=_condition(item), write=True, ends=ends
            )
        except Rejected as error:
            raise _outdated(error) from None

    async def change(
        self,
        path: str,
        apply: Apply,
        *,
        subject: str,
        check: Check | None = None,
        tries: int = TRIES,
        expand: str = "",
        ends: float | None = None,
    ) -> Change:
        """Read an item, send what `apply` says of it, and begin again when somebody else was quicker.

        `check` sees what is about to be sent. Repeating a whole `change` is safe: what has arrived is not sent again.
        Raises `Contended` after `tries`.
        """
        for tried in range(1, tries + 1):
            item = await self.read(path, subject=subject, expand=expand)
            changes = apply(item.row)
            if not changes:
                return Change(item, {}, tried)
            if check is not None:
                await check(changes)
            try:
                return Change(await self.update(item, changes, subject=subject, ends=ends), changes, tried)
            except Outdated:
                continue
        raise Contended(
            self._rest.connection.id,
            f"Oracle Fusion ({self._rest.connection.id}): {subject} was changed by somebody else {tries} times while "
            "it was being changed.",
            status=int(httpx.codes.PRECONDITION_FAILED),
        )

    def _item(self, path: str, response: httpx.Response, subject: str) -> Item:
        row = self._rest.http.document(response, subject)
        if not isinstance(row, Mapping):
            raise self._rest.http.bad_answer(subject, "the answer is not an item", status=response.status_code)
        return Item(path, row, response.headers.get("etag") or change_indicator(row))


def change_indicator(row: Row) -> str:
    """The version that a row's own link carries: the same that comes as a header, for rows read in lists."""
    properties = link(row, "self").get("properties")
    told = properties.get("changeIndicator") if isinstance(properties, Mapping) else None
    if not isinstance(told, str) or not told:
        return ""
    return told if told.endswith('"') else f'"{told}"'


def _condition(item: Item) -> dict[str, str]:
    return {"If-Match": item.etag} if item.etag else {}


def _outdated(error: Rejected) -> Rejected:
    if not changed_meanwhile(error):
        return error
    return Outdated(error.connection, error.sentence, status=error.status, code=error.code, messages=error.messages)
