"""What steps of invoices and credit memos take and give."""

from contracts.credit_memo import CreditApplication, CreditMemo
from contracts.model import Frozen, Instant
from contracts.receivable import Invoice
from contracts.sale import OrderSnapshot
from contracts.steps.documents import Lookups, Mapped


class PostInvoice(Frozen):
    """Create one invoice, or find that it is there."""

    integration: str
    connection: str
    order_id: str
    invoice: Invoice | None
    """None: nothing is to be created any more; find out what became of what was sent."""
    fingerprint: str
    modified_at: Instant
    job: str = ""
    decided_at: Instant | None = None
    epoch: int = 0
    open_since: Instant | None = None
    """Since when something of it may be on its way, as far as its flow knows: a restored store has forgotten it."""
    declared_absent: bool = False
    """A person has looked: what was sent never arrived, and is to be sent again."""
    who: str = ""
    """Who declared it, and why: for the audit trail."""
    why: str = ""
    decision: str = ""
    """Id of that decision: it counts once, however often the step is repeated."""


class MappedCredit(Mapped):
    """What mapping made of a refund, or of the cancellation of an order, that is billed in Receivables: a memo, or one
    of `Mapped`'s others."""

    credit_memo: CreditMemo | None = None
    alone: bool = False
    """The memo has no invoice to be applied to, because its order is not in Receivables: it stays on account."""
    reference: str = ""
    """Of a memo that was read back after a restore and, where it has an invoice, is applied; `standing` is set."""


class MapReversal(Frozen):
    """What takes back all that is left of the invoice of an order that was cancelled?"""

    integration: str
    snapshot: OrderSnapshot
    lookups: Lookups
    mapping_version: int | None = None


class MapApplication(Frozen):
    """How is a credit memo, which is in Fusion, applied to the invoice of its order?"""

    integration: str
    connection: str
    order_id: str
    refund_id: str
    """Empty: the memo is that of the order's cancellation."""
    credit_memo: CreditMemo
    """As mapped last. What was sent counts; but nothing is applied before this one's accounting date, because the
    period of what was sent may have closed since."""
    target_id: str
    """Fusion's own key of the memo."""
    target_number: str


class MappedApplication(Frozen):
    """None: the memo is over nothing, so there is nothing to apply."""

    application: CreditApplication | None = None


class PostCreditMemo(Frozen):
    """Create the credit memo of a refund or of a cancelled order, or find that it is there."""

    integration: str
    connection: str
    order_id: str
    refund_id: str
    """As in `MapApplication`."""
    credit_memo: CreditMemo | None
    """None: nothing is to be created any more; find out what became of what was sent."""
    alone: bool = False
    """As of `MappedCredit`: with the memo all is done."""
    fingerprint: str
    modified_at: Instant
    job: str = ""
    decided_at: Instant | None = None
    epoch: int = 0
    open_since: Instant | None = None
    """As in `PostInvoice`, like all that follow."""
    declared_absent: bool = False
    who: str = ""
    why: str = ""
    decision: str = ""


class ApplyCreditMemo(Frozen):
    """Apply a credit memo to its invoice, or find that it is applied: the second half of either."""

    integration: str
    connection: str
    order_id: str
    refund_id: str
    """As in `MapApplication`."""
    application: CreditApplication | None
    """None: it is not to be applied any more; find out what became of what was sent."""
    fingerprint: str
    """As for its memo."""
    modified_at: Instant
    job: str = ""
    decided_at: Instant | None = None
    epoch: int = 0
    open_since: Instant | None = None
    declared_absent: bool = False
    who: str = ""
    why: str = ""
    decision: str = ""
