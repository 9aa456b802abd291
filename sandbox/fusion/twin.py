"""The Oracle Fusion twin: sign-in, REST framework, journal import, scheduler, receivables (Oracle Fusion: 1 to 4, 9).

Besides the faults every twin has, this one knows:

    late_visibility    the batches an import makes are shown `seconds` later (path: "Import Journals: Child"), or a new
                       receivables invoice is (path: receivablesInvoices; `options={"by_key": True}`: lists only), or
                       a credit memo (receivablesCreditMemos), or its application (CreditMemoService)
    late_requests      a new scheduler request is shown `seconds` later (path: the job's name)
    slow_job           a job takes `seconds` longer (path: the job's name)
    token_expiry       a token lives `seconds`, whatever it says
    rejected_job       a job is answered with request id -1 (path: the job's name)
    text_errors        errors are plain text although JSON was asked for
    total_results_500  totalResults=true is answered with 500
    unstable_order     rows that the sort does not order change places between pages
    fields_500         a projection is answered with 500
    refused_question   400 for some questions only (path: the address, `?` and the value of `q`)
    no_data            collections are empty, as for a user without data access
    no_privilege       403, as for a user without the role
    late_item          a new item is answered with 404 by its address for `seconds` (path: the collection);
                       `options={"lists": True}`: lists do not have it either
    late_account       a new customer account is found `seconds` later (path: the operation)
    soap_fault         a SOAP service answers with a fault (`options`: message, code, fault_code, service)
    contended          somebody else was quicker: 412; `options={"as": "jbo"}`: 400 with the framework's own code
"""

from __future__ import annotations

import random
from dataclasses import fields, replace
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
from sandbox.fusion.ledger import GeneralLedger, Journal
from sandbox.fusion.masters.control import master_control_routes
from sandbox.fusion.masters.customer_account_service import PATH as CUSTOMER_ACCOUNTS
from sandbox.fusion.masters.customer_account_service import CustomerAccountService
from sandbox.fusion.masters.customer_accounts import CustomerBook
from sandbox.fusion.masters.items import items
from sandbox.fusion.masters.parties import ORGANIZATIONS, organizations
from sandbox.fusion.masters.references import References
from sandbox.fusion.pages import FusionPages
from sandbox.fusion.receivables.activities import account_activities
from sandbox.fusion.receivables.applications import Application
from sandbox.fusion.receivables.control import change, receivables_control_routes
from sandbox.fusion.receivables.credit_memo_service import PATH as CREDIT_MEMO_SERVICE
from sandbox.fusion.receivables.credit_memo_service import CreditMemoService
from sandbox.fusion.receivables.credit_memos import CreditMemos
from sandbox.fusion.receivables.invoice import Invoice
from sandbox.fusion.receivables.lists import receivables_lists
from sandbox.fusion.receivables.setup import Customer, TransactionSource
from sandbox.fusion.receivables.subledger import Subledger
from sandbox.fusion.receivables.tables import ReceivablesInvoices
from sandbox.fusion.records import Records
from sandbox.fusion.reference_tables import reference_resources
from sandbox.fusion.resources import Ask
from sandbox.fusion.rest import NOT_FOUND, Resources, read_body
from sandbox.fusion.scheduler import EssRequest, Scheduler
from sandbox.fusion.scheduler_address import SchedulerAddress
from sandbox.fusion.value_sets import cost_centers, value_sets
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
        self.receivables = Subledger(self.world, self.clock, self.agenda, self.faults, self.books.next_id)
        invoices = ReceivablesInvoices(self.receivables, self.clock.now)
        self.credit_memos = CreditMemos(self.receivables, invoices, self.clock)
        self._credit_memo_service = CreditMemoService(self.receivables, self.credit_memos, self.faults)
        self.value_sets = value_sets(self.clock.now, lambda: self.world.habits.children_touch_parents)
        masters = self.world.masters
        self.items = items(self.clock.now, masters, lambda: self.world.habits.children_touch_parents)
        self.references = References(masters)
        self.parties = organizations(self.clock.now, masters, self.references)
        self.customers = CustomerBook(
            masters, self.parties, self.references, self.world.receivables, self.clock.now, self.books.next_id
        )
        resources = [
            *reference_resources(self.world),
            *receivables_lists(self.world),
            journal_batches(self.books, self.clock.now),
            invoices.resource(),
            self.credit_memos.resource(),
            account_activities(self.receivables, self.credit_memos),
            self.value_sets.resource(),
            self.items.resource(),
            replace(self.items.resource(), name="items"),
            self.parties.resource(),
            *cost_centers(self.value_sets, masters.habits),
        ]
        disorder = random.Random(seed)  # noqa: S311 - repeatable disorder
        self._resources = Resources(resources, self.faults, disorder, lambda: self.url, self.world.habits)
        self._customer_accounts = CustomerAccountService(self.customers, masters, self.faults, disorder)

    def add(self, records: Records) -> Records:
        """A further resource of this pod."""
        self._resources.add(records.resource())
        return records

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

    def invoices(self) -> list[Invoice]:
        """Every receivables invoice there is, also those not visible yet: the truth."""
        self.agenda.run_due()
        return self.receivables.invoices()

    def applications(self) -> list[Application]:
        """Every application of a credit memo that stands, also those not visible yet: the truth."""
        self.agenda.run_due()
        return self.receivables.applications.standing()

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

    def set_customer(self, number: str, **facts: Any) -> Customer:
        """Change a customer account (`enabled=False`, `terms="30 Net"`, ...). Raises KeyError for an unknown one."""
        self.agenda.run_due()
        return change(self.world.receivables.customer(number), facts, but=("number", "party_id", "sites"))

    def set_source(self, name: str, business_unit: str, **facts: Any) -> TransactionSource:
        """Change a transaction source (`numbering="automatic"`, `active=False`, ...), or add it. Raises KeyError."""
        self.agenda.run_due()
        sources = self.world.receivables.sources
        found = [each for each in sources if (each.name, each.business_unit) == (name, business_unit)]
        source = found[0] if found else TransactionSource(name, business_unit)
        change(source, facts, but=("name", "business_unit"))
        if not found:
            sources.append(source)
        return source

    # What the pod answers

    def routes(self) -> list[BaseRoute]:
        verbs = ["GET", "POST", "PATCH", "DELETE"]
        return [
            *fusion_control_routes(self),
            *receivables_control_routes(self),
            *master_control_routes(self),
            Route(TOKEN_PATH, self._token, methods=["POST"]),
            Route("/ess/rest/scheduler/v1/requests", self._guarded(self._scheduler), methods=["GET", "POST"]),
            Route("/ess/rest/scheduler/v1/requests/{id:int}", self._guarded(self._scheduler), methods=["GET"]),
            Route(CREDIT_MEMO_SERVICE, self._guarded(self._apply), methods=["POST"]),
            Route("/fscmRestApi/resources", self._guarded(self._versions), methods=["GET"]),
            Route("/financialCommonApi/resources/{version}/{path:path}", self._guarded(self._resource), methods=verbs),
            Route("/fscmRestApi/resources/{version}/{path:path}", self._guarded(self._resource), methods=verbs),
            Route("/crmRestApi/resources/{version}/{path:path}", self._guarded(self._resource), methods=verbs),
            Route(CUSTOMER_ACCOUNTS, self._guarded(self._soap), methods=["POST"]),
        ]

    def pages(self) -> FusionPages:
        return FusionPages(self)

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
                return answers.error(accept, error.status, error.detail, error.code, error.path, error.more)
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
            return Response(answers.encode(self._requests.submit(await read_body(request))), 201, media_type=_JSON)
        if "id" in request.path_params:
            document = self._requests.show(request.path_params["id"], request.query_params)
        else:
            document = self._requests.list(request.query_params)
        return Response(answers.encode(document), media_type=_JSON)

    async def _apply(self, request: Request) -> Response:
        return await self._credit_memo_service.answer(request)

    async def _resource(self, request: Request) -> Response:
        if request.path_params["version"] not in VERSIONS:
            raise RestError(404, NOT_FOUND)
        segments: Segments = [part for part in request.path_params["path"].split("/") if part]
        if segments[:1] == ["erpintegrations"]:
            return await self._erp(request, segments)
        if segments == ["describe"] and request.method == "GET":
            return Response(answers.encode(self._resources.catalog()), media_type=_JSON)
        # Parties are at an address of their own, and only there.
        root = "/crmRestApi" if segments[:1] == [ORGANIZATIONS] else "/fscmRestApi"
        if not request.url.path.startswith(f"{root}/") or not segments or segments[0] not in self._resources:
            raise RestError(404, NOT_FOUND)
        return await self._resources.answer(request, segments)

    async def _soap(self, request: Request) -> Response:
        return await self._customer_accounts.answer(request)

    async def _erp(self, request: Request, segments: Segments) -> Response:
        if len(segments) > 1 and segments[1:] != ["describe"]:
            raise RestError(404, NOT_FOUND)
        if request.method == "POST":
            return answers.item(request, self.erp_integrations.create(await read_body(request)), status=201)
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
