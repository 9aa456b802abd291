"""A wholesale customer whose account in Fusion is refused, made, changed, and whose record in the shop is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.leaks.canaries import COMPANY, GUEST, POD_USER, SHOPPER

from contracts import names
from contracts.flow import State
from sandbox.bigcommerce import US_SHOP

if TYPE_CHECKING:
    from support.leaks.story import Teller


async def keep(teller: Teller) -> None:
    """The refusal quotes everything that it refuses."""
    teller.fusion.parties.user = POD_USER
    customers = teller.shops.stores[US_SHOP.store_hash].customers
    quoted = f"{COMPANY}, {SHOPPER.street}, {SHOPPER.zip} {SHOPPER.city} isn't valid."
    teller.fusion.faults.set(
        "error", method="POST", path="/hubOrganizations$", status=400, count=1, options={"text": quoted}
    )
    customers.edit(SHOPPER.customer_id, company=COMPANY, customer_group_id=2)
    await _announced(teller, "updated")
    await teller.ended(SHOPPER.customer_id, State.NEEDS_REVIEW, kind=names.CUSTOMER)
    await teller.command("review", "list")
    customer = f"bc-us/{names.CUSTOMER}/{SHOPPER.customer_id}"
    await teller.command("review", "resolve", customer, "retry", "--who", "dana", "--why", "corrected")
    await teller.ended(SHOPPER.customer_id, State.POSTED, kind=names.CUSTOMER)
    (teller.party,) = teller.fusion.parties.referred(
        names.customer_reference("acme", "bc-us", str(SHOPPER.customer_id))
    )
    teller.fusion.parties.touch(teller.party, OrganizationName=f"{COMPANY} Ltd")
    customers.add_address(SHOPPER.customer_id, address1=GUEST.street, city=GUEST.city, country_code="US")
    await _announced(teller, "updated")
    await teller.ended(SHOPPER.customer_id, State.NEEDS_REVIEW, kind=names.CUSTOMER)
    await teller.command("audit", "show", customer)
    customers.delete(SHOPPER.customer_id)
    await _announced(teller, "deleted")
    await teller.ended(SHOPPER.customer_id, State.SKIPPED, kind=names.CUSTOMER)
    await teller.command("audit", "show", customer, "--json")


async def _announced(teller: Teller, what: str) -> None:
    data = {"type": "customer", "id": SHOPPER.customer_id, "email": SHOPPER.email}
    await teller.announce(f"store/customer/{what}", data)
