"""SOAP faults (Oracle Fusion: 2.13): an answer of the service, although its status is 500.

A fault with the service's own message says that the document was refused and nothing was changed. Without one it may
come from anything in between, and then the outcome is what the status says: unknown.
"""

import re
from collections.abc import Iterator
from typing import Final

import httpx

from clients.errors import Forbidden, Rejected, Unauthorized, VendorError
from clients.http import Explanation
from clients.oracle_fusion.soap_document import Element, NotSoapError, child, children, local, opened, told
from clients.redaction import plain

_SIGN_IN: Final = frozenset(
    {"FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken", "SecurityTokenUnavailable"}
)
"""Codes of the security layer in front of the service."""
_NOT_ALLOWED = re.compile(
    r"not authori[sz]ed|access (?:is )?denied|insufficient privilege|not have (?:the )?(?:privilege|permission|access)",
    re.IGNORECASE,
)
_TECHNICAL = re.compile(
    r"\bORA-\d{5}\b|\bJBO-(?:26061|26041|29000|28033)\b|transaction (?:was )?rolled back|timed? ?out", re.IGNORECASE
)
"""Troubles of the service itself that come in the form of a refusal."""
_WRAPPED = re.compile(r"<TEXT>(.*?)</TEXT>", re.DOTALL)
_NUMBERED = re.compile(r"^JBO-(?:[A-Z]{2,4}:::)?[A-Z0-9_]+:\s+")


def is_xml(response: httpx.Response) -> bool:
    """Whether an answer may be SOAP."""
    kind = response.headers.get("content-type", "").lower()
    return "xml" in kind and "html" not in kind


def read_fault(response: httpx.Response) -> Explanation | None:
    """What a fault says, and what it is an error of; `None` when the answer is none."""
    try:
        body = opened(response.content, response.headers.get("content-type", ""))
    except NotSoapError:
        return None
    return explain_fault(body) if local(body) == "Fault" else None


def explain_fault(fault: Element) -> Explanation:
    """The sentences of a fault, innermost last, and the service's code."""
    detail = child(fault, "detail")
    spoken = next(children(detail, "ServiceErrorMessage"), None) if detail is not None else None
    said = list(_messages(spoken)) if spoken is not None else []
    messages = tuple(dict.fromkeys(filter(None, map(_sentence, said or [told(fault, "faultstring")]))))
    code = told(spoken, "code") if spoken is not None else ""
    reason = " ".join([told(fault, "faultstring"), *said])
    return Explanation(messages, code, _kind(told(fault, "faultcode"), reason, refused=spoken is not None))


def _kind(code: str, reason: str, *, refused: bool) -> type[VendorError] | None:
    if code.rpartition(":")[2] in _SIGN_IN:
        return Unauthorized
    if not refused or _TECHNICAL.search(reason):
        return Forbidden if _NOT_ALLOWED.search(reason) else None
    return Forbidden if _NOT_ALLOWED.search(reason) else Rejected


def _messages(spoken: Element) -> Iterator[str]:
    """The message of an element and of those below it, each with the attribute it is about."""
    attribute, message = told(spoken, "attributeName"), told(spoken, "message")
    if message:
        yield f"{message} ({attribute})" if attribute and attribute not in message else message
    for below in children(spoken, "detail"):
        yield from _messages(below)


def _sentence(message: str) -> str:
    """Messages come wrapped: `JBO-FND:::NAME: <MESSAGE><TEXT>...</TEXT></MESSAGE>`. Names without a text stay."""
    inner = _WRAPPED.search(message)
    text = inner.group(1) if inner else (_NUMBERED.sub("", message) or message)
    return plain(text)
