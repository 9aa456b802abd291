"""The customer's configuration (`connector.toml`) as validated models. Shapes only: `runtime/configuring` loads them.

Every model refuses unknown keys, so a typing mistake is found by `ml-connector check` and not at month-end.
"""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, HttpUrl, model_validator

from contracts.alignment import AlignmentPolicy
from contracts.customer_policy import CustomerPolicy
from contracts.fusion_settings import CustomerSettings, ItemSettings, ValueSetSettings
from contracts.hooks import HookSettings
from contracts.journal import Purpose
from contracts.model import Frozen
from contracts.ownership import ItemPolicy
from contracts.receivable import ReferenceHome, TaxCode
from contracts.worker_groups import DEFAULT_GROUP, WorkerGroup

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
"""Ids appear in URLs, workflow ids and references: lower case, digits and hyphens, at most 40 characters."""

Environment = Literal["test", "production"]

OutageAlert = Annotated[float, Field(gt=0)]
"""Hours after which `status` and `check` raise the alarm for a connection that is unavailable. Its documents go on
waiting, however long it lasts."""


class Tenant(Frozen):
    id: Identifier
    name: str = ""


class FusionOAuth(Frozen):
    """Client credentials at an identity domain (`vendors/oracle_fusion.md` 1.1). The secret is not here."""

    token_url: HttpUrl
    client_id: str
    scope: str
    """Opaque; usually two URNs joined without a separator."""
    client_auth: Literal["basic", "form"] = "basic"
    identity_claims: tuple[str, ...] = ("iss", "sub", "aud", "tenant")
    """Claims of the access token by which the account is recognised. Which of them a domain sets is not documented;
    those that are missing do not count."""


class JournalImportSettings(Frozen):
    """How this pod wants its journal import launched; the unconfirmed parts of the vendor page are settings."""

    job_name: str = "/oracle/apps/ess/financials/generalLedger/programs/common,JournalImportLauncher"
    document_account: str = "fin$/generalLedger$/import$"
    parameters: str = "{data_access_set_id},{source_id},{ledger_id},{group_id},N,N,N"
    """Order of the first three differs between pods."""
    job_options: str = "ExtractFileType=ALL"
    """Add `ImportOption=Y,PurgeOption=Y,InterfaceDetails=15` where the pod purges rejected rows by itself."""
    date_format: Literal["%Y/%m/%d", "%d/%m/%y"] = "%Y/%m/%d"
    interface_file: str = "GlInterface.csv"
    purge_job: str = "/oracle/apps/ess/financials/generalLedger/programs/common,JournalImportDelete"
    """ESS job that removes one group's rows from the interface."""
    purge_parameters: str = "{source_id},{ledger_id},{group_id}"
    posting: Literal["autopost", "job"] = "autopost"
    posting_job: str = "/oracle/apps/ess/financials/generalLedger/programs/common,AutomaticPosting"
    posting_parameters: str = "{data_access_set_id},{ledger_id},{source_id}"
    status_interval: float = Field(default=10.0, gt=0)
    """Seconds between two looks at a running ESS job."""


class FusionConnection(Frozen):
    system: Literal["oracle_fusion"]
    id: Identifier
    tenant: Identifier
    environment: Environment
    base_url: HttpUrl
    """The pod, e.g. https://abcd.fa.us2.oraclecloud.com"""
    oauth: FusionOAuth
    framework_version: int = Field(default=4, ge=2, le=9)
    """`REST-Framework-Version`, pinned: the `q` dialect depends on it (row-match from 2)."""
    timeout: float = Field(default=60.0, gt=0)
    import_timeout: float = Field(default=120.0, gt=0)
    """HTTP deadline of `importBulkData`, seconds. The send lease lasts as long."""
    create_timeout: float = Field(default=60.0, gt=0)
    """HTTP deadline of a synchronous create, seconds. Its send lease lasts as long."""
    duplicate_invoice_codes: tuple[str, ...] = ("AR-855040",)
    """Codes with which this pod refuses a transaction number that exists; the usual wordings are known besides."""
    settle: float = Field(default=60.0, ge=0)
    """Seconds after a lease ends before another attempt may look (commit delay of the pod)."""
    unchecked: tuple[str, ...] = ()
    """What is sent as it is where the pod describes it wrongly: a resource (`receivablesInvoices`), or a place in its
    documents without row numbers (`receivablesInvoices/receivablesInvoiceLines/Description`)."""
    requests_per_minute: int = Field(default=600, gt=0)
    """Oracle publishes no quota; this is our own ceiling."""
    outage_alert: OutageAlert = 72.0
    journal_import: JournalImportSettings = JournalImportSettings()
    items: ItemSettings = ItemSettings()
    customers: CustomerSettings = CustomerSettings()
    value_sets: ValueSetSettings = ValueSetSettings()


class WebhookVerification(Frozen):
    """How deliveries prove themselves (`vendors/bigcommerce.md` 9.4)."""

    method: Literal["standard-webhooks", "custom-header", "both"] = "standard-webhooks"
    tolerance: int = Field(default=300, gt=0)
    """Seconds a timestamp may differ from our clock. Widen when a shop does not re-sign its retries (48 h)."""
    header: str = "x-connector-secret"
    """Name of the custom header, when that method is used."""


class BigCommerceConnection(Frozen):
    system: Literal["bigcommerce"]
    id: Identifier
    tenant: Identifier
    environment: Environment
    base_url: HttpUrl = HttpUrl("https://api.bigcommerce.com")
    store_hash: str
    timeout: float = Field(default=30.0, gt=0)
    requests_per_window: int = Field(default=150, gt=0)
    """Quota per 30 s on the shop's plan, shared with all its other apps."""
    page_size: int = Field(default=250, ge=1, le=250)
    """250 is assumed for orders, not stated by the vendor."""
    client_id: str = ""
    """The API account's own client id, which the shop shows beside its token. Metafields of other accounts are told
    from ours by it; without it, one that has our name counts as ours."""
    outage_alert: OutageAlert = 72.0
    webhooks: WebhookVerification = WebhookVerification()
    hooks: HookSettings = HookSettings()


Connection = Annotated[FusionConnection | BigCommerceConnection, Field(discriminator="system")]


class ReceivableBooks(Frozen):
    """How one channel and currency is billed in Receivables; the channel's `target` is then `receivable`."""

    transaction_source: str
    transaction_type: str
    customer_account: str
    """Account number of the customer that stands for this store."""
    bill_to_site: str = ""
    """The account's primary bill-to site when empty."""
    payment_terms: str = ""
    """The customer's own when empty."""
    credit_memo_type: str = ""
    """Transaction type of class credit memo, for refunds. Without one a refund goes to review."""
    credit_memo_source: str = ""
    """`transaction_source` when empty. Numbered in the same way: `reference_home` counts for both."""
    credit_reason: str = ""
    """A value of Fusion's lookup of credit memo reasons; none is sent when empty."""
    reference_home: ReferenceHome = "transaction_number"
    """`transaction_number` needs a manually numbered source; the others where numbering is Fusion's."""
    account_separator: str = Field(default="-", min_length=1, max_length=1)
    """Between the segments of an account combination, as the chart of accounts writes it."""
    flexfield_context: str = "ML Connector"
    flexfield_attribute: str = "reference"
    """Name of the attribute in the line transaction flexfield, for the home `line_flexfield`."""
    tax: Literal["manual_lines", "tax_lines"] = "manual_lines"
    """`manual_lines`: each tax title is an invoice line of its own, distributed to its tax account, and Fusion
    calculates nothing; `tax_lines`: lines of Fusion's tax engine, named by `tax_codes`."""
    tax_codes: dict[str, TaxCode] = Field(default_factory=dict)
    """By the shop's tax title; only for `tax_lines`."""


class Books(Frozen):
    """Where sales of one channel and currency are booked."""

    channel: str
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    ledger: str
    data_access_set: str
    journal_source: str
    journal_category: str
    balancing_segment: str
    """Value of the balancing segment: the legal entity. Every line of the journal carries it."""
    business_unit: str
    conversion_type: str | None = None
    """Required when `currency` differs from the ledger's, e.g. "Corporate"."""
    receivable: ReceivableBooks | None = None
    """Required when the channel's target is `receivable`."""


class Channel(Frozen):
    id: str
    """The shop's own channel id."""
    name: str = ""
    revenue_owner: Literal["order_to_journal"] = "order_to_journal"
    """The one flow that bills this channel (design rule 6)."""
    target: Literal["journal", "receivable"] = "journal"
    """What an order becomes: a general ledger journal, or an invoice in Receivables."""


class PostingPolicy(Frozen):
    recognise_on: Literal["placed", "paid", "shipped"] = "placed"
    postable_statuses: tuple[int, ...] = (2, 3, 4, 8, 9, 10, 11, 14)
    """Order status ids that may be posted; by default not incomplete (0), cancelled (5), declined (6) or unpaid (7).
    Refunded orders (4, 14) were sold all the same: what was given back are documents of their own."""
    reversing_statuses: tuple[int, ...] = (5, 6)
    """Order status ids that take back what was posted: cancelled (5), declined (6)."""
    late_days: int = Field(default=10, ge=0, le=366)
    """When the recognition day's period is closed: how many days later the first open day may lie. Beyond: review."""
    rate_wait: float = Field(default=24.0, ge=0)
    """Hours to wait for a missing conversion rate before review."""
    rounding_limit: Decimal = Field(default=Decimal("0.05"), ge=0)
    """Largest rounding difference per order, in the order's currency. Beyond: review."""
    refund_rate: Literal["original", "refund_date"] = "original"
    """Which day's conversion rate a refund in a foreign currency is booked at: the sale's, or the refund's own."""

    @model_validator(mode="after")
    def _apart(self) -> "PostingPolicy":
        if both := sorted(set(self.postable_statuses) & set(self.reversing_statuses)):
            raise ValueError(f"status {both[0]} cannot both be posted and take back what was posted")
        return self


class ImportPolicy(Frozen):
    """When staged journals are sealed into a group and how long an unknown import is followed."""

    flush_after: float = Field(default=300.0, gt=0)
    """Seconds from the first staged journal to sealing."""
    flush_count: int = Field(default=500, ge=1, le=5000)
    quiet_period: float = Field(default=5.0, ge=0)
    """Seconds without a change before a changed order is fetched again."""
    reread_after: float = Field(default=3600.0, gt=0)
    """A waiting order reads its fate from the store at least this often."""
    unknown_limit: float = Field(default=24.0, gt=0)
    """Hours an import may stay unknown before a person is asked."""


class PollPolicy(Frozen):
    cron: str = "*/5 * * * *"
    sweep_cron: str = "15 3 * * *"
    timezone: str = "UTC"
    overlap: int = Field(default=300, ge=1)
    """Seconds before the watermark that every poll reads again."""
    sweep_days: int = Field(default=7, ge=1, le=365)
    jitter: float = Field(default=20.0, ge=0)
    catchup: float = Field(default=600.0, ge=10)
    """Catch-up window of the schedule, seconds."""


class LossCountPolicy(Frozen):
    """The count of the shop's postable orders against what was posted."""

    enabled: bool = True
    cron: str = "25 * * * *"
    """In the timezone of the polls; off the full hour, when everybody else's schedules begin."""
    days: int = Field(default=35, ge=1, le=3660)
    """How many days back orders are counted, by when they were placed, and never beyond the cut-over: by default an
    accounting month and its closing. One call for every 250 orders."""
    patience: float = Field(default=600.0, ge=0)
    """Seconds, beyond the interval of the polls, after which a changed order that nobody has looked at is missing."""


class OrderMetafieldSettings(Frozen):
    """Whether orders say in the shop what became of them in Fusion, in a metafield that people and apps there read."""

    enabled: bool = False
    namespace: str = Field(default="ml_connector", min_length=1, max_length=64)
    key: str = Field(default="fusion", min_length=1, max_length=64)


class Integration(Frozen):
    """A Fusion connection paired with one shop."""

    id: Identifier
    tenant: Identifier
    fusion: Identifier
    source: Identifier
    mapping_set: Identifier
    cut_over: dt.date
    """Orders placed before this day (store-local) are never posted."""
    channels: tuple[Channel, ...]
    books: tuple[Books, ...]
    posting: PostingPolicy = PostingPolicy()
    imports: ImportPolicy = ImportPolicy()
    poll: PollPolicy = PollPolicy()
    loss_count: LossCountPolicy = LossCountPolicy()
    order_metafield: OrderMetafieldSettings = OrderMetafieldSettings()
    alignment: AlignmentPolicy = AlignmentPolicy()
    items: ItemPolicy = ItemPolicy()
    customers: CustomerPolicy = CustomerPolicy()
    allow_cross_environment: bool = False


class RuleConditions(Frozen):
    """All given conditions must hold; a list holds when any value matches. Values are compared case-insensitively."""

    category: tuple[str, ...] = ()
    """Category name or path ("Apparel > Shirts"); a path also matches its children."""
    channel: tuple[str, ...] = ()
    connection: tuple[str, ...] = ()
    sku: tuple[str, ...] = ()
    """Shell patterns: `SHIRT-*`."""
    product_type: tuple[str, ...] = ()
    tax_title: tuple[str, ...] = ()
    tax_class: tuple[str, ...] = ()
    payment_method: tuple[str, ...] = ()
    ship_to_country: tuple[str, ...] = ()
    ship_to_state: tuple[str, ...] = ()
    customer_group: tuple[str, ...] = ()
    """The group's id as the shop numbers it."""
    fee: tuple[str, ...] = ()


class Rule(Frozen):
    """One row of a mapping set. The first rule that is in effect and whose conditions all hold wins."""

    id: Identifier
    purpose: Purpose
    when: RuleConditions = RuleConditions()
    account: str
    """Full combination by segment, `101-10-41000-000`; `*` as the balancing segment means: from the books."""
    effective_from: dt.date | None = None
    effective_to: dt.date | None = None
    """Inclusive."""
    control_account: bool = False
    """Set to name a control account (receivables, payables) on purpose; `check` warns and allows it."""

    @model_validator(mode="after")
    def _dates_in_order(self) -> "Rule":
        if self.effective_from and self.effective_to and self.effective_from > self.effective_to:
            raise ValueError(f"rule {self.id}: effective_from is after effective_to")
        return self


class MappingSet(Frozen):
    """Versioned rules. A change of rules needs a new `version`: posted lines name the version they used."""

    id: Identifier
    version: int = Field(ge=1)
    segments: tuple[str, ...] = Field(min_length=1, max_length=30)
    """Segment names in the chart's order."""
    separator: str = Field(default="-", min_length=1, max_length=1)
    balancing_segment: str
    """Which of `segments` carries the legal entity."""
    suspense: str | None = None
    """Account for what no rule covers. Without it such a document goes to review (design rule 8)."""
    rules: tuple[Rule, ...] = ()
    rules_csv: tuple[str, ...] = ()
    """Files with further rules, one a row, relative to the configuration file; appended to `rules` when loaded."""

    @model_validator(mode="after")
    def _accounts_fit(self) -> "MappingSet":
        if self.balancing_segment not in self.segments:
            raise ValueError(f"mapping set {self.id}: balancing_segment {self.balancing_segment!r} is not in segments")
        return self


class StoreSettings(Frozen):
    url: str = "sqlite+aiosqlite:///ml-connector.db"
    """SQLAlchemy URL; `postgresql+asyncpg://...` in production."""


class TemporalSettings(Frozen):
    """Only what Temporal's own environment configuration (`TEMPORAL_*`, profiles) does not say."""

    profile: str | None = None
    address: str | None = None
    """Overrides the environment's; for `up` and tests."""
    namespace: str | None = None
    ui_url: str | None = None
    """Address of the Temporal UI; commands then print links to a document's history."""


class GatewaySettings(Frozen):
    host: str = "0.0.0.0"  # noqa: S104 -- the one public listener
    port: int = 8080
    max_body: int = Field(default=262_144, gt=0)
    """Bytes; larger deliveries get 413."""
    receive_deadline: float = Field(default=5.0, gt=0)
    """Seconds to send a body; slower ones get 408."""
    start_deadline: float = Field(default=0.08, gt=0)
    """Seconds a durable start may take before the delivery goes to the inbox."""


def origin_of(url: str) -> str:
    """Scheme, host and port of a web address as browsers write them in `Origin`. Raises `ValueError`."""
    parts = urlsplit(url.strip())
    scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    if scheme not in ("http", "https") or not host or parts.username is not None:
        raise ValueError("an origin is like https://temporal.example.com or http://127.0.0.1:8233")
    named = f"[{host}]" if ":" in host else host
    return f"{scheme}://{named}" if port in (None, {"http": 80, "https": 443}[scheme]) else f"{scheme}://{named}:{port}"


def _origin(text: str) -> str:
    parts = urlsplit(text.strip())
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("an origin has no path, query or fragment: https://temporal.example.com")
    return origin_of(text)


Origin = Annotated[str, AfterValidator(_origin)]
"""Where a web page comes from: scheme, host and, unless it is the scheme's own, port."""


class ConsoleSettings(Frozen):
    """The private listener: pages for the operator, and the codec endpoint of the Temporal UI and CLI."""

    host: str = "127.0.0.1"
    port: int = 8081
    url: HttpUrl | None = None
    """Address under which people reach it, e.g. that of a proxy that ends TLS; unless set, host and port."""
    ui_origins: tuple[Origin, ...] = ()
    """Origins of the Temporal UI, the only pages that may have payloads decoded; unless set, that of `ui_url`."""
    session_hours: float = Field(default=12.0, gt=0, le=168)
    """How long a browser stays signed in."""
    max_body: int = Field(default=8_388_608, gt=0)
    """Bytes of payloads in one request; more than the 4 MB that Temporal carries, written in base64."""


class AuditSettings(Frozen):
    seal_every: float = Field(default=300.0, ge=10)
    """Seconds between two sealings of each tenant's audit trail: how long an event may lie unsealed."""


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


_T = TypeVar("_T", bound=_HasId)


def _by_id(rows: tuple[_T, ...], wanted: str) -> _T:
    for row in rows:
        if row.id == wanted:
            return row
    raise KeyError(wanted)


class Configuration(Frozen):
    """The whole file."""

    environment: Environment = "test"
    tenants: tuple[Tenant, ...]
    connections: tuple[Connection, ...]
    integrations: tuple[Integration, ...]
    mapping_sets: tuple[MappingSet, ...]
    store: StoreSettings = StoreSettings()
    temporal: TemporalSettings = TemporalSettings()
    gateway: GatewaySettings = GatewaySettings()
    console: ConsoleSettings = ConsoleSettings()
    audit: AuditSettings = AuditSettings()
    worker_groups: tuple[WorkerGroup, ...] = ()
    workers_expected: int = Field(default=2, ge=1)
    """Worker processes that run at once, in every group: what `check` plans with."""

    def connection(self, connection_id: str) -> FusionConnection | BigCommerceConnection:
        """Raises `KeyError` with the id."""
        return _by_id(self.connections, connection_id)

    def integration(self, integration_id: str) -> Integration:
        return _by_id(self.integrations, integration_id)

    def mapping_set(self, mapping_set_id: str) -> MappingSet:
        return _by_id(self.mapping_sets, mapping_set_id)

    def integrations_of(self, connection_id: str) -> tuple[Integration, ...]:
        """The integrations whose source is this connection."""
        return tuple(one for one in self.integrations if one.source == connection_id)

    def group_of(self, connection_id: str) -> str:
        """The worker group that serves a connection. Raises `KeyError` with the id."""
        tenant = self.connection(connection_id).tenant
        return next((group.name for group in self.worker_groups if group.holds(connection_id, tenant)), DEFAULT_GROUP)
