"""A morning with everything that can go wrong between credentials, people and texts; then all its traces collected."""

import contextlib
import datetime as dt
import json
import os
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.engine import URL
from support.leaks import asking, changes, customers
from support.leaks.canaries import (
    COMPANY,
    FUSION_SECRET,
    FUSION_WRONG_SECRET,
    GUEST,
    HEADER_SECRET,
    NOTES,
    PEOPLE,
    POD_USER,
    SHOP_OLD_SECRET,
    SHOP_SECRET,
    SHOP_TOKEN,
    SHOP_WRONG_TOKEN,
    SHOPPER,
    STRANGERS_HEADER,
    Canaries,
    credentials,
)
from support.leaks.settings import configured
from support.leaks.shell import Shell
from support.ports import free_ports
from support.postgres import dump, execute
from support.processes import MortalProcess, start_command
from support.stack import PATIENCE, eventually, new_namespace
from temporalio.client import Client
from temporalio.service import RPCError

from contracts import names
from contracts.flow import State
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import EU_SHOP, US_SHOP, BigCommerceTwin, Shape, Shop, StoreSettings, draft
from sandbox.bigcommerce.webhooks import signature
from sandbox.fusion import TOKEN_PATH, FusionTwin
from sandbox.fusion.records import Record
from sandbox.kit import Exchange, serve
from store import KeyRing

PATH = "/webhooks/acme/bc-us"
ENTITY_ACCOUNT = "101-120-41400-1000"


@dataclass
class Story:
    """What is left of it, by kind; each kind maps a place to what was found there, undecoded."""

    canaries: Canaries
    logs: dict[str, bytes] = field(default_factory=dict)
    temporal: dict[str, bytes] = field(default_factory=dict)
    metrics: dict[str, bytes] = field(default_factory=dict)
    store: dict[str, bytes] = field(default_factory=dict)
    commands: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, bytes] = field(default_factory=dict)
    served: dict[str, bytes] = field(default_factory=dict)
    """What the shop told us about orders and their refunds, and Fusion about its records: full of people."""
    looks: dict[str, bytes] = field(default_factory=dict)
    """What commands printed that show records of a pod: the names of firms are among them."""
    order_states: dict[str, str] = field(default_factory=dict)


async def tell(server: DevServer, directory: Path, database: URL | None) -> Story:
    """Plays the story on SQLite, or on the PostgreSQL `database`."""
    teller = Teller(server, directory, database)
    async with teller.stage():
        await teller.sign_in_wrongly()
        await teller.receive_deliveries()
        await teller.post_orders()
        await customers.keep(teller)
        await changes.give_back(teller)
        await changes.edit_and_cancel(teller)
        await changes.rename_item(teller)
        await teller.break_things()
        await asking.everything(teller)
        await teller.collect()
    await teller.read_logs_and_store()
    return teller.story


class Teller:
    def __init__(self, server: DevServer, directory: Path, database: URL | None) -> None:
        self.server = server
        self.directory = directory
        self.database = database
        self.keys = KeyRing.generate("old").rotate("new")
        self.story = Story(
            Canaries({**credentials(self.keys.to_text()), **PEOPLE, **NOTES, "company": COMPANY, "pod user": POD_USER})
        )
        people = (SHOPPER, replace(GUEST, customer_id=4712))
        us = replace(US_SHOP, people=people)
        self.shops = BigCommerceTwin(
            (
                StoreSettings(us, client_secret=SHOP_SECRET, access_token=SHOP_TOKEN, requests_per_window=100_000),
                StoreSettings(EU_SHOP, requests_per_window=100_000),
            )
        )
        self.shops.hooks.on("answering", self._note_answer, path="/orders", times=None)
        self.fusion = FusionTwin()
        self.fusion.world.credentials.client_secret = FUSION_SECRET
        self.fusion.hooks.on("answering", self._note_token, path=TOKEN_PATH, times=None)
        self.fusion.hooks.on("answering", self._note_answer, path="/itemsV2|/hubOrganizations", times=None)
        self.environment: dict[str, str] = {}
        self.temporal: Client
        self.shell: Shell
        self.metrics_ports: tuple[int, int]
        self.gateway = ""
        self.party: Record
        self._deliveries = 0

    @property
    def shop(self) -> Shop:
        return self.shops.stores[US_SHOP.store_hash].shop

    async def _note_answer(self, exchange: Exchange) -> None:
        self.story.served[f"{exchange.id} {exchange.path}"] = exchange.answer or b""

    async def _note_token(self, exchange: Exchange) -> None:
        """Tokens are secrets, too, and only the twin knows which it issued."""
        token = json.loads(exchange.answer or b"{}").get("access_token")
        if token:
            self.story.canaries.values[f"token {len(self.story.canaries.values)}"] = token

    @contextlib.asynccontextmanager
    async def stage(self) -> AsyncIterator[None]:
        """Twins in this process; worker and gateway as processes of their own, logging JSON at DEBUG."""
        namespace = await new_namespace(self.server, self.keys)
        async with contextlib.AsyncExitStack() as stack:
            fusion = await stack.enter_async_context(serve(self.fusion))
            shops = await stack.enter_async_context(serve(self.shops))
            self.shell = await stack.enter_async_context(Shell())
            self.temporal = await Client.connect(self.server.address, namespace=namespace)
            worker_metrics, gateway_metrics, gateway = free_ports(3, room=2)  # Temporal has metrics of its own
            self.gateway = f"http://127.0.0.1:{gateway}"
            self._configure(gateway)
            self.environment = {
                **os.environ,
                "MLC_STORE_URL": self._store_url(),
                "MLC_TEMPORAL": self.server.address,
                "TEMPORAL_NAMESPACE": namespace,
                "MLC_FUSION_URL": fusion.url,
                "MLC_SHOP_URL": shops.url,
                "ML_CONNECTOR_KEYS": self.keys.to_text(),
                "ML_CONNECTOR_CONFIG": str(self.directory / "connector.toml"),
                "ML_CONNECTOR_LOG_LEVEL": "DEBUG",
                "ML_CONNECTOR_LOG_FORM": "json",
                "COLUMNS": "400",
            }
            for connection, name, value in (
                ("fusion", "client_secret", FUSION_WRONG_SECRET),
                ("bc-us", "access_token", SHOP_WRONG_TOKEN),
                ("bc-us", "client_secret", SHOP_OLD_SECRET),
                ("bc-us", "client_secret", SHOP_SECRET),
                ("bc-us", "webhook_header", HEADER_SECRET),
            ):
                kept = ("secrets", "set", connection, name, "--offline", "--from-env", "CANARY")
                await self.command(*kept, CANARY=value)
            for command, port in (("worker", worker_metrics), ("gateway", gateway_metrics)):
                await stack.enter_async_context(self._process(command, port))
            self.metrics_ports = (worker_metrics, gateway_metrics)
            await eventually(self._answers, "the gateway answers")
            yield

    def _configure(self, gateway_port: int) -> None:
        client_id = self.shops.stores[US_SHOP.store_hash].accounts[0].client_id
        text = configured(gateway_port, client_id)
        (self.directory / "connector.toml").write_text(text, encoding="utf-8")

    def _store_url(self) -> str:
        if self.database is None:
            return f"sqlite+aiosqlite:///{self.directory / 'store.db'}"
        return self.database.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)

    @contextlib.asynccontextmanager
    async def _process(self, command: str, metrics: int) -> AsyncIterator[MortalProcess]:
        environment = {**self.environment, "ML_CONNECTOR_METRICS_PORT": str(metrics)}
        process, child = await start_command([command], environment, self.directory / f"{command}.log", command)
        try:
            yield process
        finally:
            await process.end()
            await child.wait()

    async def _answers(self) -> bool:
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(f"{self.gateway}/readyz")).is_success
            except httpx.TransportError:
                return False

    # The story

    async def sign_in_wrongly(self) -> None:
        """Wrong credentials: the commands say so, an order waits; then they are corrected."""
        for arguments in (("connections", "test"), ("check",)):
            await self.command(*arguments, note="wrong credentials", fails=True)
        for connection, name, value in (
            ("fusion", "client_secret", FUSION_WRONG_SECRET),
            ("bc-us", "access_token", SHOP_WRONG_TOKEN),
        ):
            wrong = ("secrets", "set", connection, name, "--from-env", "CANARY")
            await self.command(*wrong, note="wrong credentials", fails=True, CANARY=value)
        waiting = self.shop.place(draft(Shape.ORDINARY, self.shop.profile, seed=90))
        await self.deliver(waiting.id)
        await eventually(lambda: self._refused("bc-us"), "the shop refused the worker")
        await self.command("secrets", "set", "bc-us", "access_token", "--from-env", "CANARY", CANARY=SHOP_TOKEN)
        stuck = self.shop.place(draft(Shape.ORDINARY, self.shop.profile, seed=91))
        await self.deliver(stuck.id)
        await eventually(lambda: self._refused("fusion"), "Fusion refused the worker")
        await self.command("secrets", "set", "fusion", "client_secret", "--from-env", "CANARY", CANARY=FUSION_SECRET)

    def _refused(self, connection: str) -> bool:
        """Whether the worker was, whichever of its steps asked first: the others only wait then."""
        signs = (b'"connection is refused"', f'"connection": "{connection}"'.encode())
        return any(all(sign in line for sign in signs) for line in self._log().splitlines())

    async def receive_deliveries(self) -> None:
        """Genuine ones with the new and the old secret, and everything a stranger tries."""
        order = self.shop.place(draft(Shape.ORDINARY, self.shop.profile))
        body = self._body(order.id)
        assert await self.post(body) == 202
        assert await self.post(body, secret=SHOP_OLD_SECRET) == 202
        assert await self.post(body, secret="canary-unknown") == 401
        assert await self.post(body, header=STRANGERS_HEADER) == 401
        assert await self.post(json.dumps(PEOPLE).encode(), secret="canary-unknown") == 401
        assert await self.post(json.dumps(PEOPLE).encode()) == 400
        assert await self.post(SHOPPER.email.encode()) == 400
        assert await self.post(body, at=dt.datetime.now(dt.UTC) - dt.timedelta(days=1)) == 401
        assert await self.post(json.dumps({"scope": SHOPPER.email, "producer": SHOPPER.street}).encode()) == 400
        assert await self.post(body, path="/webhooks/acme/nowhere") == 404
        assert await self.post(body * 4000) == 413
        await self.ended(order.id, State.POSTED)

    async def post_orders(self) -> None:
        """Posted, refused by Fusion, unmapped, and a token that ends in between."""
        self.fusion.set_account(ENTITY_ACCOUNT, import_refuses="EF03")
        profile = self.shop.profile
        self.fusion.identity.revoke()
        ordinary = [
            self.shop.place(draft(shape, profile, seed=7))
            for shape in (Shape.WRAPPING, Shape.GUEST, Shape.CREDIT_TENDER, Shape.SOLD_CERTIFICATE, Shape.TWO_ADDRESSES)
        ]
        refused = self.shop.place(draft(Shape.ORDINARY, profile, seed=8, categories=["Clearance"]))
        unmapped = self.shop.place(draft(Shape.ORDINARY, profile, seed=9, categories=["Antiques"]))
        for order in (*ordinary, refused, unmapped):
            self.shop.touch(order.id, PEOPLE["staff note"])
            await self.deliver(order.id)
        for order in ordinary:
            await self.ended(order.id, State.POSTED)
        for order in (refused, unmapped):
            await self.ended(order.id, State.NEEDS_REVIEW)
        self.refused = refused.id

    async def break_things(self) -> None:
        """Answers that are not what the vendor documents, and steps that crash in the middle."""
        profile = self.shop.profile
        broken = self.shop.place(draft(Shape.ORDINARY, profile, seed=20))
        people: Any = f"{PEOPLE['first name']} {PEOPLE['last name']}, {PEOPLE['e-mail']}"
        broken.profile = replace(broken.profile, channel_id=people)
        await self.deliver(broken.id)
        await self.ended(broken.id, State.NEEDS_REVIEW)

        refused = self.shop.place(draft(Shape.ORDINARY, profile, seed=21))
        self.shops.faults.set("unauthorized", path=rf"/orders/{refused.id}$", count=1)
        await self.deliver(refused.id)

        self.shops.faults.set("error", path="/orders/", status=500, count=2)
        self.fusion.faults.set("lost_answer", method="POST", path="/erpintegrations", count=1)
        await self._alter("ALTER TABLE documents RENAME TO documents_elsewhere")
        crashed = self.shop.place(draft(Shape.ORDINARY, profile, seed=22))
        await self.deliver(crashed.id)
        await eventually(self._crashed, "a step has crashed")
        await self._alter("ALTER TABLE documents_elsewhere RENAME TO documents")
        await self.ended(crashed.id, State.POSTED)

    async def _crashed(self) -> bool:
        return b"OperationalError" in self._log() or b"ProgrammingError" in self._log()

    def _log(self) -> bytes:
        return (self.directory / "worker.log").read_bytes()

    async def _alter(self, sql: str) -> None:
        if self.database is not None:
            await execute(self.database, sql)
            return
        with contextlib.closing(sqlite3.connect(self.directory / "store.db", timeout=30)) as connection:
            connection.execute(sql)
            connection.commit()

    # Traces

    async def collect(self) -> None:
        """What Temporal holds, read without our converter, and what is served as metrics."""
        client, kept = self.temporal, self.story.temporal
        async for run in client.list_workflows():
            handle = client.get_workflow_handle(run.id, run_id=run.run_id)
            place = f"{run.id} {run.run_id}"
            kept[f"visibility {place}"] = run.raw_info.SerializeToString()
            kept[f"description {place}"] = (await handle.describe()).raw_description.SerializeToString()
            history = await handle.fetch_history()
            kept[f"history {place}"] = b"".join(event.SerializeToString() for event in history.events)
            self.story.order_states[run.id] = run.search_attributes.get(names.SA_STATE, ["-"])[0]  # type: ignore[assignment]
        async for listed in await client.list_schedules():
            schedule = await client.get_schedule_handle(listed.id).describe()
            kept[f"schedule {listed.id}"] = schedule.raw_description.SerializeToString()
        async with httpx.AsyncClient(timeout=PATIENCE) as http:
            for port in self.metrics_ports:
                for served in (port, port + 1):
                    answer = await http.get(f"http://127.0.0.1:{served}/metrics")
                    self.story.metrics[f"metrics on {served}"] = answer.content

    async def read_logs_and_store(self) -> None:
        """After the processes have ended, so that everything is written."""
        for path in self.directory.glob("*.log"):
            self.story.logs[path.name] = path.read_bytes()
        if self.database is not None:
            self.story.store["dump of all tables"] = await dump(self.database)
            return
        with contextlib.closing(sqlite3.connect(self.directory / "store.db")) as connection:
            text = "\n".join(connection.iterdump())
            self.story.store["dump of all tables"] = text.encode()
        for path in self.directory.glob("store.db*"):
            self.story.store[path.name] = path.read_bytes()

    # Moves

    async def ended(self, number: int, state: State, *, kind: str = names.ORDER) -> None:
        handle = self.temporal.get_workflow_handle(names.document_workflow_id(kind, "bc-us", str(number)))

        async def stands() -> bool:
            try:
                description = await handle.describe()
            except RPCError:  # not started yet
                return False
            return description.search_attributes.get(names.SA_STATE) == [state.value]

        await eventually(stands, f"{kind} {number} is {state}")

    async def announce(self, scope: str, data: Any) -> None:
        """A genuine delivery of the American shop."""
        document = {"scope": scope, "data": data, "producer": f"stores/{US_SHOP.store_hash}"}
        assert await self.post(json.dumps(document).encode()) == 202

    async def deliver(self, order_id: int) -> None:
        assert await self.post(self._body(order_id)) == 202

    def _body(self, order_id: int) -> bytes:
        document = {
            "scope": "store/order/updated",
            "store_id": US_SHOP.store_id,
            "data": {"type": "order", "id": order_id, "email": PEOPLE["e-mail"]},
            "hash": "dd70c0976e06b67aaf671e73f49dcb79230ebf9d",
            "created_at": 1561479335,
            "producer": f"stores/{US_SHOP.store_hash}",
        }
        return json.dumps(document).encode()

    async def post(
        self,
        body: bytes,
        *,
        secret: str = SHOP_SECRET,
        header: str = HEADER_SECRET,
        at: dt.datetime | None = None,
        path: str = PATH,
    ) -> int:
        """One delivery; the answer is a trace as well."""
        self._deliveries += 1
        signed = signature(secret, f"msg_{self._deliveries}", at or dt.datetime.now(dt.UTC), body)
        async with httpx.AsyncClient(timeout=PATIENCE) as http:
            answer = await http.post(
                f"{self.gateway}{path}",
                content=body,
                headers={**signed, "content-type": "application/json", "x-connector-secret": header},
            )
        self.story.answers[f"answer {self._deliveries}"] = answer.content + str(answer.headers).encode()
        return answer.status_code

    async def command(
        self,
        *arguments: str,
        note: str = "",
        fails: bool | None = False,
        kept: dict[str, bytes] | None = None,
        **environment: str,
    ) -> None:
        """`ml-connector ARGUMENTS`; keeps what it prints. `fails` None: either way is fine."""
        kept = self.story.commands if kept is None else kept
        label = " ".join((*arguments, note)).strip()
        number = len(self.story.commands) + len(self.story.looks)
        log = self.directory / f"command-{number}.out"
        code, text = await self.shell.run(arguments, {**self.environment, **environment}, log)
        assert fails is None or bool(code) is fails, f"{label}: exit code {code}\n{text}"
        assert "Usage: " not in text, f"{label} is no command:\n{text}"
        assert "Traceback" not in text, f"{label} crashed:\n{text}"
        kept[f"{number}: {label}"] = text.encode()
