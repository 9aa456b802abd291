"""A customer account as a document that is posted: intent, lease, look, create, confirm (`activities.posting`).

It takes several calls to make one, and each looks for its part by the source reference before it creates that. So the
same step may be done again whenever the time to settle has passed: it goes on where the one before stopped.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

from activities.converging.privacy import unnamed
from activities.posting.posting import Posting
from activities.posting.resource import Facts, Home, Seen
from activities.posting.subject import Subject
from clients.errors import NotFound, VendorError
from clients.oracle_fusion.customers import Customers
from clients.oracle_fusion.errors import ENDED_BY_FUSION
from contracts import names
from contracts.configuration import Integration
from contracts.master_data import EnsuredCustomer, Outcome, WantedCustomer
from mapping.customers import private_of_account
from store.creating.creation import Intent
from store.rows import PostingKey

RESOURCE: Final = "customerAccounts"
ACCOUNT: Final = "account"
"""Purpose of the first: the account with the sites that the customer had then."""
SITES: Final = "sites"
"""Purpose of those that follow, by ordinal: sites that came since."""
HOME: Final = "source_reference"
LENGTH: Final = 240
CALLS: Final = 3
"""Deadlines of a single create that making an account takes at most; its lease lasts as long."""
ALWAYS: Final = timedelta(days=3650)
"""Nobody has to be asked what became of it: whoever does it again looks for every part first."""

AccountPosting = Posting[WantedCustomer, EnsuredCustomer]


class AccountSubject(Subject):
    def intended(self, intent: Intent) -> str:
        return f"{self.what} {intent.number}"

    def created(self, seen: Seen) -> str:
        return seen.sentence


class AccountResource:
    """`activities.posting.resource.Resource` of customer accounts with their sites."""

    name = RESOURCE

    def __init__(self, customers: Customers, reference: str, wanted: WantedCustomer) -> None:
        self._customers = customers
        self._reference = reference
        self._wanted = wanted
        self.ensured: EnsuredCustomer | None = None
        """What this attempt has seen."""

    def home(self, document: WantedCustomer) -> Home:
        return Home(name=HOME, length=LENGTH, reference=document.reference, refuses_duplicates=True)

    def facts(self, document: WantedCustomer) -> Facts:
        """An account is worth nothing by itself."""
        return Facts(reference=self._reference, currency="", total=Decimal(0))

    def dump(self, document: WantedCustomer) -> str:
        return document.model_dump_json()

    def load(self, text: str) -> WantedCustomer:
        return WantedCustomer.model_validate_json(text)

    async def look(self, document: WantedCustomer, *, thorough: bool) -> Sequence[EnsuredCustomer]:
        """Nothing: `create` looks for every part right before it would make that."""
        return ()

    async def check(self, document: WantedCustomer) -> None:
        """Party and account are several calls, one of them SOAP, which nothing describes: each checks its own."""

    async def create(self, document: WantedCustomer, *, ends: float) -> EnsuredCustomer:
        with unnamed(private_of_account(document)):
            self.ensured = await self._customers.ensure_customer(document, ends=ends)
        return self.ensured

    async def read(self, target_id: str, *, whole: bool = False) -> EnsuredCustomer:
        if self.ensured is None:
            with unnamed(private_of_account(self._wanted)):
                found = await self._customers.customer(self._wanted.reference, self._wanted.name)
            party, account = found if found is not None else (None, None)
            if party is None or account is None:
                raise NotFound(
                    self._customers.connection, f"Oracle Fusion shows no account of {self._wanted.reference}."
                )
            self.ensured = EnsuredCustomer(outcome=Outcome.FOUND, party=party, account=account)
        return self.ensured

    def seen(self, hit: EnsuredCustomer) -> Seen:
        return Seen(
            target_id=str(hit.account.account_id),
            target_number=hit.account.account_number,
            currency="",
            total=Decimal(0),
            sentence=f"customer account {hit.account.account_number}: {_parts(hit)} created",
        )

    def is_ours(self, hit: EnsuredCustomer, document: WantedCustomer) -> bool:
        return True

    def difference(self, hit: EnsuredCustomer, document: WantedCustomer) -> str:
        """What is otherwise in an account is compared field by field, and not here."""
        return ""

    def another_sale(self, hit: EnsuredCustomer, document: WantedCustomer) -> str:
        return ""

    def ended(self, error: VendorError) -> bool:
        return error.status in ENDED_BY_FUSION

    def taken(self, error: VendorError) -> bool:
        return False


def _parts(hit: EnsuredCustomer) -> str:
    """What this attempt made of it: an earlier one may have made the rest, and what ended is not made anew."""
    return ", ".join(dict.fromkeys(hit.created)) or "nothing more"


def account_key(integration: Integration, customer_id: str, purpose: str, ordinal: int) -> PostingKey:
    return PostingKey(
        tenant=integration.tenant,
        integration=integration.id,
        connection=integration.source,
        fusion=integration.fusion,
        kind=names.CUSTOMER,
        document_id=customer_id,
        purpose=purpose,
        ordinal=ordinal,
    )
