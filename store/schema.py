"""Every table, as the newest migration leaves it. A test compares the two.

Free text about people never lies here in the clear: whole journals, payloads and queued requests are sealed.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from store.engine.columns import Money, Serial, UtcInstant

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

OCCUPYING = text("state IN ('sealed', 'sending', 'submitted', 'resolving')")
"""A group in one of these states keeps its ledger and journal source to itself."""

STAGED = text("state = 'staged'")

epochs = Table(
    "epochs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("advanced_at", UtcInstant, nullable=False),
    Column("recovered_at", UtcInstant),
)

connections = Table(
    "connections",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("sentence", Text, nullable=False),
    Column("since", UtcInstant, nullable=False),
    Column("marked_at", UtcInstant, nullable=False),
    Column("identity", String(128), nullable=False, server_default=""),
    Column("identity_sentence", Text, nullable=False, server_default=""),
)

secrets = Table(
    "secrets",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", String(40), nullable=False),
    Column("connection", String(40), nullable=False),
    Column("name", String(80), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", UtcInstant, nullable=False),
    Index(None, "tenant", "connection", "name"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("connection", String(40), primary_key=True),
    Column("sealed", LargeBinary),
    Column("expires_at", UtcInstant),
    Column("lease_owner", String(80)),
    Column("lease_until", UtcInstant),
    Column("updated_at", UtcInstant),
)

mapping_sets = Table(
    "mapping_sets",
    metadata,
    Column("id", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("content", Text, nullable=False),
    Column("registered_at", UtcInstant, nullable=False),
    PrimaryKeyConstraint("id", "version"),
)

mappings_in_effect = Table(
    "mappings_in_effect",
    metadata,
    Column("integration", String(40), primary_key=True),
    Column("mapping_set", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("since", UtcInstant, nullable=False),
)

wakeups = Table(
    "wakeups",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("wanted", BigInteger, nullable=False),
    Column("promised", BigInteger, nullable=False),
    Column("promised_at", UtcInstant),
    Column("taken", BigInteger, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("connection", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("id", String(120), nullable=False),
    Column("tenant", String(40), nullable=False),
    Column("integration", String(40), nullable=False),
    Column("modified_at", UtcInstant, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("state", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Column("problems", JSON, nullable=False),
    Column("job", String(200), nullable=False),
    Column("decided_by", String(200), nullable=False),
    Column("at", UtcInstant, nullable=False),
    PrimaryKeyConstraint("connection", "kind", "id"),
    Index("ix_documents_state", "state", "tenant"),
)

journal_groups = Table(
    "journal_groups",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("fusion", String(40), nullable=False),
    Column("ledger", String(120), nullable=False),
    Column("source", String(120), nullable=False),
    Column("state", String(20), nullable=False),
    Column("count", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("sealed_at", UtcInstant, nullable=False),
    Column("lease_token", String(120)),
    Column("lease_until", UtcInstant),
    Column("marked_at", UtcInstant),
    Column("request_id", BigInteger),
    Column("submitted_at", UtcInstant),
    Column("closed_at", UtcInstant),
    Column("evidence", JSON, nullable=False),
    Index(
        "uq_journal_groups_occupying",
        "fusion",
        "ledger",
        "source",
        unique=True,
        sqlite_where=OCCUPYING,
        postgresql_where=OCCUPYING,
    ),
)

postings = Table(
    "postings",
    metadata,
    Column("reference", String(120), primary_key=True),
    Column("tenant", String(40), nullable=False),
    Column("integration", String(40), nullable=False),
    Column("connection", String(40), nullable=False),
    Column("fusion", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("document_id", String(120), nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("ledger", String(120), nullable=False),
    Column("source", String(120), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("accounting_date", Date),
    Column("date_moved", Boolean, nullable=False),
    Column("suspense", Boolean, nullable=False),
    Column("total", Money, nullable=False),
    Column("mapping_set", String(40), nullable=False),
    Column("mapping_version", Integer, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("content", LargeBinary),
    Column("state", String(20), nullable=False),
    Column("job", String(200), nullable=False),
    Column("created_at", UtcInstant, nullable=False),
    Column("staged_at", UtcInstant, nullable=False),
    Column("group_id", BigInteger, ForeignKey("journal_groups.id"), index=True),
    Column("fate_group_id", BigInteger),
    Column("fate_at", UtcInstant),
    Column("journal_header_id", BigInteger),
    Column("journal_batch_id", BigInteger),
    Column("journal_name", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("fate_code", Text, nullable=False),
    Column("fate_sentence", Text, nullable=False),
    Column("recovered_at", UtcInstant),
    UniqueConstraint("connection", "kind", "document_id", "purpose", "ordinal"),
    Index(
        "ix_postings_staged", "fusion", "ledger", "source", "staged_at", sqlite_where=STAGED, postgresql_where=STAGED
    ),
    Index("ix_postings_state", "state", "staged_at"),
)

journal_lines = Table(
    "journal_lines",
    metadata,
    Column("reference", String(120), ForeignKey("postings.reference"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("segments", JSON, nullable=False),
    Column("debit", Money, nullable=False),
    Column("credit", Money, nullable=False),
    Column("source_key", Text, nullable=False),
    Column("mapping_set", String(40), nullable=False),
    Column("mapping_version", Integer),
    Column("rule", String(80), nullable=False),
    PrimaryKeyConstraint("reference", "number"),
)

group_members = Table(
    "group_members",
    metadata,
    Column("group_id", BigInteger, ForeignKey("journal_groups.id"), nullable=False),
    Column("reference", String(120), ForeignKey("postings.reference"), nullable=False),
    Column("fate", String(20), nullable=False),
    PrimaryKeyConstraint("group_id", "reference"),
    Index(None, "reference"),
)

creations = Table(
    "creations",
    metadata,
    Column("reference", String(120), primary_key=True),
    Column("tenant", String(40), nullable=False),
    Column("integration", String(40), nullable=False),
    Column("connection", String(40), nullable=False),
    Column("fusion", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("document_id", String(120), nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("resource", String(60), nullable=False),
    Column("home", String(40), nullable=False),
    Column("number", String(120), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("total", Money, nullable=False),
    Column("accounting_date", Date),
    Column("fingerprint", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("content", LargeBinary),
    Column("state", String(20), nullable=False),
    Column("job", String(200), nullable=False),
    Column("created_at", UtcInstant, nullable=False),
    Column("lease_token", String(120)),
    Column("lease_until", UtcInstant),
    Column("sent_at", UtcInstant),
    Column("answered_at", UtcInstant),
    Column("target_id", String(120), nullable=False),
    Column("target_number", String(120), nullable=False),
    Column("posted_at", UtcInstant),
    Column("sentence", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("recovered_at", UtcInstant),
    UniqueConstraint("connection", "kind", "document_id", "purpose", "ordinal"),
    Index("ix_creations_state", "state", "created_at"),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(80), nullable=False),
    Column("scope", String(40), nullable=False),
    Column("host", String(120), nullable=False),
    Column("started_at", UtcInstant, nullable=False),
    Column("seen_at", UtcInstant, nullable=False),
    PrimaryKeyConstraint("id", "scope"),
)

cross_references = Table(
    "cross_references",
    metadata,
    Column("connection", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("id", String(200), nullable=False),
    Column("target_connection", String(40), nullable=False),
    Column("target_kind", String(40), nullable=False),
    Column("target_id", String(200), nullable=False),
    Column("tenant", String(40), nullable=False),
    Column("at", UtcInstant, nullable=False),
    PrimaryKeyConstraint("connection", "kind", "id", "target_connection", "target_kind"),
    Index(None, "target_connection", "target_kind", "target_id"),
)

turns = Table(
    "turns",
    metadata,
    Column("connection", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("document_id", String(120), nullable=False),
    Column("at", UtcInstant, nullable=False),
    PrimaryKeyConstraint("connection", "kind", "document_id"),
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("connection", String(40), nullable=False),
    Column("name", String(80), nullable=False),
    Column("at", UtcInstant, nullable=False),
    Column("advanced_at", UtcInstant, nullable=False),
    PrimaryKeyConstraint("connection", "name"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("connection", Text, nullable=False),
    Column("delivery_id", Text, nullable=False),
    Column("verdict", String(40), nullable=False),
    Column("status", Integer, nullable=False),
    Column("workflow_id", Text, nullable=False),
    Column("received_at", UtcInstant, nullable=False),
    Column("sentence", Text, nullable=False),
    Index(None, "connection", "received_at"),
    Index(None, "workflow_id"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("tenant", String(40), nullable=False),
    Column("connection", String(40), nullable=False),
    Column("workflow_id", String(200), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("received_at", UtcInstant, nullable=False),
    Column("claim_owner", String(120)),
    Column("claim_until", UtcInstant),
    sqlite_autoincrement=True,
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("tenant", String(40), nullable=False),
    Column("connection", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("document_id", String(120), nullable=False),
    Column("at", UtcInstant, nullable=False),
    Column("action", String(60), nullable=False),
    Column("sentence", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Column("job", String(200), nullable=False),
    Column("payload_id", String(32)),
    Column("payload_key", LargeBinary),
    Column("payload", LargeBinary),
    Index("ix_audit_events_document", "connection", "kind", "document_id", "id"),
    Index("ix_audit_events_tail", "tenant", "id"),
    sqlite_autoincrement=True,
)

audit_seals = Table(
    "audit_seals",
    metadata,
    Column("tenant", String(40), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("first_id", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("sealed_at", UtcInstant, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("marks", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "number"),
    UniqueConstraint("tenant", "first_id"),
)

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("tenant", String(40), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("tenant", String(40), nullable=False),
    Column("integration", String(40), nullable=False),
    Column("connection", String(40), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("since", UtcInstant, nullable=False),
    Column("until", UtcInstant, nullable=False),
    Column("source_total", Money, nullable=False),
    Column("ledger_total", Money, nullable=False),
    Column("source_count", Integer, nullable=False),
    Column("ledger_count", Integer, nullable=False),
    Column("duplicates", Integer, nullable=False),
    Column("missing", Integer, nullable=False),
    Column("in_review", Integer, nullable=False),
    Column("details", JSON, nullable=False),
    Column("at", UtcInstant, nullable=False),
    Index(None, "integration", "at"),
)
