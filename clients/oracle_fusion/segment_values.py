"""Values of accounting segments, cost centres above all (Oracle Fusion: 4.7).

They are the children of a value set. A resource of cost centres is named by no page; where a pod has one, the settings
name it.
"""

from collections.abc import AsyncIterator, Collection, Sequence

from clients.errors import NotFound, Rejected
from clients.oracle_fusion.described import Descriptions
from clients.oracle_fusion.errors import Unordered
from clients.oracle_fusion.links import Links
from clients.oracle_fusion.names import near
from clients.oracle_fusion.rest import PAGE, FusionRest, Row, address, day, flag, quoted, text
from clients.oracle_fusion.visibility import Visibility
from contracts.master_data import SegmentValue

_CODES = ("Value", "IndependentValue", "CostCenter", "CostCenterCode", "Code")
_KEYS = ("CostCenterId", "ValueId", *_CODES)
"""What may tell rows of an unnamed resource apart: the first that it has orders them."""
_TITLES = ("Description", "TranslatedValue", "CostCenterName", "Name")


class SegmentValues:
    """Reads of one pod. Raises the errors of `clients.errors`."""

    def __init__(self, rest: FusionRest, descriptions: Descriptions) -> None:
        self._rest = rest
        self._descriptions = descriptions
        self._settings = rest.connection.value_sets
        self._links = Links(rest)
        self._visibility = Visibility(rest)

    async def cost_centers(self) -> tuple[SegmentValue, ...]:
        """All cost centres, by their value. Raises `NotFound` when the settings or the pod name none."""
        how = self._settings
        if not how.child:
            return _in_order([_value(row) for row in await self._whole(how.resource)])
        if not how.cost_centers:
            raise NotFound(
                self._rest.connection.id,
                f"Connection {self._rest.connection.id} does not say which value set holds the cost centres.",
                remedy="Set value_sets.cost_centers of the connection to the code of the value set.",
            )
        return await self.values(how.cost_centers)

    async def values(self, value_set: str) -> tuple[SegmentValue, ...]:
        """All values of a value set, by its code. Raises `NotFound` when the integration user sees no such set."""
        how, subject = self._settings, f"the value set {value_set}"
        found = await self._links.find(how.resource, subject=subject, q=f"ValueSetCode={quoted(value_set)}")
        if found is None:
            raise await self._missing(value_set)
        path = self._links.child(found[1], how.child, subject=subject)
        return _in_order([_value(row) async for row in self._rows(path, f"values of {subject}")])

    async def _whole(self, resource: str) -> list[Row]:
        """All rows of a resource whose attributes nobody knows, in the first order that the pod takes.

        Raises `Unordered` when it takes none and there is more than a page of rows.
        """
        subject, refused = "the cost centres", list[str]()
        for order in await self._orders(resource):
            try:
                rows = [row async for row in self._rest.rows(resource, subject=subject, order_by=order)]
            except Rejected:
                refused.append(order)
                continue
            break
        else:
            rows = [row async for row in self._rest.rows(resource, subject=subject, order_by="")]
            if len(rows) >= PAGE:
                raise Unordered(
                    self._rest.connection.id,
                    f"Oracle Fusion ({self._rest.connection.id}) sorts {resource} by nothing that tells its rows "
                    "apart, and there is more than a page of them. Nothing is taken for read: some would be missed.",
                    remedy="Name the value set of the cost centres instead (value_sets of the connection).",
                )
        # It was the order that was refused, and not the rows.
        for each in refused:
            await self._descriptions.refuse_sort(resource, each)
        return rows

    async def _orders(self, resource: str) -> list[str]:
        facts = await self._descriptions.known(resource)
        names: Collection[str] = facts.attributes
        if not names:
            params: dict[str, str | int | bool] = {"limit": 1, "onlyData": True}
            page = await self._rest.page(address(resource), subject="a cost centre", params=params)
            names = page["items"][0] if page["items"] else ()
        return [name for name in _KEYS if name in names and facts.sortable(name)]

    def _rows(self, path: str, subject: str) -> AsyncIterator[Row]:
        return self._rest.rows(self._settings.child, subject=subject, order_by="Value", path=path)

    async def _missing(self, value_set: str) -> NotFound:
        """Whether the name is wrong or the role is missing, as far as can be told."""
        resource = self._settings.resource
        rows = [row async for row in self._rest.rows(resource, subject="the value sets", order_by="ValueSetCode")]
        if not rows:
            why = await self._visibility.why_empty(resource, never_empty=True)
            return NotFound(self._rest.connection.id, why.sentence, remedy=why.remedy)
        likely = ", ".join(f'"{one}"' for one in near(value_set, rows, ("ValueSetCode",)))
        return NotFound(
            self._rest.connection.id,
            f'Oracle Fusion ({self._rest.connection.id}) has no value set "{value_set}" that the integration user may '
            "see.",
            remedy=f"Correct the code or give the user access. Is {likely} meant?" if likely else "Correct the code.",
        )


def _value(row: Row) -> SegmentValue:
    return SegmentValue(
        value=text(row, *_CODES),
        description=text(row, *_TITLES),
        enabled="EnabledFlag" not in row or flag(row, "EnabledFlag"),
        summary=flag(row, "SummaryFlag"),
        starts=day(row, "StartDateActive", "StartDate"),
        ends=day(row, "EndDateActive", "EndDate"),
    )


def _in_order(values: Sequence[SegmentValue]) -> tuple[SegmentValue, ...]:
    return tuple(sorted((one for one in values if one.value), key=lambda one: one.value))
