"""Reads an HTML page strictly enough to say what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

VOID: Final = frozenset({"meta", "link", "input", "br", "hr", "img", "circle"})


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    parent: Element | None
    content: list[Element | str] = field(default_factory=list)

    @property
    def children(self) -> list[Element]:
        return [each for each in self.content if isinstance(each, Element)]

    @property
    def text(self) -> str:
        """What it says, spaces as a reader sees them."""
        return " ".join("".join(each if isinstance(each, str) else f" {each.text} " for each in self.content).split())

    def every(self, tag: str = "") -> list[Element]:
        found = [each for child in self.children for each in child.every(tag)]
        return [self, *found] if tag in ("", self.tag) else found

    def within(self, tag: str) -> bool:
        return self.parent is not None and (self.parent.tag == tag or self.parent.within(tag))


class Page(HTMLParser):
    """`Page(text)` raises AssertionError where elements are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.root = Element("", {}, None)
        self._at = self.root
        self.feed(text)
        self.close()
        assert self._at is self.root, f"<{self._at.tag}> is never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self._at)
        self._at.content.append(element)
        if tag not in VOID:
            self._at = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._at.content.append(Element(tag, {name: value or "" for name, value in attrs}, self._at))

    def handle_endtag(self, tag: str) -> None:
        assert self._at.tag == tag, f"</{tag}> at line {self.getpos()[0]} closes <{self._at.tag} {self._at.attributes}>"
        assert self._at.parent is not None
        self._at = self._at.parent

    def handle_data(self, data: str) -> None:
        self._at.content.append(data)

    def every(self, tag: str) -> list[Element]:
        return self.root.every(tag)

    def by_id(self, wanted: str) -> Element:
        """AssertionError where there is none."""
        found = [each for each in self.root.every() if each.attributes.get("id") == wanted]
        assert found, f"nothing has the id {wanted}"
        return found[0]

    def faults(self) -> list[str]:
        """What keeps somebody without eyes, mouse or colours from using it; and what a strict browser would refuse."""
        found = []
        ids = [each.attributes["id"] for each in self.root.every() if "id" in each.attributes]
        found += [f"id {each} twice" for each in {each for each in ids if ids.count(each) > 1}]
        for each in self.root.every():
            given = each.attributes
            for name in ("aria-labelledby", "aria-describedby"):
                found += [f"no element {wanted}" for wanted in given.get(name, "").split() if wanted not in ids]
            named = bool(given.get("aria-label") or given.get("aria-labelledby"))
            match each.tag:
                case "input" | "select" if given.get("type") != "hidden":
                    if not (each.within("label") or named):
                        found.append(f"no label: {given}")
                case "button" | "a":
                    if not (each.text or named):
                        found.append(f"no name: {given}")
                case "th" if "scope" not in given:
                    found.append(f"no scope: {each.text}")
                case "nav" | "section" if not named:
                    found.append(f"no name: {each.tag}")
                case "table" if not each.every("thead"):
                    found.append("a table without a head")
                case "style":
                    found.append("a style of its own")
                case "script" if each.text:
                    found.append("a script of its own")
            found += [f"{name} of its own" for name in given if name == "style" or name.startswith("on")]
            outside = [given[name] for name in ("src", "href", "action") if given.get(name, "/")[:1] not in "/#?"]
            found += [f"leads elsewhere: {address}" for address in outside]
        if [each.attributes.get("lang") for each in self.every("html")] != ["en"] or len(self.every("h1")) != 1:
            found.append("no language, or not one heading")
        return found
