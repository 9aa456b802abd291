"""Documents created by one call, workers, who a connection is, what a recovery brought back, audit seals."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
MONEY = sa.Numeric().with_variant(sa.String(40), "sqlite")
AUDIT_WRITE = 7_236_118_026
"""The advisory lock that every writer of audit events shares (`store.trail.seals`)."""


def upgrade() -> None:
    op.add_column("connections", sa.Column("identity", sa.String(length=128), nullable=False, server_default=""))
    op.add_column("connections", sa.Column("identity_sentence", sa.Text(), nullable=False, server_default=""))
    op.add_column("postings", sa.Column("recovered_at", INSTANT, nullable=True))
    op.add_column("epochs", sa.Column("recovered_at", INSTANT, nullable=True))
    _creations()
    _workers()
    _mappings_in_effect()
    _audit_seals()
    _protect_audit()


def _creations() -> None:
    op.create_table(
        "creations",
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("integration", sa.String(length=40), nullable=False),
        sa.Column("connection", sa.String(length=40), nullable=False),
        sa.Column("fusion", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("document_id", sa.String(length=120), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("resource", sa.String(length=60), nullable=False),
        sa.Column("home", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=120), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total", MONEY, nullable=False),
        sa.Column("accounting_date", sa.Date(), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("lease_token", sa.String(length=120), nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("answered_at", INSTANT, nullable=True),
        sa.Column("target_id", sa.String(length=120), nullable=False),
        sa.Column("target_number", sa.String(length=120), nullable=False),
        sa.Column("posted_at", INSTANT, nullable=True),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("recovered_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_creations")),
        sa.UniqueConstraint(
            "connection",
            "kind",
            "document_id",
            "purpose",
            "ordinal",
            name=op.f("uq_creations_connection_kind_document_id_purpose_ordinal"),
        ),
    )
    op.create_index("ix_creations_state", "creations", ["state", "created_at"])


def _workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("scope", sa.String(length=40), nullable=False),
        sa.Column("host", sa.String(length=120), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", "scope", name=op.f("pk_workers")),
    )


def _mappings_in_effect() -> None:
    op.create_table(
        "mappings_in_effect",
        sa.Column("integration", sa.String(length=40), nullable=False),
        sa.Column("mapping_set", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("integration", name=op.f("pk_mappings_in_effect")),
    )


def _audit_seals() -> None:
    op.create_table(
        "audit_seals",
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sealed_at", INSTANT, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "number", name=op.f("pk_audit_seals")),
        sa.UniqueConstraint("tenant", "first_id", name=op.f("uq_audit_seals_tenant_first_id")),
    )
    op.create_table(
        "audit_heads",
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_audit_heads")),
    )


def _protect_audit() -> None:
    """The database itself refuses to change or remove events and seals; only the envelopes of keys may be replaced.

    By others: none can be taken away, or put where none was.
    """
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    on = " ON audit_events" if on_postgresql else ""
    op.execute(f"DROP TRIGGER audit_events_keep_chain{on}")
    op.execute(f"DROP TRIGGER audit_events_keep{'' if on_postgresql else '_update'}{on}")
    op.drop_column("audit_events", "chain")
    op.drop_column("audit_events", "chained_at")
    inspector = sa.inspect(op.get_bind())
    inspector.clear_cache()
    fixed = {
        table: [one["name"] for one in inspector.get_columns(table) if one["name"] != envelope]
        for table, envelope in (("audit_events", "payload_key"), ("audit_seals", "key"))
    }
    if on_postgresql:
        _protect_on_postgresql({table: ", ".join(columns) for table, columns in fixed.items()})
    else:
        _protect_on_sqlite(fixed)


def _protect_on_sqlite(fixed: dict[str, list[str]]) -> None:
    # What an update does is compared, not which columns it names: `SET rowid` changes an id and names no column.
    changed = {
        table: " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
        for table, columns in fixed.items()
    }
    # INSERT OR REPLACE removes the row that is in its way without a delete trigger. An id that SQLite gives itself is
    # -1 in this trigger; a row that somebody put there must not keep everybody from adding events.
    there = "SELECT 1 FROM audit_events WHERE id = NEW.id AND id <> -1"
    sealed = "SELECT 1 FROM audit_seals WHERE tenant = NEW.tenant AND (number = NEW.number OR first_id = NEW.first_id)"
    for name, event in (
        (
            "audit_events_keep_update",
            f"BEFORE UPDATE ON audit_events WHEN {changed['audit_events']} "
            "OR (OLD.payload_key IS NULL) <> (NEW.payload_key IS NULL) "
            "OR typeof(NEW.payload_key) NOT IN ('null', 'blob')",
        ),
        ("audit_events_keep_insert", f"BEFORE INSERT ON audit_events WHEN EXISTS ({there})"),
        (
            "audit_seals_keep_update",
            f"BEFORE UPDATE ON audit_seals WHEN {changed['audit_seals']} OR typeof(NEW.key) <> 'blob'",
        ),
        (
            "audit_seals_keep_insert",
            f"BEFORE INSERT ON audit_seals WHEN EXISTS ({sealed})",
        ),
        ("audit_seals_keep_delete", "BEFORE DELETE ON audit_seals"),
    ):
        table = name.partition("_keep")[0]
        op.execute(f"CREATE TRIGGER {name} {event} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END")


def _protect_on_postgresql(fixed: dict[str, str]) -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for name, event in (
        ("audit_events_keep", f"BEFORE UPDATE OF {fixed['audit_events']} OR DELETE ON audit_events FOR EACH ROW"),
        (
            "audit_events_keep_envelope",
            "BEFORE UPDATE OF payload_key ON audit_events FOR EACH ROW "
            "WHEN ((OLD.payload_key IS NULL) <> (NEW.payload_key IS NULL))",
        ),
        ("audit_seals_keep", f"BEFORE UPDATE OF {fixed['audit_seals']} OR DELETE ON audit_seals FOR EACH ROW"),
        ("audit_seals_keep_all", "BEFORE TRUNCATE ON audit_seals FOR EACH STATEMENT"),
    ):
        op.execute(f"CREATE TRIGGER {name} {event} EXECUTE FUNCTION refuse_audit_change()")
    # Before a statement takes its first id: who seals can see which writers may still commit a lower one.
    op.execute(
        "CREATE FUNCTION announce_audit_write() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN PERFORM pg_advisory_xact_lock_shared({AUDIT_WRITE}); RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_events_announce BEFORE INSERT ON audit_events "
        "FOR EACH STATEMENT EXECUTE FUNCTION announce_audit_write()"
    )
