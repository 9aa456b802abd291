"""Items changed on condition that nobody else changed them, and read back with patience."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from support.fusion_framework import NAME, collection, connected, widgets
from support.still_clock import still_time

from clients.errors import BadAnswer, NotFound, Rejected, Resolution
from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.errors import Contended, NotVisibleYet, Outdated, UnfitPayload
from clients.oracle_fusion.visibility import Patience, Reason, Visibility
from sandbox.fusion import FusionTwin, demo_world, rest
from sandbox.kit import serve

SUBJECT = "widget W-0"
QUICK = Patience(limit=600.0, first=0.05, longest=0.1)


@pytest.fixture
async def twin() -> AsyncIterator[FusionTwin]:
    twin = FusionTwin(demo_world())
    async with serve(twin):
        yield twin


@pytest.fixture
async def fusion(twin: FusionTwin) -> AsyncIterator[FusionClient]:
    client = connected(twin)
    yield client
    await client.aclose()


async def test_an_opaque_item_is_found_by_what_it_is_called_and_changed_at_its_own_address(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    records = widgets(twin, 3, opaque=True)
    things = collection(fusion, key="")
    path = await things.locate("Number = 'W-1'", subject="widget W-1")
    assert path.rpartition("/")[2].startswith("00020000000EACED")
    change = await things.change(path, lambda row: {"Title": f"{row['Title']}!"}, subject="widget W-1")
    assert (change.tries, change.item.row["Title"]) == (1, "Widget 1!")
    assert [row.values["Title"] for row in records.rows] == ["Widget 0", "Widget 1!", "Widget 2"]
    with pytest.raises(NotFound):
        await things.locate("Number = 'W-9'", subject="widget W-9")
    with pytest.raises(Rejected, match="more than one"):
        await things.locate("Active = 'true'", subject="an active widget")


@pytest.mark.parametrize("shown", ["both", "header", "link"])
async def test_a_change_by_somebody_else_in_between_is_kept(twin: FusionTwin, fusion: FusionClient, shown: str) -> None:
    records = widgets(twin, 1)
    twin.world.habits.change_indicators = shown  # type: ignore[assignment]
    things, seen = collection(fusion), []
    path = await things.locate("Number = 'W-0'", subject=SUBJECT)

    def apply(row: Mapping[str, Any]) -> dict[str, Any]:
        if not seen:
            records.touch(records.rows[0], Title="Theirs")
        seen.append(row["Title"])
        return {"Title": f"{row['Title']} and ours"}

    change = await things.change(path, apply, subject=SUBJECT)
    assert seen == ["Widget 0", "Theirs"]
    assert (change.tries, records.rows[0].values["Title"]) == (2, "Theirs and ours")
    assert [call.status for call in twin.calls.matching("PATCH")] == [412, 200]


async def test_without_a_change_indicator_nothing_is_demanded_and_the_last_write_wins(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    records = widgets(twin, 1)
    twin.world.habits.change_indicators = "none"
    things = collection(fusion)
    item = await things.find("Number = 'W-0'", subject=SUBJECT)
    assert item is not None
    assert item.etag == ""
    records.touch(records.rows[0], Title="Theirs")
    await things.versions.update(item, {"Title": "Ours"}, subject=SUBJECT)
    assert records.rows[0].values["Title"] == "Ours"


@pytest.mark.parametrize("how", ["412", "jbo"])
async def test_a_change_is_made_anew_only_so_often(twin: FusionTwin, fusion: FusionClient, how: str) -> None:
    widgets(twin, 1)
    twin.faults.set("contended", options={"as": how})
    things = collection(fusion)
    path = await things.locate("Number = 'W-0'", subject=SUBJECT)
    with pytest.raises(Contended) as told:
        await things.change(path, lambda _: {"Title": "Ours"}, subject=SUBJECT, tries=3)
    assert told.value.resolution is Resolution.RETRY
    assert len(twin.calls.matching("PATCH")) == 3


async def test_what_is_as_it_should_be_is_not_sent_and_a_stale_item_is_not_deleted(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    records = widgets(twin, 1)
    things = collection(fusion)
    path = await things.locate("Number = 'W-0'", subject=SUBJECT)
    change = await things.change(path, lambda _: None, subject=SUBJECT)
    assert not change.changes
    assert not twin.calls.matching("PATCH")
    records.touch(records.rows[0], Title="Theirs")
    with pytest.raises(Outdated):
        await things.versions.delete(change.item, subject=SUBJECT)
    assert len(records.rows) == 1
    await things.versions.delete(await things.item(path, subject=SUBJECT), subject=SUBJECT)
    assert not records.rows


async def test_nothing_that_does_not_fit_is_sent(twin: FusionTwin, fusion: FusionClient) -> None:
    widgets(twin, 1)
    things = collection(fusion)
    with pytest.raises(UnfitPayload) as told:
        await things.create({"Nmber": "W-1", "Title": "x" * 21, "parts": [{"Quantity": "two"}]}, subject="widget W-1")
    assert [(path, kind) for path, kind, _ in told.value.faults] == [
        ("/Nmber", "unknown"),
        ("/Title", "too_long"),
        ("/parts/0/Quantity", "wrong_type"),
        ("/parts/0/Code", "missing"),
        ("/Number", "missing"),
    ]
    assert told.value.resolution is Resolution.REVIEW
    path = await things.locate("Number = 'W-0'", subject=SUBJECT)
    with pytest.raises(UnfitPayload, match="cannot be changed"):
        await things.change(path, lambda _: {"Number": "W-7"}, subject=SUBJECT)
    assert not twin.calls.matching("POST", NAME)
    assert not twin.calls.matching("PATCH")


async def test_what_the_check_lets_pass_the_pod_takes_and_what_it_stops_the_pod_refuses(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    widgets(twin)
    things = collection(fusion)
    good = {"Number": "W-1", "Price": "10.50", "Since": "2026-11-20", "Active": False, "parts": [{"Code": "A"}]}
    made = await things.create(good, subject="widget W-1")
    assert (await things.item(made.path, subject="widget W-1", expand="parts")).row["parts"]["items"][0]["Code"] == "A"
    for wrong in ({"Nmber": "x"}, {"Title": "x" * 21}, {"Price": "ten"}, {"Since": "soon"}, {"Status": "Closed"}):
        body = {"Number": "W-2", **wrong}
        with pytest.raises(UnfitPayload):
            await things.check(body, subject="widget W-2")
        with pytest.raises(Rejected):
            await things._rest.create(f"fscmRestApi/resources/11.13.18.05/{NAME}", body, subject="widget W-2")


async def test_all_that_the_pod_refuses_is_told(twin: FusionTwin, fusion: FusionClient) -> None:
    widgets(twin)
    things = collection(fusion)
    with pytest.raises(Rejected) as told:
        await things._rest.create(f"fscmRestApi/resources/11.13.18.05/{NAME}", {"Nmber": "x"}, subject="a widget")
    assert len(told.value.messages) == 2


async def test_what_was_just_created_is_waited_for_and_the_caller_sees_how_long(
    twin: FusionTwin, fusion: FusionClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    widgets(twin)
    hidden, told = still_time(monkeypatch, rest), list[int]()
    twin.faults.set("late_item", path=NAME, seconds=30, count=1)
    things = collection(fusion)
    made = await things.create({"Number": "W-1"}, subject="widget W-1")

    def tell(number: int, _: float) -> None:
        told.append(number)
        hidden.now += 10

    appeared = await things.appeared(made.path, subject="widget W-1", patience=QUICK, told=tell)
    assert appeared.found.row["Number"] == "W-1"
    assert (told, appeared.asked) == ([1, 2, 3], 4)
    assert appeared.waited > 0.2


async def test_patience_ends_and_then_it_is_in_doubt_and_never_created_again(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    widgets(twin)
    twin.faults.set("late_item", path=NAME, seconds=3600)
    things = collection(fusion)
    made = await things.create({"Number": "W-1"}, subject="widget W-1")
    with pytest.raises(NotVisibleYet) as told:
        await things.appeared(made.path, subject="widget W-1", patience=Patience(limit=0.2, first=0.05, longest=0.05))
    assert told.value.resolution is Resolution.IN_DOUBT
    assert len(twin.calls.matching("POST", NAME)) == 1


async def test_a_link_that_leads_away_from_the_pod_is_not_followed(fusion: FusionClient) -> None:
    links = fusion.collection(NAME).links
    for href in ("https://elsewhere.example/fscmRestApi/x", "http://127.0.0.1:1/x", "http://127.0.0.1:none/x"):
        with pytest.raises(BadAnswer, match="away from the pod"):
            links.path(href, subject="a widget")
    base = str(fusion.connection.base_url).rstrip("/")
    assert links.path(f"{base}/fscmRestApi/x", subject="a widget") == "fscmRestApi/x"
    with pytest.raises(BadAnswer, match="no link"):
        links.own({"WidgetId": 1}, subject="a widget")


async def test_counting_is_given_up_where_the_pod_cannot_and_not_tried_again(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    widgets(twin, 7)
    things = collection(fusion)
    assert await things.count() == 7
    twin.faults.set("total_results_500")
    assert await things.count() is None
    before = twin.calls.total
    assert await things.count() is None
    assert twin.calls.total == before + 1


async def test_a_projection_that_the_pod_stumbles_over_is_left_out(twin: FusionTwin, fusion: FusionClient) -> None:
    widgets(twin, 7)
    twin.faults.set("fields_500")
    things = collection(fusion)
    rows = [row async for row in things.changed(await things.window(None), fields=("Number",))]
    assert len(rows) == 7


async def test_a_load_does_not_stumble_over_its_projection_page_by_page(twin: FusionTwin, fusion: FusionClient) -> None:
    widgets(twin, 3000)
    twin.faults.set("fields_500")
    things = collection(fusion)
    window = await things.window(None)
    for _ in range(2):
        assert len([row async for row in things.changed(window, fields=("Number",))]) == 3000
    pages = twin.calls.matching("GET", f"{NAME}$")
    assert [call.status for call in pages].count(500) == 2
    assert len(pages) == 2 * 7 + 2


async def test_one_error_in_passing_does_not_cost_the_projection(twin: FusionTwin, fusion: FusionClient) -> None:
    widgets(twin, 1500)
    things = collection(fusion)
    window = await things.window(None)
    for _ in range(3):
        twin.faults.set("fields_500", count=1)
        rows = [row async for row in things.changed(window, fields=("Number",))]
        assert len(rows) == 1500
        assert sum("Title" in row for row in rows) == 499, "one page of four"


async def test_why_a_list_is_empty_is_told_as_far_as_the_pod_lets_it_be_known(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    records = widgets(twin, 1)
    things = collection(fusion)
    assert (await things.why_empty()).reason is Reason.NO_MATCH
    records.rows.clear()
    told = await things.why_empty()
    assert (told.reason, told.proved) == (Reason.UNTOLD, False)
    assert "when there are none and when a role or data access is missing" in told.sentence
    assert (await things.why_empty(known="ledgersLOV")).reason is Reason.NO_ROWS
    assert (await things.why_empty(known="ledgersLOV/300000046975971")).proved
    assert (await things.why_empty(known="ledgersLOV/1")).reason is Reason.NO_DATA_ACCESS
    twin.faults.set("no_data")
    told = await things.why_empty(known="ledgersLOV")
    assert (told.reason, told.proved) == (Reason.NO_DATA_ACCESS, False)
    assert (await fusion.why_empty("ledgersLOV")).reason is Reason.NO_DATA_ACCESS
    twin.faults.set("no_privilege", path=NAME)
    told = await Visibility(fusion._rest).why_empty(NAME, privilege="the role Widget Clerk")
    assert told.reason is Reason.NO_PRIVILEGE
    assert "the role Widget Clerk" in told.remedy


async def test_a_resource_that_wants_a_question_proves_nothing_by_refusing_one_without(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    widgets(twin, 1)
    twin.faults.set("error", path=NAME, status=400)
    told = await collection(fusion).why_empty(never_empty=True)
    assert (told.reason, told.proved) == (Reason.UNTOLD, False)
