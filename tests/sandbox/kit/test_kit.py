"""The kit under every twin: faults strike as told, hooks stop a request where they say, the port closes and opens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from support.held_sleeps import held_sleeps
from support.stack import eventually
from support.still_clock import StillClock

from sandbox.kit import Exchange, Listener, Twin, send, serve, server, wire


class Till(Twin):
    """Counts the payments it takes."""

    name = "till"

    def __init__(self) -> None:
        self.payments: list[str] = []
        super().__init__(clock=StillClock(), seed=7)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/payments", self.pay, methods=["POST"]),
            Route("/payments/{reference}", self.show, methods=["GET"]),
        ]

    async def pay(self, request: Request) -> JSONResponse:
        self.payments.append((await request.json())["reference"])
        return JSONResponse({"number": len(self.payments)}, status_code=201)

    async def show(self, request: Request) -> JSONResponse:
        known = request.path_params["reference"] in self.payments
        return JSONResponse({"known": known}, status_code=200 if known else 404)


@pytest.fixture
async def till() -> AsyncIterator[tuple[Till, Listener, httpx.AsyncClient]]:
    twin = Till()
    async with serve(twin) as listener, httpx.AsyncClient(base_url=listener.url, timeout=60) as client:
        yield twin, listener, client


Served = tuple[Till, Listener, httpx.AsyncClient]


async def pay(client: httpx.AsyncClient, reference: str = "p1") -> httpx.Response:
    return await client.post("/payments", json={"reference": reference})


async def test_without_faults_requests_are_handled_and_recorded(till: Served) -> None:
    twin, _, client = till
    answer = await pay(client)
    assert answer.status_code == 201
    assert twin.payments == ["p1"]
    assert [(call.method, call.path, call.status) for call in twin.calls] == [("POST", "/payments", 201)]


async def test_a_lost_answer_is_a_payment_nobody_heard_of(till: Served) -> None:
    twin, _, client = till
    twin.faults.set("lost_answer", method="POST", count=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await pay(client)
    assert twin.payments == ["p1"]
    assert (await pay(client, "p2")).status_code == 201


async def test_a_cut_connection_pays_nothing(till: Served) -> None:
    twin, _, client = till
    twin.faults.set("cut", count=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await pay(client)
    assert twin.payments == []


async def test_an_error_after_the_commit_lies_about_the_payment(till: Served) -> None:
    twin, _, client = till
    twin.faults.set("error_after", count=1, status=502)
    assert (await pay(client)).status_code == 502
    assert twin.payments == ["p1"]


@pytest.mark.parametrize(
    ("kind", "status"), [("error", 500), ("outage", 503), ("unauthorized", 401), ("rate_limit", 429)]
)
async def test_refusals_leave_no_trace_but_their_status(till: Served, kind: str, status: int) -> None:
    twin, _, client = till
    twin.faults.set(kind, count=1, retry_after=2.5)
    answer = await pay(client)
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "2.5")
    assert twin.payments == []


async def test_a_delayed_commit_happens_after_the_caller_has_given_up(
    till: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin, _, client = till
    delays = held_sleeps(monkeypatch, wire)
    twin.faults.set("delayed_commit", count=1, seconds=0.4)
    with pytest.raises(httpx.ReadTimeout):
        await client.post("/payments", json={"reference": "late"}, timeout=httpx.Timeout(60, read=0.5))
    assert (await client.get("/payments/late")).status_code == 404
    await eventually(lambda: delays.seconds, "the payment is on its way")
    assert (delays.seconds, twin.payments) == ([0.4], [])
    delays.end()
    await eventually(lambda: twin.payments, "the payment is made")
    assert twin.payments == ["late"]


async def test_a_delayed_commit_can_cut_the_caller_off_at_once(till: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    twin, _, client = till
    delays = held_sleeps(monkeypatch, wire)
    twin.faults.set("delayed_commit", count=1, seconds=0.2, options={"answer": "cut"})
    with pytest.raises(httpx.RemoteProtocolError):
        await pay(client, "late")
    assert (delays.seconds, twin.payments) == ([0.2], [])
    delays.end()
    await eventually(lambda: twin.payments, "the payment is made")
    assert twin.payments == ["late"]


async def test_faults_strike_only_where_and_as_often_as_told(till: Served) -> None:
    twin, _, client = till
    twin.faults.set("error", method="POST", path="^/payments$", skip=1, count=2)
    codes = [(await pay(client, f"p{number}")).status_code for number in range(4)]
    assert codes == [201, 500, 500, 201]
    assert not list(twin.faults)


async def test_hooks_see_the_request_before_during_and_after(till: Served) -> None:
    twin, _, client = till
    seen: list[tuple[str, int, int | None]] = []

    async def received(exchange: Exchange) -> None:
        seen.append(("received", len(twin.payments), exchange.status))

    async def committed(exchange: Exchange) -> None:
        seen.append(("committed", len(twin.payments), exchange.status))

    async def answering(exchange: Exchange) -> None:
        seen.append(("answering", len(twin.payments), exchange.status))

    twin.hooks.on("received", received, method="POST")
    twin.hooks.on("committed", committed, body="p1")
    twin.hooks.on("answering", answering, match=lambda exchange: exchange.json()["reference"] == "p1")
    await pay(client)
    await pay(client, "p2")
    assert seen == [("received", 0, None), ("committed", 1, 201), ("answering", 1, 201)]


async def test_a_gate_holds_a_request_until_it_is_opened(till: Served) -> None:
    twin, _, client = till
    gate = twin.hooks.hold("committed", method="POST")
    paying = asyncio.create_task(pay(client))
    assert (await gate.reached()).path == "/payments"
    assert twin.payments == ["p1"]
    assert not paying.done()
    gate.release()
    assert (await paying).status_code == 201


async def test_another_process_sets_hooks_and_faults_by_http(till: Served) -> None:
    _, _, client = till
    told: list[dict[str, object]] = []

    async def hear(request: Request) -> JSONResponse:
        told.append(json.loads(await request.body()))
        return JSONResponse({})

    class Ear(Twin):
        def routes(self) -> list[BaseRoute]:
            return [Route("/told", hear, methods=["POST"])]

    async with serve(Ear()) as ear:
        hook = {"point": "committed", "method": "POST", "callback_url": f"{ear.url}/told"}
        assert (await client.post("/_twin/hooks", json=hook)).status_code == 201
        assert (await client.post("/_twin/faults", json={"kind": "lost_answer", "count": 1})).status_code == 201
        with pytest.raises(httpx.RemoteProtocolError):
            await pay(client)
    assert [(entry["point"], entry["status"]) for entry in told] == [("committed", 201)]
    assert (await client.get("/_twin/faults")).json() == []
    calls = (await client.get("/_twin/calls", params={"method": "POST"})).json()
    assert calls["statuses"] == {"cut": 1}
    assert (await client.post("/_twin/faults", json={"kind": "error", "sometimes": True})).status_code == 400


async def test_a_refused_connection_never_reaches_the_twin(till: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    twin, listener, client = till
    closed = held_sleeps(monkeypatch, server)
    listener.refuse()
    with pytest.raises(httpx.ConnectError):
        await pay(client)
    await listener.accept()
    assert (await pay(client)).status_code == 201
    listener.refuse(0.2)
    with pytest.raises(httpx.TransportError):  # the open connection was cut
        await pay(client)
    with pytest.raises(httpx.ConnectError):
        await pay(client)
    closed.end()
    await eventually(lambda: is_open(client), "the port is open again")
    assert closed.seconds == [0.2]
    assert (await pay(client)).status_code == 201
    assert twin.calls.total == 2


async def is_open(client: httpx.AsyncClient) -> bool:
    try:
        await client.get("/_twin/faults")
    except httpx.ConnectError:
        return False
    return True


async def test_an_outage_set_from_outside_closes_the_port_and_ends(
    till: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin, _, client = till
    closed = held_sleeps(monkeypatch, server)
    await client.post("/_twin/faults", json={"kind": "outage", "lasts": 3600, "options": {"mode": "refuse"}})
    with pytest.raises(httpx.TransportError):
        await pay(client)
    with pytest.raises(httpx.ConnectError):
        await pay(client)
    assert closed.seconds == [3600]
    # An hour later.
    for fault in twin.faults:
        fault.since -= 3600
    closed.end()
    await eventually(lambda: is_open(client), "the port is open again")
    assert (await pay(client)).status_code == 201


async def test_the_date_header_follows_the_twins_clock(till: Served) -> None:
    _, _, client = till
    before = parsedate_to_datetime((await pay(client)).headers["date"])
    await client.post("/_twin/clock", json={"skew": -3600})
    after = parsedate_to_datetime((await pay(client)).headers["date"])
    assert (before - after).total_seconds() == 3600


async def test_the_agenda_runs_what_is_due_in_order_when_somebody_looks(till: Served) -> None:
    twin, _, client = till
    done: list[str] = []
    twin.agenda.after(20, lambda moment: done.append("second"))
    twin.agenda.after(10, lambda moment: done.append("first"))
    twin.agenda.after(1000, lambda moment: done.append("never"))
    await client.get("/payments/x")
    assert done == []
    await client.post("/_twin/clock", json={"advance": 60})
    assert done == ["first", "second"]


async def test_twins_call_out_and_read_the_answer(till: Served) -> None:
    _, listener, _ = till
    answer = await send("POST", f"{listener.url}/payments", b'{"reference": "out"}', {"content-type": "a/b"})
    assert (answer.status, json.loads(answer.body)) == (201, {"number": 1})
    listener.refuse()
    with pytest.raises(OSError, match=r".+"):
        await send("GET", f"{listener.url}/payments/out")
