"""Fusion's REST framework: one `q` dialect, stable paging, opaque keys (Oracle Fusion: 2.1 to 2.5).

Row-match expressions are used throughout (framework version 2 and above), so the version header is always sent.
"""

import datetime as dt
from collections.abc import AsyncIterator, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import httpx

from clients.authentication import ClientCredentials, Secret
from clients.errors import InDoubt
from clients.http import UNWATCHED, VendorHttp, Watch
from clients.limiter import ALONE, Limiter, Share
from clients.oracle_fusion.errors import read_error
from contracts.configuration import FusionConnection

RESOURCES: Final = "fscmRestApi/resources/11.13.18.05"
SCHEDULER: Final = "ess/rest/scheduler/v1/requests"
WINDOW: Final = 60.0
"""Seconds in which `requests_per_minute` is counted."""
PAGE: Final = 499
"""The vendor's maximum is 500; 499 is reported as the largest that never loses rows."""

Row = Mapping[str, Any]


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

    async def claims(self) -> dict[str, Any]:
        """Sign in anew, and what the access token says of who that is."""
        with self.http.preparing():
            return await self._auth.claims()

    async def aclose(self) -> None:
        await self.http.aclose()
        await self._auth.aclose()

    async def page(self, path: str, *, subject: str, params: Mapping[str, str | int | bool]) -> dict[str, Any]:
        """One collection document; `items` is always a list."""
        body = await self.http.read(path, subject=subject, params=params)
        if not isinstance(body, dict) or not isinstance(body.get("items"), list):
            raise self.http.bad_answer(subject, "the answer is not a collection")
        return body

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
    ) -> AsyncIterator[Row]:
        """All rows of a collection, page by page, each once.

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
            body = await self.page(f"{RESOURCES}/{resource}", subject=subject, params={**params, "offset": offset})
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
    links = row.get("links")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, Mapping) and link.get("rel") == "self":
            return str(link.get("href", "")).rstrip("/").rsplit("/", 1)[-1]
    return ""


def described_children(described: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """Paths of a described resource's children with their attributes (Oracle Fusion: 2.12)."""
    children = described.get("children")
    for name, child in children.items() if isinstance(children, Mapping) else ():
        if not isinstance(child, Mapping):
            continue
        attributes = child.get("attributes")
        named = [one.get("name") for one in attributes or [] if isinstance(one, Mapping)]
        yield f"{above}{name}", tuple(str(one) for one in named if one)
        yield from described_children(child, f"{above}{name}.")


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) and value > 0 else default
