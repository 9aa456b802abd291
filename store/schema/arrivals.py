"""What comes in: documents of sources, what told of them, and how far was read."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from store.engine.columns import Serial, UtcInstant
from store.schema.base import HAS_PARENT, metadata

documents = Table(
    "documents",
    metadata,
    Column("connection", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("id", String(120), nullable=False),
    Column("parent_id", String(120), nullable=False, server_default=""),
    Column("tenant", String(40), nullable=False),
    Column("integration", String(40), nullable=False),
    Column("modified_at", UtcInstant, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("state", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Column("problems", JSON, nullable=False),
    Column("job", String(200), nullable=False),
    Column("decided_by", String(200), nullable=False),
    Column("decided_version", String(120), nullable=False, server_default=""),
    Column("at", UtcInstant, nullable=False),
    PrimaryKeyConstraint("connection", "kind", "id"),
    Index("ix_documents_state", "state", "tenant"),
    Index("ix_documents_parent", "connection", "parent_id", sqlite_where=HAS_PARENT, postgresql_where=HAS_PARENT),
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
    Column("scope", Text, nullable=False, server_default=""),
    Index(None, "connection", "received_at"),
    Index(None, "workflow_id"),
    Index("ix_deliveries_scope", "connection", "scope", "received_at"),
)

hooks = Table(
    "hooks",
    metadata,
    Column("connection", String(40), nullable=False),
    Column("scope", String(120), nullable=False),
    Column("destination", Text, nullable=False),
    Column("hook_id", BigInteger),
    Column("state", String(20), nullable=False),
    Column("sentence", Text, nullable=False),
    Column("checked_at", UtcInstant, nullable=False),
    Column("active_at", UtcInstant),
    Column("found_at", UtcInstant),
    Column("gap_from", UtcInstant),
    Column("healed_at", UtcInstant),
    Column("swept_from", UtcInstant),
    Column("swept_until", UtcInstant),
    PrimaryKeyConstraint("connection", "scope"),
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

agreements = Table(
    "agreements",
    metadata,
    Column("connection", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("id", String(120), nullable=False),
    Column("tenant", String(40), nullable=False),
    Column("integration", String(40), nullable=False),
    Column("name", Text, nullable=False),
    Column("fusion_id", String(200), nullable=False),
    Column("shop_id", String(200), nullable=False),
    Column("parent", String(120), nullable=False),
    Column("fusion", JSON, nullable=False),
    Column("shop", JSON, nullable=False),
    Column("sent", JSON, nullable=False),
    Column("at", UtcInstant, nullable=False),
    PrimaryKeyConstraint("connection", "kind", "id"),
    Index(None, "connection", "kind", "parent"),
)
