"""Every name that must stay the same across processes, deploys and restarts.

Changing a value here changes the identity of running work: add, never rename.
Ids carry business keys only, no personal data, no run ids and no random parts.
"""

import base64
import hashlib
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

# Workflow types
ORDER_TO_JOURNAL: Final = "order-to-journal"
REFUND_TO_JOURNAL: Final = "refund-to-journal"
CONVERGE_ITEM: Final = "converge-item"
CONVERGE_CUSTOMER: Final = "converge-customer"
LOOK_AT_PRODUCT: Final = "look-at-product"
"""A shop's webhook tells of a product: which records it is, and whether anything of them is new."""
LOOK_AT_CUSTOMER: Final = "look-at-customer"
"""The same for a customer, who may be none that is to have an account, or be gone."""
POLL_RECORDS: Final = "poll-records"
SWEEP_RECORDS: Final = "sweep-records"
"""Not a type: how runs of `poll-records` are called that read everything."""
JOURNAL_GROUPS: Final = "journal-groups"
JOURNAL_IMPORT: Final = "journal-import"
POLL_ORDERS: Final = "poll-orders"
SWEEP_ORDERS: Final = "sweep-orders"
LOSS_COUNT: Final = "loss-count"
ALIGNMENT: Final = "alignment"
HOOKS_HEALTH: Final = "hooks-health"
AUDIT_SEALING: Final = "audit-sealing"
RELEASE_REVIEW: Final = "release-review"
STORE_EPOCH: Final = "store-epoch"
"""Also the id of its only run: one store per namespace."""

HOOKS_EXCEPTION: Final = "exception"
"""Stands for the document where a shop says that deliveries fail."""
# Kinds of documents
ORDER: Final = "order"
REFUND: Final = "refund"
ITEM: Final = "item"
CUSTOMER: Final = "customer"
RECORDS: Final = (ITEM, CUSTOMER)
"""Kinds that two systems have: they are brought to agree, and nothing is posted."""
SALE: Final = "sale"
"""Purpose of the journal, or the invoice, of a sale itself."""
LOOKS: Final = MappingProxyType({ITEM: LOOK_AT_PRODUCT, CUSTOMER: LOOK_AT_CUSTOMER})
"""What a shop's webhook about records of a kind starts."""
FLOWS: Final = MappingProxyType(
    {
        ORDER: ORDER_TO_JOURNAL,
        REFUND: REFUND_TO_JOURNAL,
        ITEM: CONVERGE_ITEM,
        CUSTOMER: CONVERGE_CUSTOMER,
    }
)
"""The workflow type that documents of each kind go through."""
KINDS: Final = MappingProxyType({flow: kind for kind, flow in FLOWS.items()})
"""The kind of document that each workflow type is about."""
PURPOSES: Final = MappingProxyType({ORDER: "sale", REFUND: "refund"})
"""With which a document of each kind is posted first."""

# Signals, updates, queries
CHANGED: Final = "changed"
"""Signal: the source may have changed since the run last fetched it."""
STAGED: Final = "staged"
"""Signal to journal-groups: lines wait in the outbox."""
FATE: Final = "fate"
"""Signal to a document's workflow: what became of its journal."""
REMAPPED: Final = "remapped"
"""Signal to a document in review: a newer version of its mapping set is in effect."""
RELEASED: Final = "released"
"""Signal from journal-import to journal-groups: the import no longer occupies its ledger and source."""
SEEN: Final = "seen"
"""Update to store-epoch: an epoch of the store that is about to be acted on."""
RAISED: Final = "raised"
"""Signal to store-epoch: a recovery has raised the store's epoch. Durable before any worker has seen it."""
EPOCH: Final = "epoch"
"""Memo of store-epoch: the highest epoch seen."""
DECIDE: Final = "decide"
"""Update: a person's decision on a document or group in review. The update id is the decision id."""
STATE: Final = "state"
"""Query: where a workflow stands, as a `contracts.flow.FlowState`."""

# Search attributes (all Keyword)
SA_INTEGRATION: Final = "MlcIntegration"
SA_FLOW: Final = "MlcFlow"
SA_DOCUMENT: Final = "MlcDocument"
SA_TARGET: Final = "MlcTarget"
SA_STATE: Final = "MlcState"
SA_JOB: Final = "MlcJob"
SEARCH_ATTRIBUTES: Final = (SA_INTEGRATION, SA_FLOW, SA_DOCUMENT, SA_TARGET, SA_STATE, SA_JOB)

JOB_LENGTH: Final = 200
"""Characters of a job id: how one poll, delivery, backfill, decision or command is named on every record it led to."""

# Task queues
WORKFLOW_QUEUE: Final = "ml-connector"
"""Workflows, local activities and activities that call no vendor."""


def decision_job(decision_id: str) -> str:
    """How records that a person's decision led to name their job."""
    return f"decision:{decision_id}"[:JOB_LENGTH]


def command_job(command: str, at: datetime) -> str:
    """How records of the command line name their job, e.g. `cli:recover:20260302T150000Z`."""
    return f"cli:{command}:{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def vendor_queue(connection: str) -> str:
    """The activity queue of one rate-limited account (design rule 10)."""
    return f"ml-connector:{connection}"


def flow_id(flow: str, connection: str, document_id: str) -> str:
    """Of the workflow that a document starts."""
    return f"{flow}:{connection}:{document_id}"


def document_workflow_id(kind: str, connection: str, document_id: str) -> str:
    """E.g. `refund-to-journal:bc-us:77`; also the key of the document's wake-ups in the store."""
    return flow_id(FLOWS[kind], connection, document_id)


def document_title(kind: str, connection: str, document_id: str) -> str:
    """How sentences name a document: `Refund 77 (bc-us)`."""
    return f"{kind.capitalize()} {document_id} ({connection})"


def order_to_journal_id(connection: str, order_id: str) -> str:
    return document_workflow_id(ORDER, connection, order_id)


def journal_groups_id(fusion: str, ledger: str, source: str) -> str:
    return f"{JOURNAL_GROUPS}:{fusion}:{ledger}:{source}"


def journal_import_id(fusion: str, ledger: str, group_id: int) -> str:
    return f"{JOURNAL_IMPORT}:{fusion}:{ledger}:{group_id}"


def poll_orders_id(connection: str) -> str:
    return f"{POLL_ORDERS}:{connection}"


def sweep_orders_id(connection: str) -> str:
    return f"{SWEEP_ORDERS}:{connection}"


def loss_count_id(integration: str) -> str:
    return f"{LOSS_COUNT}:{integration}"


def alignment_id(integration: str) -> str:
    return f"{ALIGNMENT}:{integration}"


def poll_records_id(integration: str, kind: str, side: str) -> str:
    return f"{POLL_RECORDS}:{integration}:{kind}:{side}"


def sweep_records_id(integration: str, kind: str, side: str) -> str:
    return f"{SWEEP_RECORDS}:{integration}:{kind}:{side}"


def hooks_health_id(connection: str) -> str:
    return f"{HOOKS_HEALTH}:{connection}"


def hooks_exception_id(connection: str) -> str:
    """Of the run that a shop itself asks for, by saying that deliveries fail."""
    return f"{HOOKS_HEALTH}:{connection}:{HOOKS_EXCEPTION}"


def audit_sealing_id(tenant: str) -> str:
    return f"{AUDIT_SEALING}:{tenant}"


def release_review_id(mapping_set: str, version: int, generation: int) -> str:
    """`generation` tells apart the times at which a version came into effect."""
    return f"{RELEASE_REVIEW}:{mapping_set}:{version}:{generation}"


def journal_reference(tenant: str, connection: str, kind: str, document_id: str, purpose: str, ordinal: int) -> str:
    """The deterministic business key of one journal (design rule 1), e.g. `acme/bc-us/order/1024/sale/1`.

    `ordinal` counts posted versions of the document; it is never derived from content.
    Journal name (REFERENCE4) holds 100 characters: a longer reference becomes
    `mlc-` + the first 40 hex digits of its SHA-256, and the full text goes to the journal description.
    """
    reference = f"{tenant}/{connection}/{kind}/{document_id}/{purpose}/{ordinal}"
    if len(reference) <= 80:
        return reference
    return "mlc-" + hashlib.sha256(reference.encode()).hexdigest()[:40]


def customer_reference(tenant: str, connection: str, customer_id: str) -> str:
    """What a shop's customer is called at its customer account in Fusion: `acme/bc-us/customer/11`."""
    return f"{tenant}/{connection}/customer/{customer_id}"


def address_reference(tenant: str, connection: str, address_id: str) -> str:
    """What an address of a shop's customer is called in Fusion."""
    return f"{tenant}/{connection}/address/{address_id}"


def customer_of(reference: str, tenant: str, connection: str) -> str:
    """The shop's id of the customer that a reference stands for; empty for any other reference."""
    customer_id = reference.removeprefix(customer_reference(tenant, connection, ""))
    return customer_id if customer_id != reference and customer_id.isascii() and customer_id.isdigit() else ""


def short_reference(reference: str, length: int) -> str:
    """A reference for a home of few characters: itself where it fits, else a hash in capitals and digits.

    The hash is `M` and the first characters of the base32 SHA-256; 19 of them are 95 bits.
    """
    if len(reference) <= length:
        return reference
    digest = base64.b32encode(hashlib.sha256(reference.encode()).digest()).decode()
    return "M" + digest[: length - 1]
