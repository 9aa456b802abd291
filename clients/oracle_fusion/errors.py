"""Error bodies of Fusion's REST framework (Oracle Fusion: 2.13).

JSON only when the request asked for it, a bare sentence or HTML else; `status` may be text; several details may come
at once, and the functional code often stands in parentheses behind the sentence.
"""

import re
from collections.abc import Mapping
from typing import Final

import httpx

from clients.http import Explanation, explain, parsed
from clients.redaction import plain

ENDED_BY_FUSION: Final = frozenset({500, 503})
"""Statuses with which Fusion itself ended a request: nothing of it is in flight any more. A gateway's 502 or 504 says
no such thing."""

_FUNCTIONAL_CODE = re.compile(r"\(([A-Z]{2,4}-\d{5,7})\)")


def read_error(response: httpx.Response) -> Explanation:
    """The sentences and the first functional code of an error body, whatever its form."""
    body = parsed(response)
    if not isinstance(body, Mapping):
        told = explain(response)
        return Explanation(told.messages, _code_in(told.messages))
    messages: list[str] = []
    code = str(body.get("errorCode") or "")
    details = body.get("o:errorDetails")
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, Mapping):
            messages.append(plain(str(detail.get("detail") or detail.get("title") or "")))
            code = code or str(detail.get("o:errorCode") or "")
    messages = [message for message in dict.fromkeys(messages) if message]
    if not messages:
        messages = list(explain(response).messages)
    return Explanation(tuple(messages), _code_in(messages) or code)


def _code_in(messages: tuple[str, ...] | list[str]) -> str:
    for message in messages:
        found = _FUNCTIONAL_CODE.search(message)
        if found:
            return found.group(1)
    return ""
