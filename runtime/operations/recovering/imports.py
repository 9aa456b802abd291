"""Imports of groups that a restored store has never heard of: they must have ended, and what they left is purged."""

import datetime as dt
from collections.abc import Iterable, Sequence

from activities.collaborators import Collaborators
from clients.errors import NotFound
from clients.oracle_fusion.gl_interface import batch_name
from contracts.configuration import Books, Integration
from contracts.model import Frozen
from runtime.operations.recovering.journals import GROUP


class StillRunning(Frozen):
    """An import from before the restore that has not ended: nothing can be said of its journals yet."""

    fusion: str
    request_id: int
    group_id: int
    state: str

    def sentence(self) -> str:
        return f"ESS request {self.request_id} ({self.fusion}) imports group {self.group_id} and is {self.state}."


async def unknown_imports(parts: Collaborators, since: dt.datetime) -> tuple[tuple[StillRunning, ...], tuple[int, ...]]:
    """Those that still run, and those whose rows were purged. Raises `VendorError`."""
    running: list[StillRunning] = []
    purged: list[int] = []
    for fusion_id, fusion in parts.fusions.items():
        outlets = _outlets(parts.configuration.integrations, fusion_id)
        if not outlets:
            continue
        requests: dict[int, tuple[int, frozenset[str]]] = {}
        async for request in fusion.imports_since(since):
            for group_id in (int(one) for one in request.parameters if GROUP.fullmatch(one)):
                requests.setdefault(group_id, (request.request_id, request.parameters))
        known = await parts.store.recoveries.known_groups(requests)
        for group_id in sorted(requests.keys() - known):
            request_id, parameters = requests[group_id]
            try:
                job = await fusion.job(request_id)
            except NotFound:
                continue  # purged from the scheduler's history: it ended long ago
            if not job.terminal:
                running.append(
                    StillRunning(fusion=fusion_id, request_id=request_id, group_id=group_id, state=job.state.value)
                )
            elif (
                not job.succeeded
                and not await fusion.journals(batch_name(group_id))
                and await _purge(parts, fusion_id, outlets, group_id, parameters)
            ):
                purged.append(group_id)
    return tuple(running), tuple(purged)


def _outlets(integrations: Iterable[Integration], fusion_id: str) -> list[Books]:
    found: dict[tuple[str, str], Books] = {}
    for integration in integrations:
        if integration.fusion == fusion_id:
            for books in integration.books:
                found.setdefault((books.ledger, books.journal_source), books)
    return list(found.values())


async def _purge(
    parts: Collaborators, fusion_id: str, outlets: Sequence[Books], group_id: int, parameters: frozenset[str]
) -> bool:
    """What a refused import left in the interface could be imported by a person later."""
    if not parts.fusion_connection(fusion_id).journal_import.purge_job:
        return False
    fusion = parts.fusions[fusion_id]
    done = False
    for books in outlets:
        ledger = await fusion.ledger(books.ledger)
        if str(ledger.ledger_id) not in parameters:
            continue
        await fusion.purge_group(
            group_id,
            ledger=ledger,
            source_id=await fusion.journal_source_id(books.journal_source),
            data_access_set_id=await fusion.data_access_set_id(books.data_access_set),
        )
        done = True
    return done
