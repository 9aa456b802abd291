"""A new secret is tried before it is kept: it must sign in, and to the same pod or store and account as ever."""

import contextlib
import datetime as dt
from typing import Final

from clients.accounts import Account
from clients.bigcommerce import BigCommerceClient
from clients.errors import BadAnswer, Forbidden, NotFound, Rejected, Unauthorized, VendorError
from clients.oracle_fusion import FusionClient
from contracts import names
from contracts.audit import CONNECTION_KIND
from contracts.configuration import BigCommerceConnection, FusionConnection
from contracts.model import Frozen
from contracts.secret_names import SIGN_IN_SECRET
from store import Store
from store.rows import AuditEvent

PATIENCE: Final = 20.0
"""Seconds a person at a prompt waits for a system."""

Connection = FusionConnection | BigCommerceConnection


class NotAcceptedError(Exception):
    """The system refuses the value."""


class AnotherAccountError(Exception):
    """The value signs in, but not to the account that the connection has been used with."""


class Tried(Frozen):
    """What signing in with a value has shown."""

    identity: str = ""
    """As `clients.accounts.Account`; empty when nobody could be asked who that is."""
    sentence: str = ""
    """Which account that is, or why it is not known."""


async def try_secret(connection: Connection, value: str) -> Tried:
    """Sign in with `value`, kept nowhere. Raises `NotAcceptedError`; a system that is down proves nothing."""
    try:
        account = await _account(connection, value)
    except Unauthorized as error:
        raise NotAcceptedError(error.sentence) from None
    except VendorError as error:
        return Tried(sentence=error.sentence)
    return Tried(identity=account.identity, sentence=account.sentence)


def signs_in(connection: Connection, name: str) -> bool:
    """Whether this secret is the one that opens the API; the others prove what the system sends us."""
    return SIGN_IN_SECRET[connection.system] == name


async def keep_secret(
    store: Store, connection: Connection, name: str, value: str, tried: Tried, *, another: bool = False, who: str = ""
) -> None:
    """Make `value` the newest. Raises `AnotherAccountError`, unless `another` says that this is meant.

    What is not known now is found out by the next worker that signs in: it stops at another account as well.
    """
    known = await store.connections.state(connection.id)
    differs = known is not None and known.identity not in ("", tried.identity)
    if differs and known is not None and tried.identity and not another:
        raise AnotherAccountError(f"{tried.sentence} instead of {known.identity_sentence}")
    now = dt.datetime.now(dt.UTC)
    if differs and known is not None and another:
        await store.audit.append([_accepted(connection, known.identity_sentence, tried, who, now)])
        await store.connections.remember(connection.id, tried.identity, tried.sentence, replace=True)
    elif tried.identity:
        await store.connections.remember(connection.id, tried.identity, tried.sentence)
    await store.secrets.put(connection.tenant, connection.id, name, value)


def _accepted(connection: Connection, before: str, tried: Tried, who: str, now: dt.datetime) -> AuditEvent:
    account = tried.sentence if tried.identity else "an account that could not be asked for its name"
    return AuditEvent(
        tenant=connection.tenant,
        connection=connection.id,
        kind=CONNECTION_KIND,
        document_id=connection.id,
        at=now,
        action="account_changed",
        sentence=f"{who} accepted {account} instead of {before}",
        details={"who": who, "before": before, "after": account},
        job=names.command_job("secrets", now),
    )


async def _account(connection: Connection, value: str) -> Account:
    async def secret() -> str:
        return value

    hurried = connection.model_copy(update={"timeout": min(connection.timeout, PATIENCE)})
    if isinstance(hurried, BigCommerceConnection):
        shop = BigCommerceClient(hurried, secret)
        try:
            await shop.time()
            return await shop.account()
        finally:
            await shop.aclose()
    pod = FusionClient(hurried, secret)
    try:
        account = await pod.account()
        # Who may not read the root has been let in all the same; what is missing then is for `connections test`.
        with contextlib.suppress(Forbidden, NotFound, Rejected, BadAnswer):
            await pod.root()
        return account
    finally:
        await pod.aclose()
