"""`ml-connector audit verify` and `audit seal`, as an auditor types them."""

import asyncio
import datetime as dt
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from support.audit_trail import seal_all, tamper, tell
from support.typed import logs_apart, run_line
from typer.testing import Result

from runtime.cli import main
from runtime.commands import common
from store import KeyRing, KeyRingError, Store, Vault

Write = Callable[..., Path]


class Office:
    """A store with a trail, and a command line beside it."""

    def __init__(self, config: Path, url: str) -> None:
        self.url = url
        self.keys = KeyRing.generate()
        self.environment: dict[str, str | None] = {
            "ML_CONNECTOR_CONFIG": str(config),
            "ML_CONNECTOR_KEYS": self.keys.to_text(),
            "COLUMNS": "200",
        }

    def __call__(self, *arguments: str) -> Result:
        return self.typed("audit", *arguments)

    def typed(self, *arguments: str) -> Result:
        return run_line(self.environment, *arguments)

    def act(self, work: Callable[[Store], Awaitable[Any]]) -> Any:
        async def on_store() -> Any:
            async with Store.open(self.url, Vault(self.keys)) as store:
                await store.migrate()
                return await work(store)

        return asyncio.run(on_store())


@pytest.fixture
def office(written: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setattr(common.output, "_force_terminal", False)
    url = f"sqlite+aiosqlite:///{tmp_path}/store.db"
    return Office(written(more=f'[store]\nurl = "{url}"\n[temporal]\naddress = "127.0.0.1:1"\n'), url)


def test_a_trail_is_sealed_and_verified(office: Office) -> None:
    office.act(lambda store: tell(store, "acme", "1", "2", "3"))
    told = office("verify")
    assert told.exit_code == 0, told.output
    assert "acme: OK" in told.output
    assert "not sealed yet: 3 events, the oldest for" in told.output

    told = office("seal")
    assert "acme: 3 events under 1 seal; newest seal 1" in told.output
    digest = told.output.split()[-1]
    assert "acme: nothing new; newest seal 1" in office("seal", "--tenant", "acme").output

    office.act(lambda store: tell(store, "acme", "4"))
    told = office("verify", "--kept", digest.upper())
    assert told.exit_code == 0, told.output
    assert "1 seal over 3 events, 2026-03-02 15:00:00 to 2026-03-02 15:00:00 UTC" in told.output
    assert "seal 1 of" in told.output
    assert "has the digest that you kept" in told.output
    assert "not sealed yet: 1 event," in told.output
    assert digest in told.output


def test_a_changed_event_ends_with_an_error_that_names_it(office: Office) -> None:
    async def prepare(store: Store) -> None:
        await tell(store, "acme", "1", "2", "3")
        await seal_all(store, "acme")
        await tamper(store, "UPDATE audit_events SET sentence = '-' WHERE document_id = '2'")

    office.act(prepare)
    told = office("verify")
    assert told.exit_code == 1
    assert "acme: NOT AS IT WAS SEALED (1 finding)" in told.output
    assert 'Audit event 2 of order 2 (bc-us), "staged", under audit seal 1' in told.output
    assert "Compare with a backup" in told.output

    told = office("verify", "--json", "--tenant", "acme")
    assert told.exit_code == 1
    content = json.loads(told.stdout)
    assert content["intact"] is False
    (tenant,) = content["tenants"]
    assert (tenant["tenant"], tenant["intact"], tenant["seals"], tenant["events"]) == ("acme", False, 1, 3)
    assert tenant["findings"][0]["fault"] == "event_changed"
    assert (tenant["findings"][0]["event"], tenant["findings"][0]["document_id"]) == (2, "2")


def test_a_digest_that_no_seal_has_is_an_error(office: Office) -> None:
    office.act(lambda store: tell(store, "acme", "1"))
    office("seal")
    told = office("verify", "--kept", "ab" * 32)
    assert told.exit_code == 1
    assert f"No seal has the digest {'ab' * 32}" in told.output
    assert json.loads(office("verify", "--json", "--kept", "ab" * 32).stdout)["kept_missing"] == ["ab" * 32]


def test_another_key_of_the_same_id_is_a_lost_key_and_names_what_to_do(office: Office) -> None:
    """A new ring after a loss, its key called as the lost one was."""

    async def prepare(store: Store) -> None:
        await tell(store, "acme", "1", payload="original")
        await seal_all(store, "acme")

    office.act(prepare)
    office.environment["ML_CONNECTOR_KEYS"] = KeyRing.generate(office.keys.current).to_text()
    told = office("verify")
    assert told.exit_code == 1
    assert "Audit seal 1 of tenant acme cannot be verified: The key ring holds another key under the id" in told.output
    assert "from your backup of the ring." in " ".join(told.output.split())
    assert "was changed" not in told.output
    assert "removed or altered" not in told.output
    sealing = office("seal")
    assert isinstance(sealing.exception, KeyRingError)
    assert f'another key under the id "{office.keys.current}"' in str(sealing.exception)


def test_status_says_how_much_is_not_sealed_and_warns_when_sealing_has_stopped(office: Office) -> None:
    now = dt.datetime.now(dt.UTC)
    office.act(lambda store: tell(store, "acme", "1", at=now))
    told = office.typed("status")
    assert told.exit_code == 0, told.output
    assert "Audit trail of acme: 1 event not sealed yet, the oldest for" in told.output
    assert "Sealing has stopped." not in told.output

    office.act(lambda store: tell(store, "acme", "2", at=now - dt.timedelta(minutes=20)))
    office.act(lambda store: tell(store, "gone", "1", at=now - dt.timedelta(days=2)))
    told = office.typed("status")
    assert told.exit_code == 0, told.output
    assert re.search(r"Audit trail of acme: 2 events not sealed yet, the oldest for 2\d min", told.output)
    assert "Sealing has stopped. The audit trail of tenant acme is to be sealed every 300 s and is not." in told.output
    assert "whether the schedule audit-sealing:acme is paused" in told.output
    assert "Audit trail of gone: 1 event not sealed yet, the oldest for 2 days" in told.output
    assert "Tenant gone is not in the configuration any more" in told.output
    acme, gone = json.loads(office.typed("status", "--json").stdout)["trails"]
    assert (acme["tenant"], acme["unsealed"], acme["overdue"]) == ("acme", 2, True)
    assert re.sub(r"\d+ min", "20 min", acme["sentence"]) in re.sub(r"\d+ min", "20 min", told.output)
    assert dt.datetime.fromisoformat(acme["oldest"]) == now - dt.timedelta(minutes=20)
    assert (gone["tenant"], gone["overdue"]) == ("gone", True)

    office("seal")
    told = office.typed("status")
    assert "Audit trail of acme: everything is sealed" in told.output
    assert "Sealing has stopped." not in told.output
    # Its record is gone: nothing more is sealed, and without the key of the ring it is said all the same.
    office.act(lambda store: tell(store, "acme", "3", at=now - dt.timedelta(minutes=20)))
    office.act(lambda store: tamper(store, "DELETE FROM audit_heads"))
    office.environment["ML_CONNECTOR_KEYS"] = KeyRing.generate("other").to_text()
    told = office.typed("status")
    assert re.search(r"Audit trail of acme: 1 event not sealed yet, the oldest for 2\d min", told.output)


def test_tenants_that_left_the_configuration_are_verified_too(office: Office) -> None:
    office.act(lambda store: tell(store, "gone", "1"))
    told = office("verify")
    assert "gone: OK" in told.output
    assert "acme: OK" in told.output
    told = office("verify", "--tenant", "nobody")
    assert told.exit_code == 2
    assert "Tenants are: acme, gone." in told.output
    assert "acme: nothing to seal" in office("seal").output


def test_a_missing_key_is_told_by_its_id(office: Office) -> None:
    async def prepare(store: Store) -> None:
        await tell(store, "acme", "1")
        await seal_all(store, "acme")

    office.act(prepare)
    office.environment["ML_CONNECTOR_KEYS"] = KeyRing.generate("other").to_text()
    told = office("verify")
    assert told.exit_code == 1
    lost = f'Key "{office.keys.current}" is not in the key ring'
    assert f"Audit seal 1 of tenant acme cannot be verified: {lost}" in told.output


def test_an_original_is_opened_only_with_its_key(
    office: Office, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    office.act(lambda store: tell(store, "acme", "7", payload='{"name": "Ada"}'))
    assert '"name": "Ada"' in office("show", "7", "--payload").output
    office.environment["ML_CONNECTOR_KEYS"] = KeyRing.generate("other").to_text()
    # What happened may be read without the key; what the shop sent may not.
    told = office("show", "7")
    assert told.exit_code == 0, told.output
    assert "Order 7 was staged." in told.output
    for name, value in office.environment.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr("sys.argv", ["ml-connector", "audit", "show", "7", "--payload"])
    with logs_apart(), pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    streams = capsys.readouterr()
    assert f'Key "{office.keys.current}" is not in the key ring' in streams.err
    assert "Ada" not in streams.err + streams.out
