"""Who signs in is who signed in before; what `connections test` proves frees workers that wait for it."""

from typing import Protocol

from clients.accounts import Account
from clients.errors import VendorError
from contracts.configuration import BigCommerceConnection, FusionConnection
from contracts.secret_names import SIGN_IN_SECRET
from runtime.checking.findings import Finding, Level
from store import Store
from store.rows import ConnectionHealth


class Identified(Protocol):
    """A client that can say who it is."""

    async def account(self) -> Account: ...


async def account_findings(
    store: Store, connection: FusionConnection | BigCommerceConnection, client: Identified
) -> list[Finding]:
    """One finding; none when the account cannot be asked for, which other findings tell.

    An account that is in order is remembered where none was, and the connection is marked as working.
    """
    try:
        account = await client.account()
    except VendorError:
        return []
    known = await store.connections.remember(connection.id, account.identity, account.sentence)
    if known.identity != account.identity:
        command = f"ml-connector secrets set {connection.id} {SIGN_IN_SECRET[connection.system]}"
        return [
            Finding(
                level=Level.MISTAKE,
                subject=connection.id,
                sentence=(
                    f"It signs in to another account than before: {account.sentence} instead of "
                    f"{known.identity_sentence}."
                ),
                remedy=f"Correct the connection or its secret; if this is meant: {command} --another-account",
            )
        ]
    await store.connections.mark(connection.id, ConnectionHealth.WORKING)
    return [Finding(level=Level.OK, subject=connection.id, sentence=f"signs in as ever: {account.sentence}")]
