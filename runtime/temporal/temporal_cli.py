"""Finding or obtaining the Temporal command line tool, which holds the dev server.

Looked for in this order: `TEMPORAL_CLI_PATH`; `temporal` on the PATH; our cache; the SDK's own download; and where that
is not reachable, a build with Go from the Go module mirror. What was obtained is kept in the cache.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from runtime.temporal.go_build import Progress, alone, install, last_line

VERSION: Final = "1.5.1"
"""The newest version that `go install` can build: later ones carry a `replace` directive in their module file."""

MODULE: Final = f"github.com/temporalio/cli/cmd/temporal@v{VERSION}"

PATH_VARIABLE: Final = "TEMPORAL_CLI_PATH"
CACHE_VARIABLE: Final = "ML_CONNECTOR_CACHE"

DOWNLOAD_PATIENCE: Final = 180.0
"""Seconds for the SDK's download; it gives up by itself within a second or two where the address is not reachable."""


class TemporalCliMissing(Exception):  # noqa: N818 -- says what happened
    """No way led to the tool. The text lists every way with the reason it failed, and what to do."""


def cache_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """`ML_CONNECTOR_CACHE`, or the user's cache directory by the XDG rules."""
    if chosen := environment.get(CACHE_VARIABLE):
        return Path(chosen)
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ml-connector"


def cached_binary(cache: Path) -> Path:
    """Named by version: a built tool reports its own as 0.0.0-DEV."""
    return cache / "temporal" / f"temporal-{VERSION}{'.exe' if os.name == 'nt' else ''}"


async def find_or_obtain(
    progress: Progress = lambda line: None, *, environment: Mapping[str, str] = os.environ
) -> Path:
    """The path of a working tool. May take minutes the first time, and says so. Raises `TemporalCliMissing`."""
    return await asyncio.to_thread(find_or_obtain_now, progress, environment=environment)


def find_or_obtain_now(progress: Progress = lambda line: None, *, environment: Mapping[str, str] = os.environ) -> Path:
    """`find_or_obtain` for callers without an event loop."""
    if chosen := environment.get(PATH_VARIABLE):
        if works(Path(chosen)):
            return Path(chosen)
        raise TemporalCliMissing(
            f"{PATH_VARIABLE}={chosen} is not a working Temporal CLI. Correct the path, or unset the variable."
        )
    on_path = shutil.which("temporal", path=environment.get("PATH"))
    if on_path and works(Path(on_path)):
        return Path(on_path)
    wanted = cached_binary(cache_directory(environment))
    if works(wanted):
        return wanted
    wanted.parent.mkdir(parents=True, exist_ok=True)
    with alone(wanted.parent / ".lock", progress, what="the Temporal CLI"):
        if works(wanted):  # another process obtained it while this one waited
            return wanted
        failures = []
        for obtain in (_download, _build):
            failure = obtain(wanted, progress, environment)
            if failure is None and works(wanted):
                progress(f"Temporal CLI {VERSION} is ready: {wanted}")
                return wanted
            failures.append(failure or f"{obtain.__name__.strip('_')}: the file does not run on this machine")
    raise TemporalCliMissing(
        "No Temporal dev server on this machine:\n"
        f"  - {PATH_VARIABLE} is not set\n"
        "  - temporal is not on the PATH\n" + "".join(f"  - {failure}\n" for failure in failures) + "Install the "
        "Temporal CLI (or Go 1.25 or newer, to let it be built), or set "
        f"{PATH_VARIABLE} to a binary, or TEMPORAL_ADDRESS to a running server."
    )


def works(binary: Path) -> bool:
    """Runs, and is Temporal's tool and not another program of that name."""
    if not binary.is_file():
        return False
    try:
        answer = subprocess.run(  # noqa: S603 -- the operator's own path
            [str(binary), "--version"], capture_output=True, text=True, timeout=120, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and re.search(r"temporal version .*server", answer.stdout.lower()) is not None


def _download(wanted: Path, progress: Progress, environment: Mapping[str, str]) -> str | None:
    """None when `wanted` exists afterwards, else the reason in one clause.

    The SDK downloads only as part of starting a server, and leaving the interpreter after such a server can abort it:
    so a short-lived Python of its own does it.
    """
    progress(f"Downloading Temporal CLI {VERSION} with the Temporal SDK ...")
    with tempfile.TemporaryDirectory(dir=wanted.parent, prefix=".download-") as place:
        try:
            run = subprocess.run(  # noqa: S603 -- our own module under our own interpreter
                [sys.executable, "-c", _DOWNLOAD, place, f"v{VERSION}"],
                capture_output=True,
                text=True,
                timeout=DOWNLOAD_PATIENCE,
                check=False,
                env=dict(environment),
            )
        except subprocess.TimeoutExpired:
            return f"the SDK's download did not end within {DOWNLOAD_PATIENCE:.0f} s"
        for found in sorted(Path(place).iterdir()):
            # Judged by the file and not by the exit code: see above.
            if works(found):
                found.replace(wanted)
                return None
        return f"the SDK's download failed ({last_line(run.stderr)})"


_DOWNLOAD: Final = """
import asyncio, sys, time
from temporalio.testing import WorkflowEnvironment
async def main(place, version):
    environment = await WorkflowEnvironment.start_local(
        download_dest_dir=place, dev_server_download_version=version, dev_server_log_level="error")
    await environment.shutdown()
try:
    asyncio.run(main(*sys.argv[1:]))
except RuntimeError as error:
    sys.exit(str(error).splitlines()[0])
time.sleep(0.5)
"""


def _build(wanted: Path, progress: Progress, environment: Mapping[str, str]) -> str | None:
    """None when `wanted` exists afterwards, else the reason in one clause."""
    with tempfile.TemporaryDirectory(dir=wanted.parent, prefix=".build-") as place:
        failure = install(
            [MODULE], Path(place), progress, environment, what=f"Temporal CLI {VERSION}", takes="four minutes"
        )
        if failure is not None:
            return failure
        built = next(iter(Path(place).iterdir()), None)
        if built is None:
            return "the build with Go left no binary"
        built.replace(wanted)
    return None
