"""The vendor's habits on the wire: error bodies, rate limit headers, pages of V2 and V3, rows as models."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from clients.errors import BadAnswer, Rejected, Unavailable
from clients.http import Explanation, VendorHttp, explain, parsed
from clients.limiter import Allowance
from clients.redaction import plain

DEFAULT_PAGE: Final = 50
"""BigCommerce: the size of a V2 page when `limit` is not understood."""

SECOND: Final = timedelta(seconds=1)
"""BigCommerce: dates have whole seconds, and whether a filter means "at" or only "after" is not said."""
ROUNDS: Final = 30
"""How often the pages of a list that nobody sorts are read, until they have shown every row."""

_EMAIL: Final = re.compile(r"[^\s@<>\"']+@[^\s@<>\"',;]+")

Params = Mapping[str, str | int | bool]
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class Page(Generic[_Model]):
    """A page of a V3 list. `total` and `pages` are of everything that was asked for; None when it is not said."""

    rows: list[_Model]
    total: int | None
    pages: int | None

    @property
    def is_all(self) -> bool:
        """Whether nothing is left behind this page, when it is the first."""
        return not self.rows or (self.total is not None and self.total <= len(self.rows))


def read_error(response: httpx.Response) -> Explanation:
    """What an error says, without the e-mail addresses of customers. Never raises.

    BigCommerce: V2 answers a list `[{status, message}]`, V3 an object `{status, title, errors}`, sometimes wrapped in
    `data`, a batch of variants a list in `batch_errors`, and a missing or malformed token gets plain text.
    """
    told = _told(response)
    return Explanation(tuple(_EMAIL.sub("[e-mail]", one) for one in told.messages), told.code)


def _told(response: httpx.Response) -> Explanation:
    body = parsed(response)
    if isinstance(body, Mapping) and isinstance(body.get("data"), list):
        body = body["data"]
    if isinstance(body, Mapping) and isinstance(body.get("errors"), Mapping):
        fields = tuple(plain(f"{name}: {what}") for name, what in body["errors"].items() if isinstance(what, str))
        told = explain(response)
        return Explanation((*told.messages, *fields), told.code)
    if isinstance(body, Mapping) and isinstance(body.get("batch_errors"), list):
        return Explanation(said_in(body["batch_errors"]))
    if isinstance(body, list):
        entries = [entry for entry in body if isinstance(entry, Mapping)]
        said = [
            plain(str(entry[name])) for entry in entries for name in ("message", "title", "error") if entry.get(name)
        ]
        return Explanation(tuple(dict.fromkeys(filter(None, said))))
    return explain(response)


def read_allowance(headers: Mapping[str, str]) -> Allowance | None:
    """What is left of the store's quota, which all its apps share. `None` without the headers.

    BigCommerce: a window of 30 s; `X-Rate-Limit-Requests-Left` and `X-Rate-Limit-Time-Reset-Ms`, in any case.
    """
    found = {name.lower(): value for name, value in headers.items() if name.lower().startswith("x-rate-limit-")}
    try:
        left = int(found["x-rate-limit-requests-left"])
        reset = float(found["x-rate-limit-time-reset-ms"]) / 1000
    except (KeyError, ValueError):
        return None
    return Allowance(left=left, reset=reset) if reset >= 0 else None


class Reader:
    """Reads documents, lists and pages of one store and turns rows into models."""

    def __init__(self, http: VendorHttp, page_size: int) -> None:
        self._http = http
        self._page_size = page_size

    async def document(
        self, path: str, model: type[_Model], *, subject: str, params: Params | None = None
    ) -> _Model | None:
        """One V2 document; `None` for 204. Raises `BadAnswer` when it is not one."""
        body = await self._http.read(path, subject=subject, params=params)
        return None if body is None else self.model(model, body, subject)

    async def value(self, path: str, *, subject: str, params: Params | None = None) -> Any:
        return await self._http.read(path, subject=subject, params=params)

    def model(self, model: type[_Model], body: object, subject: str) -> _Model:
        """`body` as `model`. The error names fields and never their values."""
        try:
            return model.model_validate(body)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(str(step) for step in one['loc']) or 'it'}: {one['msg']}"
                for one in error.errors(include_input=False, include_url=False, include_context=False)[:5]
            )
            raise self._http.bad_answer(subject, f"not as documented ({wrong})") from None

    async def rows_v2(
        self, path: str, model: type[_Model], *, subject: str, params: Params | None = None
    ) -> list[_Model]:
        """A whole V2 list."""
        return [row async for page in self.pages_v2(path, model, subject=subject, params=params) for row in page]

    async def pages_v2(
        self, path: str, model: type[_Model], *, subject: str, params: Params | None = None
    ) -> AsyncIterator[list[_Model]]:
        """The pages of a V2 list, which has no count: read until 204, an empty page or a short one.

        A short page is no proof where its length is a multiple of the default: the shop may have capped `limit`.
        A shop that refuses the limit (413) is asked with the default. Pages that repeat raise `BadAnswer`.
        """
        page = 1
        previous: object = None
        while True:
            body = await self.page_v2(path, subject=subject, params={**(params or {}), "page": page})
            if not body:
                return
            if body == previous:
                raise self._http.bad_answer(subject, "its pages repeat")
            yield [self.model(model, row, subject) for row in body]
            if self.is_last(body):
                return
            previous, page = body, page + 1

    def is_last(self, page: Sequence[object]) -> bool:
        """Whether nothing can follow a V2 page of this length."""
        return len(page) < self._page_size and len(page) % DEFAULT_PAGE != 0

    async def page_v2(self, path: str, *, subject: str, params: Params) -> list[Any]:
        """One page of a V2 list, empty for 204."""
        body = await self._limited(path, subject, params)
        if body is None:
            return []
        if not isinstance(body, list):
            raise self._http.bad_answer(subject, "it is not a list")
        return body

    async def _limited(self, path: str, subject: str, params: Params) -> Any:
        """A page of the size we like, or of the shop's own where it refuses that (413)."""
        try:
            return await self._http.read(path, subject=subject, params={**params, "limit": self._page_size})
        except Rejected as refused:
            if refused.status != httpx.codes.REQUEST_ENTITY_TOO_LARGE or self._page_size <= DEFAULT_PAGE:
                raise
            self._page_size = DEFAULT_PAGE
            return await self._http.read(path, subject=subject, params={**params, "limit": self._page_size})

    @property
    def page_size(self) -> int:
        """Rows on a page, at most."""
        return self._page_size

    async def rows_v3(
        self, path: str, model: type[_Model], *, subject: str, params: Params | None = None, paged: bool = True
    ) -> list[_Model]:
        """A whole V3 list by `meta.pagination`. `paged=False` for resources that have no pages."""
        pages = self.pages_v3(path, model, subject=subject, params=params, paged=paged)
        return [row async for page in pages for row in page]

    async def pages_v3(
        self, path: str, model: type[_Model], *, subject: str, params: Params | None = None, paged: bool = True
    ) -> AsyncIterator[list[_Model]]:
        """The pages of a V3 list, one request each."""
        page = 1
        while True:
            asked = {**(params or {}), "page": page, "limit": self._page_size} if paged else dict(params or {})
            body = await self._http.read(path, subject=subject, params=asked)
            if body is None:
                return
            if not isinstance(body, Mapping) or not isinstance(body.get("data"), list):
                raise self._http.bad_answer(subject, "it is not a list in `data`")
            yield [self.model(model, row, subject) for row in body["data"]]
            if not paged or not body["data"] or page >= _total_pages(body):
                return
            page += 1

    async def page_v3(
        self, path: str, model: type[_Model], *, subject: str, params: Params | None = None, page: int = 1
    ) -> Page[_Model]:
        """One page of a V3 list, empty for 204."""
        return self.page_of(await self._limited(path, subject, {**(params or {}), "page": page}), model, subject)

    def page_of(self, body: Any, model: type[_Model], subject: str) -> Page[_Model]:
        """The rows of a V3 list and how many there are, from a body; no body is an empty page."""
        if body is None:
            return Page([], 0, 0)
        if not isinstance(body, Mapping) or not isinstance(body.get("data"), list):
            raise self._http.bad_answer(subject, "it is not a list in `data`")
        counted = _pagination(body)
        return Page(
            [self.model(model, row, subject) for row in body["data"]],
            _number(counted.get("total")),
            _number(counted.get("total_pages")),
        )

    async def every_v3(
        self,
        path: str,
        model: type[_Model],
        *,
        subject: str,
        key: Callable[[_Model], Hashable],
        params: Params | None = None,
    ) -> AsyncIterator[_Model]:
        """Every row of a V3 list that cannot be sorted, once, in no order.

        Nobody promises that such a list has one order from page to page: a row may be on two of them, and then another
        is on none. So the pages are read again until as many rows were seen as the shop counts; when it counts
        otherwise than before, rows came or went, and those seen so far prove nothing. Keeps keys, no rows. Raises
        `Unavailable` when rows come and go all the time, `BadAnswer` when they never become complete all the same.
        """
        told, proved = set[Hashable](), set[Hashable]()
        total, moved = -1, False
        for _ in range(ROUNDS):
            page = 1
            while True:
                found = await self.page_v3(path, model, subject=subject, params=params, page=page)
                if found.total != total:
                    moved = moved or total >= 0
                    total = -1 if found.total is None else found.total
                    proved.clear()
                for row in found.rows:
                    proved.add(key(row))
                    if key(row) not in told:
                        told.add(key(row))
                        yield row
                if found.total is not None and len(proved) >= found.total:
                    return
                if not found.rows or page >= (found.pages or 1):
                    break
                page += 1
            if found.total is None:
                return
        if moved:
            raise Unavailable(
                self._http.connection,
                f"{self._http.vendor} ({self._http.connection}) changed {subject} all the time that it was read.",
            )
        raise self._http.bad_answer(subject, "its pages never showed as many rows as it counts")

    def ignored(self, subject: str, what: str) -> BadAnswer:
        """BigCommerce: a filter that is not understood is ignored in silence, and everything comes back."""
        return BadAnswer(
            self._http.connection,
            f"{self._http.vendor} ({self._http.connection}) answered for {subject}, but ignored {what}.",
        )

    async def document_v3(self, path: str, model: type[_Model], *, subject: str) -> _Model | None:
        """One V3 document; `None` for 204. Raises `BadAnswer` when it is not one."""
        body = await self._http.read(path, subject=subject)
        if body is None:
            return None
        if not isinstance(body, Mapping) or not isinstance(body.get("data"), Mapping):
            raise self._http.bad_answer(subject, "there is no `data` in it")
        return self.model(model, body["data"], subject)


def said_in(errors: object) -> tuple[str, ...]:
    """The sentences in the `errors` of a V3 answer: an object of fields, an error, or a list of either."""
    if isinstance(errors, list | tuple):
        return tuple(dict.fromkeys(sentence for entry in errors for sentence in said_in(entry)))
    if isinstance(errors, str):
        return tuple(filter(None, [plain(errors)]))
    if not isinstance(errors, Mapping):
        return ()
    if "title" in errors or "errors" in errors:
        return tuple(dict.fromkeys((*said_in(errors.get("title")), *said_in(errors.get("errors")))))
    return tuple(plain(f"{name}: {what}") for name, what in errors.items() if isinstance(what, str))


def iso(moment: datetime) -> str:
    """A moment as V3 filters take it: whole seconds, with its offset."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def number(value: Decimal) -> int | float:
    """A number as V3 takes it: no text."""
    return int(value) if value == value.to_integral_value() else float(value)


def _pagination(body: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = body.get("meta")
    pagination = meta.get("pagination") if isinstance(meta, Mapping) else None
    return pagination if isinstance(pagination, Mapping) else {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _total_pages(body: Mapping[str, Any]) -> int:
    return _number(_pagination(body).get("total_pages")) or 1


async def together(*calls: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
    """Run calls side by side. The first error ends the others and is raised as it is."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return tuple(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
