"""About which version of a document a person decided."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("documents", sa.Column("decided_version", sa.String(length=120), nullable=False, server_default=""))
    documents = sa.table("documents", sa.column("decided_by"), sa.column("decided_version"))
    op.execute(documents.update().where(documents.c.decided_by != "").values(decided_version="?"))
