import json
import stat
from pathlib import Path

import pytest

from store import KeyMissing, KeyRing, KeyRingError, Unsealable, Vault
from store.keys.vault import binding


def test_the_first_key_of_the_environment_is_current() -> None:
    old = KeyRing.generate("old")
    both = old.rotate("new")
    read = KeyRing.from_environment({"ML_CONNECTOR_KEYS": both.to_text()})
    assert (read.current, read.ids) == ("new", ("new", "old"))
    assert read.derive("old", "codec") == old.derive("old", "codec")


def test_a_key_file_is_private_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    ring = KeyRing.generate().rotate()
    ring.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    read = KeyRing.from_environment({"ML_CONNECTOR_KEY_FILE": str(path)})
    assert read.to_text() == ring.to_text()
    assert read.ids == ("k2", "k1")
    path.chmod(0o644)
    with pytest.raises(KeyRingError, match="chmod 600"):
        KeyRing.from_file(path)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "keys init"),
        ({"ML_CONNECTOR_KEYS": "k1"}, "id:base64"),
        ({"ML_CONNECTOR_KEYS": "k1:!!"}, "not valid base64"),
        ({"ML_CONNECTOR_KEYS": "k1:c2hvcnQ="}, "5 bytes"),
        ({"ML_CONNECTOR_KEYS": "k 1:c2hvcnQ="}, "letters"),
        ({"ML_CONNECTOR_KEYS": f"{KeyRing.generate().to_text()},{KeyRing.generate().to_text()}"}, "twice"),
        ({"ML_CONNECTOR_KEY_FILE": "/nowhere/keys.json"}, "does not exist"),
    ],
)
def test_a_ring_that_cannot_be_read_says_why(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(KeyRingError, match=sentence):
        KeyRing.from_environment(environment)


def test_a_malformed_key_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    for content, sentence in (("{", "not JSON"), ('{"keys": {}}', "form"), ('{"current": "a", "keys": {}}', "not in")):
        path.write_text(content)
        path.chmod(0o600)
        with pytest.raises(KeyRingError, match=sentence):
            KeyRing.from_file(path)


def test_keys_are_never_shown(tmp_path: Path) -> None:
    ring = KeyRing.generate()
    path = tmp_path / "keys.json"
    ring.write(path)
    secret = json.loads(path.read_text())["keys"]["k1"]
    shown = f"{ring!r} {ring} {Vault(ring)!r}"
    assert secret not in shown
    assert "k1" in shown


def test_a_key_derives_another_one_per_purpose_and_context() -> None:
    ring = KeyRing.generate()
    derived = {ring.derive("k1", "codec"), ring.derive("k1", "codec", "a"), ring.derive("k1", "vault", b"a")}
    assert {len(one) for one in derived} == {32}
    assert len(derived) == 3
    assert ring.derive("k1", "codec", "a") == ring.derive("k1", "codec", b"a")
    with pytest.raises(KeyMissing) as caught:
        ring.derive("k9", "codec")
    assert caught.value.key_id == "k9"


def test_an_old_key_can_be_dropped_and_the_current_one_not() -> None:
    ring = KeyRing.generate("a").rotate("b")
    assert ring.without("a").ids == ("b",)
    with pytest.raises(KeyRingError, match="rotate first"):
        ring.without("b")


def test_a_sealed_value_opens_only_in_its_place() -> None:
    vault = Vault(KeyRing.generate())
    place = binding("secret", "acme", "bc-us", "token")
    blob = vault.seal(place, b"hunter2")
    assert vault.open(place, blob) == b"hunter2"
    assert b"hunter2" not in blob
    for other in (binding("secret", "acme", "bc-eu", "token"), binding("secret", "acmebc-us", "", "token"), b""):
        with pytest.raises(Unsealable):
            vault.open(other, blob)


def test_equal_values_look_different() -> None:
    vault = Vault(KeyRing.generate())
    assert vault.seal(b"", b"same") != vault.seal(b"", b"same")


def test_any_changed_byte_is_noticed() -> None:
    vault = Vault(KeyRing.generate())
    blob = vault.seal(b"place", b"value")
    for position in range(len(blob)):
        changed = blob[:position] + bytes((blob[position] ^ 1,)) + blob[position + 1 :]
        with pytest.raises((Unsealable, KeyMissing)):
            vault.open(b"place", changed)
    for length in range(len(blob)):
        with pytest.raises((Unsealable, KeyMissing)):
            vault.open(b"place", blob[:length])


def test_rewrapping_changes_the_envelope_and_keeps_the_body() -> None:
    old = KeyRing.generate("a")
    blob = Vault(old).seal(b"place", b"value")
    ring = old.rotate("b")
    vault = Vault(ring)
    rewrapped = vault.rewrap(b"place", blob)
    assert (vault.key_id(blob), vault.key_id(rewrapped)) == ("a", "b")
    assert vault.split(blob)[1] == vault.split(rewrapped)[1]
    assert Vault(ring.without("a")).open(b"place", rewrapped) == b"value"
    with pytest.raises(KeyMissing, match='"a"'):
        Vault(ring.without("a")).open(b"place", blob)
