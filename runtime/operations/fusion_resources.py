"""Names of resources, for who has mistyped one."""

import difflib
from collections.abc import Iterable
from typing import Final

from clients.errors import VendorError
from clients.oracle_fusion import FusionClient

_NAMES: Final = """
    accountCombinationsLOV accountingCalendarsLOV accountingPeriodsLOV accountingPeriodStatusLOV chartOfAccountsLOV
    currencyConversionTypesLOV currencyRates customerAccountSitesLOV dataAccessSetLedgersLOV dataAccessSetsLOV
    draftPurchaseOrders encumbranceTypesLOV erpintegrations finBusinessUnitsLOV inventoryCompletedTransactions
    inventoryOnhandBalances inventoryOrganizations inventoryStagedTransactions invoiceHolds invoices itemsV2
    journalBatches journalCategoriesLOV journalSourcesLOV ledgerBalances ledgersLOV legalEntitiesLOV paymentTermsLOV
    preferredCurrenciesLOV purchaseOrderAcknowledgments purchaseOrders receivablesCreditMemos receivablesInvoices
    receivingReceiptRequests salesOrdersForOrderHub standardReceipts suppliers transactionSourcesLOV
    transactionTypesLOV valueSets
"""
KNOWN: Final = tuple(_NAMES.split())
"""Resources that retailers' integrations use; a pod has some thousand others."""


async def near_names(pod: FusionClient, resource: str) -> tuple[str, ...]:
    """Names like one that the pod does not know, the likest first: of those known here, else of all the pod has."""
    found = _near(resource, KNOWN)
    if not found:
        try:
            found = _near(resource, await pod.descriptions.names())
        except VendorError:
            return ()
    return found


def _near(resource: str, names: Iterable[str]) -> tuple[str, ...]:
    by_folded = {name.casefold(): name for name in names if name != resource}
    fits = difflib.get_close_matches(resource.casefold(), list(by_folded), n=5, cutoff=0.6)
    return tuple(by_folded[fit] for fit in fits)
