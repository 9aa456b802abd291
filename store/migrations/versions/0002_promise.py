"""Documents created by one call, workers that are up, who a connection is, and what a recovery brought back."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
MONEY = sa.Numeric().with_variant(sa.String(40), "sqlite")


def upgrade() -> None:
    op.add_column("connections", sa.Column("identity", sa.String(length=128), nullable=False, server_default=""))
    op.add_column("connections", sa.Column("identity_sentence", sa.Text(), nullable=False, server_default=""))
    op.add_column("postings", sa.Column("recovered_at", INSTANT, nullable=True))
    _creations()
    _workers()


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
        sa.Column("host", sa.String(length=120), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
