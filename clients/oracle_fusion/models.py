"""What the Fusion client answers with. Wire names stay in the modules that read them."""

import datetime as dt
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from contracts.model import Amount, Frozen, Instant


class BusinessUnit(Frozen):
    business_unit_id: int
    name: str
    primary_ledger_id: int | None = None


class CombinationState(Frozen):
    """What the ledger's chart says of one account combination. Journal Import may still refuse it."""

    segments: tuple[str, ...]
    account: str
    """The segments joined, for sentences."""
    exists: bool
    """A missing one may still be created by the import where the chart allows dynamic insertion."""
    enabled: bool = False
    detail_posting_allowed: bool = False
    account_type: str = ""
    """A asset, L liability, O equity, R revenue, E expense."""
    control_account: bool = False
    """Reserved for a subledger (third-party control account)."""
    combination_id: int | None = None
    starts: dt.date | None = None
    ends: dt.date | None = None

    def refusal(self, on: dt.date) -> str:
        """Why nothing can be posted to it on a day, one sentence; empty when it can."""
        if not self.exists:
            return f"Account {self.account} does not exist in the chart of accounts."
        if not self.enabled:
            return f"Account {self.account} is disabled."
        if (self.starts and on < self.starts) or (self.ends and on > self.ends):
            return f"Account {self.account} is not in effect on {on}."
        if not self.detail_posting_allowed:
            return f"Account {self.account} does not allow detail posting."
        return ""


class JobState(StrEnum):
    """States of an ESS request. `COMPLETED` means executed with post-processing pending, so it is not terminal."""

    WAIT = "WAIT"
    READY = "READY"
    PAUSED = "PAUSED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    SUCCEEDED = "SUCCEEDED"
    WARNING = "WARNING"
    ERROR = "ERROR"
    BLOCKED = "BLOCKED"
    CANCELED = "CANCELED"
    ERROR_AUTO_RETRY = "ERROR_AUTO_RETRY"
    OTHER = "OTHER"
    """A state this release does not know; still running as far as we can tell."""


TERMINAL_STATES = frozenset(
    {
        JobState.SUCCEEDED,
        JobState.WARNING,
        JobState.ERROR,
        JobState.CANCELED,
    }
)
"""Nothing more will happen. A request that is BLOCKED or waits for its automatic retry may still run."""


class Job(Frozen):
    """An ESS request with everything it started."""

    request_id: int
    name: str = ""
    state: JobState
    children: tuple["Job", ...] = ()

    @property
    def tree(self) -> tuple["Job", ...]:
        """This request and all below it, parents first."""
        return (self, *(job for child in self.children for job in child.tree))

    @property
    def terminal(self) -> bool:
        """Nothing of it runs any more."""
        return all(job.state in TERMINAL_STATES for job in self.tree)

    @property
    def succeeded(self) -> bool:
        """Every request of the tree succeeded. A parent succeeds while its import ends in WARNING (rows refused)."""
        return all(job.state is JobState.SUCCEEDED for job in self.tree)

    @property
    def worst(self) -> JobState:
        """The state that tells most about how it ended: the first one that is not SUCCEEDED."""
        return next((job.state for job in self.tree if job.state is not JobState.SUCCEEDED), JobState.SUCCEEDED)


class ImportRequest(Frozen):
    """A request of the scheduler as far as it tells which group it imports."""

    request_id: int
    """Of the topmost request."""
    parameters: frozenset[str]
    """Every positional parameter of it or of a child: ledger, source and group ids among them."""


class ImportFault(Frozen):
    """One error of an import report."""

    code: str
    """Fusion's code, e.g. EF04."""
    sentence: str
    journal_name: str = ""
    """As Fusion prints it; may be decorated or cut. Empty when the report names no journal."""
    line: int | None = None
    """Row of the group, in file order, where the report counts them."""
    account: str = ""


class ImportReport(Frozen):
    """Output of an import, read to the row."""

    errors: tuple[ImportFault, ...]
    text: str
    """All of the output, for the audit trail; may hold descriptions of journal lines."""


class FusionLine(Frozen):
    number: int
    account: str
    debit: Amount
    credit: Amount
    description: str


class FusionJournal(Frozen):
    """A journal as it stands in Fusion."""

    header_key: str
    """Opaque key of the header resource."""
    header_id: int | None = None
    """Numeric id, where the pod shows it."""
    batch_id: int
    batch_name: str
    name: str
    """May carry decorations behind our reference."""
    external_reference: str = ""
    description: str = ""
    status: str
    """Of its batch: U unposted, P posted, S selected, I in process; other letters are posting errors."""
    status_meaning: str = ""
    source: str = ""
    ledger: str = ""
    period: str
    accounting_date: dt.date | None = None
    currency: str
    debit: Amount
    credit: Amount
    """Entered totals, in `currency`."""
    created_at: Instant | None = None
    error: str = ""
    """Fusion's own message on the batch, e.g. why posting failed."""
    lines: tuple[FusionLine, ...] = ()
    """Only when they were asked for."""

    @property
    def posted(self) -> bool:
        return self.status == "P"

    @property
    def reference(self) -> str:
        """Our reference: the journal reference (REFERENCE6) where the pod shows it, else the first word of the name."""
        if self.external_reference:
            return self.external_reference
        words = self.name.split(maxsplit=1)
        return words[0] if words else ""


class BillToSite(Frozen):
    """A site of a customer account, as invoices name it."""

    customer: str
    """Name of the account's owner."""
    account: str
    site: str
    primary: bool = False


class FoundDistribution(Frozen):
    """One account of an invoice."""

    account_class: str
    """Revenue, Tax, Receivable, ..."""
    account: str
    """The combination, as the pod writes it."""
    amount: Amount


class FoundInvoice(Frozen):
    """An invoice as it stands in Receivables."""

    customer_transaction_id: int
    transaction_number: str
    cross_reference: str
    line_reference: str = ""
    """From the line transaction flexfield; only where the reference's home is there."""
    transaction_source: str
    transaction_type: str = ""
    business_unit: str
    customer_account: str
    currency: str
    entered_amount: Amount
    """Lines, tax and freight, in `currency`."""
    transaction_date: dt.date
    accounting_date: dt.date | None
    """Not shown by every pod."""
    status: str
    """Complete, Incomplete or Frozen."""
    purchase_order: str
    """The shop's order number."""
    comments: str = ""
    created_at: Instant | None = None
    distributions: tuple[FoundDistribution, ...] = ()
    """Only where they were asked for, and the pod shows them."""


class Description(Frozen):
    """What a resource says of itself."""

    resource: str
    attributes: tuple[str, ...]
    queryable: frozenset[str]
    children: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Attributes of child resources by their path, e.g. `receivablesInvoiceLines.receivablesInvoiceLineDFF`."""


class Pod(Frozen):
    """Facts of the pod for `connections test`."""

    versions: tuple[str, ...]
    clock_skew: Decimal | None = None
    """Our clock minus the pod's, seconds."""


class FoundCreditMemo(Frozen):
    """A credit memo as it stands in Receivables."""

    customer_transaction_id: int
    transaction_number: str
    cross_reference: str
    line_reference: str = ""
    """From the line transaction flexfield; only where the reference's home is there."""
    transaction_source: str
    transaction_type: str = ""
    business_unit: str
    customer_account: str
    currency: str
    credited: Amount
    """Lines, tax and freight, in `currency`; positive, though Fusion shows it with a minus."""
    balance: Amount | None = None
    """What of it is not applied yet, positive; not shown by every pod."""
    transaction_date: dt.date
    accounting_date: dt.date | None
    status: str
    comments: str = ""
    created_at: Instant | None = None
    distributions: tuple[FoundDistribution, ...] = ()
    """Only where they were asked for, and the pod shows them."""


class FoundApplication(Frozen):
    """What of one credit memo is applied to one transaction: all applications of the two that stand, together."""

    credit_memo_id: int
    credit_memo_number: str
    transaction_id: int
    """0 where the pod shows that something is applied, and not to what."""
    transaction_number: str
    currency: str
    amount: Amount
    accounting_date: dt.date | None = None
    application_ids: tuple[int, ...] = ()
