"""`ml-connector connections test`: signs in for real and tries every path the flows use.

One row a path: works, or what is missing (scope, role, privilege, clock) and what to do about it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from clients.errors import BadAnswer, Forbidden, NotFound, Unauthorized, VendorError
from clients.oracle_fusion import Description, Pod
from contracts.bigcommerce import Hook, OrderListing, StoreCurrency, StoreInformation
from contracts.configuration import BigCommerceConnection, FusionConnection, ReceivableBooks
from contracts.journal import LedgerFacts
from runtime.checking.findings import Finding, Level, refused
from runtime.checking.reference_homes import HomeProbe, try_homes

SKEW_WARNING: Final = 30.0
SKEW_LIMIT: Final = 240.0
"""Seconds our clock may differ. Webhook signatures are refused beyond 300 s by default; tokens much earlier."""

_NTP: Final = "Synchronise this machine's clock (NTP)."


class FusionProbe(HomeProbe, Protocol):
    """The part of `clients.oracle_fusion.FusionClient` that the test uses."""

    async def root(self) -> Pod: ...
    async def describe(self, resource: str) -> Description: ...
    async def probe(self, resource: str) -> None: ...
    async def probe_scheduler(self) -> None: ...
    async def ledgers(self) -> tuple[LedgerFacts, ...]: ...


class BigCommerceProbe(Protocol):
    """The part of `clients.bigcommerce.BigCommerceClient` that the test uses."""

    @property
    def skew(self) -> float | None: ...
    async def time(self) -> datetime: ...
    async def store(self, *, fresh: bool = False) -> StoreInformation: ...
    async def currencies(self) -> tuple[StoreCurrency, ...]: ...
    async def order_count(self) -> int: ...
    def orders_by_id(self, min_id: int) -> AsyncIterator[OrderListing]: ...
    async def order(self, order_id: str | int) -> object: ...
    async def product_categories(
        self, product_ids: Collection[str], *, fresh: bool = False
    ) -> dict[str, tuple[str, ...]]: ...
    async def hooks(self) -> tuple[Hook, ...]: ...


@dataclass(frozen=True)
class FusionPath:
    """A REST resource, what the flows use it for, and what a user lacks who may not use it."""

    resource: str
    used_for: str
    privilege: str
    reads: bool = True
    """Whether one row is read too; a description alone does not prove the right to the rows."""
    queried_by: tuple[str, ...] = ()
    """Attributes the flows filter on."""


_STRUCTURES: Final = "FUN_GET_ENTERPRISE_STRUCTURES_REST_SERVICE_PRIV"
_JOURNALS: Final = "a General Accountant's duty role with data access to the ledger"

FUSION_PATHS: Final = (
    FusionPath("ledgersLOV", "ledgers of the books", _STRUCTURES),
    FusionPath("accountingPeriodStatusLOV", "open periods", _STRUCTURES, queried_by=("ApplicationId", "LedgerId")),
    FusionPath("accountCombinationsLOV", "accounts of the mapping rules", _STRUCTURES),
    FusionPath("dataAccessSetsLOV", "data access set of the import", _STRUCTURES),
    FusionPath("journalSourcesLOV", "journal source of the import", _STRUCTURES),
    FusionPath("journalCategoriesLOV", "journal category", _STRUCTURES),
    FusionPath("finBusinessUnitsLOV", "business units of the books", _STRUCTURES),
    FusionPath("currencyRates", "conversion rates", "the privilege to view daily rates", reads=False),
    FusionPath("journalBatches", "journals read back", _JOURNALS, queried_by=("BatchName",)),
    FusionPath(
        "erpintegrations",
        "journal import (importBulkData) and its report",
        "the role to load files and run Import Journals (Integration Specialist duties)",
        reads=False,
    ),
)

_BIGCOMMERCE_SCOPES: Final = {
    "settings": "Information & settings: read-only (store_v2_information_read_only)",
    "orders": "Orders: read-only (store_v2_orders_read_only) and Order transactions: read-only "
    "(store_v2_transactions_read_only)",
    "products": "Products: read-only (store_v2_products_read_only)",
}


RECEIVABLES_PATH: Final = FusionPath(
    "receivablesInvoices",
    "invoices created and found again",
    "AR_CREATE_RECEIVABLES_INVOICE_PRIV with data access to the business unit",
)

CREDIT_PATHS: Final = (
    FusionPath(
        "receivablesCreditMemos",
        "credit memos created and found again",
        "AR_CREATE_RECEIVABLES_TRANSACTION_PRIV and AR_MANAGE_RECEIVABLES_TRANSACTIONS_PRIV",
    ),
    FusionPath(
        "receivablesCustomerAccountActivities",
        "what of credit memos is applied",
        "AR_REVIEW_CUSTOMER_ACCOUNT_ACTIVITIES_PRIV",
    ),
)
"""Asked for where refunds become credit memos. Whether memos can be applied over SOAP only an application shows."""


async def try_fusion(
    connection: FusionConnection, pod: FusionProbe, billed: Sequence[ReceivableBooks] = ()
) -> list[Finding]:
    """Every path of the flows at one pod. One failed sign-in is said once, not per path.

    `billed`: how channels are billed in Receivables there (`runtime.checking.reference_homes.billings`).
    """
    try:
        facts = await pod.root()
    except (NotFound, Forbidden, BadAnswer) as error:
        # Signed in, but the root is not for this user: the paths below say more.
        found = [_missing(connection.id, "sign-in", error, "any REST role")]
        facts = Pod(versions=())
    except VendorError as error:
        return [_sign_in_failed(connection.id, error)]
    else:
        versions = f", versions {', '.join(facts.versions)}" if facts.versions else ""
        found = [_works(connection.id, f"signed in at {connection.base_url.host}{versions}")]
    found += _skew(connection.id, None if facts.clock_skew is None else float(facts.clock_skew))
    for path in FUSION_PATHS:
        found.append(await _try_path(connection.id, pod, path))
    found.append(
        await _attempt(
            connection.id,
            "ess/rest/scheduler: finds an import whose answer was lost",
            pod.probe_scheduler,
            "the role ESS Monitor, or an own role with the scheduler's REST privileges",
        )
    )
    if not any(finding.level is not Level.OK and "ledgersLOV" in finding.sentence for finding in found):
        found += await _visible_ledgers(connection.id, pod)
    if billed:
        found += await _try_receivables(connection.id, pod, billed)
    if any(books.credit_memo_type for books in billed):
        found += [await _try_path(connection.id, pod, path) for path in CREDIT_PATHS]
    return found


async def _try_receivables(subject: str, pod: FusionProbe, billed: Sequence[ReceivableBooks]) -> list[Finding]:
    path = await _try_path(subject, pod, RECEIVABLES_PATH)
    if path.level not in (Level.OK, Level.WARNING):
        return [path]
    try:
        described = await pod.describe(RECEIVABLES_PATH.resource)
    except VendorError as error:
        return [path, _missing(subject, RECEIVABLES_PATH.resource, error, RECEIVABLES_PATH.privilege)]
    return [path, *await try_homes(subject, pod, described, billed)]


async def _try_path(subject: str, pod: FusionProbe, path: FusionPath) -> Finding:
    what = f"{path.resource}: {path.used_for}"
    try:
        described = await pod.describe(path.resource)
        if path.reads:
            await pod.probe(path.resource)
    except VendorError as error:
        return _missing(subject, what, error, path.privilege)
    fixed = [name for name in path.queried_by if described.attributes and name not in described.queryable]
    if fixed:
        return Finding(
            level=Level.WARNING,
            subject=subject,
            sentence=f"{what} answers, but cannot be filtered by {', '.join(fixed)}.",
            remedy="Ask Oracle support why the attribute is not queryable on this release; journals may not be found.",
        )
    return _works(subject, what)


async def _visible_ledgers(subject: str, pod: FusionProbe) -> list[Finding]:
    try:
        ledgers = await pod.ledgers()
    except VendorError as error:
        return [_missing(subject, "ledgersLOV: rows", error, _STRUCTURES)]
    if ledgers:
        return [_works(subject, f"sees {len(ledgers)} ledgers: {', '.join(ledger.ledger for ledger in ledgers)}")]
    return [
        Finding(
            level=Level.MISTAKE,
            subject=subject,
            sentence="ledgersLOV answers without rows: the user has the privilege but no data access.",
            remedy="Assign a data access set with the ledgers to the user (Manage Data Access for Users).",
        )
    ]


async def try_bigcommerce(connection: BigCommerceConnection, shop: BigCommerceProbe) -> list[Finding]:
    """Every path of the order flows at one store."""
    subject = connection.id
    try:
        await shop.time()
    except VendorError as error:
        return [_sign_in_failed(subject, error)]
    found = [_works(subject, f"signed in at store {connection.store_hash}"), *_skew(subject, shop.skew)]
    scopes = _BIGCOMMERCE_SCOPES
    found.append(
        await _attempt(subject, "v2/store: time zone and currency", lambda: shop.store(fresh=True), scopes["settings"])
    )
    found.append(await _attempt(subject, "v2/currencies: currencies sold in", shop.currencies, scopes["settings"]))
    found.append(await _attempt(subject, "v2/orders/count: nightly sweep", shop.order_count, scopes["orders"]))
    found.append(await _try_orders(subject, shop))
    found.append(
        await _attempt(
            subject,
            "v3/catalog: categories of products",
            lambda: shop.product_categories(["1"], fresh=True),
            scopes["products"],
        )
    )
    found.append(await _try_hooks(subject, shop))
    return found


async def _try_orders(subject: str, shop: BigCommerceProbe) -> Finding:
    """The list proves the order scope, one order with all it holds the scope for transactions."""
    what = "v2/orders with products, taxes, fees and transactions"
    scope = _BIGCOMMERCE_SCOPES["orders"]
    try:
        order_id = None
        async for listed in shop.orders_by_id(1):
            order_id = listed.id
            break
        if order_id is None:
            return Finding(
                level=Level.WARNING,
                subject=subject,
                sentence="v2/orders answers without an order, so reading a whole one is not proved.",
                remedy="Place a test order in the shop and run this again.",
            )
        await shop.order(order_id)
    except VendorError as error:
        return _missing(subject, what, error, scope)
    return _works(subject, what)


async def _try_hooks(subject: str, shop: BigCommerceProbe) -> Finding:
    try:
        hooks = await shop.hooks()
    except VendorError as error:
        return _missing(subject, "v3/hooks: webhooks of this API account", error, "the default scope")
    orders = [hook for hook in hooks if hook.scope.startswith("store/order/") and hook.is_active]
    if orders:
        return _works(subject, f"v3/hooks: {len(orders)} active order webhooks")
    return Finding(
        level=Level.WARNING,
        subject=subject,
        sentence="v3/hooks: no active webhook for orders; they are found by the poll only, minutes later.",
        remedy=f"Register them: ml-connector hooks register {subject} --url https://YOUR-GATEWAY",
    )


async def _attempt(subject: str, what: str, call: Callable[[], Awaitable[object]], needed: str) -> Finding:
    try:
        await call()
    except VendorError as error:
        return _missing(subject, what, error, needed)
    return _works(subject, what)


def _works(subject: str, what: str) -> Finding:
    return Finding(level=Level.OK, subject=subject, sentence=what)


def _missing(subject: str, what: str, error: VendorError, needed: str) -> Finding:
    finding = refused(error, subject)
    remedy = finding.remedy
    if isinstance(error, Forbidden | Unauthorized):
        remedy = f"The integration user lacks {needed}. Add it, then run this again."
    elif isinstance(error, NotFound):
        remedy = f"Check the base address and the release of the pod or store; the path needs {needed}."
    return finding.model_copy(update={"sentence": f"{what}: {error.sentence}", "remedy": remedy})


def _sign_in_failed(subject: str, error: VendorError) -> Finding:
    finding = refused(error, subject)
    return finding.model_copy(update={"sentence": f"Cannot sign in: {error.sentence}"})


def _skew(subject: str, seconds: float | None) -> list[Finding]:
    """By the answer's `Date` header, which has whole seconds."""
    if seconds is None:
        return []
    size, side = abs(seconds), "ahead of" if seconds > 0 else "behind"
    if size > SKEW_LIMIT:
        sentence = f"This machine's clock is {size:.0f} s {side} theirs: tokens and signatures are refused."
        return [Finding(level=Level.MISTAKE, subject=subject, sentence=sentence, remedy=_NTP)]
    if size > SKEW_WARNING:
        sentence = f"This machine's clock is {size:.0f} s {side} theirs."
        return [Finding(level=Level.WARNING, subject=subject, sentence=sentence, remedy=_NTP)]
    return [_works(subject, f"clocks agree within {max(1.0, size):.0f} s")]


async def together(tests: list[Awaitable[list[Finding]]]) -> tuple[Finding, ...]:
    """Several connections at once, in the order given."""
    return tuple(finding for found in await asyncio.gather(*tests) for finding in found)
