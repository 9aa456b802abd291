"""The vendor's own OpenAPI documents, where they are at hand.

They may be read but not shipped, so they lie outside the repository: `ML_CONNECTOR_SHARED` names their folder, else
`shared` beside the repository is looked at. In CI their absence is a failure.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import yaml
from openapi_schema_validator import OAS30Validator, oas30_format_checker

REPOSITORY = Path(__file__).resolve().parents[2]
NULL_IN_SAMPLES = frozenset({"requested_amount"})
"""Properties that are not nullable by their schema and null in the vendor's own samples."""


class _Loader(yaml.CSafeLoader):
    """Leaves dates as the text they are in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


@dataclass
class Specification:
    """One OpenAPI document. Paths are the document's own, e.g. `/orders/{order_id}`."""

    path: Path
    _validators: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = _eased(yaml.load(self.path.read_text(), _Loader))  # noqa: S506 - a safe loader
        return document

    def faults(self, path: str, method: str, status: int, body: Any) -> list[str]:
        """What is wrong with an answer; empty when the document allows it."""
        operation = self.document["paths"][path][method.lower()]
        response = operation["responses"].get(str(status))
        if response is None:
            return [f"{method} {path} never answers {status}; it knows {', '.join(operation['responses'])}."]
        schema = self.resolve(response).get("content", {}).get("application/json", {}).get("schema", {})
        return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in self._errors(schema, body)]

    def query_faults(self, path: str, method: str, query: str) -> list[str]:
        """Query parameters of a request the document does not know, or whose value does not fit."""
        item = self.document["paths"][path]
        listed = [self.resolve(entry) for entry in [*item.get("parameters", ()), *item[method].get("parameters", ())]]
        known = {entry["name"]: entry for entry in listed if entry["in"] == "query"}
        faults = []
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name not in known:
                faults.append(f"{method.upper()} {path} knows no query parameter {name}.")
                continue
            schema = self.resolve(known[name]["schema"])
            given = [_typed(part) for part in value.split(",")] if schema.get("type") == "array" else _typed(value)
            if schema.get("type") == "string":
                # One document lists its sorts with their direction, another without.
                bare = name == "sort" and value not in schema.get("enum", [value])
                given = value.removesuffix(":asc").removesuffix(":desc") if bare else value
            faults += [f"{name}: {error.message}" for error in self._errors(schema, given)]
        return faults

    def body_faults(self, path: str, method: str, body: Any) -> list[str]:
        """What is wrong with a request's JSON body."""
        request = self.resolve(self.document["paths"][path][method]["requestBody"])
        schema = request["content"]["application/json"]["schema"]
        return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in self._errors(schema, body)]

    def match(self, path: str) -> str | None:
        """The document's path for a real one; fixed parts win over parameters."""
        fits = [
            known
            for known in self.document["paths"]
            if re.fullmatch(re.sub(r"\\{\w+\\}", r"[^/]+", re.escape(known)), path)
        ]
        return min(fits, key=lambda known: known.count("{"), default=None)

    def example(self, path: str, method: str = "get", status: int = 200) -> Any:
        """The first sample answer in the document."""
        response = self.resolve(self.document["paths"][path][method]["responses"][str(status)])
        media = response["content"]["application/json"]
        return media["example"] if "example" in media else next(iter(media["examples"].values()))["value"]

    def resolve(self, node: Mapping[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found: Any = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            node = found
        return dict(node)

    def _errors(self, schema: Mapping[str, Any], body: Any) -> list[Any]:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            whole = {"allOf": [schema], "components": self.document["components"]}
            self._validators[key] = OAS30Validator(whole, format_checker=oas30_format_checker)
        return list(self._validators[key].iter_errors(body))


def _eased(node: Any) -> Any:
    """The document without the places where the vendor contradicts itself.

    Its `oneOf` alternatives overlap (a link object satisfies both), so any of them will do; its samples show null
    where `NULL_IN_SAMPLES` says; it writes `x-nullable` in one document where another has `nullable`.
    """
    if isinstance(node, dict):
        if node.get("x-nullable") is True:
            node = {**node, "nullable": True}
        return {
            "anyOf" if name == "oneOf" and isinstance(value, list) else name: {}
            if name in NULL_IN_SAMPLES and isinstance(value, dict)
            else _eased(value)
            for name, value in node.items()
        }
    return [_eased(entry) for entry in node] if isinstance(node, list) else node


def _typed(value: str) -> Any:
    """A query value as the JSON it stands for: numbers and booleans are what they look like."""
    try:
        return json.loads(value)
    except ValueError:
        return value


class Specifications:
    """The vendor's documents by name, each read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, Specification] = {}

    def __getitem__(self, name: str) -> Specification:
        return self._known.setdefault(name, Specification(self.folder / name))

    def webhooks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every sample webhook: (file name, body)."""
        for path in sorted((self.folder / "webhook-callbacks" / "data").glob("*.json")):
            yield path.stem, json.loads(path.read_text())


def vendor_folder(name: str, what: str) -> Path:
    """A vendor's documents; without them the test is skipped, in CI it fails."""
    shared = Path(os.environ.get("ML_CONNECTOR_SHARED", REPOSITORY.parent / "shared"))
    folder = shared / "vendors" / "specs" / name
    if folder.is_dir():
        return folder
    sentence = f"{what} are not here; set ML_CONNECTOR_SHARED to the folder that holds them."
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def bigcommerce_specifications() -> Specifications:
    return Specifications(vendor_folder("bigcommerce", "BigCommerce's OpenAPI documents"))


@pytest.fixture(scope="session")
def fusion_fields() -> Callable[[str], dict[str, Any]]:
    """JSON schema of a Fusion resource's rows, as public clients found them at real pods."""
    folder = vendor_folder("oracle", "The field schemas of Oracle Fusion")

    def read(name: str) -> dict[str, Any]:
        schema: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
        return schema

    return read


@pytest.fixture(scope="session")
def fusion_documents() -> Specifications:
    """OpenAPI documents of import and scheduler: made by hand from the vendor's pages, so they err here and there."""
    return Specifications(vendor_folder("oracle", "The OpenAPI documents of Oracle Fusion's import and scheduler"))
