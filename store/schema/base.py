"""What all tables belong to, and how their constraints are named."""

from typing import Final

from sqlalchemy import MetaData, text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

HAS_PARENT: Final = text("parent_id <> ''")
"""A document, or posting of one, that belongs to an order: a refund."""
