"""The configuration file of processes under test: the demo's, with everything in a hurry."""

import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from support.stack import DEMO_CONFIGURATION

HURRY: Final[Mapping[str, str]] = {
    "import_timeout": "3.0",
    "settle": "0.5",
    "status_interval": "0.1",
    "flush_after": "0.3\nreread_after = 0.7\nunknown_limit = 0.0015",  # hours: five seconds
    "quiet_period": "0.1",
    "cron": '"0 4 1 1 *"\nsweep_cron = "0 5 1 1 *"',  # polls run when a test asks for one
}


QUICK: Final = ("--dynamic-config-value", 'history.defaultWorkflowTaskTimeout="3s"')
"""A workflow task of a worker that died is given to another after this long."""


def write_settings(path: Path, **settings: str) -> int:
    """Writes the file, its gateway on a free port; gives the port. `settings` replace values, written as TOML."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    text = DEMO_CONFIGURATION.read_text()
    for name, value in {**HURRY, "port": f"{port}\nstart_deadline = 0.5", **settings}.items():
        text, count = re.subn(rf"(?m)^{name} = .*$", lambda _, n=name, v=value: f"{n} = {v}", text)  # type: ignore[misc]
        if not count:
            raise KeyError(f"The demo's configuration does not set {name}.")
    path.write_text(text)
    return port
