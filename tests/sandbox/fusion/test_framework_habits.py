"""What pods do differently, or is documented nowhere: the twin does it either way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.fusion_pod import RESOURCES, Pod
from support.widgets import NAME, widgets


async def one(pod: Pod) -> Any:
    (row,) = await pod.items(NAME)
    return await pod.http.get(f"{RESOURCES}/{NAME}/{row['WidgetId']}")


@pytest.mark.parametrize(
    ("shown", "header", "link"),
    [("both", True, True), ("header", True, False), ("link", False, True), ("none", False, False)],
)
async def test_a_version_is_in_the_header_or_in_the_link_or_nowhere(
    pod: Pod, shown: Any, header: bool, link: bool
) -> None:
    widgets(pod.twin, 1)
    pod.twin.world.habits.change_indicators = shown
    answer = await one(pod)
    own = next(each for each in answer.json()["links"] if each["rel"] == "self")
    assert ("etag" in answer.headers, "properties" in own) == (header, link)
    assert answer.headers.get("etag", '"ACED0005').startswith('"ACED0005')


async def test_a_stale_version_is_412_and_changes_nothing(pod: Pod) -> None:
    records = widgets(pod.twin, 1)
    answer = await one(pod)
    pod.twin.clock.advance(1)
    records.touch(records.rows[0], Title="Theirs")
    condition = {"If-Match": answer.headers["etag"]}
    for method, body in (("PATCH", {"Title": "Ours"}), ("DELETE", None)):
        refused = await pod.http.request(method, answer.request.url, json=body, headers=condition)
        assert refused.status_code == 412
    assert records.rows[0].values["Title"] == "Theirs"
    fresh = (await one(pod)).headers["etag"]
    changed = await pod.http.patch(answer.request.url, json={"Title": "Ours"}, headers={"If-Match": fresh})
    assert (changed.status_code, changed.headers["etag"] != fresh) == (200, True)
    unconditional = await pod.http.patch(answer.request.url, json={"Title": "Last"})
    assert unconditional.status_code == 200


async def test_what_cannot_be_changed_has_no_version(pod: Pod) -> None:
    (row,) = await pod.items("ledgersLOV", limit=1)
    answer = await pod.http.get(f"{RESOURCES}/ledgersLOV/{row['LedgerId']}")
    assert "etag" not in answer.headers


async def test_all_faults_of_a_document_are_told_with_their_places(pod: Pod) -> None:
    widgets(pod.twin)
    answer = await pod.http.post(f"{RESOURCES}/{NAME}", json={"Nmber": "x", "Title": "x" * 21, "Price": "ten"})
    assert answer.status_code == 400
    assert [(each["o:errorCode"], each["o:errorPath"]) for each in answer.json()["o:errorDetails"]] == [
        ("JBO-25009", "/Nmber"),
        ("JBO-27010", "/Title"),
        ("JBO-25009", "/Price"),
        ("JBO-27014", "/Number"),
    ]


async def test_a_description_tells_what_cannot_be_asked_for_or_keeps_it_to_itself(pod: Pod) -> None:
    widgets(pod.twin, 1)
    habits = pod.twin.world.habits
    habits.not_queryable[NAME], habits.secretly_not_queryable[NAME] = ["Title"], ["Price"]
    habits.not_sortable[NAME] = ["Number"]
    facts = (await pod.get(f"{NAME}/describe")).json()["Resources"][NAME]["attributes"]
    queryable = {each["name"]: each["queryable"] for each in facts}
    assert (queryable["Title"], queryable["Price"], queryable["Number"]) == (False, True, True)
    for wanted in ({"q": "Title = 'x'"}, {"q": "Price = 1"}, {"orderBy": "Number:asc"}):
        assert (await pod.get(NAME, **wanted)).status_code == 400, wanted


async def test_times_have_the_users_offset_and_a_literal_without_one_is_read_in_either_zone(pod: Pod) -> None:
    records = widgets(pod.twin, 1)
    habits = pod.twin.world.habits
    habits.session_offset = -5.0
    (row,) = await pod.items(NAME)
    assert row["LastUpdateDate"].endswith("-05:00")
    moment = records.rows[0].values["LastUpdateDate"]
    later = (moment + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")
    found = {}
    for zone in ("utc", "session"):
        habits.plain_literals = zone  # type: ignore[assignment]
        found[zone] = len(await pod.items(NAME, q=f"LastUpdateDate < '{later}'"))
        assert len(await pod.items(NAME, q=f"LastUpdateDate < '{later}Z'")) == 1, "an offset leaves nothing open"
    assert found == {"utc": 1, "session": 1}
    earlier = (moment - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")
    habits.plain_literals = "session"
    assert len(await pod.items(NAME, q=f"LastUpdateDate < '{earlier}'")) == 1
    habits.plain_literals = "utc"
    assert len(await pod.items(NAME, q=f"LastUpdateDate < '{earlier}'")) == 0


async def test_a_new_item_may_not_be_there_yet_and_a_missing_privilege_is_403(pod: Pod) -> None:
    widgets(pod.twin)
    pod.twin.faults.set("late_item", path=NAME, seconds=60, count=1)
    made = await pod.http.post(f"{RESOURCES}/{NAME}", json={"Number": "W-1"})
    assert made.status_code == 201
    assert (await pod.http.get(made.headers["location"])).status_code == 404
    pod.twin.faults.set("no_privilege", path=NAME)
    assert (await pod.get(NAME)).status_code == 403
    assert (await pod.get("ledgersLOV")).status_code == 200


async def test_value_sets_have_opaque_keys_and_their_values_can_be_read_and_created(pod: Pod) -> None:
    (held,) = await pod.items("valueSets", q="ValueSetCode='Operations costCenter'")
    href = next(each["href"] for each in held["links"] if each["rel"] == "child")
    assert str(held["ValueSetId"]) not in href
    made = await pod.http.post(href, json={"Value": "130", "Description": "Web shop CA"})
    assert made.status_code == 201
    values = (await pod.http.get(href, params={"orderBy": "Value:asc"})).json()["items"]
    assert [row["Value"] for row in values] == ["000", "110", "120", "130"]


async def test_the_root_lists_every_resource(pod: Pod) -> None:
    widgets(pod.twin)
    names = (await pod.get("describe")).json()["Resources"]
    assert {NAME, "ledgersLOV", "valueSets", "receivablesInvoices"} <= set(names)
