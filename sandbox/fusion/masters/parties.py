"""`hubOrganizations` below `crmRestApi`: organizations, their addresses and source references (Oracle Fusion: 6.3)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sandbox.fusion.answers import RestError
from sandbox.fusion.masters.references import ReferenceRefusedError, References
from sandbox.fusion.masters.setup import Masters
from sandbox.fusion.records import Column, Record, Records
from sandbox.fusion.resources import Entity, Resource

ORGANIZATIONS, ADDRESSES, REFERENCES = "hubOrganizations", "Address", "SourceSystemReference"
PARTY, PARTY_SITE = "HZ_PARTIES", "HZ_PARTY_SITES"
SYSTEM, VALUE = "SourceSystem", "SourceSystemReferenceValue"
_NESTED = (f"{REFERENCES}.{SYSTEM}", f"{REFERENCES}.{VALUE}")


class SourceReferences(Records):
    """What an organization is called elsewhere."""

    known: References

    def _create(self, above: Record | None, body: Mapping[str, Any]) -> Record:
        self._validate(body, created=True)
        system, value = str(body.get(SYSTEM) or ""), str(body.get(VALUE) or "")
        _checked(self.known, PARTY, system, value)
        made = super()._create(above, body)
        assert above is not None  # noqa: S101 - children have a parent
        self.known.keep(PARTY, system, value, above.values["PartyId"])
        return made


class Addresses(Records):
    """Addresses are party sites with their locations."""

    known: References
    masters: Masters

    def resource(self, parent: Records | None = None) -> Resource:
        return replace(super().resource(parent), key="AddressNumber")

    def _create(self, above: Record | None, body: Mapping[str, Any]) -> Record:
        self._validate(body, created=True)
        system, value = str(body.get(SYSTEM) or ""), str(body.get(VALUE) or "")
        if system or value:
            _checked(self.known, PARTY_SITE, system, value)
        made = super()._create(above, body)
        party_site_id = self.number(made)
        if value:
            self.known.keep(PARTY_SITE, system, value, party_site_id)
        return made

    def number(self, made: Record) -> int:
        """Give a new address its ids; the party site's is returned."""
        party_site_id: int = made.values["AddressId"]
        made.values["AddressNumber"] = made.values.get("AddressNumber") or f"CDRM_{party_site_id % 10**9}"
        if self.masters.habits.party_site_id == "PartySiteId":
            made.values |= {"PartySiteId": party_site_id, "AddressId": party_site_id + 5 * 10**11}
        return party_site_id


class Organizations(Records):
    """The organizations of the trading community."""

    known: References
    masters: Masters
    addresses: Addresses
    references: SourceReferences
    sequence: itertools.count[int]

    def enter(self, party_id: int, name: str) -> Record:
        """An organization that is there from the start, without a reference."""
        made = self.add(PartyId=party_id, PartyNumber=str(party_id), OrganizationName=name)
        made.values["Status"] = "A"
        return made

    def settle(self, party: Record, country: str) -> int:
        """An address of an organization from the start; the party site's id."""
        return self.addresses.number(self.addresses.add(party, Country=country, Address1="1 Main Street"))

    def identified(self, party_id: int) -> Record | None:
        return next((row for row in self.rows if row.values["PartyId"] == party_id), None)

    def site_ids(self, party: Record) -> set[int]:
        """Ids of the party sites of an organization."""
        shown = self.masters.habits.party_site_id
        rows = party.children.get(ADDRESSES, [])
        return {row.values[shown] or row.values["AddressId"] for row in rows}

    def referred(self, value: str) -> list[Record]:
        """Every organization with this reference, in whatever system: the truth."""
        return [row for row in self.rows if any(one.values[VALUE] == value for one in row.children.get(REFERENCES, []))]

    def resource(self, parent: Records | None = None) -> Resource:
        habits = self.masters.habits

        def rows(above: Any) -> list[Entity]:
            return [self._shown(record) for record in self.rows]

        def may_query(attribute: str) -> bool:
            if attribute in _NESTED:
                return habits.party_query == "child"
            return attribute not in (SYSTEM, VALUE) or habits.party_query != "none"

        return replace(super().resource(parent), key="PartyNumber", rows=rows, nested=_NESTED, may_query=may_query)

    def _shown(self, record: Record) -> Entity:
        below = record.children.get(REFERENCES, [])
        values = dict(record.values)
        if below and self.masters.habits.party_query == "attribute":
            values |= {SYSTEM: below[0].values[SYSTEM], VALUE: below[0].values[VALUE]}
        nested = {f"{REFERENCES}.{name}": tuple(one.values[name] for one in below) for name in (SYSTEM, VALUE)}
        return Entity(values, record, nested)

    def _create(self, above: Record | None, body: Mapping[str, Any]) -> Record:
        self._validate(body, created=True)
        self._check_number(body.get("PartyNumber"))
        # All or nothing: what is below is looked at before anything is kept.
        own = [body] if body.get(VALUE) else []
        for row in [*own, *body.get(REFERENCES, ())]:
            _checked(self.known, PARTY, str(row.get(SYSTEM) or ""), str(row.get(VALUE) or ""))
        for row in body.get(ADDRESSES, ()):
            self.addresses._validate(row, created=True)
            if row.get(VALUE):
                _checked(self.known, PARTY_SITE, str(row.get(SYSTEM) or ""), str(row[VALUE]))
        made = super()._create(above, {name: value for name, value in body.items() if name not in (SYSTEM, VALUE)})
        made.values["Status"] = "A"
        made.values["PartyNumber"] = made.values["PartyNumber"] or f"CDRM_{next(self.sequence)}"
        for row in own:
            self.references._create(made, {SYSTEM: row[SYSTEM], VALUE: row[VALUE]})
        return made

    def _check_number(self, number: object) -> None:
        if self.masters.habits.party_numbers == "automatic":
            if number:
                raise RestError(
                    400, "The party number is generated; you can't enter it.", "HZ_PARTY_NUM_AUTO", "/PartyNumber"
                )
        elif not number:
            raise RestError(400, "The party number is required.", "HZ_PARTY_NUM_REQUIRED", "/PartyNumber")
        elif any(row.values["PartyNumber"] == number for row in self.rows):
            detail = "A party with this party number already exists."
            raise RestError(400, detail, "HZ_PARTY_NUM_DUPLICATE", "/PartyNumber")


def _checked(known: References, kind: str, system: str, value: str) -> None:
    try:
        known.check(kind, system, value)
    except ReferenceRefusedError as refused:
        raise RestError(400, refused.sentence, refused.code, f"/{refused.attribute}") from refused


def organizations(now: Callable[[], datetime], masters: Masters, known: References) -> Organizations:
    """The resource `hubOrganizations` with its children, empty."""
    reference = (Column(SYSTEM, length=30, changes="uponCreation"), Column(VALUE, length=255, changes="uponCreation"))
    module = Column("CreatedByModule", length=30, default="HZ_WS", changes="uponCreation")
    addresses = Addresses(
        ADDRESSES,
        "AddressId",
        (
            Column("AddressNumber", length=30, changes="uponCreation"),
            Column("PartySiteId", "integer", changes="never"),
            *reference,
            Column("Country", length=2, mandatory=True),
            *(Column(f"Address{number}", length=240) for number in range(1, 5)),
            *(Column(name, length=60) for name in ("City", "County", "State", "Province", "PostalCode")),
            Column("PartySiteName", length=240),
            module,
        ),
        now,
    )
    references = SourceReferences(
        REFERENCES,
        "SourceSystemReferenceId",
        (
            Column(SYSTEM, length=30, mandatory=True, changes="uponCreation"),
            Column(VALUE, length=255, mandatory=True, changes="uponCreation"),
            Column("Status", length=1, default="A"),
            module,
        ),
        now,
    )
    found = Organizations(
        ORGANIZATIONS,
        "PartyId",
        (
            Column("PartyNumber", length=30, changes="uponCreation"),
            Column("OrganizationName", length=360, mandatory=True),
            Column("Status", length=1, changes="never"),
            *reference,
            module,
            Column("PartyUsageCode", length=30, changes="uponCreation"),
        ),
        now,
        children=(addresses, references),
    )
    addresses.known = references.known = found.known = known
    addresses.masters = found.masters = masters
    found.addresses, found.references = addresses, references
    found.sequence = itertools.count(100001)
    return found
