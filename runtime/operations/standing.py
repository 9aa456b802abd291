"""Where everything stands: what is under way, for how long, and what waits for somebody."""

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import Field
from temporalio.client import Client
from temporalio.service import RPCError

from activities.orders.polling import WATERMARK
from contracts import names
from contracts.configuration import BigCommerceConnection, Configuration
from contracts.flow import State
from contracts.model import Frozen, Instant
from runtime.operations.alignment_standing import AlignmentStanding, alignment_standings
from runtime.operations.connection_standing import ConnectionStanding, connection_standings
from runtime.operations.hook_standing import ShopHooks, hook_standings
from runtime.operations.loss_standing import LossStanding, loss_standings
from runtime.operations.trail_standing import TrailStanding, trail_standings
from store import Store
from store.creating.creation import CreationCount, CreationRow
from store.overview import DocumentCount
from store.rows import GroupRow, PostingCount, PostingRow

PATIENCE: Final = dt.timedelta(seconds=5)
UNDER_WAY: Final = (State.RUNNING, State.WAITING_PARENT, State.WAITING_IMPORT, State.IN_DOUBT, State.NEEDS_REVIEW)


class OpenGroup(Frozen):
    """A journal group that is not closed, without its evidence."""

    group_id: int
    fusion: str
    ledger: str
    source: str
    state: str
    journals: int
    sealed_at: Instant
    request_id: int | None
    sentence: str = ""
    """Why it is in review."""


class IntegrationStanding(Frozen):
    integration: str
    documents: tuple[DocumentCount, ...]
    """As the store knows them: what was settled, staged or parked."""
    records: dict[str, dict[State, int]] = Field(default_factory=dict)
    """By kind, records that a shop and Fusion have: posted, where both agree, left (skipped), or in review."""
    running: dict[State, int] | None
    """Open workflows by state as Temporal knows them, those that have not settled anything yet included; None when
    Temporal does not answer."""


class PollStanding(Frozen):
    connection: str
    watermark: Instant | None
    """How far the shop has been read, by its own clock; None before the first poll."""


class Standing(Frozen):
    at: Instant
    integrations: tuple[IntegrationStanding, ...]
    journals: tuple[PostingCount, ...]
    groups: tuple[OpenGroup, ...]
    unposted: tuple[PostingRow, ...]
    """In the ledger but not posted there, longest waiting first."""
    noteworthy: tuple[PostingRow, ...]
    """Date moved to another period, or an amount on suspense."""
    invoices: tuple[CreationCount, ...] = ()
    """Documents that one call creates, by resource and state."""
    noteworthy_invoices: tuple[CreationRow, ...] = ()
    """As `noteworthy`."""
    inbox: int
    inbox_oldest: Instant | None
    connections: tuple[ConnectionStanding, ...]
    polls: tuple[PollStanding, ...]
    hooks: tuple[ShopHooks, ...] = ()
    """By shop: its webhooks, as they were when they were looked at last."""
    loss: tuple[LossStanding, ...] = ()
    """By integration: the shop's orders, counted against what was posted."""
    alignments: tuple[AlignmentStanding, ...] = ()
    """By integration: shop and pod, compared with the books and rules between them."""
    trails: tuple[TrailStanding, ...] = ()
    """By tenant: what of the audit trail is not sealed yet."""
    temporal: str = ""
    """Why Temporal could not be asked; empty when it answered."""


async def standing(
    store: Store, configuration: Configuration, client: Client | None, *, since: dt.datetime, now: dt.datetime
) -> Standing:
    """Reads the store, and asks Temporal where it can. `since`: how far back noteworthy journals are listed."""
    counts = await store.overview.document_counts()
    records = {kind: await store.overview.record_counts(kind) for kind in names.RECORDS}
    ids = [integration.id for integration in configuration.integrations]
    # Integrations that left the configuration still have documents; they are not hidden.
    ids += sorted({count.integration for count in counts} - set(ids))
    running, silence = await _running(client, ids)
    inbox = await store.overview.inbox()
    return Standing(
        at=now,
        integrations=tuple(
            IntegrationStanding(
                integration=one,
                documents=tuple(count for count in counts if count.integration == one),
                records=_records_of(one, records),
                running=None if running is None else running[one],
            )
            for one in ids
        ),
        journals=await store.journals.counts(),
        groups=tuple(_open_group(group) for group in await store.groups.open_groups()),
        unposted=await store.overview.unposted(),
        noteworthy=await store.overview.noteworthy(since),
        invoices=await store.creations.counts(),
        noteworthy_invoices=await store.creations.noteworthy(since),
        inbox=inbox.count,
        inbox_oldest=inbox.oldest,
        connections=connection_standings(await store.connections.states(), configuration, running, now),
        polls=tuple(
            [
                PollStanding(connection=one.id, watermark=await store.watermarks.get(one.id, WATERMARK))
                for one in configuration.connections
                if isinstance(one, BigCommerceConnection)
            ]
        ),
        hooks=await hook_standings(store, configuration),
        loss=await loss_standings(store, configuration, now),
        alignments=await alignment_standings(store, configuration, now),
        trails=await trail_standings(store, configuration, now),
        temporal=silence,
    )


def _records_of(integration: str, records: Mapping[str, Sequence[DocumentCount]]) -> dict[str, dict[State, int]]:
    found = {
        kind: {one.state: one.count for one in counts if one.integration == integration}
        for kind, counts in records.items()
    }
    return {kind: counts for kind, counts in found.items() if counts}


async def _running(
    client: Client | None, integrations: Sequence[str]
) -> tuple[Mapping[str, dict[State, int]] | None, str]:
    if client is None:
        return None, "Temporal was not asked."

    flows = ", ".join(f'"{flow}"' for flow in names.KINDS)

    async def count(integration: str, state: State) -> int:
        found = await client.count_workflows(
            f'{names.SA_INTEGRATION} = "{integration}" AND {names.SA_FLOW} IN ({flows}) '
            f'AND {names.SA_STATE} = "{state.value}" AND ExecutionStatus = "Running"',
            rpc_timeout=PATIENCE,
        )
        return found.count

    pairs = [(integration, state) for integration in integrations for state in UNDER_WAY]
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            counts = await asyncio.gather(*(count(*pair) for pair in pairs))
    except TimeoutError:
        return None, f"Temporal does not answer within {PATIENCE.total_seconds():.0f} s."
    except RPCError as error:
        return None, f"Temporal does not answer ({error.status.name.lower()})."
    except RuntimeError:
        # A lazy client makes its first connection here; the SDK reports a failed one as a plain RuntimeError.
        return None, "Temporal cannot be reached."
    told: dict[str, dict[State, int]] = {integration: {} for integration in integrations}
    for (integration, state), number in zip(pairs, counts, strict=True):
        if number:
            told[integration][state] = number
    return told, ""


def _open_group(group: GroupRow) -> OpenGroup:
    problem = group.evidence.get("problem") if group.state == "review" else None
    return OpenGroup(
        group_id=group.group_id,
        fusion=group.fusion,
        ledger=group.ledger,
        source=group.source,
        state=group.state.value,
        journals=group.count,
        sealed_at=group.sealed_at,
        request_id=group.request_id,
        sentence=str(problem.get("sentence", "")) if isinstance(problem, dict) else "",
    )
