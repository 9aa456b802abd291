"""Faults as buttons: what a person may set without knowing how faults are written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.kit.faults import Fault, Faults
from sandbox.kit.form import Form
from sandbox.kit.wording import counted, span

DAY = 86_400.0
"""Seconds; nothing a person sets lasts longer."""

KINDS: dict[str, str] = {
    "latency": "Answers come late",
    "error": "Refused with an error",
    "outage": "Down",
    "unauthorized": "Credentials refused",
    "rate_limit": "Too many requests",
    "cut": "Connection cut, nothing done",
    "lost_answer": "Done, answer lost",
    "error_after": "Done, answered with an error",
    "slow_answer": "Done, answer late",
    "delayed_commit": "Done only after the caller has gone",
}
"""What every twin can have, in words."""


@dataclass(frozen=True)
class Measure:
    """A number that may be changed before the button is pressed."""

    name: Literal["seconds", "lasts", "count"]
    label: str
    value: float

    @property
    def words(self) -> str:
        """What it is unless it is changed."""
        match self.name:
            case "lasts":
                return f"for {span(self.value)}"
            case "seconds":
                return f"by {span(self.value)}"
        return "once" if self.value == 1 else counted(int(self.value), "time")


@dataclass(frozen=True)
class Knob:
    """One button. `effect` says in a sentence what whoever calls the twin will see."""

    name: str
    title: str
    effect: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    measures: tuple[Measure, ...] = ()


def lasting(seconds: float) -> Measure:
    return Measure("lasts", "lasts (s)", seconds)


def times(count: int = 1) -> Measure:
    return Measure("count", "times", count)


def by(seconds: float) -> Measure:
    return Measure("seconds", "by (s)", seconds)


def usual_knobs() -> tuple[Knob, ...]:
    """Those that make sense at every system."""
    return (
        Knob("outage", "Outage", "Every call is refused with 503.", "outage", measures=(lasting(20),)),
        Knob(
            "gone",
            "Nobody answers",
            "The port is closed with the next call and opens again by itself. This page is gone as long.",
            "outage",
            {"options": {"mode": "refuse"}},
            (lasting(15),),
        ),
        Knob("slow", "Slow", "Every call is answered late.", "latency", measures=(by(3), lasting(60))),
        Knob("half", "Every second call fails", "500, by chance.", "error", {"chance": 0.5}, (lasting(30),)),
        Knob(
            "limited",
            "Too many requests",
            "429, and a wait of five seconds is asked for.",
            "rate_limit",
            {"retry_after": 5},
            (lasting(20),),
        ),
        Knob(
            "signed_out", "Credentials refused", "The next calls are answered with 401.", "unauthorized", {}, (times(),)
        ),
    )


def turn(faults: Faults, knobs: Sequence[Knob], form: Form) -> tuple[Knob, Fault]:
    """Set the fault of the knob the form names. LookupError for an unknown one, ValueError for a bad number."""
    wanted = form.text("knob")
    knob = next((each for each in knobs if each.name == wanted), None)
    if knob is None:
        raise LookupError(f"There is no button {wanted!r}.")
    settings = {**knob.settings}
    for measure in knob.measures:
        settings[measure.name] = _measured(form, measure.name, measure.value)
    return knob, faults.set(knob.kind, **settings)


def set_freely(faults: Faults, kinds: Mapping[str, str], form: Form) -> Fault:
    """Set any fault from a form whose fields may be left empty. ValueError says what is wrong with it."""
    kind = form.text("kind")
    if kind not in kinds:
        raise ValueError(f"There is no fault {kind!r}.")
    settings: dict[str, Any] = {name: text for name in ("method", "path") if (text := form.text(name))}
    for name in ("count", "skip", "seconds", "lasts", "retry_after"):
        if form.text(name):
            settings[name] = _measured(form, name, 0)
    if form.text("chance"):
        settings["chance"] = form.number("chance", least=1, most=100) / 100
    if form.text("status"):
        settings["status"] = int(form.number("status", least=400, most=599))
    try:
        return faults.set(kind, **settings)
    except re.error as error:
        raise ValueError(f"Method or path is not a regular expression: {error}.") from error


def _measured(form: Form, name: str, otherwise: float) -> float | int:
    most = 1_000_000.0 if name in ("count", "skip") else DAY
    number = form.number(name, least=0 if name == "skip" else 0.001, most=most, otherwise=otherwise)
    return max(1, int(number)) if name == "count" else int(number) if name == "skip" else number
