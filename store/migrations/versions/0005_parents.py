"""Documents that belong to another one: refunds and their order."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

HAS_PARENT = sa.text("parent_id <> ''")


def upgrade() -> None:
    for table in ("documents", "postings", "creations"):
        op.add_column(table, sa.Column("parent_id", sa.String(length=120), nullable=False, server_default=""))
    for table in ("documents", "postings"):
        op.create_index(
            f"ix_{table}_parent",
            table,
            ["connection", "parent_id"],
            sqlite_where=HAS_PARENT,
            postgresql_where=HAS_PARENT,
        )
