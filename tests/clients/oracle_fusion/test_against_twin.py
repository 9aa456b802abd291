"""The client against the twin over real HTTP: what the two were built from is the vendor page, not each other."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from clients.errors import InDoubt, RateLimited, Unauthorized, Unavailable
from clients.oracle_fusion import FusionClient, Job
from clients.oracle_fusion.gl_interface import batch_name
from contracts.configuration import FusionConnection
from contracts.journal import Journal, JournalLine, LedgerFacts, Purpose
from sandbox.fusion import FusionTwin
from sandbox.fusion.demo_world import CATEGORY, SOURCE, US_LEDGER, demo_world
from sandbox.kit import serve

GROUP = 176000000000001


@pytest.fixture
async def twin() -> AsyncIterator[FusionTwin]:
    twin = FusionTwin(demo_world())
    twin.world.habits.wait = twin.world.habits.load = twin.world.habits.running = 0.01
    twin.world.habits.completed = twin.world.habits.autopost_delay = 0.01
    async with serve(twin):
        yield twin


def connect(twin: FusionTwin, *, secret: str | None = None, **changes: object) -> FusionClient:
    assert twin.listener is not None
    credentials = twin.world.credentials

    async def read_secret() -> str:
        return credentials.client_secret if secret is None else secret

    connection = FusionConnection.model_validate(
        {
            "system": "oracle_fusion",
            "id": "fusion-test",
            "tenant": "acme",
            "environment": "test",
            "base_url": twin.listener.url,
            "requests_per_minute": 60_000,
            "timeout": 600.0,
            "oauth": {
                "token_url": f"{twin.listener.url}/oauth2/v1/token",
                "client_id": credentials.client_id,
                "scope": credentials.scope,
            },
            **changes,
        }
    )
    return FusionClient(connection, read_secret)


@pytest.fixture
async def fusion(twin: FusionTwin) -> AsyncIterator[FusionClient]:
    client = connect(twin)
    yield client
    await client.aclose()


def account(natural: str) -> tuple[str, ...]:
    return ("101", "000", natural, "0000")


def journal(order: int, *, revenue: str = "41100", day: dt.date | None = None, amount: str = "10.50") -> Journal:
    def line(natural: str, debit: str, credit: str) -> JournalLine:
        return JournalLine(
            purpose=Purpose.REVENUE,
            segments=account(natural),
            debit=Decimal(debit),
            credit=Decimal(credit),
            description=f"Shirt | order {order}",
        )

    return Journal(
        reference=f"acme/bc-us/order/{order}/sale/1",
        description=f"Order {order} of shop bc-us",
        ledger=US_LEDGER,
        journal_source=SOURCE,
        journal_category=CATEGORY,
        accounting_date=day or dt.date.today(),  # noqa: DTZ011 -- an accounting calendar has no zone
        date_reason="placed",
        currency="USD",
        lines=(line("11200", amount, "0"), line(revenue, "0", amount)),
        mapping_set="retail",
        mapping_version=1,
    )


async def ids(fusion: FusionClient) -> tuple[LedgerFacts, int, int | str]:
    ledger = await fusion.ledger(US_LEDGER)
    return ledger, await fusion.data_access_set_id(US_LEDGER), await fusion.journal_source_id(SOURCE)


async def submit(fusion: FusionClient, *journals: Journal, group: int = GROUP, deadline: float = 600.0) -> int:
    ledger, access_set, source = await ids(fusion)
    return await fusion.submit_journal_import(
        journals,
        group_id=group,
        ledger=ledger,
        data_access_set_id=access_set,
        source_id=source,
        batch_name=batch_name(group),
        ends=asyncio.get_running_loop().time() + deadline,
    )


async def finished(fusion: FusionClient, request_id: int) -> Job:
    for _ in range(200):
        job = await fusion.job(request_id)
        if job.terminal:
            return job
        await asyncio.sleep(0.02)
    raise AssertionError("the job never ended")


async def test_reference_data_is_what_the_pod_was_set_up_with(fusion: FusionClient) -> None:
    ledger = await fusion.ledger(US_LEDGER)
    assert (ledger.currency, ledger.segment_count) == ("USD", 4)
    assert len(await fusion.ledgers()) == 2
    today = dt.date.today()  # noqa: DTZ011
    periods = await fusion.periods(ledger.ledger_id)
    (current,) = [one for one in periods if one.starts <= today <= one.ends and not one.adjustment]
    before = [one for one in periods if one.ends == current.starts - dt.timedelta(days=1) and not one.adjustment]
    assert [one.status for one in (current, *before)] == ["open", "open"]
    assert await fusion.journal_category_exists(CATEGORY)
    assert not await fusion.journal_category_exists("No such category")
    assert {unit.name for unit in await fusion.business_units()} == {"US Web Sales", "EU Web Sales"}
    assert await fusion.conversion_rate("EUR", "USD", "Corporate", today) == Decimal("1.0832")
    assert await fusion.conversion_rate("EUR", "USD", "Corporate", dt.date(2001, 1, 1)) is None


async def test_the_state_of_every_wanted_account_is_known(twin: FusionTwin, fusion: FusionClient) -> None:
    twin.world.account("101-000-41200-0000").enabled = False
    twin.world.account("101-000-41300-0000").posting_allowed = False
    ledger = await fusion.ledger(US_LEDGER)
    wanted = [account(natural) for natural in ("41100", "41200", "41300", "12100", "99999")]
    states = await fusion.combinations(ledger, wanted)
    today = dt.date.today()  # noqa: DTZ011
    assert [bool(states[segments].refusal(today)) for segments in wanted] == [False, True, True, False, True]
    assert states[account("12100")].control_account


async def test_a_group_becomes_posted_journals_that_carry_their_references(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    orders = [journal(number) for number in range(1, 61)]
    job = await finished(fusion, await submit(fusion, *orders))
    assert job.succeeded
    assert not (await fusion.import_report(job.request_id)).errors
    await asyncio.sleep(0.1)
    found = await fusion.journals(batch_name(GROUP), lines=True)
    assert sorted(one.reference for one in found) == sorted(one.reference for one in orders)
    assert all(one.posted and one.debit == one.credit == Decimal("10.50") for one in found)
    assert [line.account for line in found[0].lines] == ["101-000-11200-0000", "101-000-41100-0000"]
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    assert len([one async for one in fusion.journals_of_source(SOURCE, since=yesterday)]) == 60
    assert len(twin.journals()) == 60


@pytest.mark.parametrize("loader_is_parent", [False, True])
@pytest.mark.parametrize("decorated", [False, True])
async def test_one_bad_journal_is_named_and_the_group_can_be_purged(
    twin: FusionTwin, fusion: FusionClient, loader_is_parent: bool, decorated: bool
) -> None:
    twin.world.habits.loader_is_parent = loader_is_parent
    twin.world.habits.decorated_names = decorated
    twin.world.account("101-000-41400-0000").import_refuses = "EF04"
    request_id = await submit(fusion, journal(1), journal(2, revenue="41400"), journal(3))
    job = await finished(fusion, request_id)
    assert not job.succeeded
    report = await fusion.import_report(request_id, ["acme/bc-us/order/2/sale/1"])
    (fault,) = report.errors
    assert (fault.code, fault.journal_name) == ("EF04", "acme/bc-us/order/2/sale/1")
    assert fault.account == "101-000-41400-0000"
    assert await fusion.journals(batch_name(GROUP)) == ()
    ledger, access_set, source = await ids(fusion)
    purge = await fusion.purge_group(GROUP, ledger=ledger, source_id=source, data_access_set_id=access_set)
    assert (await finished(fusion, purge)).succeeded
    assert not twin.interface()


async def test_a_closed_period_is_told_from_a_bad_account(twin: FusionTwin, fusion: FusionClient) -> None:
    long_ago = dt.date.today() - dt.timedelta(days=200)  # noqa: DTZ011
    request_id = await submit(fusion, journal(1, day=long_ago), journal(2))
    await finished(fusion, request_id)
    assert {fault.code for fault in (await fusion.import_report(request_id)).errors} == {"EP01"}


@pytest.mark.parametrize("loader_is_parent", [False, True])
async def test_an_import_whose_answer_was_lost_is_found_again(
    twin: FusionTwin, fusion: FusionClient, loader_is_parent: bool
) -> None:
    twin.world.habits.loader_is_parent = loader_is_parent
    since = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)
    twin.faults.set("lost_answer", method="POST", path="erpintegrations", count=1)
    with pytest.raises(InDoubt):
        await submit(fusion, journal(1))
    for _ in range(100):
        request_id = await fusion.find_import(GROUP, since=since)
        if request_id is not None:
            break
        await asyncio.sleep(0.02)
    assert request_id is not None
    assert (await finished(fusion, request_id)).succeeded
    assert len(await fusion.journals(batch_name(GROUP))) == 1
    assert await fusion.find_import(GROUP + 1, since=since) is None


async def test_posting_by_job_where_the_pod_has_no_autopost(twin: FusionTwin, fusion: FusionClient) -> None:
    twin.world.habits.autopost = False
    await finished(fusion, await submit(fusion, journal(1)))
    (unposted,) = await fusion.journals(batch_name(GROUP))
    assert not unposted.posted
    ledger, access_set, source = await ids(fusion)
    job = await fusion.submit_posting(ledger=ledger, source_id=source, data_access_set_id=access_set)
    assert (await finished(fusion, job)).succeeded
    (posted,) = await fusion.journals(batch_name(GROUP))
    assert posted.posted


async def test_an_outage_a_throttle_and_a_refused_token_are_told_apart(twin: FusionTwin, fusion: FusionClient) -> None:
    await fusion.ledger(US_LEDGER)
    twin.faults.set("outage", path="fscmRestApi", count=1)
    with pytest.raises(Unavailable):
        await fusion.ledger(US_LEDGER)
    twin.faults.set("unauthorized", path="fscmRestApi", count=1)
    await fusion.ledger(US_LEDGER)
    stranger = connect(twin, secret="wrong")
    with pytest.raises(Unauthorized):
        await stranger.ledger(US_LEDGER)
    await stranger.aclose()
    twin.faults.set("rate_limit", path="fscmRestApi", count=1, retry_after=33.0)
    with pytest.raises(RateLimited) as told:
        await fusion.ledger(US_LEDGER)
    assert told.value.retry_after == pytest.approx(33.0, abs=1.0)


async def test_every_path_the_flows_use_can_be_probed(fusion: FusionClient) -> None:
    assert (await fusion.root()).versions
    assert "JeBatchId" in (await fusion.describe("journalBatches")).attributes
    await fusion.probe("accountingPeriodStatusLOV")
    await fusion.probe_scheduler()
    assert fusion.clock_skew is not None
