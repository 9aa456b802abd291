"""Requests to the pod's resources: which resource and item an address means, and what is done with it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.fusion import answers
from sandbox.fusion.answers import RestError
from sandbox.fusion.resources import Ask, Entity, Pages, Resource, describe
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
        self, resources: Iterable[Resource], faults: Faults, disorder: random.Random, url: Callable[[], str]
    ) -> None:
        self._resources = {each.name: each for each in resources}
        self._faults = faults
        self._random = disorder
        self._url = url

    def __contains__(self, name: str) -> bool:
        return name in self._resources

    async def answer(self, request: Request, segments: list[str]) -> Response:
        """The answer to any verb. Raises `RestError`."""
        resource = self._resources[segments[0]]
        if segments[1:] == ["describe"] and request.method == "GET":
            description = describe(resource, resource.rows(None)[:1])
            return Response(answers.encode(description), media_type="application/json")
        if request.method == "GET":
            return self._read(request, segments)
        return await self._write(request, segments)

    def _pages(self, request: Request, shuffle: random.Random | None = None) -> Pages:
        root = request.url.path.split("/")[1]
        return Pages(f"{self._url()}/{root}/resources/{request.path_params['version']}", shuffle)

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
        pages = self._pages(request, self._random if self._faults.take("unstable_order", "GET", path) else None)
        place = self._place(pages, segments)
        if place.entity is not None:
            return answers.item(request, pages.item(place.resource, place.entity, ask, place.path))
        if self._faults.take("no_data", "GET", path):
            empty = {"items": [], "count": 0, "hasMore": False, "limit": ask.limit, "offset": ask.offset, "links": []}
            return answers.collection(request, empty)
        return answers.collection(request, pages.collection(place.resource, ask, place.parent, place.path))

    async def _write(self, request: Request, segments: list[str]) -> Response:
        ask = Ask.read(request.query_params, request.headers.get("rest-framework-version"))
        pages = self._pages(request)
        place = self._place(pages, segments)
        resource, entity = place.resource, place.entity
        if request.method == "POST" and entity is None and resource.create is not None:
            made = resource.create(place.parent, await read_body(request), request.url.path)
            path = f"{place.path}/{resource.item_key(made)}"
            document = pages.item(resource, made, replace(ask, whole=ask.fields is None), path)
            return answers.item(request, document, status=201, location=f"{pages.base}/{path}")
        if request.method == "PATCH" and entity is not None and resource.update is not None:
            changed = resource.update(place.parent, entity, await read_body(request))
            return answers.item(request, pages.item(resource, changed, ask, place.path))
        if request.method == "DELETE" and entity is not None and resource.delete is not None:
            resource.delete(place.parent, entity)
            return Response(status_code=204)
        raise RestError(400, f"Invalid operation {_VERBS[request.method]} for the specified resource.")


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
