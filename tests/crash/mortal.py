"""The nursery of the crash tests: imports the product once, then forks workers and gateways that die where told.

A child runs what `ml-connector worker` and `ml-connector gateway` run; only the Temporal client gets one more plugin.
"""

import asyncio
import ctypes
import functools
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import crash.boundaries
from crash.boundaries import MortalPlugin, Points, surround
from support.busy_machines import let_flows_stand_still
from temporalio.worker._worker import load_default_build_id

import activities.access.sharing
import activities.heartbeat
import runtime.cli  # everything a child could need, before the first fork
import runtime.serving
from runtime.configuring.configuration import load
from runtime.observing.logs import configure_logs
from runtime.serving import serve_gateway, serve_worker, stop_on_signals
from runtime.temporal.connect import connect
from runtime.temporal.starting import TemporalStarter
from store import KeyRing
from store.creating.creations import Creations
from store.deliveries import Deliveries
from store.hooks import Hooks
from store.outbox.groups import Groups
from store.wakeups import Wakeups

DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG"""

BEAT = 0.5
"""Seconds between heartbeats: their timeout is short as well."""

RHYTHM = {"renewal": 1.0, "look": 0.2, "knock": 0.1, "fence": 2.0, "dead": 3.0}
"""How soon a worker that stands still is no longer counted: steps that call a vendor wait for that."""

STEPS = (
    (Groups, "lease", "store/lease"),
    (Groups, "mark_sending", "store/mark"),
    (Groups, "submitted", "store/submitted"),
    (Creations, "lease", "store/creation_lease"),
    (Creations, "mark_sent", "store/creation_mark"),
    (Creations, "confirmed", "store/creation_confirmed"),
    (TemporalStarter, "start", "gateway/start"),
    (Hooks, "put", "store/hooks"),
    (Wakeups, "confirm_many", "gateway/confirm"),
    (Deliveries, "inbox_put", "gateway/inbox"),
)


async def play(role: str, options: Mapping[str, Any]) -> None:
    points = Points(Path(options["points"]))
    for owner, method, point in STEPS:
        surround(points, owner, method, point)
    if (patience := options.get("patience")) is not None:
        for limit in ("LONGEST_STEP", "LONGEST_SILENCE"):
            setattr(crash.boundaries, limit, timedelta(seconds=patience))
    setattr(activities.heartbeat, "EVERY", BEAT)  # noqa: B010 -- a constant
    setattr(activities.heartbeat, "FIRST", BEAT)  # noqa: B010
    rhythm = activities.access.sharing.Rhythm(**options.get("rhythm", RHYTHM))
    setattr(activities.access.sharing, "RHYTHM", rhythm)  # noqa: B010
    plugin = MortalPlugin(points, few_pollers=options.get("few_pollers", False))
    setattr(runtime.serving, "connect", functools.partial(connect, plugins=[plugin]))  # noqa: B010
    configuration = load(Path(options["config"]), os.environ)
    keys = KeyRing.from_environment(os.environ)
    with stop_on_signals() as stop:
        await {"worker": serve_worker, "gateway": serve_gateway}[role](configuration, keys, stop)


def live(wish: Mapping[str, Any]) -> NoReturn:
    """The whole life of a child."""
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    code = 1
    try:
        log = os.open(wish["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, target)
        os.environ.clear()
        os.environ.update(wish["environment"])
        configure_logs(form="json", level="INFO")
        asyncio.run(play(wish["role"], wish["options"]))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    let_flows_stand_still()
    load_default_build_id()  # compiles every module of the process, which costs each child two seconds otherwise
    # Children that were killed are nobody's to wait for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            live(json.loads(line))
        sys.stdout.write(json.dumps({"pid": pid}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
