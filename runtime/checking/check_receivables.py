"""Proves how a channel is billed in Receivables: customer account and site, source and its numbering, type, terms.

The lists that are asked hold what is in use. How a source is numbered is in none of them, so that is proved by an
invoice the connector made lately, and until there is one it is only warned of.
"""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Final, Protocol

from clients.oracle_fusion import BillToSite, FoundInvoice
from contracts.configuration import ReceivableBooks
from contracts.names import short_reference
from contracts.receivable import NUMBER_LENGTH
from runtime.checking.findings import Level
from runtime.checking.notes import Notes
from runtime.configuring.positions import Path

_LOOK_BACK: Final = (dt.timedelta(days=1), dt.timedelta(days=31))
"""The source's numbering may have been changed, so what is newer counts more."""
_READ_AT_MOST: Final = 1000
"""Invoices looked through for one of our own."""


class ReceivablesProbe(Protocol):
    """The part of `clients.oracle_fusion.FusionClient` that this check needs."""

    async def transaction_sources(self) -> frozenset[str]: ...
    async def transaction_types(self) -> frozenset[str]: ...
    async def payment_terms(self) -> frozenset[str]: ...
    async def bill_to_sites(self, account: str) -> tuple[BillToSite, ...]: ...
    def invoices_of_source(
        self, source: str, business_unit: str, since: dt.datetime, *, books: ReceivableBooks | None = None
    ) -> AsyncIterator[FoundInvoice]: ...


class BillingProof:
    """Writes down what it finds wrong, or cannot prove, of one channel's billing."""

    def __init__(self, pod: ReceivablesProbe, notes: Notes, *, tenant: str, today: dt.date) -> None:
        self._pod = pod
        self._notes = notes
        self._tenant = tenant
        self._today = today

    async def run(self, here: Path, business_unit: str, billing: ReceivableBooks) -> None:
        """`here`: place of the billing in the configuration."""
        await self._customer(here, billing)
        await self._named(here, "transaction_source", "transaction source", billing.transaction_source)
        await self._named(here, "transaction_type", "transaction type", billing.transaction_type)
        if billing.payment_terms:
            await self._named(here, "payment_terms", "payment terms", billing.payment_terms)
        if billing.credit_memo_source:
            await self._named(here, "credit_memo_source", "transaction source", billing.credit_memo_source)
        if billing.credit_memo_type:
            await self._named(here, "credit_memo_type", "transaction type", billing.credit_memo_type)
        await self._numbering(here, business_unit, billing)

    async def _customer(self, here: Path, billing: ReceivableBooks) -> None:
        account = billing.customer_account
        place: Path = (*here, "customer_account")
        sites = await self._notes.ask_if_shown(place, f"Customer account {account}", self._pod.bill_to_sites(account))
        if sites is None:
            return
        names = ", ".join(sorted(f'"{one.site}"' for one in sites))
        if not sites:
            self._notes.note(
                Level.MISTAKE,
                place,
                f"Customer account {account} has no active bill-to site, or the integration user may not see it.",
                "Create and activate account and site in Fusion (Manage Customers), or correct the account number.",
            )
        elif billing.bill_to_site and billing.bill_to_site not in {one.site for one in sites}:
            self._notes.note(
                Level.MISTAKE,
                (*here, "bill_to_site"),
                f'Customer account {account} has no active bill-to site "{billing.bill_to_site}".',
                f"Its sites are: {names}.",
            )
        elif not billing.bill_to_site and len(sites) > 1 and not any(one.primary for one in sites):
            self._notes.note(
                Level.MISTAKE,
                place,
                f"Customer account {account} has several bill-to sites and none of them is primary.",
                f"Set bill_to_site to one of: {names}.",
            )
        else:
            self._notes.note(Level.OK, place, f"Customer account {account}: {sites[0].customer}, active.")

    async def _named(self, here: Path, setting: str, kind: str, name: str) -> None:
        read = {
            "transaction_source": self._pod.transaction_sources,
            "transaction_type": self._pod.transaction_types,
            "credit_memo_source": self._pod.transaction_sources,
            "credit_memo_type": self._pod.transaction_types,
            "payment_terms": self._pod.payment_terms,
        }[setting]
        place: Path = (*here, setting)
        known = await self._notes.ask_if_shown(place, f'{kind.capitalize()} "{name}"', read())
        if known is None:
            return
        if not known:
            self._notes.note(
                Level.WARNING,
                place,
                f'{kind.capitalize()} "{name}" could not be proved: the integration user sees none at all.',
                "Give the user data access to the business unit's reference data set, or compare by eye.",
            )
        elif name not in known:
            some = ", ".join(f'"{one}"' for one in sorted(known)[:10])
            self._notes.note(
                Level.MISTAKE,
                place,
                f'Fusion has no {kind} "{name}" in use.',
                f"Names are compared exactly; visible are: {some}.",
            )

    async def _numbering(self, here: Path, business_unit: str, billing: ReceivableBooks) -> None:
        place: Path = (*here, "reference_home")
        source = billing.transaction_source
        by_hand = billing.reference_home == "transaction_number"
        subject = f'Transaction source "{source}"'
        found = await self._notes.ask_if_shown(place, f"The numbering of {source}", self._ours(business_unit, billing))
        if found is None:
            return
        if not found:
            wanted = "off, and duplicate numbers not allowed" if by_hand else "on"
            self._notes.note(
                Level.WARNING,
                place,
                f"{subject}: how it is numbered cannot be read over REST, and it has no invoice of ours yet.",
                f"Look in Manage Transaction Sources: automatic transaction numbering must be {wanted}.",
            )
            return
        ours = found[-1]
        given = ours.transaction_number == short_reference(ours.cross_reference, NUMBER_LENGTH)
        if given == by_hand:
            taken = "takes the number it is given" if by_hand else "numbers by itself"
            self._notes.note(Level.OK, place, f"{subject} {taken}.")
        elif by_hand:
            self._notes.note(
                Level.MISTAKE,
                place,
                f"{subject} numbers by itself: invoice {ours.transaction_number} has another number than it was given.",
                "Switch automatic numbering off (Manage Transaction Sources), or set reference_home to another home.",
            )
        else:
            self._notes.note(
                Level.MISTAKE,
                place,
                f"{subject} is numbered by hand: invoice {ours.transaction_number} has the number it was given.",
                'Set reference_home = "transaction_number", or use a source with automatic numbering.',
            )

    async def _ours(self, business_unit: str, billing: ReceivableBooks) -> list[FoundInvoice]:
        """Invoices whose cross-reference is one of this tenant's: of the last day, else of the last month."""
        today = dt.datetime.combine(self._today, dt.time(), dt.UTC)
        for back in _LOOK_BACK:
            ours: list[FoundInvoice] = []
            read = 0
            async for one in self._pod.invoices_of_source(billing.transaction_source, business_unit, today - back):
                read += 1
                if one.cross_reference.startswith(f"{self._tenant}/"):
                    ours.append(one)
                if read == _READ_AT_MOST:
                    break
            if ours:
                return sorted(ours, key=lambda one: one.customer_transaction_id)
        return []
