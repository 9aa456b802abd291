"""`itemsV2`, with the categories that items are assigned to (Oracle Fusion: 6.2).

An item has a row for each organization it belongs to; all have its id, so addresses are opaque.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sandbox.fusion.answers import RestError
from sandbox.fusion.masters.setup import CATALOG, ITEM_MASTER, Masters
from sandbox.fusion.records import Column, Record, Records
from sandbox.fusion.resources import Entity, Resource

CATEGORIES = "ItemCategory"
_FIRST_ITEM = 300000300000001


class Items(Records):
    """The items of all organizations."""

    masters: Masters

    def seed(self, count: int, *, organization: str = ITEM_MASTER, apart: float = 1.0, prefix: str = "SKU-") -> None:
        """`count` further items, changed `apart` seconds one after the other, the last one just now."""
        now, begin = self.now(), len(self.rows)
        for number in range(begin, begin + count):
            record = self.add(
                ItemId=_FIRST_ITEM + number,
                ItemNumber=f"{prefix}{number:05d}",
                ItemDescription=f"Item {number}",
                OrganizationCode=organization,
                OrganizationId=self.masters.organizations[organization],
            )
            record.values[self.stamp] = now - timedelta(seconds=apart * (begin + count - number))

    def assign(self, item: Record, organization: str) -> Record:
        """The item in one more organization: a row of its own, with the same id."""
        there = {"OrganizationCode": organization, "OrganizationId": self.masters.organizations[organization]}
        return self.add(**{**item.values, **there})

    def numbered(self, number: str, organization: str = ITEM_MASTER) -> list[Record]:
        """Every row of this number, usually one."""
        wanted = (number, organization)
        return [row for row in self.rows if (row.values["ItemNumber"], row.values["OrganizationCode"]) == wanted]

    def categorize(self, item: Record, code: str, name: str, catalog: str = CATALOG) -> Record:
        """Assign an item to a category."""
        assignments = self.children[0]
        return assignments.add(item, ItemCatalog=catalog, CategoryCode=code, CategoryName=name)

    def resource(self, parent: Records | None = None) -> Resource:
        found = super().resource(parent)
        return replace(
            found,
            hash_of=("ItemId", "OrganizationCode"),
            narrow=self._narrow,
            create=found.create if self.masters.habits.items_created else None,
        )

    def _narrow(self, equals: Mapping[str, str]) -> list[Entity] | None:
        """By number: a large catalog is searched item by item."""
        if (number := equals.get("ItemNumber")) is None:
            return None
        return [Entity(row.values, row) for row in self.rows if row.values["ItemNumber"] == number]

    def _create(self, above: Record | None, body: Mapping[str, Any]) -> Record:
        self._validate(body, created=True)
        masters = self.masters
        code, number = str(body["OrganizationCode"]), str(body["ItemNumber"])
        if code not in masters.organizations:
            raise RestError(400, f"The organization {code} isn't valid.", "EGP-2776010", "/OrganizationCode")
        if body.get("ItemClass") and body["ItemClass"] not in masters.item_classes:
            raise RestError(400, f"The item class {body['ItemClass']} isn't valid.", "EGP-2774001", "/ItemClass")
        if body.get("PrimaryUOMValue") and body["PrimaryUOMValue"] not in masters.units:
            raise RestError(400, "The primary unit of measure isn't valid.", "EGP-2773017", "/PrimaryUOMValue")
        if self.numbered(number, code):
            detail = f"An item with the number {number} already exists in the organization {code}."
            raise RestError(400, detail, "EGP-2775058", "/ItemNumber")
        made = super()._create(above, body)
        made.values["ItemId"] = _FIRST_ITEM + 50_000_000 + len(self.rows)
        made.values["OrganizationId"] = masters.organizations[code]
        return made


def items(now: Callable[[], datetime], masters: Masters, touches: Callable[[], bool]) -> Items:
    """The resource `itemsV2` with its child `ItemCategory`, empty."""
    assignments = Records(
        CATEGORIES,
        "ItemCategoryAssignmentId",
        (
            Column("ItemCatalog", length=30, mandatory=True, changes="uponCreation"),
            Column("CategoryCode", length=820, mandatory=True, changes="uponCreation"),
            Column("CategoryName", length=250),
            Column("StartDate", "date"),
            Column("EndDate", "date"),
        ),
        now,
        touches=touches,
    )
    found = Items(
        "itemsV2",
        "ItemId",
        (
            Column("OrganizationCode", length=18, mandatory=True, changes="uponCreation"),
            Column("OrganizationId", "integer", changes="never"),
            Column("ItemNumber", length=300, mandatory=True, changes="uponCreation"),
            Column("ItemDescription", length=240, mandatory=True),
            Column("LongDescription", length=4000),
            Column("ItemClass", length=240, default="Root Item Class"),
            Column("ItemStatusValue", length=240, default="Active"),
            Column("LifecyclePhaseValue", length=240, default="Production"),
            Column("PrimaryUOMValue", length=25, default="Each"),
            Column("CustomerOrderEnabledFlag", "boolean", default=True),
            Column("CustomerOrderFlag", "boolean", default=True),
            Column("ApprovalStatusValue", length=80, changes="never", default="Approved", queryable=False),
            Column("ListPrice", "number", queryable=False),
            Column("UnitWeightQuantity", "number", queryable=False),
        ),
        now,
        opaque=True,
        stamp=masters.habits.item_stamp,
        children=(assignments,),
        touches=touches,
    )
    found.masters = masters
    return found
