"""A table of plain records behind a resource: described, validated, versioned (Oracle Fusion: 2.4, 2.9, 2.12, 2.13)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from sandbox.fusion.answers import RestError
from sandbox.fusion.resources import Entity, Resource

Kind = Literal["string", "number", "integer", "boolean", "date", "datetime"]
FIRST_ID = 300000200000001
WHO = ("CreatedBy", "CreationDate", "LastUpdatedBy")


@dataclass(frozen=True)
class Column:
    """An attribute that documents bring."""

    name: str
    kind: Kind = "string"
    length: int | None = None
    mandatory: bool = False
    changes: Literal["always", "uponCreation", "never"] = "always"
    default: Any = None
    queryable: bool = True


@dataclass
class Record:
    values: dict[str, Any]
    children: dict[str, list[Record]] = field(default_factory=dict)


@dataclass
class Records:
    """A resource of records. `opaque` hides its key in addresses; `stamp` is the attribute that shows changes."""

    name: str
    key: str
    columns: tuple[Column, ...]
    now: Callable[[], datetime]
    opaque: bool = False
    stamp: str = "LastUpdateDate"
    children: tuple[Records, ...] = ()
    user: str = "ML_CONNECTOR"
    touches: Callable[[], bool] = lambda: True
    """Whether a changed child changes the parent's stamp."""
    rows: list[Record] = field(default_factory=list)
    _last: int = FIRST_ID

    # What tests do, as other users of the pod would

    def add(self, within: Record | None = None, **values: Any) -> Record:
        """A new record; what is not given has its default."""
        self._last += 1
        stamps = {name: self.user if name.endswith("By") else self.now() for name in (*WHO, self.stamp)}
        given = {column.name: values.get(column.name, column.default) for column in self.columns}
        record = Record({self.key: values.get(self.key, self._last), **given, **stamps})
        (self.rows if within is None else within.children.setdefault(self.name, [])).append(record)
        return record

    def touch(self, record: Record, **values: Any) -> None:
        """Change a record."""
        record.values |= {**values, self.stamp: self.now(), "LastUpdatedBy": self.user}

    # What the pod answers

    @property
    def attributes(self) -> tuple[str, ...]:
        return (self.key, *(column.name for column in self.columns), *WHO, self.stamp)

    def resource(self, parent: Records | None = None) -> Resource:
        def rows(above: Any) -> list[Entity]:
            found = self.rows if parent is None else above.children.get(self.name, [])
            return [Entity(record.values, record) for record in found]

        def create(above: Any, body: Mapping[str, Any], path: str) -> Entity:
            record = self._create(above if parent else None, body)
            self._touched(parent, above)
            return Entity(dict(record.values), record)

        def update(above: Any, entity: Entity, body: Mapping[str, Any]) -> Entity:
            record: Record = entity.subject
            self._validate(body, created=False)
            self.touch(record, **{column.name: body[column.name] for column in self.columns if column.name in body})
            self._touched(parent, above)
            return Entity(dict(record.values), record)

        def delete(above: Any, entity: Entity) -> None:
            (self.rows if parent is None else above.children[self.name]).remove(entity.subject)
            self._touched(parent, above)

        return Resource(
            self.name,
            self.attributes,
            rows,
            None if self.opaque else self.key,
            hash_of=(self.key,) if self.opaque else (),
            unqueryable=frozenset(column.name for column in self.columns if not column.queryable),
            described=self._described(),
            children=tuple(child.resource(self) for child in self.children),
            create=create,
            update=update,
            delete=delete,
        )

    def _touched(self, parent: Records | None, above: Any) -> None:
        if parent is not None and self.touches():
            parent.touch(above)

    def _create(self, above: Record | None, body: Mapping[str, Any]) -> Record:
        self._validate(body, created=True)
        record = self.add(above, **{column.name: body[column.name] for column in self.columns if column.name in body})
        for child in self.children:
            for row in body.get(child.name, ()):
                child._create(record, row)
        return record

    def _validate(self, body: Mapping[str, Any], *, created: bool) -> None:
        faults = list(self._faults(body, created))
        if faults:
            first, *more = faults
            raise RestError(400, first.detail, first.code, first.path, more)

    def _faults(self, body: Mapping[str, Any], created: bool) -> Iterable[RestError]:
        known = {column.name: column for column in self.columns}
        for name, value in body.items():
            column = known.get(name)
            if name in {child.name for child in self.children}:
                continue
            if column is None:
                detail = f"The payload can't be parsed: unknown attribute {name}."
                yield RestError(400, detail, "JBO-25009", f"/{name}")
            elif column.changes == "never" or (not created and column.changes != "always"):
                yield RestError(400, f"Attribute {name} can't be updated.", "JBO-27008", f"/{name}")
            elif value is not None and not fits(column.kind, value):
                yield RestError(400, f"Attribute {name} has the wrong type.", "JBO-25009", f"/{name}")
            elif column.length and len(str(value)) > column.length:
                yield RestError(400, f"Attribute {name} is too long.", "JBO-27010", f"/{name}")
        for column in self.columns if created else ():
            if column.mandatory and column.default is None and body.get(column.name) is None:
                detail = f"Attribute {column.name} in {self.name} is required."
                yield RestError(400, detail, "JBO-27014", f"/{column.name}")

    def _described(self) -> dict[str, dict[str, Any]]:
        own: dict[str, dict[str, Any]] = {
            self.key: {"type": "integer", "updatable": False, "mandatory": True, "allowChanges": "never"},
            self.stamp: {"type": "datetime", "updatable": False, "allowChanges": "never"},
            "CreationDate": {"type": "datetime", "updatable": False, "allowChanges": "never"},
            "CreatedBy": {"type": "string", "updatable": False, "allowChanges": "never"},
            "LastUpdatedBy": {"type": "string", "updatable": False, "allowChanges": "never"},
        }
        for column in self.columns:
            own[column.name] = {
                "type": column.kind,
                "mandatory": column.mandatory,
                "updatable": column.changes == "always",
                "allowChanges": column.changes,
                "hasDefaultValueExpression": column.default is not None,
                # Sizes are text in descriptions.
                **({"maxLength": str(column.length)} if column.length else {}),
            }
        return own


def fits(kind: Kind, value: Any) -> bool:
    """Whether a value of a document is of a described type; numbers may be text."""
    try:
        if kind == "boolean":
            return isinstance(value, bool) or value in ("true", "false")
        if kind in ("integer", "number"):
            number = Decimal(str(value))
            return kind == "number" or number == number.to_integral_value()
        if kind == "date":
            return bool(date.fromisoformat(value))
        if kind == "datetime":
            return bool(datetime.fromisoformat(value))
    except (ValueError, TypeError, InvalidOperation):
        return False
    return isinstance(value, str)
