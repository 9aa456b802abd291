"""Value sets, whose values are the segments of accounts: cost centres among them (Oracle Fusion: 4.7)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sandbox.fusion.demo_world import COST_CENTERS, EU_ENTITY, NATURAL_ACCOUNTS, PRODUCTS, US_ENTITY
from sandbox.fusion.masters.setup import MasterHabits
from sandbox.fusion.records import Column, Record, Records
from sandbox.fusion.resources import Entity, Resource

VALUES = "values"
COST_CENTER_SET = "Operations costCenter"
NAMES = {
    "company": {US_ENTITY: "Example Stores Inc.", EU_ENTITY: "Example Stores GmbH"},
    "costCenter": {"000": "No cost centre", "110": "Web shop US", "120": "Web shop EU"},
    "account": {},
    "product": {},
}


def value_sets(now: Callable[[], datetime], touches: Callable[[], bool]) -> Records:
    """The resource `valueSets` with its child `values`, filled for the demo's chart of accounts."""
    values = Records(
        VALUES,
        "ValueId",
        (
            Column("Value", length=150, mandatory=True, changes="uponCreation"),
            Column("IndependentValue", length=150, changes="uponCreation"),
            Column("Description", length=240),
            Column("EnabledFlag", length=1, default="Y"),
            Column("StartDateActive", "date"),
            Column("EndDateActive", "date"),
            Column("SortOrder", "integer"),
            Column("SummaryFlag", length=1, default="N"),
        ),
        now,
        opaque=True,
        touches=touches,
    )
    sets = Records(
        "valueSets",
        "ValueSetId",
        (
            Column("ValueSetCode", length=60, mandatory=True, changes="uponCreation"),
            Column("Description", length=240),
            Column("ValidationType", length=30, default="INDEPENDENT", changes="uponCreation"),
            Column("ValueDataType", length=30, default="VARCHAR2", changes="uponCreation"),
            Column("MaximumLength", "integer", default=25),
        ),
        now,
        opaque=True,
        children=(values,),
    )
    codes = {"company": (US_ENTITY, EU_ENTITY), "costCenter": COST_CENTERS}
    codes |= {"account": tuple(NATURAL_ACCOUNTS), "product": PRODUCTS}
    for segment, known in codes.items():
        held: Record = sets.add(ValueSetCode=f"Operations {segment}", Description=f"Values of {segment}")
        for code in known:
            values.add(held, Value=code, Description=NAMES[segment].get(code))
    return sets


def cost_centers(sets: Records, habits: MasterHabits) -> list[Resource]:
    """The resource `costCenters`, at pods that have one: the values of the cost centres' set, named otherwise."""
    if habits.cost_centers != "resource":
        return []
    held = next(row for row in sets.rows if row.values["ValueSetCode"] == COST_CENTER_SET)

    def rows(_: object) -> list[Entity]:
        return [
            Entity(
                {
                    "CostCenterId": value.values["ValueId"],
                    "CostCenterCode": value.values["Value"],
                    "CostCenterName": value.values["Description"],
                    "EnabledFlag": value.values["EnabledFlag"] == "Y",
                    "StartDate": value.values["StartDateActive"],
                    "EndDate": value.values["EndDateActive"],
                }
            )
            for value in held.children.get(VALUES, [])
        ]

    names = ("CostCenterId", "CostCenterCode", "CostCenterName", "EnabledFlag", "StartDate", "EndDate")
    return [Resource("costCenters", names, rows, "CostCenterId")]
