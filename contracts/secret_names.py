"""Names of the secrets a connection has in the store. Values never leave `store` except to the call that uses them."""

from collections.abc import Mapping
from typing import Final

CLIENT_SECRET: Final = "client_secret"  # noqa: S105 -- a name
"""OAuth client secret (Oracle Fusion); secret of the API account, which signs webhooks (BigCommerce)."""
ACCESS_TOKEN: Final = "access_token"  # noqa: S105 -- a name
"""Long-lived API token (BigCommerce `X-Auth-Token`)."""
WEBHOOK_HEADER: Final = "webhook_header"
"""Value of the custom header that deliveries carry, where that method of verification is used."""

SECRETS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "oracle_fusion": (CLIENT_SECRET,),
    "bigcommerce": (ACCESS_TOKEN, CLIENT_SECRET, WEBHOOK_HEADER),
}
"""By `system` of the connection: the names that may be set."""

SIGN_IN_SECRET: Final[Mapping[str, str]] = {"oracle_fusion": CLIENT_SECRET, "bigcommerce": ACCESS_TOKEN}
"""By `system`: the secret without which nothing can be asked there."""
