"""Remembers, outside the store, how far the store has come (design rule 3).

Before anything irreversible is sent, its epoch is told here; whoever posts reads it from the run's memo. A store that
was restored from a backup is then behind what is remembered, and posts nothing until it is recovered.
"""

from temporalio import workflow

from contracts import names
from contracts.flow import StoreEpoch


@workflow.defn(name=names.STORE_EPOCH)
class StoreEpochKeeper:
    @workflow.init
    def __init__(self, epoch: StoreEpoch) -> None:
        self.number = epoch.number

    @workflow.run
    async def run(self, epoch: StoreEpoch) -> None:
        workflow.upsert_memo({names.EPOCH: self.number})
        await workflow.wait_condition(lambda: workflow.info().is_continue_as_new_suggested())
        await workflow.wait_condition(workflow.all_handlers_finished)
        # The new run shows it from its first moment, before anybody has worked on it.
        workflow.continue_as_new(StoreEpoch(number=self.number), memo={names.EPOCH: self.number})

    @workflow.update(name=names.SEEN)
    async def see(self, epoch: StoreEpoch) -> StoreEpoch:
        """The highest epoch seen so far; it is durable when this answers."""
        self._raise(epoch)
        return StoreEpoch(number=self.number)

    @workflow.signal(name=names.RAISED)
    def learn(self, epoch: StoreEpoch) -> None:
        """As `see`, for those who cannot wait until a worker answers."""
        self._raise(epoch)

    def _raise(self, epoch: StoreEpoch) -> None:
        if epoch.number > self.number:
            self.number = epoch.number
            workflow.upsert_memo({names.EPOCH: self.number})
