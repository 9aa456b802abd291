# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""How a row of `creations` is read for a change, and changed. Parts of transactions."""

import datetime as dt
from typing import Any, Final

from sqlalchemy import Connection, select, update

from store.creating.creation import (
    ROW_COLUMNS,
    CreationRow,
    CreationState,
    Declaration,
    Intent,
    Send,
    evidence_of,
)
from store.engine.database import StoreError
from store.epochs import recovered_within
from store.schema import creations

ASKS: Final = "asks_absence"
"""Evidence: a person was asked whether what was sent never arrived."""
DECLARED: Final = "declared"
"""Evidence: the decisions that said so."""
FORGOTTEN: Final = "forgotten_since"
"""Evidence: when something was sent, by the word of its flow, that a restored store does not know."""
FREE: Final[dict[str, Any]] = {"lease_token": None, "lease_until": None}
NEVER_SENT: Final[dict[str, Any]] = {
    "state": CreationState.INTENDED,
    "sent_at": None,
    "answered_at": None,
    "target_id": "",
    "target_number": "",
}


class CreationUnknown(StoreError):
    def __init__(self, reference: str) -> None:
        super().__init__(f"No creation has the reference {reference}.")


def locked_row(connection: Connection, reference: str) -> Any | None:
    """Locked until the end of the transaction."""
    statement = select(*ROW_COLUMNS, creations.c.lease_token).where(creations.c.reference == reference)
    return connection.execute(statement.with_for_update()).one_or_none()


def known_row(connection: Connection, reference: str) -> Any:
    row = locked_row(connection, reference)
    if row is None:
        raise CreationUnknown(reference)
    return row


def holds(found: Any, token: str) -> bool:
    return found.lease_token == token and found.lease_until is not None


def change(connection: Connection, row: CreationRow, **values: Any) -> None:
    connection.execute(update(creations).where(creations.c.reference == row.reference).values(values))


def forget(connection: Connection, row: CreationRow, tokens: set[str], *, free: bool) -> None:
    """Take sends away that came to nothing. With none left, it was never sent."""
    left = tuple(send for send in row.sends if send.token not in tokens)
    values: dict[str, Any] = dict(FREE) if free else {}
    if left != row.sends:
        values["evidence"] = evidence_of(row, sends=left)
        if left:
            values |= {"sent_at": left[-1].at, "answered_at": left[-1].answered_at}
        else:
            values |= {**NEVER_SENT, "state": row.state if row.state is not CreationState.SENDING else "intended"}
    if values:
        change(connection, row, **values)


def counts_now(row: CreationRow, declaration: Declaration, now: dt.datetime) -> bool:
    """Whether a person was asked for this declaration, and it has not been used up."""
    return (
        row.state is CreationState.REVIEW
        and bool(row.evidence.get(ASKS))
        and declaration.decision not in row.evidence.get(DECLARED, ())
        and (row.lease_until is None or row.lease_until <= now)
    )


def remember(connection: Connection, row: CreationRow, intent: Intent, since: dt.datetime | None) -> CreationRow:
    """Whatever its flow may have sent before the store was last recovered, and the store has forgotten.

    Only once: what is proved or declared absent later stays so.
    """
    if since is None or row.sends:
        return row
    recovered = recovered_within(connection)
    if recovered is None or since >= recovered:
        return row
    if row.evidence.get(FORGOTTEN) == since.isoformat():
        return row
    send = Send(token=f"{FORGOTTEN}:{since.isoformat()}", at=since, fingerprint="", currency="", total=intent.total)
    evidence = evidence_of(row, sends=(send,), **{FORGOTTEN: since.isoformat()})
    change(connection, row, state=CreationState.SENDING, sent_at=since, evidence=evidence)
    return row.model_copy(update={"sends": (send,), "evidence": row.evidence | {FORGOTTEN: since.isoformat()}})
