"""The codec endpoint: `POST /decode` and `POST /encode`, also below `/{namespace}`, as the Temporal UI and CLI call it.

| refused with | because |
| --- | --- |
| 401 | nobody has signed in, or the token is not ours or has ended |
| 403 | the page that asks is not the Temporal UI; or another namespace is asked for |
| 408, 413, 415, 400 | the body is slow, large, not JSON, or not payloads |

The sentences are for people: the Temporal CLI prints them. A payload whose key is missing is no refusal: it comes back
as a text that says so.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from temporalio.api.common.v1 import Payloads
from temporalio.converter import PayloadCodec

from console import payloads
from console.doorway import Doorway, Visitor
from console.readings import Readings

DEADLINE: Final = 30.0
"""Seconds for a whole body to arrive."""
HEADERS: Final = ("authorization", "authorization-extras", "content-type", "x-namespace")
"""Headers that the Temporal UI sends."""

_log = structlog.stdlib.get_logger(__name__)


class _RefusedError(Exception):
    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class CodecEndpoint:
    """Decodes and encodes for those who have signed in, for pages of the Temporal UI alone, for one namespace."""

    def __init__(
        self, codec: PayloadCodec, doorway: Doorway, *, namespace: str, origins: tuple[str, ...], url: str
    ) -> None:
        self._codec = codec
        self._doorway = doorway
        self._namespace = namespace
        self._origins = origins
        self._url = url
        self._readings = Readings(namespace)

    def routes(self, *, max_body: int) -> list[Route]:
        cors = Middleware(
            CORSMiddleware,
            allow_origins=self._origins,
            allow_methods=("POST",),
            allow_headers=HEADERS,
            allow_credentials=True,
            max_age=600,
        )
        return [
            Route(path, endpoint, methods=["POST", "OPTIONS"], middleware=[cors], max_body_size=max_body)
            for name, endpoint in (("decode", self.decode), ("encode", self.encode))
            for path in (f"/{name}", f"/{{namespace}}/{name}")
        ]

    async def decode(self, request: Request) -> Response:
        async def open_all(given: Payloads, visitor: Visitor) -> Payloads:
            decoded = await payloads.decode(self._codec, given)
            self._note("decoded", visitor, given, decoded.unreadable)
            return decoded.payloads

        return await self._answer(request, open_all)

    async def encode(self, request: Request) -> Response:
        async def seal_all(given: Payloads, visitor: Visitor) -> Payloads:
            sealed = await payloads.encode(self._codec, given)
            self._note("encoded", visitor, given, [])
            return sealed

        return await self._answer(request, seal_all)

    async def _answer(self, request: Request, turn: Callable[[Payloads, Visitor], Awaitable[Payloads]]) -> Response:
        try:
            visitor = self._admit(request)
            given = await payloads.parse(await self._body(request))
            text = await payloads.write(await turn(given, visitor))
        except _RefusedError as refused:
            return self._refuse(request, refused.status, str(refused))
        except payloads.NotPayloads as wrong:
            return self._refuse(request, 400, str(wrong))
        return Response(text, media_type="application/json", headers={"cache-control": "no-store"})

    def _admit(self, request: Request) -> Visitor:
        """Everything that is known before the body is read."""
        if request.method != "POST":
            raise _RefusedError(405, "Payloads are sent with POST.")
        origin = request.headers.get("origin")
        if origin is not None and origin not in self._origins:
            raise _RefusedError(403, self._stranger(origin))
        visitor = self._doorway.bearer(request)
        if visitor is None and origin is not None and (session := self._doorway.session(request)) is not None:
            visitor = Visitor(session.who, "session")
        if visitor is None:
            raise _RefusedError(
                401,
                f"Nobody has signed in. In the browser: sign in at {self._url}/ and switch on "
                f'"Include cross-origin credentials" in the UI\'s codec settings. On the command line: '
                f'--codec-auth "Bearer $(ml-connector console token --plain)".',
            )
        for asked in (request.path_params.get("namespace"), request.headers.get("x-namespace")):
            if asked and asked != self._namespace:
                raise _RefusedError(403, f"Payloads of namespace {self._namespace} are decoded here, of no other.")
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise _RefusedError(415, "Payloads are sent as application/json.")
        return visitor

    def _stranger(self, origin: str) -> str:
        known = ", ".join(self._origins)
        return (
            f"Pages of {_shown(origin)} may not have payloads decoded. "
            + (f"Open the Temporal UI as {known}" if known else "No address of the Temporal UI is configured")
            + ", or name its origin in [console] ui_origins."
        )

    async def _body(self, request: Request) -> bytes:
        try:
            async with asyncio.timeout(DEADLINE):
                return await request.body()
        except TimeoutError:
            raise _RefusedError(408, f"The payloads did not arrive within {DEADLINE:g} seconds.") from None

    def _refuse(self, request: Request, status: int, sentence: str) -> Response:
        _log.info("codec request refused", status=status, path=request.url.path[:80], reason=sentence)
        headers = {"www-authenticate": "Bearer"} if status == 401 else {}
        return PlainTextResponse(f"{sentence}\n", status_code=status, headers=headers)

    def _note(self, what: str, visitor: Visitor, given: Payloads, unreadable: list[str]) -> None:
        self._readings.add(what, visitor, payloads=len(given.payloads), size=given.ByteSize(), unreadable=unreadable)


def _shown(text: str) -> str:
    """What a stranger wrote, fit for a sentence and a log line."""
    return "".join(character if " " < character <= "~" else "?" for character in text[:80])
