# ruff: noqa: N818 -- the names say what happened, as in `clients.errors`
"""Error bodies of Fusion's REST framework (Oracle Fusion: 2.13).

JSON only when the request asked for it, a bare sentence or HTML else; `status` may be text; several details may come
at once, and the functional code often stands in parentheses behind the sentence.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx

from clients.errors import InDoubt, Rejected, Resolution, VendorError
from clients.http import Explanation, explain, parsed
from clients.oracle_fusion.soap_faults import is_xml, read_fault
from clients.redaction import plain

ENDED_BY_FUSION: Final = frozenset({500, 503})
"""Statuses with which Fusion itself ended a request: nothing of it is in flight any more. A gateway's 502 or 504 says
no such thing."""

_CHANGED_CODE: Final = "JBO-25014"
_CHANGED_WORDS: Final = "another user has changed"
"""How a pod without change indicators says that a row was changed meanwhile."""


class UnfitPayload(Rejected):
    """The document does not fit what the resource takes by its own description. Nothing was sent."""

    advice = (
        "Correct the document, the mapping or the flexfield's settings by these sentences, then retry. Where the pod "
        "describes itself wrongly, name the place in the connection's setting unchecked."
    )

    def __init__(
        self, connection: str, sentence: str, *, faults: Sequence[tuple[str, str, str]] = (), **more: Any
    ) -> None:
        super().__init__(connection, sentence, **more)
        self.faults = tuple(faults)
        """Path, kind (`clients.oracle_fusion.payloads.FaultKind`) and sentence of each fault."""


class Outdated(Rejected):
    """The item was changed since it was read (412). Nothing was changed by us: read it again."""

    resolution = Resolution.RETRY
    advice = "Nothing to do: it is read again and changed anew."


class Contended(VendorError):
    """The item was changed by others each time before our change arrived. Nothing was changed by us."""

    resolution = Resolution.RETRY
    advice = "Nothing to do: it is tried again. If it lasts, find out who changes the item all the time."


class Ambiguous(Rejected):
    """More than one record is what was looked for: which one is meant cannot be guessed."""

    advice = "End or merge all but one of them in Fusion, then retry."


class Unordered(Rejected):
    """More rows than a page, which the pod does not sort so that each has one place: some would be on no page."""

    advice = (
        "Name attributes that are unique together and that rows can be sorted by, or a question that leaves fewer rows."
    )


class NotVisibleYet(InDoubt):
    """Created, and not to be read yet. It must not be created again."""

    advice = "Nothing to do: it is looked for again. Nothing is created a second time."


def changed_meanwhile(error: Rejected) -> bool:
    """Whether a refusal says that the row is not the one that was read (Oracle Fusion: 2.9)."""
    if error.status == httpx.codes.PRECONDITION_FAILED or error.code == _CHANGED_CODE:
        return True
    return any(_CHANGED_CODE in said or _CHANGED_WORDS in said.lower() for said in error.messages)


_FUNCTIONAL_CODE = re.compile(r"\(([A-Z]{2,4}-\d{5,7})\)")


def read_error(response: httpx.Response) -> Explanation:
    """The sentences and the first functional code of an error body, whatever its form."""
    if is_xml(response):
        fault = read_fault(response)
        if fault is not None:
            return fault
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
