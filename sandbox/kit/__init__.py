"""What every twin is built from: a clock, faults, hooks, a record of calls, and a server to run it.

A twin is a subclass of `Twin` with its own routes::

    class Shop(Twin):
        name = "shop"

        def routes(self) -> list[BaseRoute]:
            return [Route("/orders", self.orders)]

    async with serve(Shop()) as listener:
        ...  # listener.url, listener.refuse(), listener.accept(); people look at listener.url with a browser
"""

from sandbox.kit.agenda import Agenda
from sandbox.kit.calls import Call, Calls
from sandbox.kit.clock import Clock
from sandbox.kit.exchange import Exchange
from sandbox.kit.faults import Fault, Faults
from sandbox.kit.form import Form
from sandbox.kit.hooks import Gate, Hook, Hooks
from sandbox.kit.knobs import Knob
from sandbox.kit.outbound import Answer, send
from sandbox.kit.pages import Pages, View
from sandbox.kit.server import Listener, serve
from sandbox.kit.twin import Twin

__all__ = [
    "Agenda",
    "Answer",
    "Call",
    "Calls",
    "Clock",
    "Exchange",
    "Fault",
    "Faults",
    "Form",
    "Gate",
    "Hook",
    "Hooks",
    "Knob",
    "Listener",
    "Pages",
    "Twin",
    "View",
    "send",
    "serve",
]
