"""Who works here and with what: epochs, connections, secrets, tokens, rules, workers."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, String, Table, Text

from store.engine.columns import UtcInstant
from store.schema.base import metadata

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

resource_descriptions = Table(
    "resource_descriptions",
    metadata,
    Column("connection", String(40), nullable=False),
    Column("resource", String(120), nullable=False),
    Column("origin", String(255), nullable=False),
    Column("content", Text, nullable=False),
    Column("kept_at", UtcInstant, nullable=False),
    PrimaryKeyConstraint("connection", "resource"),
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
