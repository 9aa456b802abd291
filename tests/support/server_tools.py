"""The production Temporal server and its schema tool: found, or built with Go once and kept in the project's cache.

Looked for in this order: `TEMPORAL_SERVER_PATH` and `TEMPORAL_SQL_PATH`; the cache; a build from the Go module mirror.
As a command it does just that and prints both paths: `python -m support.server_tools`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.temporal.go_build import Progress, alone, install, last_line
from runtime.temporal.temporal_cli import CACHE_VARIABLE, cache_directory

VERSION: Final = "1.29.1"
"""The server inside the dev server as well: what differs between the two is the topology and nothing else."""

MODULE: Final = "go.temporal.io/server"
NAMES: Final = {"server": "temporal-server", "sql": "temporal-sql-tool"}
"""What `go install` calls them -> what they are called in the cache, before the version."""
VARIABLES: Final = {"server": "TEMPORAL_SERVER_PATH", "sql": "TEMPORAL_SQL_PATH"}


class ServerToolsMissing(Exception):  # noqa: N818 -- says what happened
    """No way led to the server. The text lists every way with the reason it failed, and what to do."""


@dataclass(frozen=True)
class ServerTools:
    """Two programs of the same version."""

    server: Path
    sql: Path
    """Creates and updates schemas; the schemas are inside it."""


def find_or_build(
    progress: Progress = lambda line: None, *, environment: Mapping[str, str] = os.environ
) -> ServerTools:
    """Working programs. May take minutes the first time, and says so. Raises `ServerToolsMissing`."""
    given = {name: Path(environment[variable]) for name, variable in VARIABLES.items() if environment.get(variable)}
    for name, path in given.items():
        if not works(path):
            raise ServerToolsMissing(
                f"{VARIABLES[name]}={path} is not a working {NAMES[name]} {VERSION}. Correct the path, or unset the "
                f"variable."
            )
    place = cache_directory(environment) / "temporal"
    wanted = {name: given.get(name) or place / f"{file}-{VERSION}" for name, file in NAMES.items()}
    if not all(works(path) for path in wanted.values()):
        place.mkdir(parents=True, exist_ok=True)
        with alone(place / ".server-lock", progress, what="the Temporal server"):
            # Another process may have built them while this one waited.
            missing = [name for name, path in wanted.items() if not works(path)]
            if missing and (failure := _build(missing, wanted, progress, environment)):
                raise ServerToolsMissing(
                    f"No production Temporal server on this machine:\n"
                    f"  - {' and '.join(VARIABLES[name] for name in missing)} not set\n"
                    f"  - not in the cache, {place} ({CACHE_VARIABLE} moves it)\n"
                    f"  - {failure}\n"
                    f"Install Go 1.25 or newer, to let it be built, or name binaries of version {VERSION} with "
                    f"{VARIABLES['server']} and {VARIABLES['sql']}. Everything else runs without: pytest "
                    f"--ignore=tests/cluster."
                )
    return ServerTools(**wanted)


def works(binary: Path) -> bool:
    """Runs, and is of our version."""
    if not binary.is_file():
        return False
    try:
        answer = subprocess.run([str(binary), "--version"], capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and f"version {VERSION}" in answer.stdout


def write_schema_without_extension(directory: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Writes the visibility schema's versions for a PostgreSQL that has no `btree_gin`.

    Only the inverted indexes of text and list attributes change: they do without the namespace in front. Nothing here
    asks for such attributes. Raises `ServerToolsMissing` when Go cannot fetch the server's module.
    """
    go = shutil.which("go", path=environment.get("PATH"))
    fetched = go and subprocess.run(
        [go, "mod", "download", "-json", f"{MODULE}@v{VERSION}"],
        capture_output=True,
        text=True,
        cwd=directory,
        env=dict(environment),
        check=False,
    )
    if not fetched or fetched.returncode:
        raise ServerToolsMissing(
            "This PostgreSQL has no btree_gin, which Temporal's visibility schema uses, and the schema cannot be had "
            f"without Go ({last_line(fetched.stderr) if fetched else 'not installed'}). Install PostgreSQL with its "
            "contrib modules (Debian: postgresql, postgresql-contrib), or Go 1.25 or newer."
        )
    schema = Path(json.loads(fetched.stdout)["Dir"], "schema", "postgresql", "v12", "visibility", "versioned")
    for version in schema.iterdir():
        Path(directory, version.name).mkdir()
        for file in version.iterdir():
            text = file.read_text().replace("CREATE EXTENSION IF NOT EXISTS btree_gin;", "")
            Path(directory, version.name, file.name).write_text(text.replace("GIN (namespace_id, ", "GIN ("))


def _build(
    missing: list[str], wanted: Mapping[str, Path], progress: Progress, environment: Mapping[str, str]
) -> str | None:
    """None when all wanted files work afterwards, else the reason in one clause."""
    packages = {"server": f"{MODULE}/cmd/server@v{VERSION}", "sql": f"{MODULE}/cmd/tools/sql@v{VERSION}"}
    first = wanted[missing[0]]
    with tempfile.TemporaryDirectory(dir=first.parent, prefix=".build-") as place:
        failure = install(
            [packages[name] for name in missing],
            Path(place),
            progress,
            environment,
            what=f"the Temporal server {VERSION}",
            takes="three minutes",
        )
        if failure is not None:
            return failure
        for name in missing:
            built = Path(place, name)
            if not works(built):
                return f"the build with Go left no working {name}"
            built.replace(wanted[name])
    return None


def main() -> None:
    try:
        tools = find_or_build(lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201 -- a command
    except ServerToolsMissing as missing:
        sys.exit(str(missing))
    print(tools.server, tools.sql, sep="\n")  # noqa: T201 -- a command


if __name__ == "__main__":
    main()
