"""Writes of many rows at once: so many to a call, and no bad row stops its neighbours."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

import httpx

from clients.bigcommerce.wire import Reader, number, said_in
from clients.errors import NotFound, Rejected, VendorError
from clients.http import VendorHttp
from contracts.bigcommerce_catalog import Change, Versioned

_Row = TypeVar("_Row", bound=Versioned)


@dataclass(frozen=True)
class Written(Generic[_Row]):
    """What became of one row: as the shop has it now, or why it was refused.

    `faults` are the shop's sentences about parts of it that it did not take (BigCommerce: 207).
    """

    id: int
    row: _Row | None = None
    faults: tuple[str, ...] = ()
    error: VendorError | None = None


class Batch(Generic[_Row]):
    """Changes rows of one collection, `most` in a call.

    A change sets values, so it may be sent twice: a lost answer is `Unavailable`, and nothing is in doubt.
    """

    def __init__(
        self, http: VendorHttp, reader: Reader, *, path: str, model: type[_Row], most: int, params: Mapping[str, str]
    ) -> None:
        self._http = http
        self._reader = reader
        self._path = path
        self._model = model
        self._most = most
        self._params = dict(params)

    async def write(self, changes: Sequence[Change], subject: str) -> AsyncIterator[Written[_Row]]:
        """One `Written` for each change, in their order. Raises what is no fault of a row: no quota, no connection.

        Whether the shop refuses a call for one bad row, or takes the others, is not said. So a call that is refused is
        sent again row by row, as is each row that an answer leaves out.
        """
        if len({one.id for one in changes}) < len(changes):
            raise ValueError(f"One row is named twice among the changes of {subject}.")
        for start in range(0, len(changes), self._most):
            chunk = changes[start : start + self._most]
            try:
                taken = await self._send(chunk, subject)
            except (Rejected, NotFound) as refused:
                if len(chunk) == 1:
                    yield Written(chunk[0].id, error=refused)
                    continue
                taken = {}
            for one in chunk:
                yield taken[one.id] if one.id in taken else await self._alone(one, subject)

    async def _alone(self, change: Change, subject: str) -> Written[_Row]:
        try:
            taken = await self._send([change], subject)
        except (Rejected, NotFound) as refused:
            return Written(change.id, error=refused)
        missing = self._http.bad_answer(subject, f"row {change.id} is not in the answer")
        return taken.get(change.id) or Written(change.id, error=missing)

    async def _send(self, chunk: Sequence[Change], subject: str) -> dict[int, Written[_Row]]:
        """What the shop answers for, by id. A row with nothing but faults is left out."""
        answer = await self._http.send(
            "PUT",
            self._path,
            subject=subject,
            params=self._params,
            body=[{"id": one.id, **wire(one.fields())} for one in chunk],
        )
        body: Any = self._http.document(answer, subject)
        rows = body.get("data") if isinstance(body, Mapping) else None
        if not isinstance(rows, list):
            raise self._http.bad_answer(subject, "it is not a list in `data`")
        partly = answer.status_code == httpx.codes.MULTI_STATUS
        faults = said_in(body.get("errors")) if partly else ()
        wanted = {one.id: one for one in chunk}
        found: dict[int, Written[_Row]] = {}
        for entry in rows:
            row = self._reader.model(self._model, entry, subject)
            if row.id in wanted:
                untaken = partly and wanted[row.id].against(row) is not None
                found[row.id] = Written(row.id, row, faults if untaken else ())
        if partly and len(chunk) == 1 and not found:
            raise Rejected(
                self._http.connection,
                f"{self._http.vendor} ({self._http.connection}) did not take {subject}: {' / '.join(faults)}",
                status=answer.status_code,
                messages=faults,
            )
        return found


def wire(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as JSON takes them: decimals as numbers, tuples as lists."""
    return {name: _plain(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, Mapping):
        return wire(value)
    if isinstance(value, Collection) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return value
