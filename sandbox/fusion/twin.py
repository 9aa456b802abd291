"""The Oracle Fusion twin: sign-in, REST framework, journal import, scheduler (Oracle Fusion: 1, 2, 4 and 9).

Besides the faults every twin has, this one knows:

    late_visibility    the batches an import makes are shown `seconds` later (path: "Import Journals: Child")
    late_requests      a new scheduler request is shown `seconds` later (path: the job's name)
    slow_job           a job takes `seconds` longer (path: the job's name)
    token_expiry       a token lives `seconds`, whatever it says
    rejected_job       a job is answered with request id -1 (path: the job's name)
    text_errors        errors are plain text although JSON was asked for
    total_results_500  totalResults=true is answered with 500
    unstable_order     rows that the sort does not order change places between pages
    no_data            collections are empty, as for a user without data access
"""

from __future__ import annotations

import json
import random
from dataclasses import fields
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.fusion import answers
from sandbox.fusion.answers import RestError
from sandbox.fusion.authentication import IdentityDomain
from sandbox.fusion.control import fusion_control_routes, summarize
from sandbox.fusion.demo_world import demo_world
from sandbox.fusion.erp_integrations import ErpIntegrations
from sandbox.fusion.interface_file import InterfaceRow
from sandbox.fusion.journal_tables import journal_batches
from sandbox.fusion.ledger import Batch, GeneralLedger, Journal
from sandbox.fusion.reference_tables import reference_resources
from sandbox.fusion.resources import Ask, Pages, Resource, describe
from sandbox.fusion.scheduler import EssRequest, Scheduler
from sandbox.fusion.scheduler_address import SchedulerAddress
from sandbox.fusion.world import GENERAL_LEDGER, ClosingStatus, Combination, World
from sandbox.kit import Clock, Exchange, Fault, Twin

TOKEN_PATH = "/oauth2/v1/token"  # noqa: S105 - an address
VERSIONS = ("11.13.18.05", "latest")
Segments = list[str]


class FusionTwin(Twin):
    """A simulated pod. What it is set up with is `world`; what it remembers is `books` and `scheduler`."""

    name = "fusion"

    def __init__(self, world: World | None = None, *, clock: Clock | None = None, seed: int = 0) -> None:
        self.world = world or demo_world()
        super().__init__(clock=clock, seed=seed)
        self.books = GeneralLedger(self.world)
        self.scheduler = Scheduler(self.world, self.books, self.agenda, self.faults)
        self.identity = IdentityDomain(self.world, self.clock, self.faults)
        self.erp_integrations = ErpIntegrations(self.scheduler, self.books, self.clock, self.faults)
        self._requests = SchedulerAddress(self.scheduler, self.clock, lambda: self.url)
        self._random = random.Random(seed)  # noqa: S311 - repeatable disorder
        resources = [*reference_resources(self.world), journal_batches(self.books, self.clock.now)]
        self._resources = {each.name: each for each in resources}

    @property
    def url(self) -> str:
        """Where the twin is served."""
        return self.listener.url if self.listener else "http://fusion.invalid"

    # What tests read and change

    def journals(self) -> list[Journal]:
        """Every journal there is, also those not visible yet: the truth."""
        self.agenda.run_due()
        return self.books.journals()

    def interface(self) -> list[InterfaceRow]:
        """Rows left in the interface; a person could import them."""
        self.agenda.run_due()
        return list(self.books.interface)

    def requests(self) -> list[EssRequest]:
        """Every scheduler request, oldest first."""
        self.agenda.run_due()
        return list(self.scheduler.requests.values())

    def summary(self) -> dict[str, Any]:
        """Totals per ledger and currency (amounts as text), duplicates by given name, rows left."""
        return summarize(self)

    def set_period(self, ledger: str, period: str, status: ClosingStatus, *, application: int = GENERAL_LEDGER) -> None:
        """Open, close, ... a period of one application. Raises KeyError for an unknown ledger or period."""
        if status not in ("O", "F", "C", "N", "P"):
            raise ValueError(f"There is no closing status {status!r}.")
        self.agenda.run_due()
        for each in self.world.ledger(ledger).periods:
            if each.name == period:
                each.status[application] = status
                return
        raise KeyError(f"Ledger {ledger} has no period {period!r}.")

    def set_account(self, account: str, *, create: bool = False, **facts: Any) -> Combination:
        """Change an account (`enabled=False`, `import_refuses="EF04"`, ...), or add it. Raises KeyError."""
        self.agenda.run_due()
        unknown = set(facts) - {each.name for each in fields(Combination)[3:]}
        if unknown:
            raise KeyError(f"An account has no {', '.join(sorted(unknown))}.")
        try:
            combination = self.world.account(account)
        except KeyError:
            if not create:
                raise
            return self.world.add_account(account, **facts)
        for name, value in facts.items():
            setattr(combination, name, value)
        return combination

    # What the pod answers

    def routes(self) -> list[BaseRoute]:
        verbs = ["GET", "POST", "PATCH", "DELETE"]
        return [
            *fusion_control_routes(self),
            Route(TOKEN_PATH, self._token, methods=["POST"]),
            Route("/ess/rest/scheduler/v1/requests", self._guarded(self._scheduler), methods=["GET", "POST"]),
            Route("/ess/rest/scheduler/v1/requests/{id:int}", self._guarded(self._scheduler), methods=["GET"]),
            Route("/fscmRestApi/resources", self._guarded(self._versions), methods=["GET"]),
            Route("/financialCommonApi/resources/{version}/{path:path}", self._guarded(self._resource), methods=verbs),
            Route("/fscmRestApi/resources/{version}/{path:path}", self._guarded(self._resource), methods=verbs),
        ]

    def refusal(self, exchange: Exchange, fault: Fault, status: int) -> Response:
        """Errors of the infrastructure in front of the pod: a challenge for 401, otherwise a sentence or a page."""
        if status == 401 and exchange.path != TOKEN_PATH:
            return answers.unauthorized()
        sentence = str(fault.options.get("text", answers.TITLES.get(status, "Error")))
        return answers.error(self._accept(exchange.headers.get("accept", ""), exchange), status, sentence)

    def _accept(self, accept: str, exchange: Exchange | None = None) -> str:
        method, path = (exchange.method, exchange.path) if exchange else ("", "")
        return "" if self.faults.take("text_errors", method, path) else accept

    async def _token(self, request: Request) -> Response:
        return self.identity.issue(request.headers.get("authorization", ""), await request.body())

    def _guarded(self, handler: Any) -> Any:
        """Bearer check first; errors in the form the caller asked for."""

        async def handle(request: Request) -> Response:
            if not self.identity.accepts(request.headers.get("authorization", "")):
                return answers.unauthorized()
            try:
                response: Response = await handler(request)
            except RestError as error:
                accept = request.headers.get("accept", "")
                if self.faults.take("text_errors", request.method, request.url.path):
                    accept = ""
                return answers.error(accept, error.status, error.detail, error.code)
            return response

        return handle

    async def _versions(self, request: Request) -> Response:
        items = [
            {
                "version": "11.13.18.05",
                "isLatest": True,
                "adf:extension": {
                    "defaultFrameworkVersion": "1",
                    "allowedFrameworkVersions": [str(n) for n in range(1, 10)],
                },
            }
        ]
        document = {"items": items, "count": 1, "hasMore": False, "limit": 25, "offset": 0, "links": []}
        return answers.collection(request, document)

    async def _scheduler(self, request: Request) -> Response:
        if request.method == "POST":
            return Response(answers.encode(self._requests.submit(await _body(request))), 201, media_type=_JSON)
        if "id" in request.path_params:
            document = self._requests.show(request.path_params["id"], request.query_params)
        else:
            document = self._requests.list(request.query_params)
        return Response(answers.encode(document), media_type=_JSON)

    async def _resource(self, request: Request) -> Response:
        if request.path_params["version"] not in VERSIONS:
            raise RestError(404, "The requested resource was not found.")
        segments: Segments = [part for part in request.path_params["path"].split("/") if part]
        if segments[:1] == ["erpintegrations"]:
            return await self._erp(request, segments)
        if request.url.path.startswith("/financialCommonApi") or not segments or segments[0] not in self._resources:
            raise RestError(404, "The requested resource was not found.")
        resource = self._resources[segments[0]]
        if request.method == "DELETE" and resource.name == "journalBatches" and len(segments) == 2:
            return self._delete_batch(resource, segments[1])
        if request.method != "GET":
            verb = {"POST": "create", "PATCH": "update", "DELETE": "delete"}[request.method]
            raise RestError(400, f"Invalid operation {verb} for the specified resource.")
        if segments[1:] == ["describe"]:
            return Response(answers.encode(describe(resource, resource.rows(None)[:1])), media_type=_JSON)
        return self._read(request, resource, segments)

    def _read(self, request: Request, resource: Resource, segments: Segments) -> Response:
        """`name`, `name/key`, `name/key/child/accessor`, and so on down."""
        path = request.url.path
        ask = Ask.read(request.query_params, request.headers.get("rest-framework-version"))
        if ask.total and self.faults.take("total_results_500", "GET", path):
            raise RestError(500, "Internal Server Error")
        shuffle = self._random if self.faults.take("unstable_order", "GET", path) else None
        base = f"{self.url}/{request.url.path.split('/')[1]}/resources/{request.path_params['version']}"
        pages = Pages(base, shuffle)
        parent, rest, here = None, segments[1:], resource.name
        while rest:
            entity = pages.one(resource, rest[0], parent)
            here = f"{here}/{rest[0]}"
            if len(rest) == 1:
                return answers.item(request, pages.item(resource, entity, ask, here))
            child = resource.child(rest[2]) if rest[1] == "child" and len(rest) > 2 else None
            if child is None:
                raise RestError(404, "The requested resource was not found.")
            resource, parent, rest, here = child, entity.subject, rest[3:], f"{here}/child/{child.name}"
        if self.faults.take("no_data", "GET", path):
            document = {
                "items": [],
                "count": 0,
                "hasMore": False,
                "limit": ask.limit,
                "offset": ask.offset,
                "links": [],
            }
        else:
            document = pages.collection(resource, ask, parent, here)
        return answers.collection(request, document)

    def _delete_batch(self, resource: Resource, key: str) -> Response:
        batch: Batch = Pages(self.url).one(resource, key).subject
        if batch.status == "P":
            raise RestError(400, "A posted journal batch can't be deleted.")
        self.books.batches.remove(batch)
        return Response(status_code=204)

    async def _erp(self, request: Request, segments: Segments) -> Response:
        if len(segments) > 1 and segments[1:] != ["describe"]:
            raise RestError(404, "The requested resource was not found.")
        if request.method == "POST":
            return answers.item(request, self.erp_integrations.create(await _body(request)), status=201)
        if request.method != "GET":
            raise RestError(400, "Invalid operation for the specified resource.")
        if segments[1:] == ["describe"]:
            return JSONResponse(
                {"Resources": {"erpintegrations": {"attributes": [], "collection": {}, "children": {}}}}
            )
        ask = Ask.read(request.query_params, request.headers.get("rest-framework-version"))
        rows = self.erp_integrations.find(ask.finder) if ask.finder else []
        document = {
            "items": rows,
            "count": len(rows),
            "hasMore": False,
            "limit": ask.limit,
            "offset": ask.offset,
            "links": [],
        }
        return answers.collection(request, document)


_JSON = "application/json"


async def _body(request: Request) -> dict[str, Any]:
    kind = request.headers.get("content-type", "")
    if "json" not in kind:
        raise RestError(415, "The content type is not supported.")
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise RestError(400, "The payload can't be parsed.") from error
    if not isinstance(body, dict):
        raise RestError(400, "The payload can't be parsed.")
    return body
