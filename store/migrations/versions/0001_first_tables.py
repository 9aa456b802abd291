"""The first tables.

Times are `timestamptz` on PostgreSQL and ISO 8601 text of fixed width on SQLite; amounts are `numeric` and text.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
MONEY = sa.Numeric().with_variant(sa.String(40), "sqlite")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

SEALED_LATER = ("chain", "chained_at", "payload_key")
"""Columns of an audit event that may be filled or rewrapped after the event; all others never change."""


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("connection", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("document_id", sa.String(length=120), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("payload_id", sa.String(length=32), nullable=True),
        sa.Column("payload_key", sa.LargeBinary(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("chain", sa.String(length=64), nullable=True),
        sa.Column("chained_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_audit_events_document", "audit_events", ["connection", "kind", "document_id", "id"], unique=False
    )
    op.create_index("ix_audit_events_tail", "audit_events", ["tenant", "id"], unique=False)
    op.create_table(
        "connections",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("marked_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
    )
    op.create_table(
        "cross_references",
        sa.Column("connection", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("target_connection", sa.String(length=40), nullable=False),
        sa.Column("target_kind", sa.String(length=40), nullable=False),
        sa.Column("target_id", sa.String(length=200), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint(
            "connection", "kind", "id", "target_connection", "target_kind", name=op.f("pk_cross_references")
        ),
    )
    op.create_index(
        op.f("ix_cross_references_target_connection_target_kind_target_id"),
        "cross_references",
        ["target_connection", "target_kind", "target_id"],
        unique=False,
    )
    op.create_table(
        "deliveries",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("verdict", sa.String(length=40), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index(
        op.f("ix_deliveries_connection_received_at"), "deliveries", ["connection", "received_at"], unique=False
    )
    op.create_index(op.f("ix_deliveries_workflow_id"), "deliveries", ["workflow_id"], unique=False)
    op.create_table(
        "documents",
        sa.Column("connection", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=120), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("integration", sa.String(length=40), nullable=False),
        sa.Column("modified_at", INSTANT, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("decided_by", sa.String(length=200), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("connection", "kind", "id", name=op.f("pk_documents")),
    )
    op.create_index("ix_documents_state", "documents", ["state", "tenant"], unique=False)
    op.create_table(
        "epochs",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("advanced_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_epochs")),
    )
    op.create_table(
        "inbox",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("connection", sa.String(length=40), nullable=False),
        sa.Column("workflow_id", sa.String(length=200), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("claim_owner", sa.String(length=120), nullable=True),
        sa.Column("claim_until", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "journal_groups",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fusion", sa.String(length=40), nullable=False),
        sa.Column("ledger", sa.String(length=120), nullable=False),
        sa.Column("source", sa.String(length=120), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("sealed_at", INSTANT, nullable=False),
        sa.Column("lease_token", sa.String(length=120), nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("marked_at", INSTANT, nullable=True),
        sa.Column("request_id", sa.BigInteger(), nullable=True),
        sa.Column("submitted_at", INSTANT, nullable=True),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_groups")),
    )
    op.create_index(
        "uq_journal_groups_occupying",
        "journal_groups",
        ["fusion", "ledger", "source"],
        unique=True,
        sqlite_where=sa.text("state IN ('sealed', 'sending', 'submitted', 'resolving')"),
        postgresql_where=sa.text("state IN ('sealed', 'sending', 'submitted', 'resolving')"),
    )
    op.create_table(
        "mapping_sets",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("registered_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", "version", name=op.f("pk_mapping_sets")),
    )
    op.create_table(
        "reconciliations",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("integration", sa.String(length=40), nullable=False),
        sa.Column("connection", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.Column("source_total", MONEY, nullable=False),
        sa.Column("ledger_total", MONEY, nullable=False),
        sa.Column("source_count", sa.Integer(), nullable=False),
        sa.Column("ledger_count", sa.Integer(), nullable=False),
        sa.Column("duplicates", sa.Integer(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("in_review", sa.Integer(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliations")),
    )
    op.create_index(op.f("ix_reconciliations_integration_at"), "reconciliations", ["integration", "at"], unique=False)
    op.create_table(
        "secrets",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("connection", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secrets")),
    )
    op.create_index(
        op.f("ix_secrets_tenant_connection_name"), "secrets", ["tenant", "connection", "name"], unique=False
    )
    op.create_table(
        "tokens",
        sa.Column("connection", sa.String(length=40), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("lease_owner", sa.String(length=80), nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("updated_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("connection", name=op.f("pk_tokens")),
    )
    op.create_table(
        "turns",
        sa.Column("connection", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("document_id", sa.String(length=120), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("connection", "kind", "document_id", name=op.f("pk_turns")),
    )
    op.create_table(
        "wakeups",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("wanted", sa.BigInteger(), nullable=False),
        sa.Column("promised", sa.BigInteger(), nullable=False),
        sa.Column("promised_at", INSTANT, nullable=True),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_wakeups")),
    )
    op.create_table(
        "watermarks",
        sa.Column("connection", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("advanced_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("connection", "name", name=op.f("pk_watermarks")),
    )
    op.create_table(
        "postings",
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("integration", sa.String(length=40), nullable=False),
        sa.Column("connection", sa.String(length=40), nullable=False),
        sa.Column("fusion", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("document_id", sa.String(length=120), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("ledger", sa.String(length=120), nullable=False),
        sa.Column("source", sa.String(length=120), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("accounting_date", sa.Date(), nullable=True),
        sa.Column("date_moved", sa.Boolean(), nullable=False),
        sa.Column("suspense", sa.Boolean(), nullable=False),
        sa.Column("total", MONEY, nullable=False),
        sa.Column("mapping_set", sa.String(length=40), nullable=False),
        sa.Column("mapping_version", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("staged_at", INSTANT, nullable=False),
        sa.Column("group_id", sa.BigInteger(), nullable=True),
        sa.Column("fate_group_id", sa.BigInteger(), nullable=True),
        sa.Column("fate_at", INSTANT, nullable=True),
        sa.Column("journal_header_id", sa.BigInteger(), nullable=True),
        sa.Column("journal_batch_id", sa.BigInteger(), nullable=True),
        sa.Column("journal_name", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("fate_code", sa.Text(), nullable=False),
        sa.Column("fate_sentence", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["journal_groups.id"], name=op.f("fk_postings_group_id")),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_postings")),
        sa.UniqueConstraint(
            "connection",
            "kind",
            "document_id",
            "purpose",
            "ordinal",
            name=op.f("uq_postings_connection_kind_document_id_purpose_ordinal"),
        ),
    )
    op.create_index(op.f("ix_postings_group_id"), "postings", ["group_id"], unique=False)
    op.create_index(
        "ix_postings_staged",
        "postings",
        ["fusion", "ledger", "source", "staged_at"],
        unique=False,
        sqlite_where=sa.text("state = 'staged'"),
        postgresql_where=sa.text("state = 'staged'"),
    )
    op.create_index("ix_postings_state", "postings", ["state", "staged_at"], unique=False)
    op.create_table(
        "group_members",
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("fate", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["journal_groups.id"], name=op.f("fk_group_members_group_id")),
        sa.ForeignKeyConstraint(["reference"], ["postings.reference"], name=op.f("fk_group_members_reference")),
        sa.PrimaryKeyConstraint("group_id", "reference", name=op.f("pk_group_members")),
    )
    op.create_index(op.f("ix_group_members_reference"), "group_members", ["reference"], unique=False)
    op.create_table(
        "journal_lines",
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("segments", sa.JSON(), nullable=False),
        sa.Column("debit", MONEY, nullable=False),
        sa.Column("credit", MONEY, nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("mapping_set", sa.String(length=40), nullable=False),
        sa.Column("mapping_version", sa.Integer(), nullable=True),
        sa.Column("rule", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["reference"], ["postings.reference"], name=op.f("fk_journal_lines_reference")),
        sa.PrimaryKeyConstraint("reference", "number", name=op.f("pk_journal_lines")),
    )
    op.execute("INSERT INTO epochs (id, number, advanced_at) VALUES (1, 1, '2020-01-01T00:00:00.000000+00:00')")
    _protect_audit_events()


def _protect_audit_events() -> None:
    """The database itself refuses to change or remove what happened."""
    columns = [column["name"] for column in sa.inspect(op.get_bind()).get_columns("audit_events")]
    fixed = ", ".join(name for name in columns if name not in SEALED_LATER)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'audit_events is append-only'; END $$"
        )
        for name, event in (
            ("audit_events_keep", f"BEFORE UPDATE OF {fixed} OR DELETE ON audit_events FOR EACH ROW"),
            ("audit_events_keep_all", "BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT"),
            (
                "audit_events_keep_chain",
                "BEFORE UPDATE OF chain, chained_at ON audit_events FOR EACH ROW WHEN (OLD.chain IS NOT NULL)",
            ),
        ):
            op.execute(f"CREATE TRIGGER {name} {event} EXECUTE FUNCTION refuse_audit_change()")
        return
    for name, event in (
        ("audit_events_keep_update", f"BEFORE UPDATE OF {fixed} ON audit_events"),
        ("audit_events_keep_delete", "BEFORE DELETE ON audit_events"),
        ("audit_events_keep_chain", "BEFORE UPDATE OF chain, chained_at ON audit_events WHEN OLD.chain IS NOT NULL"),
    ):
        op.execute(f"CREATE TRIGGER {name} {event} BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END")
