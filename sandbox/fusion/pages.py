"""The pages of the pod: its general ledger, its receivables, what imports left behind, and its master data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from starlette.requests import Request

from sandbox.fusion.buttons import Buttons
from sandbox.fusion.control import summarize
from sandbox.fusion.interface_file import InterfaceRow
from sandbox.fusion.ledger import Journal
from sandbox.fusion.receivables.invoice import Invoice
from sandbox.fusion.world import GENERAL_LEDGER, PAYABLES, RECEIVABLES, Period
from sandbox.kit import Knob, Pages, View
from sandbox.kit.knobs import KINDS, by, lasting, times, usual_knobs
from sandbox.kit.pages import Act
from sandbox.kit.paging import newest_first

if TYPE_CHECKING:
    from sandbox.fusion.twin import FusionTwin

LATEST: Final = 12
APPLICATIONS: Final[Mapping[int, str]] = {
    GENERAL_LEDGER: "General ledger",
    RECEIVABLES: "Receivables",
    PAYABLES: "Payables",
}
CLOSING: Final[Mapping[str, tuple[str, str]]] = {
    "O": ("Open", "good"),
    "F": ("Future-enterable", "warn"),
    "C": ("Closed", "bad"),
    "N": ("Never opened", "idle"),
    "P": ("Permanently closed", "bad"),
}
"""Closing status -> its name, and how it looks."""
BATCHES: Final[Mapping[str, tuple[str, str]]] = {"U": ("Unposted", "warn"), "P": ("Posted", "good")}
REQUESTS: Final[Mapping[str, str]] = {
    "SUCCEEDED": "good",
    "WARNING": "warn",
    "ERROR": "bad",
    "CANCELLED": "bad",
}
PERIODS_AROUND: Final = 3
"""Months shown before and after the present one unless all are wanted."""


@dataclass
class Group:
    """Rows of one import group that are still in the interface."""

    ledger: str
    source: str
    group_id: str
    rows: list[InterfaceRow] = field(default_factory=list)

    @property
    def journals(self) -> int:
        return len({row.journal for row in self.rows})

    @property
    def errors(self) -> Counter[str]:
        """How often each status occurs; NEW rows wait for an import."""
        return Counter(row.status for row in self.rows)


@dataclass
class Balance:
    """What Receivables hold of one customer account in one currency."""

    digits: int
    invoices: int = 0
    open: Decimal = Decimal(0)
    memos: int = 0
    on_account: Decimal = Decimal(0)


class FusionPages(Pages):
    """What `FusionTwin` shows at `/`."""

    title = "Oracle Fusion twin"
    lead = "A simulated pod: what its general ledger and receivables hold"
    templates: ClassVar[Path] = Path(__file__).parent / "templates"
    twin: FusionTwin

    def __init__(self, twin: FusionTwin) -> None:
        self._buttons = Buttons(twin)
        super().__init__(twin)
        self._templates.globals.update(
            applications=APPLICATIONS, closing=CLOSING, batches=BATCHES, request_tones=REQUESTS
        )
        self._templates.filters.update(
            decimal=Decimal, in_currency=lambda name: self.twin.world.currencies.get(name, 2)
        )

    def views(self) -> list[View]:
        overview, faults, calls = super().views()
        return [
            overview,
            View("journals", "Journals", "journals.html", self.journals),
            View("journals/{id:int}", "Journal", "journal.html", self.journal, under="journals"),
            View("invoices", "Invoices", "invoices.html", self.invoices),
            View("invoices/{id:int}", "Invoice", "invoice.html", self.invoice, under="invoices"),
            View("credits", "Credit memos", "credits.html", self.credits),
            View("credits/{id:int}", "Credit memo", "invoice.html", self.credit, under="credits"),
            View("interface", "Interface", "interface.html", self.interface),
            View("requests", "Requests", "requests.html", self.requests),
            View("periods", "Periods", "periods.html", self.periods),
            View("accounts", "Accounts", "accounts.html", self.accounts),
            View("customers", "Customers", "customers.html", self.customers),
            View("items", "Items", "items.html", self.items),
            faults,
            calls,
        ]

    def acts(self) -> dict[str, Act]:
        return super().acts() | self._buttons.acts()

    def kinds(self) -> dict[str, str]:
        return KINDS | {
            "late_visibility": "Made, shown later",
            "late_requests": "Requests shown later",
            "slow_job": "Jobs are slow",
            "token_expiry": "Tokens end early",
            "rejected_job": "Job not taken",
            "text_errors": "Errors are plain text",
            "total_results_500": "totalResults fails",
            "unstable_order": "Pages in changing order",
            "fields_500": "Projections fail",
            "refused_question": "Questions are refused",
            "no_data": "Lists are empty",
            "no_privilege": "Role is missing",
            "late_item": "New item not there by its address",
            "late_account": "New customer account found later",
            "soap_fault": "SOAP service answers with a fault",
            "contended": "Somebody else was quicker",
        }

    def knobs(self) -> tuple[Knob, ...]:
        return (
            *usual_knobs(),
            Knob(
                "lost_answer",
                "Import answer lost",
                "The next import is taken, and the connection cut before the client hears of it.",
                "lost_answer",
                {"method": "POST", "path": "/erpintegrations"},
                (times(),),
            ),
            Knob(
                "lost_invoice",
                "Invoice answer lost",
                "The next invoice is made, and the connection cut before the client hears of it.",
                "lost_answer",
                {"method": "POST", "path": "receivablesInvoices"},
                (times(),),
            ),
            Knob(
                "lost_credit",
                "Credit memo answer lost",
                "The next credit memo is made, and the connection cut before the client hears of it.",
                "lost_answer",
                {"method": "POST", "path": "receivablesCreditMemos"},
                (times(),),
            ),
            Knob(
                "lost_application",
                "Application answer lost",
                "The next credit memo is applied, and the connection cut before the client hears of it.",
                "lost_answer",
                {"method": "POST", "path": "CreditMemoService"},
                (times(),),
            ),
            Knob(
                "slow_job",
                "Slow jobs",
                "Every scheduler job takes longer.",
                "slow_job",
                measures=(by(15), lasting(120)),
            ),
            Knob(
                "rejected_job",
                "Job not taken",
                "The next job is answered with request -1.",
                "rejected_job",
                measures=(times(),),
            ),
            Knob(
                "hidden",
                "Journals shown later",
                "What the next import makes can be read only after a while.",
                "late_visibility",
                {"path": "Import Journals: Child"},
                (by(15), times()),
            ),
            Knob("no_data", "Empty lists", "As for a user without data access.", "no_data", measures=(lasting(20),)),
        )

    # What the pages show

    def overview(self, request: Request) -> dict[str, Any]:
        journals, invoices, memos = self.twin.journals(), self.twin.invoices(), self.twin.credit_memos.all()
        groups = self._groups()
        return {
            "summary": summarize(self.twin),
            "billed": self.twin.receivables.summary(),
            "journals": newest_first(journals, None, LATEST),
            "invoices": newest_first(invoices, None, 8),
            "credited": self.twin.credit_memos.summary(),
            "on_account": sum(1 for memo in memos if self.twin.receivables.applications.balance(memo)),
            "refused": sum(1 for group in groups if set(group.errors) != {"NEW"}),
            "running": sum(1 for each in self.twin.requests() if each.parent is None and each.ended is None),
            "present": [(ledger, self._present(ledger.name)[1:5]) for ledger in self.twin.world.ledgers],
            "calls": newest_first(list(self.twin.calls), None, 8),
        }

    def journals(self, request: Request) -> dict[str, Any]:
        query = request.query_params
        sought, ledger = query.get("sought", "").strip().lower(), query.get("ledger", "")
        status = query.get("status", "")
        rows = [
            journal
            for journal in self.twin.journals()
            if (not sought or sought in f"{journal.name} {journal.external_reference} {journal.batch.group_id}".lower())
            and ledger in ("", journal.ledger)
            and status in ("", journal.batch.status)
        ]
        return {
            "leaf": newest_first(rows, query.get("page")),
            "sought": query.get("sought", ""),
            "ledger": ledger,
            "status": status,
            "now": self.twin.clock.now(),
        }

    def journal(self, request: Request) -> dict[str, Any]:
        wanted = request.path_params["id"]
        found: Journal | None = next((each for each in self.twin.journals() if each.id == wanted), None)
        if found is None:
            raise LookupError(f"There is no journal {wanted}.")
        return {"journal": found, "now": self.twin.clock.now()}

    def invoices(self, request: Request) -> dict[str, Any]:
        query = request.query_params
        sought = query.get("sought", "").strip().lower()
        rows = [
            each
            for each in self.twin.invoices()
            if not sought or sought in f"{each.number} {each.cross_reference or ''} {each.customer_name}".lower()
        ]
        return {
            "leaf": newest_first(rows, query.get("page")),
            "sought": query.get("sought", ""),
            "now": self.twin.clock.now(),
        }

    def invoice(self, request: Request) -> dict[str, Any]:
        wanted = request.path_params["id"]
        found: Invoice | None = next((each for each in self.twin.invoices() if each.id == wanted), None)
        if found is None:
            raise LookupError(f"There is no invoice {wanted}.")
        return self._transaction(found, "Invoice")

    def credits(self, request: Request) -> dict[str, Any]:
        self.twin.agenda.run_due()
        sought = request.query_params.get("sought", "").strip().lower()
        rows = [
            each
            for each in self.twin.credit_memos.all()
            if not sought or sought in f"{each.number} {each.given.get('Comments') or ''} {each.customer_name}".lower()
        ]
        leaf = newest_first(rows, request.query_params.get("page"))
        return {
            "leaf": leaf,
            "sought": request.query_params.get("sought", ""),
            "now": self.twin.clock.now(),
            "applied": {memo.id: [one for one in self.twin.applications() if one.memo is memo] for memo in leaf.rows},
            "left": {memo.id: -self.twin.receivables.applications.balance(memo) for memo in leaf.rows},
        }

    def credit(self, request: Request) -> dict[str, Any]:
        self.twin.agenda.run_due()
        wanted = request.path_params["id"]
        found = next((each for each in self.twin.credit_memos.all() if each.id == wanted), None)
        if found is None:
            raise LookupError(f"There is no credit memo {wanted}.")
        return self._transaction(found, "Credit memo")

    def _transaction(self, found: Invoice, title: str) -> dict[str, Any]:
        """An invoice or a memo, with what of memos is applied to it, or of it."""
        applications = self.twin.receivables.applications
        return {
            "invoice": found,
            "title": title,
            "now": self.twin.clock.now(),
            "applications": [each for each in applications.all() if found in (each.memo, each.invoice)],
            "open": abs(applications.balance(found)),
        }

    def interface(self, request: Request) -> dict[str, Any]:
        groups = self._groups()
        wanted = request.query_params.get("group", "")
        rows = [row for row in self.twin.interface() if not wanted or row.group_id == wanted]
        return {
            "groups": groups[::-1][:100],
            "hidden": max(0, len(groups) - 100),
            "group": wanted,
            "leaf": newest_first(rows[::-1], request.query_params.get("page")),
        }

    def requests(self, request: Request) -> dict[str, Any]:
        roots = [each for each in self.twin.requests() if each.parent is None]
        return {"leaf": newest_first(roots, request.query_params.get("page"), 25)}

    def periods(self, request: Request) -> dict[str, Any]:
        every = request.query_params.get("every") == "yes"
        return {
            "every": every,
            "ledgers": [
                {"ledger": ledger, "periods": ledger.periods if every else self._present(ledger.name)}
                for ledger in self.twin.world.ledgers
            ],
        }

    def accounts(self, request: Request) -> dict[str, Any]:
        sought = request.query_params.get("sought", "").strip()
        odd = request.query_params.get("odd") == "yes"
        rows = [
            each
            for each in self.twin.world.combinations
            if sought in each.account and (not odd or not each.enabled or each.import_refuses)
        ]
        return {"leaf": newest_first(rows[::-1], request.query_params.get("page")), "sought": sought, "odd": odd}

    def customers(self, request: Request) -> dict[str, Any]:
        sought = request.query_params.get("sought", "").strip()
        rows = [
            each
            for each in self.twin.customers.accounts
            if sought.lower() in f"{each.number} {each.name} {' '.join(value for _, value in each.references)}".lower()
        ]
        leaf = newest_first(rows, request.query_params.get("page"))
        return {
            "leaf": leaf,
            "balances": {account.number: self._balances(account.number) for account in leaf.rows},
            "billable": {each.number: each.enabled for each in self.twin.world.receivables.customers},
            "sought": sought,
            "sets": self.twin.world.masters.reference_sets,
            "duplicates": self.twin.references.duplicates(),
        }

    def _balances(self, customer: str) -> dict[str, Balance]:
        """What Receivables hold of a customer account, by currency."""
        found: dict[str, Balance] = {}
        applications = self.twin.receivables.applications
        for invoice in self.twin.invoices():
            if invoice.customer == customer:
                balance = found.setdefault(invoice.currency, Balance(invoice.digits))
                balance.invoices += 1
                balance.open += applications.balance(invoice)
        for memo in self.twin.credit_memos.all():
            if memo.customer == customer:
                balance = found.setdefault(memo.currency, Balance(memo.digits))
                balance.memos += 1
                balance.on_account -= applications.balance(memo)
        return found

    def items(self, request: Request) -> dict[str, Any]:
        sought = request.query_params.get("sought", "").strip()
        rows = [
            each
            for each in self.twin.items.rows
            if sought.lower() in f"{each.values['ItemNumber']} {each.values['ItemDescription']}".lower()
        ]
        return {"leaf": newest_first(rows, request.query_params.get("page")), "sought": sought}

    def _groups(self) -> list[Group]:
        """What is left in the interface, by group, in order of loading."""
        names = {str(ledger.id): ledger.name for ledger in self.twin.world.ledgers}
        groups: dict[tuple[str, str, str], Group] = {}
        for row in self.twin.interface():
            key = (row.ledger_id, row.source, row.group_id)
            group = groups.setdefault(key, Group(names.get(row.ledger_id, row.ledger_id), row.source, row.group_id))
            group.rows.append(row)
        return list(groups.values())

    def _present(self, ledger: str) -> list[Period]:
        """The periods around the twin's present."""
        now = self.twin.clock.now()
        return [
            each
            for each in self.twin.world.ledger(ledger).periods
            if not each.adjustment and abs((each.year - now.year) * 12 + each.number - now.month) <= PERIODS_AROUND
        ]
