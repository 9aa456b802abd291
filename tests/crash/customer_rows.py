"""Customers that become accounts: half a dozen calls, and one account whatever happens between them.

The pod takes two records of one reference: nothing but the lease and the look keeps a second one away.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from crash.books import Books, Document, Entry
from crash.posting import Posting
from crash.scene import Scene
from crash.settings import Setting
from crash.strikes import Call
from support.stack import Stack

from contracts import names
from sandbox.bigcommerce import Truth
from sandbox.bigcommerce.customers import Customers

SHOP, PIECE = "bc-us", "USD"
GROUP: Final = 3
"""Of which nobody is a member in the beginning."""
NUMBER: Final = 1
"""The attribute of the shop that shows the account's number."""
CUSTOMERS: Final = (
    'customers = { enabled = true, groups = ["3"], number_attribute = "ERP account", overlap = 1, '
    'cron = "0 4 1 1 *", sweep_cron = "0 5 1 1 *" }\n'
)
KEPT_EQUAL: Final = Setting("customers kept equal", amended=(('id = "shop-us"\n', f'id = "shop-us"\n{CUSTOMERS}'),))
MAKE_PARTY: Final = Call("making the organization", "fusion", "POST", r"/hubOrganizations$", paused_at=("received",))
MAKE_ACCOUNT: Final = Call(
    "making the account",
    "fusion",
    "POST",
    "CustomerAccountService",
    body="createCustomerAccount",
    paused_at=("received",),
)


@dataclass(eq=False)
class CustomerDocument(Document):
    """A registered customer, who is to have an account."""

    @property
    def workflow_id(self) -> str:
        return names.document_workflow_id(names.CUSTOMER, self.connection, str(self.number))

    def due(self, books: Books, truths: Callable[[str], Mapping[int, Truth]]) -> tuple[str, Decimal]:
        """One piece."""
        return PIECE, Decimal(1)

    def __str__(self) -> str:
        return f"customer {self.number} ({self.connection})"


class Accounts:
    """Fusion's twin: of each customer one organization with one account, whose number the shop shows.

    An organization, an address or a site that is there twice counts as a second account.
    """

    def entries(self, stack: Stack, document: Document) -> Sequence[Entry]:
        reference = names.customer_reference("acme", document.connection, str(document.number))
        parties, accounts = stack.fusion.parties.referred(reference), stack.fusion.customers.referred(reference)
        shown = _clients(stack).get(document.number).attributes.get(NUMBER)
        wanted = len(_clients(stack).get(document.number).addresses)
        found = [
            Entry(PIECE, Decimal(1), one.number == shown and len(one.sites) == wanted and len(one.sites[0].uses) == 2)
            for one in accounts
        ]
        addresses = sum(len(one.children.get("Address", [])) for one in parties)
        more = max(0, len(parties) - 1) + max(0, addresses - wanted)
        return [*found, *(Entry(PIECE, Decimal(1), False) for _ in range(more))]

    def expected(self, truth: Truth) -> Decimal:
        raise NotImplementedError

    def leftovers(self, stack: Stack) -> int:
        return 0


async def registered_morning(scene: Scene) -> None:
    """Customers register as wholesalers, and it is time to look."""
    stack = scene.lane.stack
    stack.fusion.world.masters.habits.duplicate_references = "accepted"
    clients = _clients(stack)
    for number in clients.grow(1 if scene.plain else scene.chance.randint(1, 4)):
        clients.edit(number, company=f"Company {number}", customer_group_id=GROUP)
        for _ in range(1 if scene.plain else scene.chance.randint(1, 3)):
            clients.add_address(number, address1=f"{number} Elm Street", city="Austin", country_code="US")
        scene.documents.append(CustomerDocument(SHOP, number))
    await scene.trigger(names.poll_records_id("shop-us", names.CUSTOMER, "shop"))


def _clients(stack: Stack) -> Customers:
    found: Customers = stack.shops.stores["us1abc"].customers
    return found


MADE: Final = Posting(
    "a customer to its account",
    registered_morning,
    way=("poll_records", "read_record", "compare_record", "write_record", "agree_record"),
    calls=(MAKE_PARTY, MAKE_ACCOUNT),
    books=Accounts(),
    setting=KEPT_EQUAL,
    decisions=0,
)

CUSTOMER_POSTINGS: Final = (MADE,)
