"""The pages of a twin, for whoever wants to watch it: what is in it, and buttons for what may happen to it.

They are at `/` and below `/_twin/pages`, out of the reach of faults. A button is a form that is sent to the page it is
on, with the name of what it does in `act`. Whatever a twin holds is escaped; nothing comes from elsewhere.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlencode

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from sandbox.kit import wording
from sandbox.kit.form import Form
from sandbox.kit.knobs import KINDS, Knob, set_freely, turn, usual_knobs
from sandbox.kit.paging import newest_first

if TYPE_CHECKING:
    from sandbox.kit.twin import Twin

HERE: Final = Path(__file__).parent
BELOW: Final = "/_twin/pages"
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
SHOWN_FOR: Final = 12.0
"""Seconds a page tells what was last done."""

Read = Callable[[Request], Mapping[str, Any]]
Act = Callable[[Form], str]
"""Does what a button says and returns a sentence about it. LookupError and ValueError are sentences for people too."""


@dataclass(frozen=True)
class View:
    """One page. `read` gives its template what to show, or raises LookupError where there is nothing."""

    path: str
    """Below `/_twin/pages`; empty for the page at `/`."""
    title: str
    template: str
    read: Read
    under: str | None = None
    """Path of the menu's entry this page belongs to; None for a page that is in the menu itself."""

    @property
    def address(self) -> str:
        return f"{BELOW}/{self.path}" if self.path else "/"


@dataclass(frozen=True)
class Doing:
    """Something a person did here, or could not do."""

    at: datetime
    sentence: str
    good: bool
    clock: float
    """Of this machine, monotonic."""


class Pages:
    """The pages of one twin. Subclasses add views, acts and knobs, and have templates in a directory of their own.

    A template of a subclass replaces the kit's of the same name, and can extend it as `kit/NAME`.
    """

    title = "Twin"
    lead = "A simulated system."
    templates: ClassVar[Path] = HERE / "templates"

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.doings: deque[Doing] = deque(maxlen=30)
        kit = FileSystemLoader(HERE / "templates")
        loader = ChoiceLoader([FileSystemLoader(self.templates), kit, PrefixLoader({"kit": kit})])
        self._templates = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._templates.filters.update(
            amount=wording.amount, span=wording.span, where=wording.where, limits=wording.limits
        )
        self._templates.globals.update(counted=wording.counted)
        self._views = self.views()
        self._acts = self.acts()

    # What subclasses add to

    def views(self) -> list[View]:
        """In the order of the menu; the first one is at `/`."""
        return [
            View("", "Overview", "overview.html", self.overview),
            View("faults", "Faults", "faults.html", self.faults),
            View("calls", "Calls", "calls.html", self.calls),
        ]

    def acts(self) -> dict[str, Act]:
        """What buttons do, by the name in their form."""
        return {
            "knob": self._turn,
            "fault": self._set,
            "clear": self._clear,
            "advance": self._advance,
        }

    def knobs(self) -> tuple[Knob, ...]:
        """The faults that have a button."""
        return usual_knobs()

    def kinds(self) -> dict[str, str]:
        """The faults that can be set freely, in words."""
        return KINDS

    def overview(self, request: Request) -> dict[str, Any]:
        return {"calls": newest_first(list(self.twin.calls), None, 10)}

    def faults(self, request: Request) -> dict[str, Any]:
        return {"doings": list(self.doings)[::-1]}

    def calls(self, request: Request) -> dict[str, Any]:
        sought = request.query_params.get("sought", "").strip()
        struck = request.query_params.get("struck") == "yes"
        rows = [
            call
            for call in self.twin.calls
            if (
                not sought or sought.lower() in f"{call.method} {call.path}?{call.query} {call.status or 'cut'}".lower()
            )
            and (call.fault or not struck)
        ]
        leaf = newest_first(rows, request.query_params.get("page"))
        return {"leaf": leaf, "sought": sought, "struck": struck, "total": self.twin.calls.total}

    # HTTP

    def routes(self) -> list[BaseRoute]:
        return [
            Mount("/_twin/static", StaticFiles(directory=HERE / "static")),
            *(Route(view.address, self._answers(view), methods=["GET", "POST"]) for view in self._views),
        ]

    def _answers(self, view: View) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            if request.method != "POST":
                return self._page(view, request)
            try:
                form = await Form.read(request)
                act = self._acts.get(form.text("act"))
                if act is None:
                    raise LookupError(f"There is no button for {form.text('act')!r}.")
                self._note(act(form), good=True)
            except (LookupError, ValueError) as mistake:
                self._note(str(mistake.args[0] if mistake.args else mistake), good=False)
                return self._page(view, request, status=400)
            query = request.url.query
            return RedirectResponse(request.url.path + (f"?{query}" if query else ""), status_code=303)

        return answer

    def _page(self, view: View, request: Request, *, status: int = 200) -> HTMLResponse:
        template, values = view.template, {}
        try:
            values = dict(view.read(request))
        except LookupError as missing:
            template, values, status = "missing.html", {"sentence": missing.args[0]}, 404

        def link(**changes: object) -> str:
            """This page's address with other parameters; None takes one away."""
            wanted = {**request.query_params, **changes}
            query = urlencode({name: str(value) for name, value in wanted.items() if value not in (None, "")})
            return request.url.path + (f"?{query}" if query else "")

        shared = {
            "pages": self,
            "twin": self.twin,
            "view": view,
            "menu": [each for each in self._views if each.under is None],
            "said": self._said(),
            "in_force": list(self.twin.faults),
            "kinds": self.kinds(),
            "below": BELOW,
            "link": link,
        }
        text = self._templates.get_template(template).render(shared | values)
        return HTMLResponse(text, status_code=status, headers=dict(HEADERS))

    def _note(self, sentence: str, *, good: bool) -> None:
        self.doings.append(Doing(self.twin.clock.now(), sentence, good, time.monotonic()))

    def _said(self) -> Doing | None:
        """What was last done, while it is news."""
        last = self.doings[-1] if self.doings else None
        return last if last and time.monotonic() - last.clock < SHOWN_FOR else None

    # What the buttons of every twin do

    def _turn(self, form: Form) -> str:
        knob, fault = turn(self.twin.faults, self.knobs(), form)
        return f"{knob.title}: {wording.where(fault)}, {wording.limits(fault)}."

    def _set(self, form: Form) -> str:
        kinds = self.kinds()
        fault = set_freely(self.twin.faults, kinds, form)
        return f"{kinds[fault.kind]}: {wording.where(fault)}, {wording.limits(fault)}."

    def _clear(self, form: Form) -> str:
        if form.text("fault") == "all":
            gone = len(list(self.twin.faults))
            self.twin.faults.clear()
            return f"{wording.counted(gone, 'fault')} cleared."
        fault = self.twin.faults.remove(form.integer("fault", least=1, most=10**9))
        return f"{self.kinds().get(fault.kind, fault.kind)}: cleared."

    def _advance(self, form: Form) -> str:
        seconds = form.number("seconds", least=-31 * 86_400, most=366 * 86_400)
        now = self.twin.clock.advance(seconds)
        self.twin.agenda.run_due()
        return f"The twin's clock was moved by {wording.span(seconds)} to {now:%Y-%m-%d %H:%M:%S} UTC."
