"""What a refused request looks like. V2 answers a list, V3 an object, missing credentials plain text."""

from __future__ import annotations

from typing import Any, Literal

from starlette.responses import JSONResponse, PlainTextResponse, Response

Version = Literal["v2", "v3"]
_TYPE = "/api-docs/getting-started/api-status-codes"


class RefusedError(Exception):
    """The request is answered with `status`; `errors` are V3's messages by field."""

    def __init__(self, status: int, title: str, *, errors: dict[str, str] | None = None, plain: bool = False) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.errors = errors
        self.plain = plain


def not_found() -> RefusedError:
    return RefusedError(404, "The requested resource was not found.")


def answer(refused: RefusedError, version: Version) -> Response:
    """The refusal in the version's own shape."""
    if refused.plain:
        return PlainTextResponse(refused.title, status_code=refused.status)
    if version == "v2":
        return JSONResponse([{"status": refused.status, "message": refused.title}], status_code=refused.status)
    body: dict[str, Any] = {"status": refused.status, "title": refused.title, "type": _TYPE}
    if refused.errors is not None:
        body["errors"] = refused.errors
    return JSONResponse(body, status_code=refused.status)


def version_of(path: str) -> Version:
    return "v2" if "/v2/" in path else "v3"
