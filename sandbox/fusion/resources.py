"""Collections of the REST framework: paging, projection, children, opaque keys (Oracle Fusion: 2.2 to 2.5)."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import partial
from typing import Any

from sandbox.fusion.answers import RestError
from sandbox.fusion.query import QueryError, parse, parse_finder, sort
from sandbox.fusion.world import Habits

DEFAULT_LIMIT, LIMIT = 25, 500


@dataclass
class Entity:
    """One row: what it shows, and what it stands for (children are found from that)."""

    values: dict[str, Any]
    subject: Any = None
    nested: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """What children show and a query may ask for, by dotted names; several rows may have each."""

    def row(self) -> Mapping[str, Any]:
        """What a query looks at."""
        return {**self.nested, **self.values} if self.nested else self.values


Rows = Callable[[], list[Entity]]


@dataclass
class Resource:
    """A collection. `key` is the attribute in item addresses; None: an opaque hash nobody can compute."""

    name: str
    attributes: tuple[str, ...]
    rows: Callable[[Any], list[Entity]]
    """Rows of a parent's subject (None at the top)."""
    key: str | None = None
    hash_of: tuple[str, ...] = ()
    unqueryable: frozenset[str] = frozenset()
    finders: Mapping[str, Callable[[Mapping[str, str]], list[Entity]]] = field(default_factory=dict)
    children: tuple[Resource, ...] = ()
    parent_path: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    """Attributes of children that a query may name with dots."""
    may_query: Callable[[str], bool] | None = None
    """What a pod lets be queried where that is a setting of the pod."""
    described: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What `describe` says of an attribute beyond its name."""
    find: Callable[[Any, str], Entity | None] | None = None
    """The item of a parent's subject by its key; without it the rows are searched."""
    narrow: Callable[[Mapping[str, str]], list[Entity] | None] | None = None
    """Rows that may have these values, where an index knows them; it only saves time."""
    create: Callable[[Any, Mapping[str, Any], str], Entity] | None = None
    """Parent's subject, document, address. Absent: the resource has no such operation; the same for the others."""
    update: Callable[[Any, Entity, Mapping[str, Any]], Entity] | None = None
    delete: Callable[[Any, Entity], None] | None = None

    def item_key(self, entity: Entity) -> str:
        """What stands in an item's address."""
        if self.key:
            return str(entity.values[self.key])
        text = "/".join(str(entity.values.get(name, "")) for name in self.hash_of)
        return "00020000000EACED00057708" + hashlib.sha256(f"{self.name}:{text}".encode()).hexdigest()[:24].upper()

    def candidates(self, parent: Any, equals: Mapping[str, str]) -> list[Entity]:
        """Every row that may have these values, and perhaps others."""
        found = self.narrow(equals) if equals and self.narrow else None
        return self.rows(parent) if found is None else found

    def version(self, entity: Entity) -> str:
        """The change indicator of an item that can be changed: another one for every other content."""
        if self.update is None and self.delete is None:
            return ""
        content = hashlib.sha256(repr(sorted(entity.values.items())).encode()).hexdigest()[:40].upper()
        return f'"ACED0005{content}"'

    def child(self, name: str) -> Resource | None:
        return next((each for each in self.children if each.name == name), None)

    def queryable(self, attribute: str) -> bool:
        known = attribute in self.attributes or attribute in self.nested
        allowed = self.may_query is None or self.may_query(attribute)
        return known and allowed and attribute not in self.unqueryable


@dataclass(frozen=True)
class Ask:
    """A collection's query parameters, understood. Unknown ones are a 400."""

    version: int
    limit: int
    offset: int
    q: str = ""
    finder: str = ""
    order_by: str = ""
    only_data: bool = False
    total: bool = False
    links: tuple[str, ...] = ()
    fields: Mapping[str, tuple[str, ...]] | None = None
    """Attributes by accessor; the resource's own under the empty name."""
    expand: tuple[str, ...] = ()
    """Children to include, nested ones with dots; `all` stands for every one."""
    whole: bool = False
    """Everything below is shown whole, as in the answer to a create."""

    @classmethod
    def read(cls, parameters: Mapping[str, str], version: str | None) -> Ask:
        """Raises `RestError` 400 for what the framework does not accept."""
        known = {
            "q", "finder", "fields", "expand", "onlyData", "links", "limit", "offset", "totalResults", "orderBy",
            "dependency", "effectiveDate",
        }  # fmt: skip
        for name in parameters:
            if name not in known:
                raise RestError(400, f"URL request parameter {name} cannot be used in this context.")
        fields = _fields(parameters["fields"]) if parameters.get("fields") else None
        expand = tuple(filter(None, parameters.get("expand", "").split(",")))
        limit = _whole(parameters, "limit", DEFAULT_LIMIT)
        return cls(
            version=_version(version),
            limit=min(limit, LIMIT) if limit > 0 else DEFAULT_LIMIT,
            offset=_whole(parameters, "offset", 0),
            q=parameters.get("q", ""),
            finder=parameters.get("finder", ""),
            order_by=parameters.get("orderBy", ""),
            only_data=parameters.get("onlyData", "").lower() == "true",
            total=parameters.get("totalResults", "").lower() == "true",
            links=tuple(filter(None, parameters.get("links", "").split(","))),
            fields=fields,
            expand=() if fields else expand,
        )


def _version(text: str | None) -> int:
    version = text or "1"
    if not version.isdigit() or not 1 <= int(version) <= 9:
        raise RestError(400, f"The REST framework version {version} is not supported.")
    return int(version)


def _whole(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name, "")
    if not text:
        return default
    if not text.isdigit():
        raise RestError(400, f"URL request parameter {name} must be a whole number.")
    return int(text)


def _fields(text: str) -> dict[str, tuple[str, ...]]:
    fields: dict[str, tuple[str, ...]] = {}
    for part in text.split(";"):
        accessor, colon, names = part.partition(":")
        if not colon:
            accessor, names = "", part
        fields[accessor.strip()] = tuple(name.strip() for name in names.split(",") if name.strip())
    return fields


@dataclass
class Pages:
    """Answers requests for collections and items. `shuffle` breaks the order of unsorted reads."""

    base: str
    shuffle: random.Random | None = None
    habits: Habits = field(default_factory=Habits)
    hidden: Callable[[str], bool] | None = None
    """Paths of rows that are not listed yet; none when all are."""

    def collection(self, resource: Resource, ask: Ask, parent: Any = None, path: str = "") -> dict[str, Any]:
        """One page. Raises `RestError` 400 for a query the resource cannot take."""
        path = path or resource.name
        found = self._found(resource, ask, parent)
        if self.hidden is not None:
            found = [each for each in found if not self.hidden(f"{path}/{resource.item_key(each)}")]
        page = found[ask.offset : ask.offset + ask.limit]
        document: dict[str, Any] = {
            "items": [self.item(resource, entity, ask, f"{path}/{resource.item_key(entity)}") for entity in page],
            "count": len(page),
            "hasMore": ask.offset + len(page) < len(found),
            "limit": ask.limit,
            "offset": ask.offset,
            "links": [{"rel": "self", "href": f"{self.base}/{path}", "name": resource.name, "kind": "collection"}],
        }
        if ask.total:
            document["totalResults"] = len(found)
        return document

    @property
    def zone(self) -> tzinfo:
        """In which a time without an offset is read."""
        return session_zone(self.habits) if self.habits.plain_literals == "session" else UTC

    def _queryable(self, resource: Resource, attribute: str) -> bool:
        refused = self.habits.secretly_not_queryable.get(resource.name, ())
        return may_query(resource, attribute, self.habits) and attribute not in refused

    def _sortable(self, resource: Resource, attribute: str) -> bool:
        refused = self.habits.not_sortable.get(resource.name, ())
        return attribute in resource.attributes and attribute not in refused

    def _found(self, resource: Resource, ask: Ask, parent: Any) -> list[Entity]:
        try:
            matches = (
                parse(ask.q, version=ask.version, queryable=partial(self._queryable, resource), zone=self.zone)
                if ask.q
                else None
            )
            if ask.finder:
                name, variables = parse_finder(ask.finder)
                find = resource.finders.get(name)
                if name == "PrimaryKey" and resource.key and resource.key in variables:
                    wanted = variables[resource.key]
                    candidates = resource.candidates(parent, {resource.key: wanted})
                    entities = [each for each in candidates if resource.item_key(each) == wanted]
                elif find is None:
                    raise RestError(400, f"The finder {name} is not known.")
                else:
                    entities = find(variables)
            else:
                entities = resource.candidates(parent, matches.equals if matches else {})
            if matches:
                entities = [each for each in entities if matches(each.row())]
            if ask.order_by:
                # Sorting keeps equal rows in whatever order they came: only a unique sort is stable.
                if self.shuffle:
                    self.shuffle.shuffle(entities := list(entities))
                places = {id(each.values): each for each in entities}
                rows = sort([each.values for each in entities], ask.order_by, known=partial(self._sortable, resource))
                return [places[id(row)] for row in rows]
            if self.shuffle:
                self.shuffle.shuffle(entities := list(entities))
        except QueryError as error:
            raise RestError(400, str(error)) from error
        return entities

    def item(self, resource: Resource, entity: Entity, ask: Ask, path: str) -> dict[str, Any]:
        """An item with the children the request asks for."""
        shown = dict(entity.values)
        if ask.fields is not None and "" in ask.fields:
            unknown = [name for name in ask.fields[""] if name not in resource.attributes]
            if unknown:
                raise RestError(400, f"URL request parameter fields cannot be used in this context: {unknown[0]}.")
            shown = {name: shown.get(name) for name in ask.fields[""]}
        elif ask.fields is not None:
            shown = {}
        for child in resource.children:
            if self._included(child, ask):
                shown[child.name] = self._expanded(child, entity, ask, path)
        if not ask.only_data:
            shown["links"] = self._links(resource, entity, ask, path)
        return shown

    def _included(self, child: Resource, ask: Ask) -> bool:
        if ask.whole:
            return True
        if ask.fields is not None:
            return any(name == child.name or name.startswith(f"{child.name}.") for name in ask.fields)
        return any(name == "all" or name.split(".")[0] == child.name for name in ask.expand)

    def _expanded(self, child: Resource, entity: Entity, ask: Ask, path: str) -> Any:
        def below(name: str) -> str | None:
            return name.removeprefix(f"{child.name}.") if name.startswith(f"{child.name}.") else None

        fields = None
        if ask.fields is not None:
            deeper = {rest: names for name, names in ask.fields.items() if (rest := below(name))}
            fields = {"": ask.fields.get(child.name, child.attributes), **deeper}
        inner = Ask(
            version=ask.version,
            limit=LIMIT if ask.version < 3 or ask.whole else DEFAULT_LIMIT,
            offset=0,
            whole=ask.whole,
            only_data=ask.only_data,
            links=ask.links,
            fields=fields,
            expand=tuple(rest for name in ask.expand if (rest := below(name))),
        )
        document = self.collection(child, inner, entity.subject, f"{path}/child/{child.name}")
        if ask.version < 3:
            return document["items"]
        if ask.only_data:
            document.pop("links")
        return document

    def _links(self, resource: Resource, entity: Entity, ask: Ask, path: str) -> list[dict[str, Any]]:
        href = f"{self.base}/{path}"
        links: list[dict[str, Any]] = [
            {"rel": rel, "href": href, "name": resource.name, "kind": "item"} for rel in ("self", "canonical")
        ]
        version = resource.version(entity) if self.habits.change_indicators in ("both", "link") else ""
        if version:
            links[0]["properties"] = {"changeIndicator": version.strip('"')}
        if path.count("/child/"):
            above = path.rpartition("/child/")[0]
            name = above.rpartition("/")[0].rpartition("/")[2]
            links.append({"rel": "parent", "href": f"{self.base}/{above}", "name": name, "kind": "item"})
        links += [
            {"rel": "child", "href": f"{href}/child/{child.name}", "name": child.name, "kind": "collection"}
            for child in resource.children
        ]
        return [link for link in links if not ask.links or link["rel"] in ask.links]

    def one(self, resource: Resource, key: str, parent: Any = None) -> Entity:
        """The item with this key. Raises `RestError` 404."""
        if resource.find is not None:
            found = resource.find(parent, key)
            if found is None:
                raise RestError(404, "The requested resource was not found.")
            return found
        for entity in resource.rows(parent):
            if resource.item_key(entity) == key:
                return entity
        raise RestError(404, "The requested resource was not found.")


def may_query(resource: Resource, attribute: str, habits: Habits) -> bool:
    """Whether an attribute may be asked for, as `describe` says."""
    return resource.queryable(attribute) and attribute not in habits.not_queryable.get(resource.name, ())


def session_zone(habits: Habits) -> tzinfo:
    """The zone of the user's session."""
    return timezone(timedelta(hours=habits.session_offset))


def describe(resource: Resource, samples: Sequence[Entity], habits: Habits | None = None) -> dict[str, Any]:
    """What `/describe` says: attributes with type and queryability, finders, actions, children with the same."""
    return {"Resources": {resource.name: _description(resource, samples, habits or Habits())}}


def _description(resource: Resource, samples: Sequence[Entity], habits: Habits) -> dict[str, Any]:
    values = samples[0].values if samples else {}
    attributes = [
        {
            "name": name,
            "type": _type(values.get(name)),
            "updatable": False,
            "mandatory": name == resource.key,
            "queryable": may_query(resource, name, habits),
            **resource.described.get(name, {}),
        }
        for name in resource.attributes
    ]
    finders = [{"name": name} for name in (*(("PrimaryKey",) if resource.key else ()), *resource.finders)]
    above = [("get", "GET", True), ("create", "POST", resource.create)]
    below = [("get", "GET", True), ("update", "PATCH", resource.update), ("delete", "DELETE", resource.delete)]
    actions, item_actions = (
        [{"name": name, "method": method} for name, method, there in each if there] for each in (above, below)
    )
    return {
        "attributes": attributes,
        "collection": {"finders": finders, "links": [], "actions": actions},
        "item": {"links": [], "actions": item_actions},
        "children": {child.name: _description(child, [], habits) for child in resource.children},
    }


def _type(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, Decimal):
        return "number"
    if isinstance(value, datetime):
        return "datetime"
    return "date" if isinstance(value, date) else "string"
