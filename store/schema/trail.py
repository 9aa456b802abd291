"""The audit trail and its seals."""

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
    UniqueConstraint,
)

from store.engine.columns import Serial, UtcInstant
from store.schema.base import metadata

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
