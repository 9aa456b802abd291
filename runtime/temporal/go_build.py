"""Building a program with `go install` into a directory of ours, once for all processes of a machine."""

import contextlib
import fcntl
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

BUILD_PATIENCE: Final = 2400.0
"""Seconds for one build; the longest takes three and a half minutes on two cores the first time, and many times that
where others work as well."""

Progress = Callable[[str], None]
"""Receives one line for people at a time."""


def install(
    packages: Sequence[str],
    place: Path,
    progress: Progress,
    environment: Mapping[str, str],
    *,
    what: str,
    takes: str,
) -> str | None:
    """Builds packages of one module, each as `PATH@VERSION`, into `place`.

    None when it worked, else the reason in one clause. `what` and `takes` are for people: what is built, and about how
    long that takes.
    """
    go = shutil.which("go", path=environment.get("PATH"))
    if go is None:
        return "Go is not installed, so it cannot be built"
    progress(f"Building {what} with Go: about {takes} on two cores, once ...")
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as log:
        build = subprocess.Popen(  # noqa: S603 -- fixed arguments
            [go, "install", "-ldflags", "-s -w", *packages],
            env={**environment, "GOBIN": str(place)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            code = _await_build(build, progress, started)
        finally:
            if build.poll() is None:
                build.kill()
                build.wait()
        log.seek(0)
        if code is None:
            return f"the build with Go did not end within {BUILD_PATIENCE:.0f} s"
        if code != 0:
            return f"the build with Go failed ({last_line(log.read())})"
    progress(f"Built in {time.monotonic() - started:.0f} s.")
    return None


def _await_build(build: "subprocess.Popen[bytes]", progress: Progress, started: float) -> int | None:
    while time.monotonic() - started < BUILD_PATIENCE:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return build.wait(timeout=20)
        minutes, seconds = divmod(int(time.monotonic() - started), 60)
        progress(f"... still building ({minutes} min {seconds:02d} s)")
    return None


@contextlib.contextmanager
def alone(lock: Path, progress: Progress, *, what: str) -> Iterator[None]:
    """One process obtains `what`, the others wait for it. The lock goes with the process that holds it."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"Another process is obtaining {what}; waiting for it ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def last_line(text: str) -> str:
    """The last line that says something, for a reason in one clause."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no message"
