"""Organizations and their addresses, by REST (Oracle Fusion: 6.3).

Whether a pod can be asked for a source reference is not documented and was seen refused. So there are several ways to
look, and the first that a pod takes is remembered: by the reference, by that of a child, by the number that we gave,
by the name. Whatever a way brings is compared here, with the references that the party itself shows.
"""

import datetime as dt
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from clients.errors import NotFound, Rejected
from clients.oracle_fusion.collection import Collection
from clients.oracle_fusion.described import Descriptions
from clients.oracle_fusion.rest import NOBODYS, PARTIES, FusionRest, Row, brought, instant, quoted, text, whole
from clients.oracle_fusion.windows import OVERLAP, Feed, Window
from contracts.master_data import Party, PartySite, PostalAddress

ORGANIZATIONS: Final = "hubOrganizations"
ADDRESSES: Final = "Address"
SOURCE_REFERENCES: Final = "SourceSystemReference"
_FEED: Final = Feed(resource=ORGANIZATIONS, key="PartyId")
_OWN: Final = ("PartyNumber", "OrganizationName", "Status")
_LINES: Final = ("Address1", "Address2", "Address3", "Address4")
_OF_REFERENCES: Final = ("SourceSystem", "SourceSystemReferenceValue", "Status")


class Parties:
    """Looks and creates. Nothing here changes what exists."""

    def __init__(self, rest: FusionRest, descriptions: Descriptions) -> None:
        self._rest = rest
        self._settings = rest.connection.customers
        self._organizations = Collection(rest, descriptions, _FEED)
        self._refused = set[str]()
        """Ways to ask that this pod does not take."""

    # Reading

    async def find(self, reference: str, name: str, number: str, *, subject: str) -> tuple[Party, ...]:
        """Every organization that carries the reference in our source system.

        `name` and `number` (empty where numbers are the pod's) are other ways to come upon it; they prove nothing.

        Nothing found is an answer only where the pod took the questions: raises `Rejected` when it took none, or
        declined one of them for what it asks about.
        """
        system = self._settings.source_system
        found: dict[int, Party] = {}
        taken, declined = False, None
        for way, q in self._ways(reference, name, number).items():
            if not q or way in self._refused:
                continue
            try:
                rows = [row async for row in self._rows(q, subject)]
            except Rejected as refusal:
                if not await self._takes(way, subject):
                    self._refused.add(way)
                elif declined is None:
                    declined = refusal
                continue
            taken = True
            for row in rows:
                party = await self._whole(row, subject)
                if (system, reference) in party.references:
                    found[party.party_id] = party
            if found:
                # None is no answer yet: the attributes of the party's own row may be there, and empty.
                return tuple(found.values())
        if declined is not None or not taken:
            raise self._unanswered(subject, declined)
        return ()

    async def numbered(self, number: str, *, subject: str) -> Party | None:
        """The organization of a number, whatever its reference; `None` when there is none."""
        rows = [row async for row in self._rows(f"PartyNumber={quoted(number)}", subject)]
        fits = [row for row in rows if text(row, "PartyNumber") == number]
        return await self._whole(fits[0], subject) if fits else None

    async def identified(self, party_id: int, *, subject: str) -> Party | None:
        """The organization of an id; `None` when the integration user sees none."""
        rows = [row async for row in self._rows(f"PartyId={party_id}", subject)]
        fits = [row for row in rows if whole(row, "PartyId") == party_id]
        return await self._whole(fits[0], subject) if fits else None

    async def seen(self) -> bool:
        """Whether the integration user sees any organization at all: every pod has some, its legal entities."""
        body = await self._rest.page(
            f"{PARTIES}/{ORGANIZATIONS}", subject="an organization", params={"limit": 1, "onlyData": True}
        )
        return bool(body["items"])

    async def window(
        self, since: dt.datetime | None, *, overlap: dt.timedelta = OVERLAP, longest: dt.timedelta | None = None
    ) -> Window:
        """From a watermark to now by the pod's clock (`ChangedRows.window`)."""
        return await self._organizations.window(since, overlap=overlap, longest=longest)

    async def changed(self, window: Window) -> AsyncIterator[Party]:
        """Organizations whose stamp lies in the window (`ChangedRows.read`), one by one, with their references."""
        facts = await self._organizations.facts()
        below = facts.at(SOURCE_REFERENCES)
        wanted = (*_OWN, "SourceSystem", "SourceSystemReferenceValue")
        rows = self._organizations.changed(
            window,
            fields=tuple(name for name in wanted if facts.has(name)),
            children={SOURCE_REFERENCES: _OF_REFERENCES} if below is not None and below.has("Status") else None,
        )
        async for row in rows:
            known, _ = brought(row, SOURCE_REFERENCES)
            yield self._party(row, _references(known), "changes of organizations")

    async def sites(self, party_number: str, *, subject: str) -> tuple[PartySite, ...]:
        """All addresses of an organization; expanded rows bring 25 at most, so they are read by themselves."""
        rows = self._rest.rows(
            ADDRESSES, subject=subject, order_by="AddressNumber", path=f"{self._path(party_number)}/child/{ADDRESSES}"
        )
        return tuple([self._site(row, subject) async for row in rows])

    # Creating

    async def create(
        self,
        reference: str,
        name: str,
        number: str,
        addresses: Sequence[tuple[str, PostalAddress]],
        *,
        subject: str,
        ends: float | None = None,
    ) -> Party:
        """Create an organization with addresses. A lost answer is `InDoubt`: look before anything is sent again."""
        body: dict[str, Any] = {
            "OrganizationName": name,
            "CreatedByModule": self._settings.created_by,
            SOURCE_REFERENCES: [self._reference(reference)],
        }
        if number:
            body["PartyNumber"] = number
        if addresses:
            body[ADDRESSES] = [self._address(known, place) for known, place in addresses]
        made = await self._organizations.create(body, subject=subject, ends=ends)
        return self._party(made.row, ((self._settings.source_system, reference),), subject)

    async def add_site(
        self, party_number: str, reference: str, place: PostalAddress, *, subject: str, ends: float | None = None
    ) -> PartySite:
        """Add an address to an organization. A lost answer is `InDoubt`."""
        made = await self._organizations.create(
            self._address(reference, place),
            subject=subject,
            ends=ends,
            within=self._path(party_number),
            child=ADDRESSES,
        )
        return self._site(made.row, subject)

    def _ways(self, reference: str, name: str, number: str) -> dict[str, str]:
        """The questions that may lead to an organization, the surest first; empty where there is nothing to ask."""
        system = self._settings.source_system
        return {
            "reference": f"SourceSystem={quoted(system)} and SourceSystemReferenceValue={quoted(reference)}",
            "child": f"{SOURCE_REFERENCES}.SourceSystem={quoted(system)} and "
            f"{SOURCE_REFERENCES}.SourceSystemReferenceValue={quoted(reference)}",
            "number": f"PartyNumber={quoted(number)}" if number else "",
            "name": f"OrganizationName={quoted(name)}",
        }

    async def _takes(self, way: str, subject: str) -> bool:
        """Whether the pod takes this way for a value that nobody has; else only what was asked about is at fault.

        Raises `Rejected` when it takes no question at all: no way is to blame then.
        """
        await self.seen()
        q = self._ways(NOBODYS, NOBODYS, NOBODYS)[way]
        params: dict[str, str | int | bool] = {"q": q, "limit": 1, "onlyData": True}
        try:
            await self._rest.page(f"{PARTIES}/{ORGANIZATIONS}", subject=subject, params=params)
        except Rejected:
            return False
        return True

    def _unanswered(self, subject: str, refusal: Rejected | None) -> Rejected:
        """Somebody may be there: what could not be asked for must not be taken for missing, and created once more."""
        pod = f"Oracle Fusion ({self._rest.connection.id})"
        if refusal is None:
            return Rejected(
                self._rest.connection.id,
                f"{pod} takes none of the questions by which an organization can be found, so nobody knows whether "
                f"{subject} exists. Nothing was created.",
                remedy="Let SourceSystemReferenceValue or OrganizationName of hubOrganizations be asked for, or give "
                "numbers (customers.party_numbers of the connection), then retry.",
            )
        return Rejected(
            self._rest.connection.id,
            f"{pod} declined a question for {subject}, so nobody knows whether it exists. Nothing was created. "
            f"{refusal.sentence}",
            remedy="See whether the organization is in Fusion with this name; if it is, give it the source reference "
            "there. Otherwise correct its name, then retry.",
            status=refusal.status,
            code=refusal.code,
            messages=refusal.messages,
        )

    def _path(self, party_number: str) -> str:
        """The key is the number, which people may have made up: nothing else may come into the path with it."""
        if not party_number.strip("."):
            raise self._rest.http.bad_answer("an organization", "its number cannot be part of an address")
        return f"{PARTIES}/{ORGANIZATIONS}/{quote(party_number, safe='')}"

    def _rows(self, q: str, subject: str) -> AsyncIterator[Row]:
        return self._rest.rows(ORGANIZATIONS, subject=subject, order_by="PartyId", q=q)

    async def _whole(self, row: Row, subject: str) -> Party:
        """A party with all its references: its own row shows none or one of them."""
        number = text(row, "PartyNumber")
        path = f"{self._path(number)}/child/{SOURCE_REFERENCES}"
        try:
            below = [one async for one in self._rest.rows(SOURCE_REFERENCES, subject=subject, order_by="", path=path)]
        except NotFound:
            # Shown in the list already, and not by its address yet.
            below = []
        return self._party(row, _references(below), subject)

    def _party(self, row: Row, references: tuple[tuple[str, str], ...], subject: str) -> Party:
        party_id, number = whole(row, "PartyId"), text(row, "PartyNumber")
        if party_id is None or not number:
            raise self._rest.http.bad_answer(subject, "an organization has no id or no number")
        own = (text(row, "SourceSystem"), text(row, "SourceSystemReferenceValue"))
        return Party(
            party_id=party_id,
            party_number=number,
            name=text(row, "OrganizationName"),
            active=text(row, "Status") in ("", "A"),
            references=tuple(dict.fromkeys([*references, *([own] if own[1] else [])])),
            changed_at=instant(row, "LastUpdateDate"),
        )

    def _site(self, row: Row, subject: str) -> PartySite:
        """Newer pods show the party site's id by name; the address's own id is the same."""
        party_site_id = whole(row, "PartySiteId", "AddressId")
        if party_site_id is None:
            raise self._rest.http.bad_answer(subject, "an address has no id")
        return PartySite(
            party_site_id=party_site_id,
            reference=text(row, "SourceSystemReferenceValue"),
            source_system=text(row, "SourceSystem"),
            country=text(row, "Country"),
            city=text(row, "City"),
            postal_code=text(row, "PostalCode"),
            state=text(row, "State"),
            lines=tuple(line for name in _LINES if (line := text(row, name))),
        )

    def _reference(self, reference: str) -> Mapping[str, str]:
        return {"SourceSystem": self._settings.source_system, "SourceSystemReferenceValue": reference}

    def _address(self, reference: str, place: PostalAddress) -> dict[str, str]:
        lines = {
            "Country": place.country,
            "Address1": place.line_1,
            "Address2": place.line_2,
            "Address3": place.line_3,
            "City": place.city,
            "State": place.state,
            "PostalCode": place.postal_code,
        }
        return {**{name: line for name, line in lines.items() if line}, **self._reference(reference)}


def _references(rows: Iterable[Row]) -> tuple[tuple[str, str], ...]:
    """Source systems and references that are in use."""
    return tuple(
        (text(one, "SourceSystem"), text(one, "SourceSystemReferenceValue"))
        for one in rows
        if text(one, "Status") in ("", "A")
    )
