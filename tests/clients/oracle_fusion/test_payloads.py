"""Documents against descriptions: every fault at once, each with its path, and never a value."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from clients.oracle_fusion.described import ResourceFacts, read_description
from clients.oracle_fusion.payloads import payload_faults

DESCRIBED = {
    "attributes": [
        {"name": "Id", "type": "integer", "mandatory": True, "updatable": False, "queryable": True},
        {"name": "Name", "type": "string", "mandatory": True, "updatable": True, "maxLength": "5"},
        {"name": "Code", "type": "string", "mandatory": True, "updatable": False, "allowChanges": "uponCreation"},
        {"name": "Kind", "type": "string", "mandatory": True, "updatable": True, "hasDefaultValueExpression": True},
        {"name": "Amount", "type": "number", "updatable": True, "precision": 7, "scale": 2},
        {"name": "Any", "type": "number", "updatable": True, "precision": 0, "scale": -127},
        {"name": "Count", "type": "integer", "updatable": True},
        {"name": "Day", "type": "date", "updatable": True},
        {"name": "At", "type": "datetime", "updatable": True},
        {"name": "Open", "type": "boolean", "updatable": True},
        {"name": "Stamp", "type": "datetime", "updatable": False, "allowChanges": "never"},
    ],
    "children": {
        "lines": {"attributes": [{"name": "Text", "type": "string", "updatable": True, "precision": 3}]},
        "things": {"attributes": [{"name": "__FLEX_Context", "type": "string", "updatable": True}]},
    },
    "collection": {
        "actions": [{"name": "create"}],
        "finders": [{"name": "PrimaryKey", "attributes": [{"name": "Id"}]}],
    },
}
GOOD = {"Name": "Ada", "Code": "A"}


@pytest.fixture
def facts() -> ResourceFacts:
    return read_description("orders", DESCRIBED, dt.datetime(2026, 11, 20, tzinfo=dt.UTC))


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"Amount": Decimal("12345.67")},
        {"Amount": "12345.6"},
        {"Amount": 0},
        {"Any": "123456789012.123456789"},
        {"Count": "7"},
        {"Day": dt.date(2026, 1, 1), "At": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)},
        {"Day": "2026-01-01", "At": "2026-01-01T10:00:00-05:00"},
        {"Open": True, "Count": None},
        {"lines": [{"Text": "abc"}], "things": [{"__FLEX_Context": "X", "ownSegment": 1}]},
        {"lines": {"items": [{"Text": "abc"}]}},
    ],
)
def test_what_fits_has_no_faults(facts: ResourceFacts, more: dict[str, Any]) -> None:
    assert payload_faults(facts, GOOD | more) == ()


@pytest.mark.parametrize(
    ("more", "path", "kind"),
    [
        ({"Nmae": "x"}, "/Nmae", "unknown"),
        ({"Name": "Adelaide"}, "/Name", "too_long"),
        ({"Name": 7}, "/Name", "wrong_type"),
        ({"Name": None}, "/Name", "missing"),
        ({"Amount": "123456.78"}, "/Amount", "too_long"),
        ({"Amount": "1.234"}, "/Amount", "too_long"),
        ({"Amount": True}, "/Amount", "wrong_type"),
        ({"Count": "7.5"}, "/Count", "wrong_type"),
        ({"Day": "01.01.2026"}, "/Day", "wrong_type"),
        ({"Day": "2026-01-01T00:00:00Z"}, "/Day", "wrong_type"),
        ({"At": "2026-01-01T00:00:00"}, "/At", "wrong_type"),
        ({"Open": "Y"}, "/Open", "wrong_type"),
        ({"Stamp": "2026-01-01T00:00:00Z"}, "/Stamp", "not_updatable"),
        ({"lines": [{"Text": "abc"}, {"Text": "abcd"}]}, "/lines/1/Text", "too_long"),
        ({"lines": "abc"}, "/lines", "wrong_type"),
        ({"lines": ["abc"]}, "/lines/0", "wrong_type"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(
    facts: ResourceFacts, more: dict[str, Any], path: str, kind: str
) -> None:
    (fault,) = payload_faults(facts, GOOD | more)
    assert (fault.path, fault.kind.value) == (path, kind)
    assert "Adelaide" not in fault.sentence


def test_all_faults_come_at_once_and_a_mistyped_name_says_what_is_near(facts: ResourceFacts) -> None:
    faults = payload_faults(facts, {"Nmae": "x", "Amount": "ten", "lines": [{"Txt": 1}]})
    assert [fault.path for fault in faults] == ["/Nmae", "/Amount", "/lines/0/Txt", "/Name", "/Code"]
    assert "Is Name meant?" in faults[0].sentence


def test_a_change_needs_no_mandatory_attributes_and_may_not_touch_fixed_ones(facts: ResourceFacts) -> None:
    assert payload_faults(facts, {"Amount": 1}, "update") == ()
    faults = payload_faults(facts, {"Code": "B", "Id": 1, "Name": None}, "update")
    assert [(fault.path, fault.kind.value) for fault in faults] == [
        ("/Code", "not_updatable"),
        ("/Id", "not_updatable"),
        ("/Name", "missing"),
    ]


def test_a_description_that_is_wrong_of_a_pod_can_be_excepted_and_a_missing_one_forbids_nothing(
    facts: ResourceFacts,
) -> None:
    wrong = GOOD | {"lines": [{"Text": "abcd"}], "Name": "Adelaide"}
    assert [fault.path for fault in payload_faults(facts, wrong, but=["/lines/Text"])] == ["/Name"]
    nothing = ResourceFacts(resource="orders", described=False, read_at=facts.read_at)
    assert payload_faults(nothing, wrong) == ()


def test_descriptions_survive_being_kept_as_text(facts: ResourceFacts) -> None:
    assert ResourceFacts.model_validate_json(facts.model_dump_json()) == facts
    assert facts.attributes["Name"].max_length == 5
    assert facts.finders[0].variables == ("Id",)
    assert facts.actions == ("create",)
