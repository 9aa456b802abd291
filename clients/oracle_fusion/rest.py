"""Fusion's REST framework: one `q` dialect, stable paging, opaque keys (Oracle Fusion: 2.1 to 2.5).

Row-match expressions are used throughout (framework version 2 and above), so the version header is always sent.
"""

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import httpx

from clients.authentication import ClientCredentials, Secret
from clients.errors import InDoubt, Unavailable
from clients.http import UNWATCHED, VendorHttp, Watch
from clients.limiter import ALONE, Limiter, Share
from clients.oracle_fusion.errors import read_error
from contracts.configuration import FusionConnection

RESOURCES: Final = "fscmRestApi/resources/11.13.18.05"
SCHEDULER: Final = "ess/rest/scheduler/v1/requests"
PARTIES: Final = "crmRestApi/resources/11.13.18.05"
"""Where parties are; the framework is the same."""
_OF_PARTIES: Final = frozenset({"hubOrganizations", "hubPersons"})
WINDOW: Final = 60.0
"""Seconds in which `requests_per_minute` is counted."""
PAGE: Final = 499
"""The vendor's maximum is 500; 499 is reported as the largest that never loses rows."""
NOBODYS: Final = "ml-connector/no-such-reference"
"""A reference, name or number that nothing has: to see whether a question is taken, whatever it asks about."""

Row = Mapping[str, Any]


def address(resource: str) -> str:
    """The path of a resource, or of something below it."""
    return f"{PARTIES if resource.partition('/')[0] in _OF_PARTIES else RESOURCES}/{resource}"


def quoted(value: str) -> str:
    """A text literal for `q`. Control characters are refused: nothing a user typed may end the literal."""
    if any(ord(character) < 32 for character in value):
        raise ValueError("A query value holds a control character.")
    return "'" + value.replace("'", "''") + "'"


def moment_literal(moment: dt.datetime) -> str:
    """A time literal for `q`, with an explicit zone: how Fusion reads one without a zone is not documented."""
    return quoted(moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def finder(name: str, **values: str | int) -> str:
    """`Name;variable=value,...`. A comma or semicolon in a value would start the next one, so it is refused."""
    for value in values.values():
        if any(character in str(value) for character in ",;\r\n"):
            raise ValueError(f"The finder {name} cannot take the value {value!r}.")
    return f"{name};" + ",".join(f"{variable}={value}" for variable, value in values.items())


class FusionRest:
    """Reads and writes of one pod. Raises the errors of `clients.errors`."""

    def __init__(
        self,
        connection: FusionConnection,
        secret: Secret,
        transport: httpx.AsyncBaseTransport | None = None,
        watch: Watch = UNWATCHED,
        share: Share = ALONE,
    ) -> None:
        self.connection = connection
        self._auth = ClientCredentials(
            connection=connection.id,
            token_url=str(connection.oauth.token_url),
            client_id=connection.oauth.client_id,
            scope=connection.oauth.scope,
            client_auth=connection.oauth.client_auth,
            secret=secret,
            timeout=min(connection.timeout, 30.0),
            transport=transport,
        )
        self.http = VendorHttp(
            vendor="Oracle Fusion",
            connection=connection.id,
            base_url=str(connection.base_url),
            timeout=connection.timeout,
            limiter=Limiter(calls=connection.requests_per_minute, window=WINDOW, share=share),
            auth=self._auth,
            headers={
                "Accept": "application/json, application/vnd.oracle.adf.error+json",
                "REST-Framework-Version": str(connection.framework_version),
            },
            error_reader=read_error,
            watch=watch,
            transport=transport,
        )

        self._spared = set[tuple[str, str]]()
        """Paths, and what is not asked for there any more because the pod stumbles over it."""
        self._stumbled = set[str]()
        """Paths whose projection was left out once, and may have had nothing to do with it."""

    async def claims(self) -> dict[str, Any]:
        """Sign in anew, and what the access token says of who that is."""
        with self.http.preparing():
            return await self._auth.claims()

    async def aclose(self) -> None:
        await self.http.aclose()
        await self._auth.aclose()

    async def page(self, path: str, *, subject: str, params: Mapping[str, str | int | bool]) -> dict[str, Any]:
        """One collection document; `items` is always a list.

        `totalResults`, and after it the projection, are left out where the pod answers 500 because of them
        (Oracle Fusion: 2.5): the rows are what was asked for. That is remembered of a path, of its projection when it
        happened twice in a row: without it rows are many times as large.
        """
        asked = {name: value for name, value in params.items() if not self._spares(path, name, value)}
        while True:
            try:
                body = await self.http.read(path, subject=subject, params=asked)
            except Unavailable as error:
                spare = _to_spare(asked) if error.status == httpx.codes.INTERNAL_SERVER_ERROR else ""
                if not spare:
                    raise
                del asked[spare]
                continue
            self._learn(path, params, asked)
            if not isinstance(body, dict) or not isinstance(body.get("items"), list):
                raise self.http.bad_answer(subject, "the answer is not a collection")
            return body

    def _spares(self, path: str, name: str, value: object) -> bool:
        return (path, name) in self._spared and (name != "fields" or _can_be_spared(value))

    def _learn(self, path: str, wanted: Mapping[str, object], asked: Mapping[str, object]) -> None:
        """What was answered in the end, so that the next page is not asked for twice."""
        if "totalResults" in wanted and "totalResults" not in asked:
            self._spared.add((path, "totalResults"))
        if "fields" in asked:
            self._stumbled.discard(path)
        elif "fields" in wanted and path in self._stumbled:
            self._spared.add((path, "fields"))
        elif "fields" in wanted:
            self._stumbled.add(path)

    async def count(self, resource: str, *, subject: str, q: str = "") -> int | None:
        """About how many rows there are, by the pod's estimate; `None` where it does not say."""
        params: dict[str, str | int | bool] = {"limit": 1, "onlyData": True, "totalResults": True}
        if q:
            params["q"] = q
        total = (await self.page(address(resource), subject=subject, params=params)).get("totalResults")
        return total if isinstance(total, int) and not isinstance(total, bool) else None

    async def rows(
        self,
        resource: str,
        *,
        subject: str,
        order_by: str,
        q: str = "",
        finder: str = "",
        expand: str = "",
        links: bool = False,
        limit: int = PAGE,
        path: str = "",
    ) -> AsyncIterator[Row]:
        """All rows of a collection, page by page, each once. `path`: where it is, for children of an item.

        `order_by` (`A,B:desc`; ascending unless it says otherwise) must name attributes that are unique together:
        without that, pages repeat and miss rows. The end is a page shorter than the size the server says it used;
        `hasMore` alone is reported to lie.
        """
        params: dict[str, str | int | bool] = {"limit": limit}
        if order_by:
            params["orderBy"] = ",".join(part if ":" in part else f"{part}:asc" for part in order_by.split(","))
        for name, value in (("q", q), ("finder", finder), ("expand", expand)):
            if value:
                params[name] = value
        if not links:
            params["onlyData"] = True
        offset, seen = 0, set[tuple[str, ...]]()
        names = [part.partition(":")[0] for part in order_by.split(",")] if order_by else []
        while True:
            asked = {**params, "offset": offset}
            body = await self.page(path or address(resource), subject=subject, params=asked)
            for row in body["items"]:
                # Two rows may share what they are ordered by; the opaque key tells them apart, so a duplicate shows.
                key = (*(str(row.get(name)) for name in names), child_key(row))
                if not names or key not in seen:
                    seen.add(key)
                    yield row
            got = len(body["items"])
            offset += got
            if not got or (got < _whole(body.get("limit"), limit) and not body.get("hasMore")):
                return

    async def create(
        self, path: str, body: Mapping[str, Any], *, subject: str, ends: float | None = None
    ) -> dict[str, Any]:
        """POST something that must not happen twice. A success that cannot be read is `InDoubt`: it may exist.

        `ends`: moment of the event loop's clock at which the call is over.
        """
        response = await self.http.send("POST", path, subject=subject, body=body, write=True, ends=ends)
        try:
            document = response.json(parse_float=Decimal)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise InDoubt(
                self.connection.id,
                f"Oracle Fusion ({self.connection.id}) accepted {subject}, but its answer cannot be read.",
                status=response.status_code,
            )
        return document


def first(row: Row, *names: str) -> Any:
    """The first of several attributes that is there: pods and releases name some of them differently."""
    for name in names:
        if row.get(name) is not None:
            return row[name]
    return None


def text(row: Row, *names: str) -> str:
    value = first(row, *names)
    return "" if value is None else str(value)


def whole(row: Row, *names: str) -> int | None:
    """An id; it may come as a number or as text."""
    value = first(row, *names)
    try:
        return int(str(value))
    except ValueError:
        return None


def money(row: Row, *names: str) -> Decimal:
    """An amount; nothing counts as zero. It may come as a number or as text. Raises `ValueError`."""
    value = first(row, *names)
    if value is None or value == "":
        return Decimal(0)
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{names[0]} is not an amount") from None
    if not amount.is_finite():
        raise ValueError(f"{names[0]} is not an amount")
    return amount


def flag(row: Row, *names: str) -> bool:
    """Fusion writes true, "true", "Y" or "Yes"."""
    return str(first(row, *names)).strip().lower() in {"true", "y", "yes", "1"}


def day(row: Row, *names: str) -> dt.date | None:
    value = text(row, *names)[:10]
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        return None


def instant(row: Row, *names: str) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text(row, *names))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def child_key(row: Row) -> str:
    """The opaque key of a row, from its `self` link; the vendor forbids building it."""
    return str(link(row, "self").get("href", "")).rstrip("/").rsplit("/", 1)[-1]


def link(row: Row, rel: str, name: str = "") -> Row:
    """A row's link of this relation, and of this name where one is given; empty when it has none."""
    links = row.get("links")
    for one in links if isinstance(links, list) else []:
        if isinstance(one, Mapping) and one.get("rel") == rel and name in ("", one.get("name")):
            return one
    return {}


def brought(row: Row, name: str) -> tuple[list[Row], bool]:
    """Children that came with a row, and whether these are all: newer versions of the framework bring 25 at most."""
    held = row.get(name)
    if isinstance(held, list):
        return held, True
    if isinstance(held, Mapping) and isinstance(held.get("items"), list):
        return held["items"], not held.get("hasMore")
    return [], False


def _to_spare(asked: Mapping[str, object]) -> str:
    """What a read can do without; a projection with children in it is what brings them, so it stays."""
    if "totalResults" in asked:
        return "totalResults"
    return "fields" if _can_be_spared(asked.get("fields", ":")) else ""


def _can_be_spared(fields: object) -> bool:
    return ":" not in str(fields)


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) and value > 0 else default
