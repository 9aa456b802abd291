"""The vendor's habits on the wire: error bodies, rate limit headers, pages of V2 and V3, rows as models."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from clients.errors import Rejected
from clients.http import Explanation, VendorHttp, explain, parsed
from clients.limiter import Allowance
from clients.redaction import plain

DEFAULT_PAGE: Final = 50
"""BigCommerce: the size of a V2 page when `limit` is not understood."""

Params = Mapping[str, str | int | bool]
_Model = TypeVar("_Model", bound=BaseModel)


def read_error(response: httpx.Response) -> Explanation:
    """What an error says. Never raises.

    BigCommerce: V2 answers a list `[{status, message}]`, V3 an object `{status, title, errors}`, sometimes wrapped in
    `data`, and a missing or malformed token gets plain text.
    """
    body = parsed(response)
    if isinstance(body, Mapping) and isinstance(body.get("data"), list):
        body = body["data"]
    if isinstance(body, Mapping) and isinstance(body.get("errors"), Mapping):
        fields = tuple(plain(f"{name}: {what}") for name, what in body["errors"].items() if isinstance(what, str))
        told = explain(response)
        return Explanation((*told.messages, *fields), told.code)
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
        try:
            body = await self._http.read(path, subject=subject, params={**params, "limit": self._page_size})
        except Rejected as refused:
            if refused.status != httpx.codes.REQUEST_ENTITY_TOO_LARGE or self._page_size <= DEFAULT_PAGE:
                raise
            self._page_size = DEFAULT_PAGE
            body = await self._http.read(path, subject=subject, params={**params, "limit": self._page_size})
        if body is None:
            return []
        if not isinstance(body, list):
            raise self._http.bad_answer(subject, "it is not a list")
        return body

    async def rows_v3(
        self, path: str, model: type[_Model], *, subject: str, params: Params | None = None, paged: bool = True
    ) -> list[_Model]:
        """A whole V3 list by `meta.pagination`. `paged=False` for resources that have no pages."""
        rows: list[_Model] = []
        page = 1
        while True:
            asked = {**(params or {}), "page": page, "limit": self._page_size} if paged else dict(params or {})
            body = await self._http.read(path, subject=subject, params=asked)
            if body is None:
                return rows
            if not isinstance(body, Mapping) or not isinstance(body.get("data"), list):
                raise self._http.bad_answer(subject, "it is not a list in `data`")
            rows.extend(self.model(model, row, subject) for row in body["data"])
            if not paged or not body["data"] or page >= _total_pages(body):
                return rows
            page += 1


def _total_pages(body: Mapping[str, Any]) -> int:
    meta = body.get("meta")
    pagination = meta.get("pagination") if isinstance(meta, Mapping) else None
    total = pagination.get("total_pages") if isinstance(pagination, Mapping) else None
    return total if isinstance(total, int) else 1


async def together(*calls: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
    """Run calls side by side. The first error ends the others and is raised as it is."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return tuple(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
