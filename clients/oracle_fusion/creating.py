"""What must be there once, created where a look did not find it, and looked at again."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from clients.errors import InDoubt, Rejected, VendorError
from clients.oracle_fusion.errors import Ambiguous, NotVisibleYet
from clients.oracle_fusion.visibility import Patience, Told, appear

T = TypeVar("T")
Look = Callable[[], Awaitable[T | None]]

_DUPLICATE = re.compile(
    r"already exist|already in use|duplicate|not unique|must be unique|unique constraint", re.IGNORECASE
)
"""Words with which a pod says that there is one; its codes are documented nowhere."""


@dataclass(frozen=True)
class Made(Generic[T]):
    """Something that is there now."""

    found: T
    ours: bool
    """Created by this call, and not by another one meanwhile."""


async def make_once(
    create: Callable[[], Awaitable[object]],
    look: Look[T],
    *,
    connection: str,
    subject: str,
    patience: Patience | None = None,
    told: Told | None = None,
) -> Made[T]:
    """Create what a look has just not found, and look again; what another one created meanwhile is taken for it.

    Raises `InDoubt` when it may have been created and cannot be seen: whoever does this again lets the time to settle
    pass first. Raises `Rejected` when the pod declined and there is none.
    """
    try:
        await create()
    except Rejected as refusal:
        return Made(await _made_by_another(refusal, look, connection, subject, patience, told), ours=False)
    except InDoubt:
        found = await _looked_after_doubt(look)
        if found is None:
            raise
        return Made(found, ours=True)
    try:
        appeared = await appear(look, connection=connection, subject=subject, patience=patience, told=told)
    except (InDoubt, Ambiguous):
        raise
    except VendorError as error:
        # Nobody may look for it at once and, not seeing it, create it again.
        raise NotVisibleYet(
            connection, f"{subject[:1].upper()}{subject[1:]} was created, but cannot be read back. {error.sentence}"
        ) from None
    return Made(appeared.found, ours=True)


async def _made_by_another(
    refusal: Rejected, look: Look[T], connection: str, subject: str, patience: Patience | None, told: Told | None
) -> T:
    if not any(_DUPLICATE.search(said) for said in refusal.messages):
        found = await look()
        if found is None:
            raise refusal
        return found
    try:
        appeared = await appear(look, connection=connection, subject=subject, patience=patience, told=told)
    except NotVisibleYet:
        raise NotVisibleYet(
            connection,
            f"Oracle Fusion ({connection}) says that {subject} exists, but does not show it.",
            remedy="Nothing to do at first: it is looked for again. If it lasts, see whether a record of another kind "
            "or an inactive one has this reference or number, or whether a role is missing.",
            code=refusal.code,
            messages=refusal.messages,
        ) from None
    return appeared.found


async def _looked_after_doubt(look: Look[T]) -> T | None:
    try:
        return await look()
    except Ambiguous:
        raise
    except VendorError:
        return None
