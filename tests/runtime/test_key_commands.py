"""`ml-connector keys` and `ml-connector console token`, as an operator types them."""

import asyncio
import datetime as dt
import re
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.typed import run_line
from typer.testing import Result

from console.passes import Passes
from runtime.commands import keys
from store import KeyRing, Store, Vault
from store.keys import key_file

Write = Callable[..., Path]
Typed = Callable[..., Result]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    KeyRing.generate("k1").write(path)
    return path


@pytest.fixture
def typed(written: Write, file: Path, tmp_path: Path) -> Iterator[Typed]:
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
        return run_line(given, *arguments)

    return run


def test_a_key_is_added_everywhere_before_it_is_used_anywhere(typed: Typed, file: Path) -> None:
    added = typed("keys", "add")
    (fresh,) = set(KeyRing.from_file(file).ids) - {"k1"}
    assert re.fullmatch("k2-[0-9a-f]{8}", fresh)
    assert f"Key {fresh} is in the ring." in added.output
    assert f"ml-connector keys use {fresh}" in added.output
    assert (KeyRing.from_file(file).current, KeyRing.from_file(file).ids) == ("k1", ("k1", fresh))
    assert f"Key {fresh} is now current" in typed("keys", "use", fresh).output
    assert KeyRing.from_file(file).ids == (fresh, "k1")
    assert typed("keys", "list").output.startswith(f"{fresh}  (current)  since 20")
    unknown = typed("keys", "use", "k7")
    assert unknown.exit_code == 2
    assert f'There is no key "k7" in the ring. Its keys are: {fresh}, k1.' in unknown.output


def test_a_ring_from_the_environment_is_printed_and_never_written(typed: Typed, file: Path) -> None:
    ring = KeyRing.generate("e1")
    before = file.read_text()
    text = ring.to_text()
    printed = typed("keys", "add", "--print", ML_CONNECTOR_KEYS=text).output
    added = KeyRing.from_text(printed.strip().removeprefix("ML_CONNECTOR_KEYS="))
    assert added.current == "e1"
    _, fresh = added.ids
    printed = typed("keys", "use", fresh, "--print", ML_CONNECTOR_KEYS=added.to_text()).output
    assert KeyRing.from_text(printed.strip().removeprefix("ML_CONNECTOR_KEYS=")).current == fresh
    for arguments in (("add",), ("rotate",), ("use", fresh)):
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
    current = KeyRing.from_file(file).current
    refused = typed("keys", "retire", "k1")
    assert refused.exit_code == 1
    assert "Temporal does not say which histories need it" in refused.output
    assert "Nothing was changed." in refused.output
    assert KeyRing.from_file(file).ids == (current, "k1")
    forced = typed("keys", "retire", "k1", "--force")
    assert forced.exit_code == 0
    assert KeyRing.from_file(file).ids == (current,)


def test_a_rotation_while_the_use_of_an_old_key_is_looked_at_is_kept(
    typed: Typed, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking at every running history takes minutes, and somebody else may rotate meanwhile."""
    typed("keys", "rotate")
    second = KeyRing.from_file(file)

    def needed(*_: object) -> list[str]:
        assert typed("keys", "rotate").exit_code == 0
        return []

    monkeypatch.setattr("runtime.commands.keys._needed", needed)
    assert typed("keys", "retire", "k1").exit_code == 0
    third = KeyRing.from_file(file)
    assert third.current.startswith("k3-")
    assert third.ids[1:] == (second.current,)


@pytest.mark.parametrize("meanwhile", ["used again", "used for a while", "another key"])
def test_a_key_that_is_not_what_was_looked_at_is_not_retired(
    typed: Typed, file: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    typed("keys", "rotate")
    fresh = KeyRing.from_file(file).current

    def needed(*_: object) -> list[str]:
        if meanwhile == "another key":
            KeyRing.from_file(file).without("k1").add("k1").write(file)
            return []
        before = KeyRing.from_file(file)
        moment = before.since["k1"] + dt.timedelta(seconds=5)
        monkeypatch.setattr("store.keys.keyring._now", lambda: moment)
        assert typed("keys", "use", "k1").exit_code == 0
        if meanwhile == "used for a while":
            assert typed("keys", "use", fresh).exit_code == 0
        return []

    monkeypatch.setattr("runtime.commands.keys._needed", needed)
    refused = typed("keys", "retire", "k1")
    assert refused.exit_code == 1
    assert "Meanwhile somebody else changed key k1" in refused.output
    assert "k1" in KeyRing.from_file(file)


def test_changes_at_the_same_moment_are_all_kept(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file, "PATIENCE", 120.0)  # the last of eight waits for seven others, and each for the disk
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: keys.rotate(file=file), range(8)))
        list(pool.map(lambda _: keys.add(file=file), range(8)))
    ring = KeyRing.from_file(file)
    assert len(ring) == 17
    assert len(ring.since) == 9
    assert stat.S_IMODE(file.with_name(".keys.json.lock").stat().st_mode) == 0o600


def test_a_key_file_that_somebody_keeps_locked_is_not_changed(
    typed: Typed, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_file, "PATIENCE", 0.05)
    before = file.read_text()
    with key_file.locked(file):
        refused = typed("keys", "rotate")
        assert typed("keys", "list").exit_code == 0
    assert refused.exit_code == 1
    assert "is being changed by another process" in str(refused.exception)
    assert file.read_text() == before
    assert typed("keys", "rotate").exit_code == 0


def test_every_command_finds_the_file_that_init_wrote_or_names_it(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = {"ML_CONNECTOR_KEY_FILE": None}
    assert "`ml-connector keys init` makes" in str(typed("keys", "list", **here).exception)
    assert typed("keys", "init", **here).exit_code == 0
    file = tmp_path / ".ml-connector" / "keys.json"
    current = KeyRing.from_file(file).current
    assert typed("keys", "list", **here).output.startswith(f"{current}  (current)")
    typed("migrate")
    for command in ("usage", "rewrap"):
        told = typed("keys", command, **here)
        assert told.exit_code == 1
        assert f"export ML_CONNECTOR_KEY_FILE={file}" in str(told.exception)


def test_values_that_cannot_be_rewrapped_are_named_and_the_others_are(typed: Typed, file: Path, tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/store.db"
    lost = KeyRing.generate("lost")

    async def prepare() -> None:
        async with Store.open(url, Vault(lost)) as store:
            await store.migrate()
            for number in range(22):
                await store.secrets.put("acme", f"shop-{number}", "token", "value")
        async with Store.open(url, Vault(KeyRing.from_file(file))) as store:
            await store.secrets.put("acme", "shop", "token", "value")

    asyncio.run(prepare())
    typed("keys", "rotate")
    told = typed("keys", "rewrap")
    assert told.exit_code == 1
    assert "Values put under the current key: 1." in told.output
    assert "22 secrets (table secrets, " in told.output
    assert 'and 2 more): Key "lost" is not in the key ring.' in told.output
    assert "22 values stay as they were." in told.output


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
