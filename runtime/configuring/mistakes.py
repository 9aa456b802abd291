"""What is wrong with a configuration, in words: pydantic's errors as sentences with file, line and remedy."""

import difflib
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from contracts.configuration import Configuration
from contracts.model import Frozen
from runtime.configuring.positions import Path, Positions


class Mistake(Frozen):
    """One mistake: where, what, and what to do."""

    file: str
    line: int
    sentence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.sentence} {self.remedy}"


class ConfigurationErrors(Exception):  # noqa: N818 -- it is several
    """The configuration cannot be used. `mistakes` holds every one found, in the order of the file."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


def shape_mistakes(error: ValidationError, content: Mapping[str, Any], file: str, places: Positions) -> list[Mistake]:
    """One mistake per error of `Configuration.model_validate(content)`."""
    found = []
    for detail in error.errors(include_url=False):
        path = _in_file(detail["loc"], content)
        sentence, remedy = _explain(detail, path)
        found.append(Mistake(file=file, line=places.line(path), sentence=sentence, remedy=remedy))
    return found


def written(path: Path) -> str:
    """A path as people write it: `connections[1].oauth.scope`, counted from 1."""
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _in_file(location: Path, content: object) -> Path:
    """The location without the tags that pydantic puts in for unions."""
    path: Path = ()
    here: Any = content
    for index, step in enumerate(location):
        last = index == len(location) - 1
        if isinstance(here, Mapping) and isinstance(step, str):
            if step in here:
                here = here[step]
            elif last:
                return (*path, step)  # a key that is missing
            else:
                continue  # a tag
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
        else:
            continue
        path = (*path, step)
    return path


def _explain(detail: ErrorDetails, path: Path) -> tuple[str, str]:
    kind, name = detail["type"], written(path)
    given, context = detail.get("input"), detail.get("ctx", {})
    if kind == "missing":
        return f"{name} is missing.", "Add it."
    if kind == "extra_forbidden":
        return f"{name} is not a setting.", _near(path)
    if kind == "union_tag_not_found":
        return f"{name} does not say which system it is.", 'Add system = "oracle_fusion" or system = "bigcommerce".'
    if kind == "union_tag_invalid":
        return f'{name} has the unknown system "{context.get("tag", "")}".', f"Use {context.get('expected_tags', '')}."
    if kind == "literal_error":
        return f"{name} is {_shown(given)}.", f"Use {context.get('expected', '')}."
    if kind == "string_type" and isinstance(given, int | float):
        return f"{name} is the number {given}.", f'Write it as text, in quotes: "{given}".'
    if kind == "string_pattern_mismatch":
        return f"{name} is {_shown(given)}.", _PATTERNS.get(str(context.get("pattern")), "Correct its form.")
    if kind.startswith("url_"):
        return f"{name} is {_shown(given)}, which is no address.", "Write it in full, e.g. https://shop.example.com."
    if kind.startswith(("date_", "datetime_")):
        return f"{name} is {_shown(given)}, which is no day.", "Write year-month-day without quotes: 2026-03-31."
    if kind in ("enum", "tuple_type", "list_type", "model_type", "dict_type", "bool_type", "bool_parsing"):
        wanted = _FORMS.get(kind, str(context.get("expected", "")))
        return f"{name} is {_shown(given)}.", f"Use {wanted}."
    if kind == "value_error":
        reason = str(detail["msg"]).removeprefix("Value error, ")
        return f"{name}: {reason}.", "Correct it."
    return f"{name} is {_shown(given)}.", f"{detail['msg'].rstrip('.')}."


_FORMS: Final = {
    "tuple_type": "a list in square brackets, or one [[table]] for each element",
    "list_type": "a list in square brackets",
    "model_type": "a table",
    "dict_type": "a table",
    "bool_type": "true or false, without quotes",
    "bool_parsing": "true or false, without quotes",
}

_PATTERNS: Final = {
    r"^[a-z0-9][a-z0-9-]{0,39}$": "Use lower case letters, digits and hyphens, at most 40.",
    r"^[A-Z]{3}$": "Use the ISO 4217 code in capitals, e.g. EUR.",
}


def _shown(given: object) -> str:
    if isinstance(given, Mapping):
        return "a table"
    if isinstance(given, list):
        return "a list"
    text = f'"{given}"' if isinstance(given, str) else str(given).lower() if isinstance(given, bool) else str(given)
    return text if len(text) <= 80 else text[:79] + "…"


def _near(path: Path) -> str:
    names = _settings_beside(path)
    near = difflib.get_close_matches(str(path[-1]), names, n=1) if names else []
    if near:
        return f'Did you mean "{near[0]}"?'
    return f"Settings here are: {', '.join(names)}." if names else "Remove it."


def _settings_beside(path: Path) -> tuple[str, ...]:
    """Names of the settings in the table that `path` lies in, over all kinds a union allows."""
    models = _models_at(path[:-1])
    return tuple(dict.fromkeys(name for model in models for name in model.model_fields))


def _models_at(path: Path) -> tuple[type[BaseModel], ...]:
    models: tuple[type[BaseModel], ...] = (Configuration,)
    for step in path:
        if isinstance(step, int):
            continue
        fields = (model.model_fields.get(step) for model in models)
        models = tuple(inner for field in fields if field is not None for inner in _models_in(field.annotation))
    return models


def _models_in(annotation: Any) -> tuple[type[BaseModel], ...]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(model for inner in getattr(annotation, "__args__", ()) for model in _models_in(inner))
