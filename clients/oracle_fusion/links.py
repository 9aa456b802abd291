"""Addresses from links: keys are opaque for some resources, so none is ever built (Oracle Fusion: 2.4)."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from clients.errors import NotFound, Rejected
from clients.oracle_fusion.rest import FusionRest, Row, address, link

_PORTS = {"https": 443, "http": 80}


class Links:
    """Follows the links of one pod, and no others: our token goes nowhere else."""

    def __init__(self, rest: FusionRest) -> None:
        self._rest = rest

    def path(self, href: str, *, subject: str) -> str:
        """The path of a link below the pod's address. Raises `BadAnswer` when it leads elsewhere."""
        there, here = urlsplit(href), urlsplit(str(self._rest.connection.base_url))
        if not there.scheme and not there.netloc and there.path:
            return there.path.lstrip("/")
        try:
            port = there.port
        except ValueError:
            port = -1
        other = (there.hostname or "").lower() != (here.hostname or "").lower()
        # A pod names its port or leaves it out, whichever way it was asked.
        if other or (port or _PORTS.get(there.scheme)) != (here.port or _PORTS.get(here.scheme)):
            raise self._rest.http.bad_answer(subject, "a link leads away from the pod; it was not followed")
        above = here.path.rstrip("/")
        path = there.path.removeprefix(above) if above else there.path
        return path.lstrip("/")

    def own(self, row: Row, *, subject: str) -> str:
        """The path of a row by its `self` link. Raises `BadAnswer` when it has none."""
        found = link(row, "self") or link(row, "canonical")
        href = found.get("href")
        if not isinstance(href, str) or not href:
            raise self._rest.http.bad_answer(subject, "a row has no link of its own")
        return self.path(href, subject=subject)

    def child(self, row: Row, name: str, *, subject: str) -> str:
        """The path of a row's children of this name: by their link, else below the row's own."""
        href = link(row, "child", name).get("href")
        if isinstance(href, str) and href:
            return self.path(href, subject=subject)
        return f"{self.own(row, subject=subject)}/child/{name}"

    async def find(
        self, resource: str, *, subject: str, q: str = "", finder: str = "", params: Mapping[str, str] | None = None
    ) -> tuple[str, Row] | None:
        """The one row that a question leads to, with its path; `None` when there is none.

        Raises `Rejected` when there are several: which one is meant cannot be guessed.
        """
        asked: dict[str, str | int | bool] = {"limit": 2, **(params or {})}
        asked |= {name: value for name, value in (("q", q), ("finder", finder)) if value}
        body = await self._rest.page(address(resource), subject=subject, params=asked)
        rows: list[Row] = body["items"]
        if len(rows) > 1:
            raise Rejected(
                self._rest.connection.id,
                f"Oracle Fusion ({self._rest.connection.id}) has more than one {resource} for {subject}.",
                remedy="Name it by something that only one of them has.",
            )
        return (self.own(rows[0], subject=subject), rows[0]) if rows else None

    async def locate(self, resource: str, *, subject: str, q: str = "", finder: str = "") -> str:
        """As `find`, the path alone. Raises `NotFound` when there is no such row."""
        found = await self.find(resource, subject=subject, q=q, finder=finder)
        if found is None:
            raise NotFound(
                self._rest.connection.id,
                f"Oracle Fusion ({self._rest.connection.id}) shows no {resource} for {subject}.",
            )
        return found[0]
