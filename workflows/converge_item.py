"""A product of a shop and the item of Fusion whose number is its SKU are brought to agree."""

from temporalio import workflow

from contracts import names
from contracts.flow import ConvergeInput, FlowResult
from workflows.converging import ConvergingFlow


@workflow.defn(name=names.CONVERGE_ITEM)
class ConvergeItem(ConvergingFlow):
    @workflow.init
    def __init__(self, record: ConvergeInput) -> None:
        super().__init__(record)

    @workflow.run
    async def run(self, record: ConvergeInput) -> FlowResult:
        return await self.live(record)
