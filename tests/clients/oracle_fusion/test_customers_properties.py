"""However runs for one customer are interrupted, delayed and repeated side by side: one is made, or none yet."""

import asyncio
import time
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.fusion_customers import SETS, customer, once, site, there
from support.fusion_framework import connected

from clients.errors import VendorError
from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.visibility import Patience
from sandbox.fusion import FusionTwin, demo_world
from sandbox.fusion.receivables.demo import EU_UNIT
from sandbox.kit import serve

LAG = 0.15
"""How late the pod shows what was created, at most; and how late it commits what was sent."""
PATIENT = Patience(limit=600.0, first=0.02, longest=0.05)
WANTED = customer(7, site(1), site(2, purposes=("SHIP_TO",)), site(1, business_unit=EU_UNIT, purposes=("BILL_TO",)))

CRM, SERVICE = "hubOrganizations", "CustomerAccountService"
KINDS = st.sampled_from(["lost_answer", "error_after", "error", "cut", "delayed_commit", "late_item"])
# A new customer takes one create of the organization; the service is asked four times and then creates.
troubles = st.lists(
    st.one_of(
        st.fixed_dictionaries({"kind": KINDS, "path": st.just(CRM), "skip": st.integers(0, 1)}),
        st.fixed_dictionaries({"kind": KINDS, "path": st.just(SERVICE), "skip": st.integers(0, 6)}),
    ),
    max_size=3,
)
UNTOLD = [{"kind": "delayed_commit", "path": CRM, "skip": 0}, {"kind": "delayed_commit", "path": SERVICE, "skip": 4}]
"""Both creates take effect after their callers were cut off."""
ALONE = [{"begins": 0.0, "stops": None}] * 3
runs = st.lists(
    st.fixed_dictionaries({"begins": st.floats(0.0, 0.2), "stops": st.none() | st.floats(0.0, 0.4)}),
    min_size=2,
    max_size=4,
)


def trouble(twin: FusionTwin, kind: str, path: str, skip: int) -> None:
    if kind == "late_item":
        twin.faults.set(kind, path=f"{path}", seconds=LAG, count=1, skip=skip % 2, options={"lists": True})
        twin.faults.set("late_account", path="createCustomerAccount", seconds=LAG, count=1)
        return
    options = {"answer": "cut"} if kind == "delayed_commit" else {}
    twin.faults.set(kind, path=path, method="POST", count=1, skip=skip, seconds=LAG, status=503, options=options)


async def run(fusion: FusionClient, begins: float, stops: float | None) -> None:
    """One process's try: cut off in the middle, or ended by whatever happens to it."""
    await asyncio.sleep(begins)
    try:
        async with asyncio.timeout(stops):
            await fusion.customers.ensure_customer(WANTED, patience=PATIENT)
    except (VendorError, TimeoutError):
        return


async def settled(twin: FusionTwin) -> None:
    """The time to settle: whatever was sent has come to the pod, took effect there and is shown."""
    await asyncio.sleep(LAG)
    quiet = 0
    while quiet < 5:  # what lies in a connection is read while this sleeps
        await asyncio.sleep(LAG / 15)
        moments = (*twin._resources._hidden.values(), *(account.visible_from for account in twin.customers.accounts))
        busy = twin._wire._later or any(moment > time.monotonic() for moment in moments)
        quiet = 0 if busy else quiet + 1


async def side_by_side(numbers: str, duplicates: str, query: str, tries: Any, faults: Any) -> None:
    """Every run in a process of its own, all at once; and one at the end that nothing happens to."""
    twin = FusionTwin(demo_world())
    habits = twin.world.masters.habits
    habits.party_numbers = habits.account_numbers = numbers  # type: ignore[assignment]
    habits.duplicate_references = duplicates  # type: ignore[assignment]
    habits.party_query = query  # type: ignore[assignment]
    how = {"reference_sets": SETS, "party_numbers": numbers, "account_numbers": numbers}
    async with serve(twin):
        clients = [connected(twin, customers=how) for _ in range(len(tries) + 1)]
        for fault in faults:
            trouble(twin, **fault)
        await asyncio.gather(*(run(client, **one) for client, one in zip(clients, tries, strict=False)))
        assert max(there(twin, WANTED)) <= 1
        twin.faults.clear()
        await settled(twin)
        made = await clients[-1].customers.ensure_customer(WANTED, patience=PATIENT)
        assert once(twin, WANTED), (there(twin, WANTED), made)
        assert made.differences == ()
        for client in clients:
            await client.aclose()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@example(query="attribute", tries=ALONE, faults=UNTOLD)
@given(query=st.sampled_from(["attribute", "child", "none"]), tries=runs, faults=troubles)
def test_where_a_reference_belongs_to_one_record_only_many_processes_make_one(
    query: str, tries: Any, faults: Any
) -> None:
    asyncio.run(side_by_side("automatic", "refused", query, tries, faults))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@example(query="attribute", tries=ALONE, faults=UNTOLD)
@given(query=st.sampled_from(["attribute", "child"]), tries=runs, faults=troubles)
def test_where_numbers_are_given_many_processes_make_one_even_if_references_may_repeat(
    query: str, tries: Any, faults: Any
) -> None:
    asyncio.run(side_by_side("given", "accepted", query, tries, faults))


async def one_after_the_other(query: str, tries: Any, faults: Any) -> None:
    """One process, as a lease allows it: many tasks at once, and the time to settle after each that was cut off."""
    twin = FusionTwin(demo_world())
    twin.world.masters.habits.duplicate_references = "accepted"
    twin.world.masters.habits.party_query = query  # type: ignore[assignment]
    async with serve(twin):
        fusion = connected(twin, customers={"reference_sets": SETS})
        for fault in faults:
            trouble(twin, **fault)
        for one in tries:
            await run(fusion, 0.0, one["stops"])
            await settled(twin)
        twin.faults.clear()
        ensured = await asyncio.gather(*(fusion.customers.ensure_customer(WANTED, patience=PATIENT) for _ in range(3)))
        assert once(twin, WANTED), there(twin, WANTED)
        assert len({one.account.account_id for one in ensured}) == 1
        assert sum(bool(one.created) for one in ensured) <= 1
        await fusion.aclose()


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@example(query="attribute", tries=ALONE, faults=UNTOLD)
@given(query=st.sampled_from(["attribute", "child", "none"]), tries=runs, faults=troubles)
def test_where_the_pod_guards_nothing_one_process_with_the_time_to_settle_makes_one(
    query: str, tries: Any, faults: Any
) -> None:
    asyncio.run(one_after_the_other(query, tries, faults))
