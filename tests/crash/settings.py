"""What a session of the crash proof is told, and the configuration of the processes under test."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.ports import free_ports
from support.stack import DEMO_CONFIGURATION

HURRY: Final[Mapping[str, str]] = {
    # Shorter, and a busy machine gives up a request before the twin has read it: then only a person knows.
    "import_timeout": "10.0\ncreate_timeout = 10.0",
    "settle": "0.5",
    "status_interval": "0.1",
    "flush_after": "0.3\nreread_after = 0.7\nunknown_limit = 0.008",  # hours: half a minute
    "quiet_period": "0.1",
    "cron": '"0 4 1 1 *"\nsweep_cron = "0 5 1 1 *"',  # polls run when a test asks for one
    # Comparisons would pass activities of their own, at ten to five in the morning.
    "patience": "60.0\nenabled = false\n\n[integrations.alignment]\nenabled = false",
}
"""The demo's configuration in a hurry; TOML values by the key they replace."""
LANES: Final = int(os.environ.get("CRASH_LANES") or "10")
"""How many rows are carried out side by side: they wait far longer than they compute."""
MANY: Final = int(os.environ.get("CRASH_ORDERS") or "200")
"""Orders of the longest row."""


def seeds(usual: int = 1) -> range:
    """`CRASH_SEEDS`: a number for the seeds from 1 to it, or `7-9` for those; not set: the usual number."""
    first, dash, last = (os.environ.get("CRASH_SEEDS") or str(usual)).partition("-")
    return range(int(first), int(last) + 1) if dash else range(1, int(first) + 1)


def asked_for_more() -> bool:
    """Whether this session was told which seeds it tries."""
    return bool(os.environ.get("CRASH_SEEDS"))


@dataclass(frozen=True)
class Setting:
    """What a row needs of its lane. Rows of the same setting use the same lane, one after the other."""

    name: str
    toml: tuple[tuple[str, str], ...] = ()
    """Values of the configuration file besides `HURRY`'s: key and TOML. A value may bring further lines."""
    amended: tuple[tuple[str, str], ...] = ()
    """Passages of the configuration file and what takes their place, where a key occurs more than once."""
    gateways: int = 0
    """The shops announce to them; without any, orders are announced by their row."""
    own_server: bool = False
    """Its rows do something to the Temporal server."""


def with_flush(seconds: float, more: str = "") -> tuple[tuple[str, str], ...]:
    """A setting whose groups wait longer; `more`: further lines of the import policy."""
    usual = HURRY["flush_after"]
    return (("flush_after", usual.replace("0.3", str(seconds) + more, 1)),)


def patient(hours: float) -> tuple[tuple[str, str], ...]:
    """A setting whose sends are looked for so long before a person is asked."""
    usual = HURRY["flush_after"]
    return (("flush_after", re.sub(r"(?<=unknown_limit = )[0-9.]+", str(hours), usual)),)


def write_settings(path: Path, amended: Sequence[tuple[str, str]] = (), **settings: str) -> int:
    """Writes the file, its gateway on a free port; gives the port. `settings` replace values, written as TOML;
    `amended` replace whole passages."""
    port = free_ports(1)[0]
    text = DEMO_CONFIGURATION.read_text()
    for name, value in {**HURRY, "port": f"{port}\nstart_deadline = 0.5", **settings}.items():
        text, count = re.subn(rf"(?m)^{name} = .*$", lambda _, n=name, v=value: f"{n} = {v}", text)  # type: ignore[misc]
        if not count:
            raise KeyError(f"The demo's configuration does not set {name}.")
    for passage, other in amended:
        if passage not in text:
            raise KeyError(f"The demo's configuration does not say {passage}.")
        text = text.replace(passage, other)
    path.write_text(text)
    return port
