import json
import re
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store import KeyDiffers, KeyMissing, KeyRing, KeyRingError, Unsealable, Vault
from store.keys.vault import binding


def test_the_first_key_of_the_environment_is_current() -> None:
    old = KeyRing.generate("old")
    both = old.rotate("new")
    read = KeyRing.from_environment({"ML_CONNECTOR_KEYS": both.to_text()})
    assert (read.current, read.ids) == ("new", ("new", "old"))
    assert read.derive("old", "codec") == old.derive("old", "codec")


def test_a_key_file_is_private_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    ring = KeyRing.generate("k1").rotate("k2")
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
        ({"ML_CONNECTOR_KEYS": f"{KeyRing.generate('k1').to_text()},{KeyRing.generate('k1').to_text()}"}, "twice"),
        ({"ML_CONNECTOR_KEY_FILE": "/nowhere/keys.json"}, "does not exist"),
    ],
)
def test_a_ring_that_cannot_be_read_says_why(
    environment: dict[str, str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no key file lies here
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
    ring = KeyRing.generate("k1")
    path = tmp_path / "keys.json"
    ring.write(path)
    secret = json.loads(path.read_text())["keys"]["k1"]
    shown = f"{ring!r} {ring} {Vault(ring)!r}"
    assert secret not in shown
    assert "k1" in shown


def test_a_key_derives_another_one_per_purpose_and_context() -> None:
    ring = KeyRing.generate("k1")
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


def test_no_two_rings_name_their_keys_the_same() -> None:
    """A new ring after a loss must not pass for the lost one."""
    first, second = KeyRing.generate(), KeyRing.generate()
    assert first.current != second.current
    assert re.fullmatch(r"k1-[0-9a-f]{8}", first.current)
    third = first.rotate().rotate()
    assert [one.partition("-")[0] for one in third.ids] == ["k3", "k1", "k2"]
    assert third.without(third.ids[1]).rotate().current.startswith("k4-")
    assert KeyRing.generate("mine").rotate().current.startswith("k2-")


def test_another_key_under_the_same_id_is_told_from_a_value_that_was_altered() -> None:
    lost, new = Vault(KeyRing.generate("k1")), Vault(KeyRing.generate("k1"))
    blob = lost.seal(b"place", b"value")
    with pytest.raises(
        KeyDiffers, match='another key under the id "k1" than the one that this was sealed with'
    ) as told:
        new.open(b"place", blob)
    assert told.value.key_id == "k1"
    assert isinstance(told.value, KeyMissing), "whatever waits for a missing key waits for the right one"
    assert (lost.holds(blob), new.holds(blob)) == (True, False)
    envelope, _ = lost.split(blob)
    with pytest.raises(KeyDiffers):
        new.check_envelope(b"place", envelope)
    lost.check_envelope(b"place", envelope)
    for altered in (blob[:-1] + bytes((blob[-1] ^ 1,)), blob[:20] + bytes((blob[20] ^ 1,)) + blob[21:]):
        with pytest.raises(Unsealable):
            lost.open(b"place", altered)
    for other in (b"", envelope[:-1], envelope + b"x"):
        with pytest.raises(Unsealable):
            lost.check_envelope(b"place", other)


FIRST_LAYOUT = b"\x01\x02k1"
"""Version, length of the key's id, the id; no check."""


def test_a_value_of_the_first_layout_opens_and_its_failure_names_both_causes() -> None:
    """Values in stores that an earlier version wrote name no more of their key than its id."""
    ring = KeyRing.generate("k1")
    nonce, data_key = b"n" * 12, b"d" * 32
    wrapped = AESGCM(ring.derive("k1", "vault")).encrypt(nonce, data_key, FIRST_LAYOUT + b"place")
    blob = FIRST_LAYOUT + nonce + wrapped + nonce + AESGCM(data_key).encrypt(nonce, b"value", b"place")
    vault = Vault(ring)
    assert vault.open(b"place", blob) == b"value"
    assert not blob.startswith(vault.header()), "it is rewrapped although its key is current"
    rewrapped = vault.rewrap(b"place", blob)
    assert rewrapped.startswith(vault.header())
    assert vault.open(b"place", rewrapped) == b"value"
    with pytest.raises(KeyDiffers, match='another key under the id "k1", or the value was altered or moved'):
        Vault(KeyRing.generate("k1")).open(b"place", blob)
