"""A newer version of a mapping set is in effect: what waits in review for it is told to try again.

A worker starts this once per version. It goes through the list twice: workers of the version before may still be
draining the first time, and put documents into review by the old rules.
"""

from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow

from contracts import names
from contracts.flow import ReleaseReviewInput, ReviewsReleased
from contracts.steps.documents import ReleaseReviews
from workflows.patience import STORE_RETRY

with workflow.unsafe.imports_passed_through():
    from activities.releasing import ReleasingActivities

AFTERWARDS: Final = timedelta(minutes=15)
"""By then the workers of the version before have drained."""
SKEW: Final = timedelta(minutes=1)
"""The store's instants are of the workers' clocks, ours are of the server's."""


@workflow.defn(name=names.RELEASE_REVIEW)
class ReleaseReview:
    @workflow.run
    async def run(self, wanted: ReleaseReviewInput) -> ReviewsReleased:
        began = workflow.now()
        released = await self._release(wanted)
        await workflow.sleep(AFTERWARDS, summary="until the workers of the version before have drained")
        released += await self._release(wanted, since=began - SKEW)
        return ReviewsReleased(released=released)

    async def _release(self, wanted: ReleaseReviewInput, since: datetime | None = None) -> int:
        return await workflow.execute_activity_method(
            ReleasingActivities.release_reviews,
            ReleaseReviews(
                mapping_set=wanted.mapping_set,
                version=wanted.version,
                integrations=wanted.integrations,
                job=workflow.info().workflow_id,
                since=since,
            ),
            summary=f"release what waits for {wanted.mapping_set} version {wanted.version}",
            start_to_close_timeout=timedelta(hours=1),
            heartbeat_timeout=timedelta(minutes=2),
            retry_policy=STORE_RETRY,
        )
