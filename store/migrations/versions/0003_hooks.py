"""Webhooks at the shops: how each was found, what was healed and swept; deliveries say their scope."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("scope", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_deliveries_scope", "deliveries", ["connection", "scope", "received_at"])
    op.create_table(
        "hooks",
        sa.Column("connection", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=120), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("hook_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("checked_at", INSTANT, nullable=False),
        sa.Column("active_at", INSTANT, nullable=True),
        sa.Column("found_at", INSTANT, nullable=True),
        sa.Column("gap_from", INSTANT, nullable=True),
        sa.Column("healed_at", INSTANT, nullable=True),
        sa.Column("swept_from", INSTANT, nullable=True),
        sa.Column("swept_until", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("connection", "scope", name=op.f("pk_hooks")),
    )
