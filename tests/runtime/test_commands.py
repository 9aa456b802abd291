import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from support.typed import run_line
from typer.testing import Result

from runtime.commands import common
from store import KeyRing

Write = Callable[..., Path]
SECRET = "canary-4711-secret"


class Shell:
    def __init__(self, config: Path, environment: dict[str, str]) -> None:
        self.config = config
        self.environment = environment

    def __call__(self, *arguments: str, text: str | None = None) -> Result:
        environment: dict[str, str | None] = {"ML_CONNECTOR_CONFIG": str(self.config), **self.environment}
        return run_line(environment, *arguments, text=text)


@pytest.fixture
def shell(written: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setattr(common.output, "_force_terminal", False)
    path = written(more=f'[store]\nurl = "sqlite+aiosqlite:///{tmp_path}/store.db"\n')
    return Shell(path, {"ML_CONNECTOR_KEYS": KeyRing.generate().to_text()})


def test_the_version_is_told(shell: Shell) -> None:
    told = shell("version")
    assert told.exit_code == 0
    assert "Temporal SDK" in told.output


def test_check_lists_mistakes_with_their_place(shell: Shell) -> None:
    shell.config.write_text(shell.config.read_text().replace('source = "bc-us"', 'source = "bc-uk"'))
    told = shell("check", "--offline")
    assert told.exit_code == 1
    assert "connector.toml:30: There" in told.output
    assert 'is no shop connection "bc-uk".' in told.output


def test_check_without_systems_passes_with_warnings_unless_strict(shell: Shell) -> None:
    told = shell("check", "--offline")
    assert told.exit_code == 0
    assert "1 warning" in told.output
    assert shell("check", "--offline", "--strict").exit_code == 1


def test_check_says_which_secrets_are_missing(shell: Shell) -> None:
    fresh = shell("check")
    assert fresh.exit_code == 1
    assert "A new store is made ready by the first `ml-connector secrets set`." in fresh.output
    shell("secrets", "set", "bc-us", "webhook_header", "--stdin", text=f"{SECRET}\n")
    told = shell("check")
    assert told.exit_code == 1
    assert "No access_token is set, so it cannot sign in." in told.output
    assert "No client_secret is set, so its webhooks cannot be verified" in told.output
    assert "ml-connector secrets set bc-us access_token" in told.output


def test_connections_are_listed_and_an_unknown_one_is_refused(shell: Shell) -> None:
    assert "bc-us" in shell("connections", "list").output
    told = shell("connections", "test", "bc-uk")
    assert told.exit_code == 2
    assert "Connections are: fusion-test, bc-us" in told.output


def test_a_secret_is_set_from_the_environment_and_never_shown(shell: Shell) -> None:
    shell.environment["TOKEN"] = SECRET
    assert shell("secrets", "set", "bc-us", "access_token", "--offline", "--from-env", "TOKEN").exit_code == 0
    told = shell("secrets", "list")
    assert told.exit_code == 0
    assert re.search(r"\b\d min ago", told.output)
    assert "missing" in told.output
    assert SECRET not in told.output


def test_rotation_keeps_older_values_until_they_are_forgotten(shell: Shell) -> None:
    first = shell("secrets", "set", "bc-us", "client_secret", "--stdin", text=f"{SECRET}\n")
    second = shell("secrets", "set", "bc-us", "client_secret", "--stdin", text=f"{SECRET}-2\n")
    assert "is set.\n" in first.output
    assert "1 older stay valid" in second.output
    assert "1 old value of client_secret removed" in shell("secrets", "forget-old", "bc-us", "client_secret").output


@pytest.mark.parametrize(
    ("arguments", "text", "sentence"),
    [
        (("bc-us", "password", "--stdin"), "x\n", "has no secret"),
        (("bc-us", "access_token", "--stdin"), "\n", "cannot be empty"),
        (("bc-us", "access_token", "--from-env", "ABSENT"), None, "not set or empty"),
        (("bc-us", "access_token"), "x\n", "no terminal"),
    ],
)
def test_a_secret_that_cannot_be_right_is_refused(
    shell: Shell, arguments: tuple[str, ...], text: str | None, sentence: str
) -> None:
    told = shell("secrets", "set", *arguments, text=text)
    assert told.exit_code in (1, 2)
    assert sentence in told.output


def test_a_key_file_is_private_and_never_overwritten(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "keys" / "ring.json"
    assert shell("keys", "init", "--file", str(file)).exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    told = shell("keys", "init", "--file", str(file))
    assert told.exit_code == 1
    assert "would lose everything sealed" in told.output


def test_rotation_of_keys_keeps_what_was_sealed_readable(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "ring.json"
    shell.environment = {"ML_CONNECTOR_KEY_FILE": str(file), "ML_CONNECTOR_KEYS": "", "TOKEN": SECRET}
    shell("keys", "init")
    shell("secrets", "set", "bc-us", "access_token", "--offline", "--from-env", "TOKEN")
    (old,) = json.loads(file.read_text())["keys"]
    told = shell("keys", "rotate")
    current = json.loads(file.read_text())["current"]
    assert f"Key {current} is now current" in told.output
    assert "under the current key: 1." in shell("keys", "rewrap").output
    content = json.loads(file.read_text())
    del content["keys"][old]
    file.write_text(json.dumps(content))
    assert re.search(r"\b\d min ago", shell("secrets", "list").output)
    assert shell("keys", "list").output.startswith(f"{current}  (current)  since 20")
    assert all(key not in told.output for key in content["keys"].values())


def test_a_ring_can_be_printed_for_a_secret_manager(shell: Shell) -> None:
    told = shell("keys", "init", "--print")
    assert told.output.startswith("ML_CONNECTOR_KEYS=k1-")
    told = shell("keys", "rotate", "--print")
    assert told.output.startswith("ML_CONNECTOR_KEYS=k2-")
