"""How Fusion's REST framework answers: collections, items, errors (Oracle Fusion: 2.3, 2.7, 2.13)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

ERROR_TYPE = "application/vnd.oracle.adf.error+json"
COLLECTION_TYPE = "application/vnd.oracle.adf.resourcecollection+json"
ITEM_TYPE = "application/vnd.oracle.adf.resourceitem+json"

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    412: "Precondition Failed",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class RestError(Exception):
    """An error answer on its way out."""

    def __init__(
        self, status: int, detail: str, code: str = "", path: str = "", more: Sequence[RestError] = ()
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code
        self.path = path
        """Where in the document it is, e.g. `/InvoiceStatus`."""
        self.more = tuple(more)
        """What else is wrong; all is told at once."""


def encode(document: object, zone: tzinfo = UTC) -> bytes:
    """JSON as the pod writes it: amounts as numbers, dates as dates, times with the offset of the user's session."""

    def plain(value: object) -> object:
        if isinstance(value, datetime):
            return value.astimezone(zone).isoformat(timespec="milliseconds")
        return _plain(value)

    return json.dumps(document, default=plain, ensure_ascii=False, separators=(",", ":")).encode()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form.")


def collection(request: Request, document: Mapping[str, Any], zone: tzinfo = UTC) -> Response:
    """200 with a collection."""
    return Response(encode(document, zone), media_type=_type(request, COLLECTION_TYPE))


def item(
    request: Request,
    document: Mapping[str, Any],
    status: int = 200,
    location: str = "",
    etag: str = "",
    zone: tzinfo = UTC,
) -> Response:
    """An item; 201 where it was created, with its address where it has one, and its version where it has one."""
    headers = {name: value for name, value in (("Location", location), ("ETag", etag)) if value}
    return Response(encode(document, zone), status_code=status, media_type=_type(request, ITEM_TYPE), headers=headers)


def _type(request: Request, own: str) -> str:
    return "application/json" if "application/json" in request.headers.get("accept", "") else own


def error(
    accept: str, status: int, detail: str, code: str = "", path: str = "", more: Sequence[RestError] = ()
) -> Response:
    """An error: JSON only for those who ask for it in Accept, a bare sentence for the others; `status` is text."""
    if ERROR_TYPE not in accept:
        return Response(" ".join([detail, *(one.detail for one in more)]), status_code=status, media_type="text/plain")
    told = [(detail, code, path), *((one.detail, one.code, one.path) for one in more)]
    details = [
        {name: value for name, value in zip(("detail", "o:errorCode", "o:errorPath"), one, strict=True) if value}
        for one in told
    ]
    document = {"title": TITLES.get(status, "Error"), "status": str(status), "o:errorDetails": details}
    return Response(encode(document), status_code=status, media_type=ERROR_TYPE)


def unauthorized() -> Response:
    """401 as the gateway in front of the pod sends it: a challenge and a page, never JSON."""
    page = "<html><head><title>401 Unauthorized</title></head><body><h1>401 Unauthorized</h1></body></html>"
    headers = {"WWW-Authenticate": 'Basic realm="owsm"'}
    return Response(page, status_code=401, headers=headers, media_type="text/html")
