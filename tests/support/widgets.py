"""A resource of plain records at the pod's twin, for what every resource does."""

from datetime import timedelta

from sandbox.fusion import FusionTwin
from sandbox.fusion.records import Column, Records

NAME = "widgets"


def widgets(twin: FusionTwin, count: int = 0, *, opaque: bool = False, apart: float = 1.0) -> Records:
    """`count` records of a resource `widgets`, changed `apart` seconds one after the other, the last one just now."""
    parts = Records(
        "parts",
        "PartId",
        (Column("Code", length=10, mandatory=True), Column("Quantity", "number")),
        twin.clock.now,
        touches=lambda: twin.world.habits.children_touch_parents,
    )
    records = twin.add(
        Records(
            NAME,
            "WidgetId",
            (
                Column("Number", length=12, mandatory=True, changes="uponCreation"),
                Column("Title", length=20),
                Column("Price", "number"),
                Column("Since", "date"),
                Column("Active", "boolean", default=True),
                Column("Status", changes="never", default="Open", queryable=False),
            ),
            twin.clock.now,
            opaque=opaque,
            children=(parts,),
        )
    )
    now = twin.clock.now()
    for number in range(count):
        record = records.add(Number=f"W-{number}", Title=f"Widget {number}")
        record.values["LastUpdateDate"] = now - timedelta(seconds=apart * (count - number))
    return records
