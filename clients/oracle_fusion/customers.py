"""Customers that should exist once: a party, its addresses, an account, its sites and their purposes.

Parties are made by REST, accounts by SOAP (Oracle Fusion: 6.3), in several steps that no transaction holds together.
Each step looks for its part by the source reference, creates it when it is not there, and looks again; so whoever comes
after an interruption goes on where the one before stopped.

What keeps two from being made, in this order: within a process, one run at a time for each reference; a pod that lets
a reference belong to one record only, or numbers made from the reference; and the caller's lease, who lets `settle`
pass after a run that is in doubt, where the pod has neither.
"""

import asyncio
from weakref import WeakValueDictionary

from clients.errors import Rejected
from clients.oracle_fusion.customer_accounts import CustomerAccounts
from clients.oracle_fusion.customer_run import CustomerPlace, CustomerRun
from clients.oracle_fusion.described import Descriptions
from clients.oracle_fusion.parties import Parties
from clients.oracle_fusion.rest import FusionRest
from clients.oracle_fusion.visibility import Patience, Told
from contracts.master_data import CustomerAccount, EnsuredCustomer, Party, WantedCustomer


class Customers:
    """All that flows ask of a pod's customers. Raises the errors of `clients.errors`."""

    def __init__(self, rest: FusionRest, descriptions: Descriptions) -> None:
        self.connection = rest.connection.id
        self.parties = Parties(rest, descriptions)
        self.accounts = CustomerAccounts(rest)
        self._place = CustomerPlace(rest.connection.id, rest.connection.customers, self.parties, self.accounts)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def ensure_customer(
        self,
        wanted: WantedCustomer,
        *,
        ends: float | None = None,
        patience: Patience | None = None,
        told: Told | None = None,
    ) -> EnsuredCustomer:
        """Make sure that the customer exists with all its sites, and tell what of it was created now.

        What exists is never changed: see `differences`. `ends`: moment of the event loop's clock after which nothing
        may go out any more, for callers who hold a lease. `patience`: how long each created part is waited for.
        `told` gets each look that came too early.

        Raises `Ambiguous` when there are two, `InDoubt` when a part may have been created (do the same again, after
        the time to settle), `Forbidden` when the integration user may be unable to see what exists, `Rejected` when
        the pod declined or the settings lack something.
        """
        self._check(wanted)
        turn = self._turns.setdefault(wanted.reference, asyncio.Lock())
        async with turn:
            return await CustomerRun(self._place, wanted, ends, patience, told).ensure()

    async def customer(self, reference: str, name: str = "") -> tuple[Party, CustomerAccount | None] | None:
        """The customer of a reference as it stands; `None` when there is none. Raises `Ambiguous`, and `Forbidden`
        when the integration user sees a part of it only.

        `name` helps to come upon a party without an account where the pod cannot be asked for references.
        """
        run = CustomerRun(self._place, WantedCustomer(reference=reference, name=name or reference), None, None, None)
        account = await run.look_for_account()
        if account is not None:
            return await run.party_of(account), account
        found = await run.look_for_party()
        return (found, await run.look_for_account_of(found)) if found is not None else None

    def _check(self, wanted: WantedCustomer) -> None:
        known = self._place.settings.reference_sets
        unknown = sorted({site.business_unit for site in wanted.sites} - set(known)) if known else []
        if unknown:
            raise Rejected(
                self._place.connection,
                f"Customer {wanted.reference} was not sent: no reference data set is known for business unit "
                f'"{unknown[0]}".',
                remedy="Add the id of its set to customers.reference_sets of the connection, then retry.",
            )
