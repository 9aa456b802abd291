"""Signing in and out, and the page that tells how to read histories."""

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from console.doorway import Doorway
from console.pages import HEADERS, MAX_FORM, form_of, from_our_page, page

_log = structlog.stdlib.get_logger(__name__)


class SignIn:
    def __init__(self, doorway: Doorway, *, namespace: str, origins: tuple[str, ...], url: str) -> None:
        self._doorway = doorway
        self._namespace = namespace
        self._origins = origins
        self._url = url

    def routes(self) -> list[Route]:
        return [
            Route("/", self.start, methods=["GET"]),
            Route("/sign-in", self.ask, methods=["GET"]),
            Route("/sign-in", self.sign_in, methods=["POST"], max_body_size=MAX_FORM),
            Route("/sign-out", self.sign_out, methods=["POST"], max_body_size=MAX_FORM),
        ]

    async def start(self, request: Request) -> Response:
        session = self._doorway.session(request)
        if session is None:
            return RedirectResponse("/sign-in", status_code=303, headers=dict(HEADERS))
        return page("start.html", session=session, url=self._url, origins=self._origins, namespace=self._namespace)

    async def ask(self, request: Request) -> Response:
        return page("sign_in.html", mistake="", session=self._doorway.session(request))

    async def sign_in(self, request: Request) -> Response:
        if not from_our_page(request, self._url):
            return page("sign_in.html", status=403, mistake="Sign in on this page.", session=None)
        token = (await form_of(request)).get("token", "")
        answer = RedirectResponse("/", status_code=303, headers=dict(HEADERS))
        opened = self._doorway.sign_in(token, answer)
        if opened is None:
            _log.warning("sign-in refused", client=request.client.host if request.client else "")
            mistake = "This is not a token of this installation, or it has ended."
            return page("sign_in.html", status=401, mistake=mistake, session=None)
        _log.info("signed in", who=opened.who, until=opened.until.isoformat())
        return answer

    async def sign_out(self, request: Request) -> Response:
        if not from_our_page(request, self._url):
            return page("sign_in.html", status=403, mistake="Sign out on this page.", session=None)
        answer = RedirectResponse("/sign-in", status_code=303, headers=dict(HEADERS))
        self._doorway.sign_out(answer)
        return answer
