"""What of a pod the client asks, and which of it a document of the vendor's is at hand for."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import contracts.configuration
import contracts.fusion_settings
from clients import oracle_fusion

IMPORT: Final = "ballerina_oraclefusion.erp.integrations_aligned_openapi.yaml"
SCHEDULER: Final = "ballerina_oraclefusion.common.scheduler_openapi.yaml"
AT_HAND: Final[Mapping[str, str]] = {
    "receivablesInvoices": "receivables_invoices.json",
    "currencyRates": "currency_rates.json",
    "erpintegrations": IMPORT,
    "ess/rest/scheduler/v1/requests": SCHEDULER,
}
"""What is held against a document, with its file."""
NOT_AT_HAND: Final = frozenset(
    {
        "accountCombinationsLOV",
        "accountingPeriodStatusLOV",
        "chartOfAccountsLOV",
        "crmService/CustomerAccountService",
        "currencyConversionTypesLOV",
        "customerAccountSitesLOV",
        "dataAccessSetsLOV",
        "finBusinessUnitsLOV",
        "fscmService/CreditMemoService",
        "hubOrganizations",
        "items",
        "itemsV2",
        "journalBatches",
        "journalCategoriesLOV",
        "journalSourcesLOV",
        "ledgersLOV",
        "legalEntitiesLOV",
        "paymentTermsLOV",
        "preferredCurrenciesLOV",
        "receivablesCreditMemos",
        "receivablesCustomerAccountActivities",
        "transactionSourcesLOV",
        "transactionTypesLOV",
        "valueSets",
    }
)
"""What the client asks as well: Oracle publishes no OpenAPI document, and nobody else's of these lies with the others.
Twin and client follow the vendor's pages there, each by itself."""


def asked_of_pods(served: set[str]) -> set[str]:
    """Resources and services that the client and its settings name; `served` are the resources of the twin.

    What the twin does not serve is found by the way such things are called: a client is never tested without a twin.
    """
    sources = [*Path(oracle_fusion.__file__).parent.glob("*.py")]
    sources += [Path(str(module.__file__)) for module in (contracts.configuration, contracts.fusion_settings)]
    return {name for path in sources for text in _texts(path) for name in _named(text, served)}


def _named(text: str, served: set[str]) -> Iterator[str]:
    if text in served or re.fullmatch(r"\w+(?:LOV|LOVs)|\w+Service/\w+Service|ess/rest/[\w/]+", text):
        yield text
    if text.endswith("/erpintegrations"):
        yield "erpintegrations"


def _texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
