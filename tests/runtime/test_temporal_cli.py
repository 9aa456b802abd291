import asyncio
import stat
from pathlib import Path

import pytest

from runtime.temporal.temporal_cli import (
    TemporalCliMissing,
    cache_directory,
    cached_binary,
    find_or_obtain,
    find_or_obtain_now,
    works,
)


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def temporal(path: Path) -> Path:
    return program(path, 'echo "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)"')


GO = """
printf '%s\\n' "$@" >> "{log}"
printf '#!/bin/sh\\necho "temporal version 0.0.0-DEV (Server 1.29.1)"\\n' > "$GOBIN/temporal"
/bin/chmod +x "$GOBIN/temporal"
"""


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """A machine where the SDK's download is not reachable and nothing is installed."""
    monkeypatch.setattr("runtime.temporal.temporal_cli._DOWNLOAD", "import sys; sys.exit('no route to the download')")
    return {"PATH": str(tmp_path / "bin"), "ML_CONNECTOR_CACHE": str(tmp_path / "cache")}


def test_the_path_an_operator_gives_comes_first(tmp_path: Path, offline: dict[str, str]) -> None:
    chosen = temporal(tmp_path / "chosen")
    temporal(tmp_path / "bin" / "temporal")
    assert find_or_obtain_now(environment={**offline, "TEMPORAL_CLI_PATH": str(chosen)}) == chosen


def test_a_wrong_path_is_an_error_and_not_a_reason_to_look_elsewhere(tmp_path: Path, offline: dict[str, str]) -> None:
    temporal(tmp_path / "bin" / "temporal")
    with pytest.raises(TemporalCliMissing, match="is not a working Temporal CLI"):
        find_or_obtain_now(environment={**offline, "TEMPORAL_CLI_PATH": str(tmp_path / "absent")})


def test_the_tool_on_the_path_is_used_and_another_program_of_that_name_is_not(
    tmp_path: Path, offline: dict[str, str]
) -> None:
    found = temporal(tmp_path / "bin" / "temporal")
    assert find_or_obtain_now(environment=offline) == found
    program(found, 'echo "temporal 3: a calendar"')
    assert not works(found)


def test_what_was_obtained_once_is_found_in_the_cache(offline: dict[str, str]) -> None:
    cached = temporal(cached_binary(cache_directory(offline)))
    said: list[str] = []
    assert find_or_obtain_now(said.append, environment=offline) == cached
    assert said == []


async def test_without_a_download_it_is_built_once_and_says_so(tmp_path: Path, offline: dict[str, str]) -> None:
    log = tmp_path / "go.log"
    program(tmp_path / "bin" / "go", GO.format(log=log))
    said: list[str] = []
    wanted = cached_binary(cache_directory(offline))
    both = await asyncio.gather(*(find_or_obtain(said.append, environment=offline) for _ in range(2)))
    assert set(both) == {wanted}
    assert log.read_text().count("github.com/temporalio/cli/cmd/temporal@v1.5.1") == 1
    assert any("Building Temporal CLI 1.5.1 with Go" in line for line in said)


def test_when_nothing_works_every_way_is_listed_with_its_reason(tmp_path: Path, offline: dict[str, str]) -> None:
    program(tmp_path / "bin" / "go", 'echo "go: no such module" >&2; exit 1')
    with pytest.raises(TemporalCliMissing) as missing:
        find_or_obtain_now(environment=offline)
    text = str(missing.value)
    assert "no route to the download" in text
    assert "go: no such module" in text
    assert "TEMPORAL_CLI_PATH is not set" in text
    assert "TEMPORAL_ADDRESS" in text


def test_the_cache_lies_where_the_user_wants_it() -> None:
    assert cache_directory({"ML_CONNECTOR_CACHE": "/c"}) == Path("/c")
    assert cache_directory({"XDG_CACHE_HOME": "/x"}) == Path("/x/ml-connector")
