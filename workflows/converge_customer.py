"""A registered customer of a shop and the account in Fusion that carries its reference are brought to agree."""

from temporalio import workflow

from contracts import names
from contracts.flow import ConvergeInput, FlowResult
from workflows.converging import ConvergingFlow


@workflow.defn(name=names.CONVERGE_CUSTOMER)
class ConvergeCustomer(ConvergingFlow):
    @workflow.init
    def __init__(self, record: ConvergeInput) -> None:
        super().__init__(record)

    @workflow.run
    async def run(self, record: ConvergeInput) -> FlowResult:
        return await self.live(record)
