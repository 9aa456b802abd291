"""Metafields as BigCommerce sends and takes them (V3): text that an app attaches to an order, by namespace and key."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.bigcommerce import Id, OptionalId, OptionalMoment, Text
from contracts.model import Frozen, Wire

PermissionSet = Literal["app_only", "read", "write", "read_and_sf_access", "write_and_sf_access"]
"""Who may see and change it: only the app that made it, other apps, the storefront."""


class Metafield(Wire):
    """A metafield. BigCommerce: unique by owner, namespace, key and resource."""

    id: Id
    namespace: Text = ""
    key: Text = ""
    value: Text = ""
    description: Text = ""
    permission_set: Text = ""
    resource_type: Text = ""
    resource_id: OptionalId = 0
    owner_client_id: Text = ""
    """The API account that made it."""
    date_created: OptionalMoment = None
    date_modified: OptionalMoment = None


class MetafieldDraft(Frozen):
    """A metafield to be there. `read`: other apps and people see it, none but us changes it."""

    namespace: Annotated[str, Field(min_length=1, max_length=64)]
    key: Annotated[str, Field(min_length=1, max_length=64)]
    value: Annotated[str, Field(min_length=1, max_length=65535)]
    permission_set: PermissionSet = "read"
    description: Annotated[str, Field(max_length=255)] = ""

    def is_said_by(self, known: Metafield) -> bool:
        """Whether the metafield says this already."""
        return (known.value, known.permission_set, known.description) == (
            self.value,
            self.permission_set,
            self.description,
        )
