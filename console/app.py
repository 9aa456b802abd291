"""The console's web application."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from temporalio.converter import PayloadCodec

from console.addresses import public_url, ui_origins
from console.codec_endpoint import CodecEndpoint
from console.doorway import Doorway
from console.pages import STATIC
from console.sign_in import SignIn
from contracts.configuration import Configuration
from store import KeyRing


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class ConsoleParts:
    """What a console is made of."""

    configuration: Configuration
    keys: KeyRing
    codec: PayloadCodec
    """The one that sealed the histories."""
    namespace: str
    """The Temporal namespace whose payloads it decodes."""
    now: Callable[[], dt.datetime] = _utc_now


def create_app(parts: ConsoleParts) -> Starlette:
    """`/` and `/sign-in` for people, `POST /decode` and `POST /encode` for the Temporal UI and CLI, `GET /healthz`.

    There is no way to run it without authentication: its keys come from the key ring.
    """
    settings = parts.configuration.console
    url, origins = public_url(settings), ui_origins(parts.configuration)
    doorway = Doorway(
        parts.keys,
        session=dt.timedelta(hours=settings.session_hours),
        encrypted=url.startswith("https:"),
        now=parts.now,
    )
    codec = CodecEndpoint(parts.codec, doorway, namespace=parts.namespace, origins=origins, url=url)
    sign_in = SignIn(doorway, namespace=parts.namespace, origins=origins, url=url)
    app = Starlette(
        routes=[
            Route("/healthz", _healthz, methods=["GET"]),
            *sign_in.routes(),
            Mount("/static", StaticFiles(directory=STATIC), name="static"),
            *codec.routes(max_body=settings.max_body),
        ]
    )
    app.router.redirect_slashes = False  # a redirected POST loses its body with many senders
    return app


async def _healthz(request: Request) -> Response:
    return PlainTextResponse("ok")
