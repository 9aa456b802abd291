"""Requests to the pod's resources: which resource and item an address means, and what is done with it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.fusion import answers
from sandbox.fusion.answers import RestError
from sandbox.fusion.resources import Ask, Entity, Pages, Resource, describe, session_zone
from sandbox.fusion.world import Habits
from sandbox.kit import Faults

NOT_FOUND = "The requested resource was not found."
_VERBS = {"POST": "create", "PATCH": "update", "DELETE": "delete"}


@dataclass
class Place:
    """What an address means: a collection, or one of its items."""

    resource: Resource
    parent: Any
    """Subject of the item above; None at the top."""
    entity: Entity | None
    path: str
    """Below the version."""


class Resources:
    """The collections of a pod. Segments of an address are `name`, `name/key`, `name/key/child/accessor`, and so on."""

    def __init__(
        self,
        resources: Iterable[Resource],
        faults: Faults,
        disorder: random.Random,
        url: Callable[[], str],
        habits: Habits,
    ) -> None:
        self._resources = {each.name: each for each in resources}
        self._faults = faults
        self._random = disorder
        self._url = url
        self._habits = habits
        self._hidden: dict[str, float] = {}
        """Paths of items that are not shown before a moment of the process's clock."""
        self._unlisted: dict[str, float] = {}
        """The same, for lists."""

    def add(self, resource: Resource) -> None:
        """One more collection, or another one under a name that there is."""
        self._resources[resource.name] = resource

    def catalog(self) -> dict[str, Any]:
        """What `/describe` of the root says: every resource. Real ones take minutes and megabytes."""
        described = [describe(each, [], self._habits)["Resources"] for each in self._resources.values()]
        return {"Resources": {name: facts for each in described for name, facts in each.items()}}

    def __contains__(self, name: str) -> bool:
        return name in self._resources

    async def answer(self, request: Request, segments: list[str]) -> Response:
        """The answer to any verb. Raises `RestError`."""
        resource = self._resources[segments[0]]
        if self._faults.take("no_privilege", request.method, request.url.path):
            raise RestError(403, "Forbidden")
        if segments[1:] == ["describe"] and request.method == "GET":
            description = describe(resource, resource.rows(None)[:1], self._habits)
            return Response(answers.encode(description), media_type="application/json")
        if request.method == "GET":
            return self._read(request, segments)
        return await self._write(request, segments)

    def _pages(self, request: Request, shuffle: random.Random | None = None) -> Pages:
        root = request.url.path.split("/")[1]
        base = f"{self._url()}/{root}/resources/{request.path_params['version']}"
        return Pages(base, shuffle, self._habits, self._is_unlisted if self._unlisted else None)

    def _is_unlisted(self, path: str) -> bool:
        return self._unlisted.get(path, 0.0) > time.monotonic()

    def _place(self, pages: Pages, segments: list[str]) -> Place:
        resource = self._resources[segments[0]]
        parent, rest, here = None, segments[1:], resource.name
        while rest:
            entity = pages.one(resource, rest[0], parent)
            here = f"{here}/{rest[0]}"
            if len(rest) == 1:
                return Place(resource, parent, entity, here)
            child = resource.child(rest[2]) if rest[1] == "child" and len(rest) > 2 else None
            if child is None:
                raise RestError(404, NOT_FOUND)
            resource, parent, rest, here = child, entity.subject, rest[3:], f"{here}/child/{child.name}"
        return Place(resource, parent, None, here)

    def _read(self, request: Request, segments: list[str]) -> Response:
        path = request.url.path
        ask = Ask.read(request.query_params, request.headers.get("rest-framework-version"))
        if ask.total and self._faults.take("total_results_500", "GET", path):
            raise RestError(500, "Internal Server Error")
        if ask.fields is not None and self._faults.take("fields_500", "GET", path):
            raise RestError(500, "Internal Server Error")
        if ask.q and self._faults.take("refused_question", "GET", f"{path}?{ask.q}"):
            raise RestError(400, "URL request parameter q cannot be used in this context.")
        pages = self._pages(request, self._random if self._faults.take("unstable_order", "GET", path) else None)
        place = self._place(pages, segments)
        if place.entity is not None:
            if self._hidden.get(place.path, 0.0) > time.monotonic():
                raise RestError(404, NOT_FOUND)
            return self._item(request, pages, place, place.entity, ask)
        if self._faults.take("no_data", "GET", path):
            empty = {"items": [], "count": 0, "hasMore": False, "limit": ask.limit, "offset": ask.offset, "links": []}
            return answers.collection(request, empty)
        document = pages.collection(place.resource, ask, place.parent, place.path)
        return answers.collection(request, document, session_zone(self._habits))

    async def _write(self, request: Request, segments: list[str]) -> Response:
        ask = Ask.read(request.query_params, request.headers.get("rest-framework-version"))
        pages = self._pages(request)
        place = self._place(pages, segments)
        resource, entity = place.resource, place.entity
        if request.method == "POST" and entity is None and resource.create is not None:
            made = resource.create(place.parent, await read_body(request), request.url.path)
            path = f"{place.path}/{resource.item_key(made)}"
            document = pages.item(resource, made, replace(ask, whole=ask.fields is None), path)
            late = self._faults.take("late_item", "POST", request.url.path)
            if late:
                self._hidden[path] = time.monotonic() + late.seconds
                if late.options.get("lists"):
                    self._unlisted[path] = self._hidden[path]
            return answers.item(
                request, document, 201, f"{pages.base}/{path}", self._etag(resource, made), session_zone(self._habits)
            )
        if entity is not None and request.method in ("PATCH", "DELETE"):
            self._still(request, resource, entity)
        if request.method == "PATCH" and entity is not None and resource.update is not None:
            changed = resource.update(place.parent, entity, await read_body(request))
            return self._item(request, pages, place, changed, ask)
        if request.method == "DELETE" and entity is not None and resource.delete is not None:
            resource.delete(place.parent, entity)
            return Response(status_code=204)
        raise RestError(400, f"Invalid operation {_VERBS[request.method]} for the specified resource.")

    def _item(self, request: Request, pages: Pages, place: Place, entity: Entity, ask: Ask) -> Response:
        document = pages.item(place.resource, entity, ask, place.path)
        etag, zone = self._etag(place.resource, entity), session_zone(self._habits)
        return answers.item(request, document, etag=etag, zone=zone)

    def _etag(self, resource: Resource, entity: Entity) -> str:
        return resource.version(entity) if self._habits.change_indicators in ("both", "header") else ""

    def _still(self, request: Request, resource: Resource, entity: Entity) -> None:
        """Raises `RestError` when the item is not the one that the caller has read."""
        contended = self._faults.take("contended", request.method, request.url.path)
        if contended and contended.options.get("as") == "jbo":
            raise RestError(400, "Another user has changed the row with primary key.", "JBO-25014")
        wanted = request.headers.get("if-match")
        has_version = self._habits.change_indicators != "none" and bool(resource.version(entity))
        if contended or (wanted and has_version and wanted not in ("*", resource.version(entity))):
            raise RestError(412, "The item was changed since it was read.")


async def read_body(request: Request) -> dict[str, Any]:
    """A JSON object, its amounts exact. Raises `RestError` 415 or 400."""
    kind = request.headers.get("content-type", "")
    if "json" not in kind:
        raise RestError(415, "The content type is not supported.")
    try:
        body = json.loads(await request.body(), parse_float=Decimal)
    except ValueError as error:
        raise RestError(400, "The payload can't be parsed.") from error
    if not isinstance(body, dict):
        raise RestError(400, "The payload can't be parsed.")
    return body
