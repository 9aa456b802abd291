"""The same with the store on PostgreSQL, and two workers that race for the same customers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL
from support.clientele import ADA, Clientele, with_customers
from support.postgres import new_database, postgres_server
from support.receivables import worker_with
from support.stack import open_stack

from contracts.flow import State
from runtime.temporal.devserver import DevServer


@pytest.fixture(scope="module")
def database_server() -> Iterator[URL]:
    with postgres_server() as server:
        yield server


async def test_of_two_workers_one_makes_each_account_whatever_becomes_of_its_answers(
    temporal_server: DevServer, database_server: URL, tmp_path: Path
) -> None:
    async with new_database(database_server) as database:
        url = database.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
        async with (
            open_stack(temporal_server, tmp_path, store_url=url, adjust=with_customers) as stack,
            stack.worker(),
            worker_with(stack, stack.configuration),
        ):
            shop = Clientele(stack)
            stack.fusion.faults.set("lost_answer", method="POST", path=r"/hubOrganizations$", count=3, chance=0.4)
            stack.fusion.faults.set("error_after", method="POST", path="CustomerAccountService", count=3, chance=0.2)
            shop.rows.edit(ADA, customer_group_id=0)
            made = shop.rows.grow(8)
            for number in made:
                shop.register(number, f"Company {number}")
                shop.rows.add_address(number, address1=f"{number} Elm Street", city="Austin", country_code="US")
            assert (await shop.poll("shop")).started == 8
            for number in made:
                assert (await shop.result(number)).state is State.POSTED
                account = shop.once(number)
                assert shop.rows.get(number).attributes[1] == account.number
            assert (await shop.poll("shop", whole=True, number=1)).started == 0
            assert (await shop.poll("fusion", whole=True)).started == 0
