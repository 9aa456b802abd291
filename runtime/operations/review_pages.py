"""Reviews by the page and by cause: a list of ten thousand is as quick to look at as one of ten."""

import datetime as dt
from collections.abc import Sequence
from typing import Final

from contracts.causes import Cause, cause_of
from contracts.configuration import Configuration
from contracts.model import Frozen, Instant
from runtime.operations.deciding import ReviewItem, document_item, group_items
from store import Store

PAGE: Final = 20
"""Reviews that people are shown at once."""


class WaitingCause(Frozen):
    """How many reviews one code has; of several problems of a document the first counts."""

    code: str
    count: int
    oldest: Instant

    @property
    def cause(self) -> Cause:
        return cause_of(self.code)


class ReviewPage(Frozen):
    items: tuple[ReviewItem, ...]
    """Longest waiting first."""
    number: int
    pages: int
    total: int


async def waiting_causes(
    store: Store, configuration: Configuration, *, tenant: str | None = None, code: str | None = None
) -> tuple[WaitingCause, ...]:
    """Documents and groups by cause, most first."""
    counted = {
        one.code: WaitingCause(code=one.code, count=one.count, oldest=one.oldest)
        for one in await store.documents.review_causes(tenant, code)
    }
    for item in _with_code(await group_items(store, configuration, tenant), code):
        leading = item.problems[0].code
        known = counted.get(leading) or WaitingCause(code=leading, count=0, oldest=item.since)
        counted[leading] = WaitingCause(code=leading, count=known.count + 1, oldest=min(known.oldest, item.since))
    return tuple(sorted(counted.values(), key=lambda one: (-one.count, one.code)))


async def review_page(
    store: Store,
    configuration: Configuration,
    *,
    tenant: str | None = None,
    code: str | None = None,
    number: int = 1,
    limit: int | None = PAGE,
) -> ReviewPage:
    """Page `number`, counted from 1, of `limit` reviews; all of them without a limit.

    `code` is that of any problem of a review, or a family such as `vendor_*`.
    """
    groups = _with_code(await group_items(store, configuration, tenant), code)
    total = await store.documents.review_count(tenant, code) + len(groups)
    size = limit or max(total, 1)
    begin = (number - 1) * size
    # Groups are few and stand among the documents by their age: whatever their places, no document before `offset` is
    # on this page, and none after the ones read here.
    offset = max(0, begin - len(groups))
    rows = await store.documents.review_page(tenant, code, limit=size + len(groups), offset=offset)
    merged = sorted([*map(document_item, rows), *groups], key=_since)
    return ReviewPage(
        items=tuple(merged[begin - offset : begin - offset + size]),
        number=number,
        pages=max(1, -(-total // size)),
        total=total,
    )


def _since(item: ReviewItem) -> dt.datetime:
    return item.since


def _with_code(items: Sequence[ReviewItem], code: str | None) -> list[ReviewItem]:
    if code is None:
        return list(items)
    begins = code[:-1] if code.endswith("*") else None
    return [
        item
        for item in items
        if any(one.code == code or (begins is not None and one.code.startswith(begins)) for one in item.problems)
    ]
