import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Sequence

from support.stack import eventually

from store.rows import Receipt
from webhook_gateway.receipts import REFUSED_PER_BATCH, Receipts, thinned

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def receipt(number: int, *, status: int = 202, verdict: str = "started", connection: str = "bc-us") -> Receipt:
    return Receipt(
        tenant="acme",
        connection=connection,
        delivery_id=f"msg_{number}",
        verdict=verdict,
        status=status,
        received_at=NOW,
    )


class Table:
    def __init__(self) -> None:
        self.rows: list[Receipt] = []
        self.batches = 0
        self.refused = 0
        self.down = False
        self.written = asyncio.Event()

    async def write(self, batch: Sequence[Receipt]) -> None:
        if self.down:
            self.refused += 1
            raise ConnectionError
        self.batches += 1
        self.rows += batch
        self.written.set()


@contextlib.asynccontextmanager
async def writing(table: Table) -> AsyncIterator[Receipts]:
    receipts = Receipts(table.write, interval=0.01)
    task = asyncio.create_task(receipts.run())
    try:
        yield receipts
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await receipts.flush(patience=0.3)


async def test_a_burst_is_written_together_and_in_order() -> None:
    table = Table()
    async with writing(table) as receipts:
        for number in range(100):
            receipts.add(receipt(number))
        async with asyncio.timeout(60):
            await table.written.wait()
        assert table.batches == 1
    assert [row.delivery_id for row in table.rows] == [f"msg_{number}" for number in range(100)]


async def test_records_wait_for_a_store_that_is_down() -> None:
    table = Table()
    async with writing(table) as receipts:
        table.down = True
        receipts.add(receipt(1))
        await eventually(lambda: table.refused, "the store refused a record")
        receipts.add(receipt(2))
        table.down = False
        async with asyncio.timeout(60):
            await table.written.wait()
    assert [row.delivery_id for row in table.rows] == ["msg_1", "msg_2"]


async def test_shutdown_writes_what_is_left() -> None:
    table = Table()
    async with writing(table) as receipts:
        receipts.add(receipt(1))
    assert len(table.rows) == 1


async def test_shutdown_does_not_hang_on_a_store_that_stays_down() -> None:
    table = Table()
    table.down = True
    async with asyncio.timeout(60):
        async with writing(table) as receipts:
            receipts.add(receipt(1))


def test_a_flood_of_refusals_cannot_fill_the_store() -> None:
    flood = [receipt(number, status=401, verdict="bad_signature") for number in range(400)]
    flood += [
        receipt(number, status=404, verdict="unknown_route", connection=f"guess-{number}") for number in range(99)
    ]
    kept = thinned([*flood, receipt(7)])
    assert len(kept) == REFUSED_PER_BATCH + 3
    assert kept[REFUSED_PER_BATCH].delivery_id == "msg_7"
    assert {(row.verdict, row.sentence.split()[0]) for row in kept[-2:]} == {
        ("bad_signature", str(400 - REFUSED_PER_BATCH)),
        ("unknown_route", "99"),
    }


def test_accepted_deliveries_are_recorded_one_by_one_however_many() -> None:
    assert len(thinned([receipt(number) for number in range(500)])) == 500
