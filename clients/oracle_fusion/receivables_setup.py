"""What Receivables is set up with, as far as REST shows it: for `check` and `connections test`, not for flows.

The lists of values hold what is in use, by name (Oracle's REST book for Financials lists them; their attributes are as
public clients use them). No resource says whether a transaction source is numbered by hand.
"""

from typing import Final

from clients.errors import Rejected
from clients.oracle_fusion.invoice_document import INVOICES, LINE_FLEXFIELD, LINES
from clients.oracle_fusion.models import BillToSite
from clients.oracle_fusion.rest import NOBODYS, RESOURCES, FusionRest, flag, quoted, text
from contracts.configuration import ReceivableBooks
from contracts.receivable import ReferenceHome

FLEXFIELD_PATH: Final = f"{LINES}.{LINE_FLEXFIELD}"


class ReceivablesSetup:
    """Reads of the setup. Names are compared exactly, as the create does."""

    def __init__(self, rest: FusionRest) -> None:
        self._rest = rest

    async def transaction_sources(self) -> frozenset[str]:
        """Names of the transaction sources in use that the integration user may see."""
        return await self._names("transactionSourcesLOV", "the transaction sources", "Name", "TransactionSource")

    async def transaction_types(self) -> frozenset[str]:
        return await self._names("transactionTypesLOV", "the transaction types", "Name", "TransactionType")

    async def payment_terms(self) -> frozenset[str]:
        return await self._names("paymentTermsLOV", "the payment terms", "Name", "PaymentTerms")

    async def bill_to_sites(self, account: str) -> tuple[BillToSite, ...]:
        """The active sites of a customer account; none when the account does not exist, is inactive or hidden."""
        rows = self._rest.rows(
            "customerAccountSitesLOV",
            subject=f"the sites of customer account {account}",
            q=f"AccountNumber={quoted(account)}",
            order_by="SiteUseId",
        )
        return tuple(
            [
                BillToSite(
                    customer=text(row, "CustomerName"),
                    account=text(row, "AccountNumber"),
                    site=text(row, "SiteName"),
                    primary=flag(row, "PrimarySite"),
                )
                async for row in rows
                if text(row, "AccountNumber") == account
            ]
        )

    async def can_be_asked_for(self, home: ReferenceHome, books: ReceivableBooks) -> bool:
        """Whether this pod takes a question for a reference in this home. Asks for one that nobody has.

        Raises `VendorError` when it cannot be asked at all.
        """
        attribute = {
            "transaction_number": "TransactionNumber",
            "cross_reference": "CrossReference",
            "line_flexfield": f"{FLEXFIELD_PATH}.{books.flexfield_attribute}",
        }[home]
        try:
            await self._rest.page(
                f"{RESOURCES}/{INVOICES}",
                subject=f"invoices by {attribute}",
                params={"q": f"{attribute}={quoted(NOBODYS)}", "limit": 1, "onlyData": True},
            )
        except Rejected:
            return False
        return True

    async def _names(self, resource: str, subject: str, *attributes: str) -> frozenset[str]:
        rows = self._rest.rows(resource, subject=subject, order_by="")
        return frozenset([text(row, *attributes) async for row in rows]) - {""}
