"""Items in flow tests: kept equal, seen on either side, and held against the twins' own tables."""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from support.stack import PATIENCE, Stack, eventually
from temporalio.client import WorkflowQueryFailedError
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError

from activities.converging.policies import connection_of
from contracts import names
from contracts.configuration import Configuration, FusionConnection
from contracts.converging import LookAtRecordsInput, PolledRecords, PollRecordsInput
from contracts.flow import Decided, Decision, FlowResult, FlowState, State
from contracts.ownership import ItemPolicy, Side
from contracts.record_ids import record_id
from contracts.starting import StartRequest
from sandbox.bigcommerce.catalog import CatalogProduct
from sandbox.fusion.masters.setup import ITEM_MASTER
from sandbox.fusion.records import Record
from store.rows import AuditRow, DocumentRow
from store.schema import wakeups

WRITES = ("POST", "PUT", "PATCH", "DELETE")


def keeping(**policy: Any) -> Callable[[Configuration], Configuration]:
    """Items of the American shop are kept equal; `policy` as in the settings."""
    kept = ItemPolicy.model_validate({"enabled": True, "overlap": 1, **policy})

    def adjust(configuration: Configuration) -> Configuration:
        def organized(connection: Any) -> Any:
            if not isinstance(connection, FusionConnection):
                return connection
            items = connection.items.model_copy(update={"organization": ITEM_MASTER, "create": True})
            return connection.model_copy(update={"items": items})

        return configuration.model_copy(
            update={
                "connections": tuple(map(organized, configuration.connections)),
                "integrations": tuple(
                    one.model_copy(update={"items": kept}) if one.id == "shop-us" else one
                    for one in configuration.integrations
                ),
            }
        )

    return adjust


def catalog(stack: Stack, connection: str = "bc-us") -> Any:
    """The twin's catalog of a shop."""
    return stack.shops.stores[stack.configuration.connection(connection).store_hash].catalog  # type: ignore[union-attr]


def new_item(stack: Stack, number: str, description: str = "Flax shirt", **values: Any) -> Record:
    """Somebody makes an item in Fusion."""
    return stack.fusion.items.add(
        ItemNumber=number, ItemDescription=description, OrganizationCode=ITEM_MASTER, **values
    )


def new_product(stack: Stack, sku: str, name: str, **fields: Any) -> CatalogProduct:
    """Somebody makes a product in the shop."""
    row: CatalogProduct = catalog(stack).create(
        {"name": name, "type": "physical", "weight": 1, "price": 20, "sku": sku, **fields}
    )[0]
    return row


def product(stack: Stack, sku: str) -> CatalogProduct | None:
    """The product with this SKU, as the twin has it."""
    return next((one for one in catalog(stack).products.values() if one.fields.get("sku") == sku), None)


def name_in_shop(stack: Stack, sku: str) -> str:
    found = product(stack, sku)
    assert found is not None, f"the shop has no {sku}"
    return str(found.fields["name"])


def name_in_fusion(stack: Stack, number: str) -> str:
    (row,) = stack.fusion.items.numbered(number)
    return str(row.values["ItemDescription"])


def item_flow(number: str) -> str:
    return names.document_workflow_id(names.ITEM, "bc-us", record_id(number))


async def announce_item(stack: Stack, number: str) -> None:
    """Somebody has seen it change."""
    await stack.parts.starter.start(
        StartRequest(
            flow=names.CONVERGE_ITEM,
            connection="bc-us",
            integration="shop-us",
            document_id=record_id(number),
            job="test",
            received_at=stack.parts.clock(),
        )
    )


async def item_result(stack: Stack, number: str) -> FlowResult:
    """The end of the item's run."""
    handle = stack.temporal.get_workflow_handle(item_flow(number), result_type=FlowResult)
    return await asyncio.wait_for(handle.result(), PATIENCE)


async def converged(stack: Stack, number: str) -> FlowResult:
    await announce_item(stack, number)
    return await item_result(stack, number)


async def item_row(stack: Stack, number: str) -> DocumentRow | None:
    return await stack.parts.store.documents.get("bc-us", names.ITEM, record_id(number))


async def item_trail(stack: Stack, number: str) -> tuple[AuditRow, ...]:
    return await stack.parts.store.audit.of("bc-us", names.ITEM, record_id(number))


async def in_review(stack: Stack, number: str) -> DocumentRow:
    """Waits until the item is in review, in a run that takes decisions."""

    async def there() -> DocumentRow | None:
        handle = stack.temporal.get_workflow_handle(item_flow(number))
        try:
            standing: FlowState = await handle.query(names.STATE, result_type=FlowState)
        except (RPCError, WorkflowQueryFailedError):
            return None
        row = await item_row(stack, number)
        return row if row is not None and row.problems and standing.state is State.NEEDS_REVIEW else None

    found: DocumentRow = await eventually(there, f"item {number} is in review")
    return found


async def decide_item(stack: Stack, number: str, kind: str, mark: str = "1") -> Decided:
    decision = Decision.model_validate(
        {"id": f"decision-{number}-{kind}-{mark}", "kind": kind, "who": "dana", "why": "looked at it"}
    )
    handle = stack.temporal.get_workflow_handle(item_flow(number))
    return await handle.execute_update(names.DECIDE, decision, id=decision.id, result_type=Decided)


async def poll_records(stack: Stack, side: Side, *, whole: bool = False) -> PolledRecords:
    """One run of the schedule's workflow."""
    integration = stack.configuration.integration("shop-us")
    handle = await stack.temporal.start_workflow(
        names.POLL_RECORDS,
        PollRecordsInput(
            integration="shop-us",
            connection=connection_of(integration, side),
            kind=names.ITEM,
            side=side,
            whole=whole,
        ),
        id=names.poll_records_id("shop-us", names.ITEM, side),
        task_queue=names.WORKFLOW_QUEUE,
        result_type=PolledRecords,
    )
    return await handle.result()


async def found_by_poll(stack: Stack, side: Side) -> PolledRecords:
    """Polls until one finds something: a window ends with the last whole second, what is younger is in the next."""

    async def found() -> PolledRecords | None:
        polled = await poll_records(stack, side)
        return polled if polled.started else None

    polled: PolledRecords = await eventually(found, f"a poll of {side} finds what changed")
    return polled


async def look_at_product(stack: Stack, product_id: int) -> PolledRecords:
    """What a webhook leads to, without the gateway."""
    handle = await stack.temporal.start_workflow(
        names.LOOK_AT_PRODUCT,
        LookAtRecordsInput(
            integration="shop-us", connection="bc-us", kind=names.ITEM, parent=str(product_id), job="delivery:test"
        ),
        id=names.flow_id(names.LOOK_AT_PRODUCT, "bc-us", str(product_id)),
        task_queue=names.WORKFLOW_QUEUE,
        result_type=PolledRecords,
    )
    return await handle.result()


async def at_rest(stack: Stack) -> None:
    """Waits until every announced item was read, and no run of one is under way, those in review aside."""
    table = wakeups.c
    announced = select(table.key, table.taken < table.wanted).where(table.key.startswith(f"{names.CONVERGE_ITEM}:"))

    async def quiet() -> bool:
        known = await stack.parts.store._database.read(lambda at: at.execute(announced).all())
        return not any([unread or await _is_kept_equal(stack, key) for key, unread in known])

    await eventually(quiet, "all items are at rest")


async def _is_kept_equal(stack: Stack, flow: str) -> bool:
    """Whether a run of the item is under way; one in review is not."""
    found = await stack.running(flow)
    state = SearchAttributeKey.for_keyword(names.SA_STATE)
    return found is not None and found.typed_search_attributes.get(state) != State.NEEDS_REVIEW


def writes(stack: Stack) -> int:
    """Calls so far that change a product or an item."""
    shop = sum(stack.shops.calls.count(method, "/v3/catalog/") for method in WRITES)
    return shop + sum(stack.fusion.calls.count(method, "/items") for method in WRITES)
