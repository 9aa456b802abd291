"""Search attributes of a run, written only when they change: every write is a billed action."""

from typing import Final

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from contracts import names
from contracts.flow import State

STATE: Final = SearchAttributeKey.for_keyword(names.SA_STATE)
TARGET: Final = SearchAttributeKey.for_keyword(names.SA_TARGET)


def upsert(state: State, target: str = "") -> None:
    """Set `MlcState`, and `MlcTarget` with it once the target document's reference is known."""
    updates = [STATE.value_set(state.value)]
    if target:
        updates.append(TARGET.value_set(target))
    workflow.upsert_search_attributes(updates)
