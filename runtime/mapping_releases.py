"""What a worker does about its mapping sets when it starts: keep their versions, and release what waited for them."""

import datetime as dt
from collections import defaultdict
from typing import Final

import structlog
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.collaborators import Collaborators
from contracts import names
from contracts.flow import ReleaseReviewInput
from store.mapping_sets import InEffect

RECENT: Final = dt.timedelta(days=1)
"""What came into effect this lately is released by whichever worker starts: the one that put it on record may have
died before it could. The workflow's id makes it once; older ones were released long ago."""

_log = structlog.stdlib.get_logger(__name__)


async def register_mapping_sets(client: Client, parts: Collaborators) -> None:
    """Every set of the configuration, and which of them each integration uses from now on.

    What waits in review is released whenever an integration's set or version is another than the one last in effect,
    also an older one that comes back. Raises `store.mapping_sets.MappingVersionConflict`, and `RPCError` when a release
    cannot be started: the worker does not start then, and tries it again when it does.
    """
    sets, configuration = parts.store.mapping_sets, parts.configuration
    for mapping_set in configuration.mapping_sets:
        await sets.register(mapping_set, now=parts.clock())
    versions = {one.id: one.version for one in configuration.mapping_sets}
    wanted = {one.id: (one.mapping_set, versions[one.mapping_set]) for one in configuration.integrations}
    together: defaultdict[tuple[str, int, int], list[str]] = defaultdict(list)
    for effect in await sets.take_effect(wanted, now=parts.clock()):
        if _may_release(parts, effect):
            together[effect.mapping_set, effect.version, effect.generation].append(effect.integration)
    for (set_id, version, generation), integrations in together.items():
        release = ReleaseReviewInput(mapping_set=set_id, version=version, integrations=tuple(integrations))
        await _release(client, release, generation)


def _may_release(parts: Collaborators, effect: InEffect) -> bool:
    return effect.generation > 0 and parts.clock() - effect.since <= RECENT


async def _release(client: Client, release: ReleaseReviewInput, generation: int) -> None:
    try:
        await client.start_workflow(
            names.RELEASE_REVIEW,
            release,
            id=names.release_review_id(release.mapping_set, release.version, generation),
            task_queue=names.WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            static_summary=f"Release what waits in review for {release.mapping_set} version {release.version}",
        )
    except WorkflowAlreadyStartedError:
        return
    _log.info("mapping set released", mapping_set=release.mapping_set, version=release.version)
