"""Customers to ensure at the pod's twin, and what the twin then has of them."""

from typing import Any

from contracts.master_data import PostalAddress, WantedCustomer, WantedSite
from sandbox.fusion import FusionTwin
from sandbox.fusion.masters.setup import EU_SET, US_SET
from sandbox.fusion.receivables.demo import EU_UNIT, US_UNIT

SETS = {US_UNIT: US_SET, EU_UNIT: EU_SET}
SETTINGS: dict[str, Any] = {"customers": {"reference_sets": SETS}}


def site(number: int = 1, **changes: Any) -> WantedSite:
    return WantedSite.model_validate(
        {
            "reference": f"acme/bc-us/address/{number}",
            "business_unit": US_UNIT,
            "address": PostalAddress(
                country="US", line_1=f"{number} Elm Street", city="Springfield", state="IL", postal_code="62701"
            ),
            "purposes": ("BILL_TO", "SHIP_TO"),
            "name": f"Springfield {number}",
            **changes,
        }
    )


def customer(number: int = 7, *sites: WantedSite, **changes: Any) -> WantedCustomer:
    return WantedCustomer.model_validate(
        {
            "reference": f"acme/bc-us/customer/{number}",
            "name": f"Smith & Sons <No. {number}>",
            "sites": sites or (site(),),
            **changes,
        }
    )


def there(twin: FusionTwin, wanted: WantedCustomer) -> tuple[int, int]:
    """How many organizations and how many accounts carry the reference: the truth."""
    return len(twin.parties.referred(wanted.reference)), len(twin.customers.referred(wanted.reference))


def once(twin: FusionTwin, wanted: WantedCustomer) -> bool:
    """Whether the customer is there once, with every site and purpose once."""
    if there(twin, wanted) != (1, 1) or twin.references.duplicates():
        return False
    account = twin.customers.referred(wanted.reference)[0]
    places = [(site.party_site_id, site.set_id, use.purpose) for site in account.sites for use in site.uses]
    asked = {(one.reference, one.business_unit, purpose) for one in wanted.sites for purpose in one.purposes}
    addresses = twin.parties.referred(wanted.reference)[0].children.get("Address", [])
    return (
        len(places) == len(set(places)) == len(asked)
        and len(addresses) == len({one.reference for one in wanted.sites})
        and account.party_id == twin.parties.referred(wanted.reference)[0].values["PartyId"]
    )
