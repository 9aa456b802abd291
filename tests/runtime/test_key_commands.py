"""`ml-connector keys` and `ml-connector console token`, as an operator types them."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from console.passes import Passes
from runtime.cli import application
from store import KeyRing

Write = Callable[..., Path]
Typed = Callable[..., Result]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    KeyRing.generate().write(path)
    return path


@pytest.fixture
def typed(written: Write, file: Path, tmp_path: Path) -> Iterator[Typed]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    config = written(
        more=f'[store]\nurl = "sqlite+aiosqlite:///{tmp_path}/store.db"\n[temporal]\naddress = "127.0.0.1:1"\n'
    )

    def run(*arguments: str, **environment: str | None) -> Result:
        given: dict[str, str | None] = {
            "ML_CONNECTOR_CONFIG": str(config),
            "ML_CONNECTOR_KEY_FILE": str(file),
            "ML_CONNECTOR_KEYS": None,
            "COLUMNS": "200",
            **environment,
        }
        return CliRunner(env=given).invoke(application(), list(arguments))

    yield run
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_key_is_added_everywhere_before_it_is_used_anywhere(typed: Typed, file: Path) -> None:
    added = typed("keys", "add")
    assert "Key k2 is in the ring." in added.output
    assert "ml-connector keys use k2" in added.output
    assert (KeyRing.from_file(file).current, KeyRing.from_file(file).ids) == ("k1", ("k1", "k2"))
    assert "Key k2 is now current" in typed("keys", "use", "k2").output
    assert KeyRing.from_file(file).ids == ("k2", "k1")
    assert typed("keys", "list").output.startswith("k2  (current)  since 20")
    unknown = typed("keys", "use", "k7")
    assert unknown.exit_code == 2
    assert 'There is no key "k7" in the ring. Its keys are: k2, k1.' in unknown.output


def test_a_ring_from_the_environment_is_printed_and_never_written(typed: Typed, file: Path) -> None:
    ring = KeyRing.generate("e1")
    before = file.read_text()
    text = ring.to_text()
    printed = typed("keys", "add", "--print", ML_CONNECTOR_KEYS=text).output
    added = KeyRing.from_text(printed.strip().removeprefix("ML_CONNECTOR_KEYS="))
    assert (added.current, set(added.ids)) == ("e1", {"e1", "k2"})
    printed = typed("keys", "use", "k2", "--print", ML_CONNECTOR_KEYS=added.to_text()).output
    assert KeyRing.from_text(printed.strip().removeprefix("ML_CONNECTOR_KEYS=")).current == "k2"
    for arguments in (("add",), ("rotate",), ("use", "k2")):
        refused = typed("keys", *arguments, ML_CONNECTOR_KEYS=added.to_text())
        assert refused.exit_code == 1
        assert "use --print" in refused.output
    assert file.read_text() == before


def test_no_key_is_retired_unseen_while_temporal_does_not_answer(
    typed: Typed, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.commands.keys.PATIENCE", 0.1)
    typed("migrate")
    typed("keys", "rotate")
    refused = typed("keys", "retire", "k1")
    assert refused.exit_code == 1
    assert "Temporal does not say which histories need it" in refused.output
    assert "Nothing was changed." in refused.output
    assert KeyRing.from_file(file).ids == ("k2", "k1")
    forced = typed("keys", "retire", "k1", "--force")
    assert forced.exit_code == 0
    assert KeyRing.from_file(file).ids == ("k2",)


def test_the_current_key_and_an_unknown_one_are_not_retired(typed: Typed) -> None:
    assert "rotate first" in str(typed("keys", "retire", "k1").exception)
    assert typed("keys", "retire", "k9").exit_code == 2


def test_a_token_is_printed_with_how_to_use_it_and_signs_its_owner_in(typed: Typed, file: Path) -> None:
    told = typed("console", "token", "--for", "dana", "--days", "3")
    assert told.exit_code == 0
    assert "Token for dana" in told.output
    assert "http://127.0.0.1:8081/" in told.output
    assert "--codec-auth" in told.output
    plain = typed("console", "token", "--for", "dana", "--plain")
    found = Passes(KeyRing.from_file(file), "token").read(plain.output.strip())
    assert found is not None
    assert found.who == "dana"
    assert Passes(KeyRing.generate(), "token").read(plain.output.strip()) is None


def test_a_token_names_a_person(typed: Typed) -> None:
    assert typed("console", "token", "--for", "x" * 81).exit_code == 2
    assert typed("console", "token", "--plain").exit_code == 0
