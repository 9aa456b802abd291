"""A rule may ask for the customer's group; only then does the shop get a call for it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.stack import Stack, journals_of, open_stack

from contracts.configuration import Configuration, Rule, RuleConditions
from contracts.flow import State
from contracts.journal import Purpose
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import US_SHOP, Shape, draft

WHOLESALE = "101-120-41900-0000"


def with_wholesale_rule(configuration: Configuration) -> Configuration:
    retail = configuration.mapping_sets[0]
    wholesale = Rule(
        id="wholesale",
        purpose=Purpose.REVENUE,
        when=RuleConditions(customer_group=("2",)),
        account="*-120-41900-0000",
    )
    return configuration.model_copy(
        update={"mapping_sets": (retail.model_copy(update={"rules": (wholesale, *retail.rules)}),)}
    )


@pytest.fixture
async def wholesale(temporal_server: DevServer, tmp_path: Path) -> AsyncIterator[Stack]:
    async with open_stack(temporal_server, tmp_path, adjust=with_wholesale_rule) as opened:
        yield opened


async def test_the_customers_group_chooses_the_account(wholesale: Stack) -> None:
    shop = wholesale.shop()
    baskets = [draft(Shape.ORDINARY, US_SHOP, seed=number) for number in range(12)]
    grouped = next(basket for basket in baskets if basket.person.customer_group_id == 2)
    others = next(basket for basket in baskets if basket.person.customer_group_id != 2)
    orders = {shop.place(basket).id: basket for basket in (grouped, others)}
    async with wholesale.worker():
        for order_id in orders:
            await wholesale.announce(order_id)
        for order_id in orders:
            assert (await wholesale.result(order_id)).state is State.POSTED
    for order_id, basket in orders.items():
        accounts = {line.account for journal in journals_of(wholesale.fusion, order_id) for line in journal.lines}
        assert (WHOLESALE in accounts) is (basket is grouped)
