"""What a worker does about its mapping sets when it starts: keep their versions, and release what waited for them."""

import datetime as dt
from typing import Final

import structlog
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.collaborators import Collaborators
from contracts import names
from contracts.configuration import MappingSet
from contracts.flow import ReleaseReviewInput
from store.mapping_sets import Registered

RECENT: Final = dt.timedelta(days=1)
"""A version this young is released by whichever worker starts: the one that registered it may have died before it
could. The workflow's id makes it once; older ones were released long ago."""

_log = structlog.stdlib.get_logger(__name__)


async def register_mapping_sets(client: Client, parts: Collaborators) -> None:
    """Every set of the configuration. Raises `store.mapping_sets.MappingVersionConflict`, and `RPCError` when a
    release cannot be started: the worker does not start then, and tries it again when it does."""
    for mapping_set in parts.configuration.mapping_sets:
        registered = await parts.store.mapping_sets.register(mapping_set, now=parts.clock())
        integrations = _integrations_of(parts, mapping_set)
        if integrations and await _may_release(parts, registered, integrations):
            await _release(client, mapping_set, integrations)


def _integrations_of(parts: Collaborators, mapping_set: MappingSet) -> tuple[str, ...]:
    return tuple(one.id for one in parts.configuration.integrations if one.mapping_set == mapping_set.id)


async def _may_release(parts: Collaborators, registered: Registered, integrations: tuple[str, ...]) -> bool:
    if not registered.newest or parts.clock() - registered.at > RECENT:
        return False
    if not registered.first:
        return True
    # The first version of a set: integrations may have been given this set instead of another.
    return registered.new and bool(await parts.store.documents.review_after(integrations, None, limit=1))


async def _release(client: Client, mapping_set: MappingSet, integrations: tuple[str, ...]) -> None:
    try:
        await client.start_workflow(
            names.RELEASE_REVIEW,
            ReleaseReviewInput(mapping_set=mapping_set.id, version=mapping_set.version, integrations=integrations),
            id=names.release_review_id(mapping_set.id, mapping_set.version),
            task_queue=names.WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            static_summary=f"Release what waits in review for {mapping_set.id} version {mapping_set.version}",
        )
    except WorkflowAlreadyStartedError:
        return
    _log.info("mapping set released", mapping_set=mapping_set.id, version=mapping_set.version)
