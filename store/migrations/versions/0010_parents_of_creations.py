"""Credit memos by the order that they are of."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

HAS_PARENT = sa.text("parent_id <> ''")


def upgrade() -> None:
    names = ("connection", "kind", "parent_id")
    creations = sa.table("creations", *map(sa.column, (*names, "document_id")))
    documents = sa.table("documents", *map(sa.column, (*names, "id")))
    parent = (
        sa.select(documents.c.parent_id)
        .where(
            documents.c.connection == creations.c.connection,
            documents.c.kind == creations.c.kind,
            documents.c.id == creations.c.document_id,
        )
        .scalar_subquery()
    )
    op.execute(
        creations.update()
        .where(creations.c.kind == "refund", creations.c.parent_id == "")
        .values(parent_id=sa.func.coalesce(parent, ""))
    )
    op.create_index(
        "ix_creations_parent",
        "creations",
        ["connection", "parent_id"],
        sqlite_where=HAS_PARENT,
        postgresql_where=HAS_PARENT,
    )
