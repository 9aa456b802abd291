"""The American shop's second channel, which the demo adds to its configuration."""

from importlib.resources import files
from typing import Final

CHANNEL: Final = 2
NAME: Final = "Maple & Pine Wholesale"
_FIRST: Final = 'channels = [{ id = "1", name = "Maple & Pine Goods" }]'
_AFTER_BOOKS: Final = "[integrations.imports]"


def with_wholesale(text: str) -> str:
    """The demo's file with the channel and its books."""
    books = files("runtime.demo").joinpath("wholesale.toml").read_text(encoding="utf-8")
    both = _FIRST.replace("}]", f'}}, {{ id = "{CHANNEL}", name = "{NAME}", target = "receivable" }}]')
    return text.replace(_FIRST, both, 1).replace(_AFTER_BOOKS, f"{books}\n{_AFTER_BOOKS}", 1)
