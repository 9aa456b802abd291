"""A shop whose wholesale customers have accounts in Fusion, and what a test does with them."""

import asyncio
from dataclasses import dataclass
from typing import Any

from replay.stage import with_fusion, with_integration
from support.fusion_customers import SETS
from support.stack import PATIENCE, Stack, eventually
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from contracts import names
from contracts.configuration import Configuration
from contracts.converging import PolledRecords, PollRecordsInput
from contracts.customer_policy import CustomerPolicy
from contracts.flow import Decision, FlowResult, FlowState, State
from contracts.fusion_settings import CustomerSettings
from contracts.ownership import Side
from contracts.starting import StartRequest
from sandbox.bigcommerce.customers import CustomerRow, Customers
from sandbox.fusion.masters.customer_accounts import Account
from sandbox.fusion.records import Record
from store.rows import DocumentRow

ADA, BEN = 11, 12
"""Ada buys wholesale, Ben for himself."""
WHOLESALE = "2"
COMPANY = "Quill & Daughters Ltd"
NUMBER, STATUS = 1, 3
"""Attributes of the shop that show the account."""
NEVER = "0 4 1 1 *"


def with_customers(configuration: Configuration, **changes: Any) -> Configuration:
    """Wholesale customers get accounts, and see number and status of theirs; `changes` of the policy."""
    given: dict[str, Any] = {
        "enabled": True,
        "groups": (WHOLESALE,),
        "number_attribute": "ERP account",
        "status_attribute": "ERP status",
        "cron": NEVER,
        "sweep_cron": NEVER,
    }
    policy = CustomerPolicy.model_validate(given | changes)
    patient = with_fusion(
        configuration, create_timeout=3.0, settle=0.5, customers=CustomerSettings(reference_sets=SETS)
    )
    return with_integration(patient, "shop-us", customers=policy)


@dataclass
class Clientele:
    """The customers of the US shop beside their accounts."""

    stack: Stack

    @property
    def rows(self) -> Customers:
        """As the shop has them."""
        found: Customers = self.stack.shops.stores[self.stack.shop().profile.store_hash].customers
        return found

    def register(self, customer_id: int = ADA, company: str = COMPANY) -> CustomerRow:
        """The customer is of the group, and has a company."""
        return self.rows.edit(customer_id, company=company, customer_group_id=int(WHOLESALE))

    def reference(self, customer_id: int = ADA) -> str:
        return names.customer_reference("acme", "bc-us", str(customer_id))

    def accounts(self, customer_id: int = ADA) -> list[Account]:
        """Every account with the customer's reference: the truth."""
        return self.stack.fusion.customers.referred(self.reference(customer_id))

    def party(self, customer_id: int = ADA) -> Record:
        (found,) = self.stack.fusion.parties.referred(self.reference(customer_id))
        return found

    def addresses(self, customer_id: int = ADA) -> list[Record]:
        return self.party(customer_id).children.get("Address", [])

    def once(self, customer_id: int = ADA) -> Account:
        """One organization and one account, none of whose addresses, sites and purposes is there twice."""
        (account,) = self.accounts(customer_id)
        assert self.party(customer_id).values["PartyId"] == account.party_id
        assert self.stack.fusion.references.duplicates() == []
        places = [(site.party_site_id, site.set_id, use.purpose) for site in account.sites for use in site.uses]
        assert len(places) == len(set(places))
        return account

    def flow(self, customer_id: int = ADA) -> str:
        return names.document_workflow_id(names.CUSTOMER, "bc-us", str(customer_id))

    async def announce(self, customer_id: int = ADA, flow: str = names.CONVERGE_CUSTOMER) -> None:
        await self.stack.parts.starter.start(
            StartRequest(
                flow=flow,
                connection="bc-us",
                integration="shop-us",
                document_id=str(customer_id),
                job="test",
                received_at=self.stack.parts.clock(),
            )
        )

    async def result(self, customer_id: int = ADA) -> FlowResult:
        handle = self.stack.temporal.get_workflow_handle(self.flow(customer_id), result_type=FlowResult)
        return await asyncio.wait_for(handle.result(), PATIENCE)

    async def converged(self, customer_id: int = ADA) -> FlowResult:
        await self.announce(customer_id)
        return await self.result(customer_id)

    async def in_review(self, customer_id: int = ADA) -> FlowState:
        """Waits until the customer waits for a person."""

        async def there() -> FlowState | None:
            handle = self.stack.temporal.get_workflow_handle(self.flow(customer_id))
            try:
                standing = await handle.query(names.STATE, result_type=FlowState)
            except (RPCError, WorkflowQueryFailedError):
                return None
            return standing if standing.state is State.NEEDS_REVIEW else None

        found: FlowState = await eventually(there, f"customer {customer_id} is in review")
        return found

    async def decide(self, kind: str, customer_id: int = ADA) -> None:
        decision = Decision.model_validate({"id": f"d-{kind}-{customer_id}", "kind": kind, "who": "dana", "why": "so"})
        handle = self.stack.temporal.get_workflow_handle(self.flow(customer_id))
        await handle.execute_update(names.DECIDE, decision, id=decision.id)

    async def poll(self, side: Side, *, whole: bool = False, number: int = 0) -> PolledRecords:
        """One run of the schedule's workflow."""
        handle = await self.stack.temporal.start_workflow(
            names.POLL_RECORDS,
            PollRecordsInput(
                integration="shop-us",
                connection="bc-us" if side == "shop" else "fusion",
                kind=names.CUSTOMER,
                side=side,
                whole=whole,
            ),
            id=f"poll-records:test-{side}-{number}",
            task_queue=names.WORKFLOW_QUEUE,
            result_type=PolledRecords,
        )
        return await asyncio.wait_for(handle.result(), PATIENCE)

    async def document(self, customer_id: int = ADA) -> DocumentRow | None:
        return await self.stack.parts.store.documents.get("bc-us", names.CUSTOMER, str(customer_id))

    async def events(self, customer_id: int = ADA) -> list[str]:
        """What the audit trail says of the customer, action by action."""
        found = await self.stack.parts.store.audit.of("bc-us", names.CUSTOMER, str(customer_id))
        return [one.action for one in found]

    def calls(self) -> tuple[int, int]:
        """Vendor calls so far, writes of them: both systems together, without signing in."""
        both = [*self.stack.shops.calls, *self.stack.fusion.calls]
        business = [one for one in both if "token" not in one.path and not one.path.startswith("/_twin")]
        written = [one for one in business if one.method in ("PUT", "PATCH", "DELETE") or _creates(one)]
        return len(business), len(written)


def _creates(call: Any) -> bool:
    """SOAP questions are posted, too: an answer tells nothing of them, so the service counts as reading."""
    return call.method == "POST" and "CustomerAccountService" not in call.path
