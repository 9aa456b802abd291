"""What resources say of themselves: attributes, children, finders, actions (Oracle Fusion: 2.12).

A description is large and slow, so it is asked for once per client and then remembered; a caller with a place to keep
things (`Keeper`) spares the next process the question. What a pod refuses in spite of its description is remembered
along with it.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, Protocol

from pydantic import Field

from clients.errors import BadAnswer, Forbidden, NotFound, Rejected, Unavailable
from clients.oracle_fusion.rest import RESOURCES, FusionRest, address
from contracts.model import Frozen, Instant

FRESH: Final = dt.timedelta(days=1)
"""How long a description counts. Releases come quarterly, flexfields when somebody adds one."""
FRESH_UNKNOWN: Final = dt.timedelta(hours=1)
"""How long it counts that a resource could not be described."""
LEARNT: Final = dt.timedelta(days=30)
"""How long it counts what a pod refused, before it may be tried once more: a release may bring what was missing."""
PATIENCE: Final = 20.0
"""Seconds that a description may take where its caller can do without."""


class AttributeFacts(Frozen):
    """One attribute as it is described; what a pod does not say has the value that forbids nothing."""

    name: str
    type: str = "string"
    title: str = ""
    mandatory: bool = False
    updatable: bool = True
    queryable: bool = True
    allow_changes: str = ""
    """`always`, `never`, or when it is new only; empty where the pod does not say."""
    has_default: bool = False
    max_length: int | None = None
    """Characters of a text."""
    precision: int | None = None
    """Digits of a number, both sides of the point."""
    scale: int | None = None
    """Digits behind the point."""

    @property
    def settable(self) -> bool:
        """Whether a create may bring it."""
        return self.allow_changes != "never"

    @property
    def demanded(self) -> bool:
        """Whether a create must bring it: keys are mandatory as well, but nobody can set them."""
        return (
            self.mandatory and not self.has_default and self.settable and (self.updatable or bool(self.allow_changes))
        )

    @property
    def changeable(self) -> bool:
        """Whether an update may bring it."""
        return self.updatable and self.allow_changes in ("", "always")


class FinderFacts(Frozen):
    name: str
    variables: tuple[str, ...] = ()


class ResourceFacts(Frozen):
    """A described resource, or what was learnt of one that cannot be described."""

    resource: str
    described: bool = True
    """False where the pod gave no description: then nothing is known, and nothing is forbidden."""
    attributes: dict[str, AttributeFacts] = Field(default_factory=dict)
    children: dict[str, "ResourceFacts"] = Field(default_factory=dict)
    finders: tuple[FinderFacts, ...] = ()
    actions: tuple[str, ...] = ()
    """What can be done with the collection, e.g. `create`; empty where the pod does not say."""
    item_actions: tuple[str, ...] = ()
    unfilterable: frozenset[str] = frozenset()
    """Attributes the pod has refused in `q`, whatever it says of them."""
    unsortable: frozenset[str] = frozenset()
    """Attributes the pod has refused in `orderBy`."""
    learnt_at: Instant | None = None
    """When the first of what it refused was found out."""
    read_at: Instant

    def has(self, attribute: str) -> bool:
        """Whether there may be such an attribute."""
        return not self.attributes or attribute in self.attributes

    def filterable(self, attribute: str) -> bool:
        """Whether `q` may name the attribute, as far as is known."""
        if attribute in self.unfilterable:
            return False
        return not self.attributes or (attribute in self.attributes and self.attributes[attribute].queryable)

    def sortable(self, attribute: str) -> bool:
        """Whether `orderBy` may name the attribute, as far as is known."""
        return attribute not in self.unsortable and self.has(attribute)

    def whole_number(self, attribute: str) -> bool:
        """Whether the attribute counts, so that larger means later in any order of the pod's."""
        facts = self.attributes.get(attribute)
        return facts is None or facts.type in ("integer", "number")

    def taught(self, other: "ResourceFacts | None") -> "ResourceFacts":
        """With what another one knows to be refused as well, unless that was long ago when this one was read."""
        if other is None or other.learnt_at is None or self.read_at - other.learnt_at >= LEARNT:
            return self
        return self.model_copy(
            update={
                "unfilterable": self.unfilterable | other.unfilterable,
                "unsortable": self.unsortable | other.unsortable,
                "learnt_at": min(self.learnt_at or other.learnt_at, other.learnt_at),
            }
        )

    def at(self, path: str) -> "ResourceFacts | None":
        """The child at a dotted path; this one for an empty path."""
        found: ResourceFacts | None = self
        for name in filter(None, path.split(".")):
            found = found.children.get(name) if found is not None else None
        return found

    def below(self, above: str = "") -> Iterable[tuple[str, "ResourceFacts"]]:
        """All children at any depth with their dotted paths."""
        for name, child in self.children.items():
            yield f"{above}{name}", child
            yield from child.below(f"{above}{name}.")


class Keeper(Protocol):
    """A place where a caller keeps descriptions between processes. The client never fails because of it: neither
    raises, and what cannot be fetched is `None`."""

    async def fetch(self, resource: str) -> ResourceFacts | None: ...
    async def keep(self, facts: ResourceFacts) -> None: ...


class Descriptions:
    """The descriptions of one pod, each asked for once. Safe to use from several tasks."""

    def __init__(
        self,
        rest: FusionRest,
        keeper: Keeper | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._rest = rest
        self._keeper = keeper
        self._now = now
        self._known: dict[str, ResourceFacts] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(self, resource: str) -> ResourceFacts:
        """The description of a resource, from the pod if it is not known yet.

        Raises the error of the pod when it gives none, `NotFound` and `Forbidden` among them.
        """
        facts = await self._remembered(resource)
        if facts is not None and facts.described:
            return facts
        async with self._lock(resource):
            facts = self._known.get(resource)
            if facts is not None and facts.described and self._fresh(facts):
                return facts
            return await self._remember(await self.ask(resource))

    async def known(self, resource: str) -> ResourceFacts:
        """As `of`, but a resource that cannot be described is one of which nothing is known.

        The read that follows says better what is wrong. Sign-in and network errors are raised.
        """
        facts = await self._remembered(resource)
        if facts is not None:
            return facts
        async with self._lock(resource):
            facts = self._known.get(resource)
            if facts is not None and self._fresh(facts):
                return facts
            try:
                return await self._remember(await self.ask(resource, deadline=PATIENCE))
            except (Unavailable, Forbidden, NotFound, Rejected, BadAnswer):
                return await self._remember(self._undescribed(resource, facts))

    def _undescribed(self, resource: str, before: ResourceFacts | None) -> ResourceFacts:
        """What counts until the pod is asked again: yesterday's description where there is one."""
        if before is not None and before.described:
            return before.model_copy(update={"read_at": self._now() - FRESH + FRESH_UNKNOWN})
        return ResourceFacts(resource=resource, described=False, read_at=self._now())

    async def ask(self, resource: str, *, deadline: float | None = None) -> ResourceFacts:
        """The description as the pod gives it now; nothing is remembered. `deadline` in seconds."""
        subject = f"the description of {resource}"
        body = await self._rest.http.read(f"{address(resource)}/describe", subject=subject, deadline=deadline)
        resources = body.get("Resources") if isinstance(body, Mapping) else None
        described = resources.get(resource) if isinstance(resources, Mapping) else None
        if not isinstance(described, Mapping):
            raise self._rest.http.bad_answer(subject, "it describes something else")
        return read_description(resource, described, self._now())

    async def names(self, deadline: float = 20.0) -> tuple[str, ...]:
        """Names of all resources that the root describes: very large at a real pod, for people only."""
        body = await self._rest.http.read(f"{RESOURCES}/describe", subject="the list of resources", deadline=deadline)
        resources = body.get("Resources") if isinstance(body, Mapping) else None
        return tuple(sorted(map(str, resources))) if isinstance(resources, Mapping) else ()

    async def refuse_filter(self, resource: str, attribute: str) -> None:
        """Remember that the pod does not take the attribute in `q`."""
        await self._learn(resource, "unfilterable", attribute)

    async def refuse_sort(self, resource: str, attribute: str) -> None:
        """Remember that the pod does not take the attribute in `orderBy`."""
        await self._learn(resource, "unsortable", attribute)

    async def _learn(self, resource: str, what: Literal["unfilterable", "unsortable"], attribute: str) -> None:
        facts = await self.known(resource)
        learnt = frozenset({attribute}) | (facts.unfilterable if what == "unfilterable" else facts.unsortable)
        await self._remember(facts.model_copy(update={what: learnt, "learnt_at": facts.learnt_at or self._now()}))

    async def _remembered(self, resource: str) -> ResourceFacts | None:
        facts = self._known.get(resource)
        if facts is None or not self._fresh(facts):
            kept = await self._kept(resource)
            if kept is not None and (facts is None or kept.read_at > facts.read_at):
                facts = self._known[resource] = kept.taught(facts)
        return facts if facts is not None and self._fresh(facts) else None

    async def _remember(self, facts: ResourceFacts) -> ResourceFacts:
        """With what was refused before: a description that is read again does not say it."""
        facts = facts.taught(self._known.get(facts.resource))
        if self._keeper is not None:
            # Another process may have found out something else meanwhile.
            facts = facts.taught(await self._kept(facts.resource))
            await self._keeper.keep(facts)
        self._known[facts.resource] = facts.taught(self._known.get(facts.resource))
        return self._known[facts.resource]

    async def _kept(self, resource: str) -> ResourceFacts | None:
        return await self._keeper.fetch(resource) if self._keeper is not None else None

    def _fresh(self, facts: ResourceFacts) -> bool:
        return self._now() - facts.read_at < (FRESH if facts.described else FRESH_UNKNOWN)

    def _lock(self, resource: str) -> asyncio.Lock:
        return self._locks.setdefault(resource, asyncio.Lock())


def read_description(resource: str, described: Mapping[str, Any], read_at: dt.datetime) -> ResourceFacts:
    """A description's facts; entries that are not what the vendor documents are left out."""
    collection, item = (_mapping(described.get(name)) for name in ("collection", "item"))
    attributes = [_attribute(one) for one in _list(described.get("attributes")) if one.get("name")]
    return ResourceFacts(
        resource=resource,
        attributes={one.name: one for one in attributes},
        children={
            str(name): read_description(str(name), child, read_at)
            for name, child in _mapping(described.get("children")).items()
            if isinstance(child, Mapping)
        },
        finders=tuple(
            FinderFacts(
                name=str(one["name"]),
                variables=tuple(str(each["name"]) for each in _list(one.get("attributes")) if each.get("name")),
            )
            for one in _list(collection.get("finders"))
            if one.get("name")
        ),
        actions=_named(collection.get("actions")),
        item_actions=_named(item.get("actions")),
        read_at=read_at,
    )


def _attribute(one: Mapping[str, Any]) -> AttributeFacts:
    return AttributeFacts(
        name=str(one["name"]),
        type=str(one.get("type") or "string").lower(),
        title=str(one.get("title") or ""),
        mandatory=_flag(one.get("mandatory"), default=False),
        updatable=_flag(one.get("updatable"), default=True),
        queryable=_flag(one.get("queryable"), default=True),
        allow_changes=str(one.get("allowChanges") or ""),
        has_default=_flag(one.get("hasDefaultValueExpression"), default=False),
        max_length=_positive(one.get("maxLength")),
        precision=_positive(one.get("precision")),
        scale=_scale(one.get("scale")),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _named(value: object) -> tuple[str, ...]:
    return tuple(str(one["name"]) for one in _list(value) if one.get("name"))


def _flag(value: object, *, default: bool) -> bool:
    return default if value is None else str(value).strip().lower() in ("true", "y", "yes", "1")


def _positive(value: object) -> int | None:
    """Sizes come as numbers or as text; 0 and below mean that there is no limit."""
    try:
        size = int(str(value))
    except ValueError:
        return None
    return size if size > 0 else None


def _scale(value: object) -> int | None:
    """Digits behind the point; a negative scale is the database's word for any number of them."""
    try:
        scale = int(str(value))
    except ValueError:
        return None
    return scale if scale >= 0 else None
