"""A process that runs while its key file changes."""

import logging
import threading
from pathlib import Path

import pytest

from store import FollowedKeyRing, KeyDiffers, KeyMissing, KeyRing, KeyRingError, Vault, follow_keys


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_rotation_is_taken_up_without_a_restart(path: Path) -> None:
    first = KeyRing.generate("k1")
    first.write(path)
    clock = Clock()
    process = Vault(FollowedKeyRing(path, clock=clock))
    old = process.seal(b"place", b"value")
    first.rotate("k2").write(path)
    assert process.key_id(process.seal(b"place", b"value")) == "k1", "it looks once a second"
    clock.now += 2
    assert process.key_id(process.seal(b"place", b"value")) == "k2"
    assert process.open(b"place", old) == b"value"
    assert process.ring.ids == ("k2", "k1")


def test_what_a_faster_process_sealed_with_the_new_key_opens_at_once(path: Path) -> None:
    first = KeyRing.generate("k1")
    first.write(path)
    slow = Vault(FollowedKeyRing(path, clock=Clock()))
    rotated = first.rotate("k2")
    rotated.write(path)
    assert slow.open(b"place", Vault(rotated).seal(b"place", b"value")) == b"value"


def test_a_lost_key_is_named_and_found_when_it_is_put_back(path: Path) -> None:
    both = KeyRing.generate("k1").rotate("k2")
    both.without("k1").write(path)
    process = Vault(FollowedKeyRing(path, clock=Clock()))
    sealed = Vault(both.use("k1")).seal(b"place", b"value")
    for _ in range(3):
        with pytest.raises(KeyMissing, match=r'"k1" is not in the key ring\. Put it back'):
            process.open(b"place", sealed)
    both.write(path)
    assert process.open(b"place", sealed) == b"value"


def test_a_wrong_key_that_is_replaced_by_the_right_one_is_not_remembered(path: Path) -> None:
    right, wrong = KeyRing.generate("k1"), KeyRing.generate("k1")
    wrong.write(path)
    clock = Clock()
    process = Vault(FollowedKeyRing(path, clock=clock))
    sealed = Vault(right).seal(b"place", b"value")
    with pytest.raises(KeyDiffers, match='another key under the id "k1"'):
        process.open(b"place", sealed)
    right.write(path)
    clock.now += 2
    assert process.ring.current == "k1"
    assert process.open(b"place", sealed) == b"value"


@pytest.mark.parametrize("damage", ["removed", "not JSON", "open to others"])
def test_a_file_that_cannot_be_read_leaves_the_ring_in_use_and_is_reported_once(
    path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    ring = KeyRing.generate("k1")
    ring.write(path)
    clock = Clock()
    process = FollowedKeyRing(path, clock=clock)
    if damage == "removed":
        path.unlink()
    elif damage == "not JSON":
        path.write_text("{")
    else:
        path.chmod(0o644)
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            clock.now += 2
            assert process.current == "k1"
    [record] = caplog.records
    assert str(path) in record.getMessage()
    path.unlink(missing_ok=True)
    ring.rotate("k2").write(path)
    clock.now += 2
    assert process.current == "k2"


def test_a_process_does_not_start_without_a_ring(path: Path) -> None:
    with pytest.raises(KeyRingError, match="keys init"):
        FollowedKeyRing(path)


def test_the_file_is_followed_and_the_variable_is_not(path: Path) -> None:
    ring = KeyRing.generate("k1")
    ring.write(path)
    assert isinstance(follow_keys({"ML_CONNECTOR_KEY_FILE": str(path)}), FollowedKeyRing)
    fixed = follow_keys({"ML_CONNECTOR_KEY_FILE": str(path), "ML_CONNECTOR_KEYS": KeyRing.generate("v1").to_text()})
    assert (type(fixed), fixed.current) == (KeyRing, "v1")


def test_threads_that_seal_during_rotations_never_mix_keys(path: Path) -> None:
    ring = KeyRing.generate("k1")
    ring.write(path)
    clock = Clock()
    process = Vault(FollowedKeyRing(path, clock=clock))
    sealed: list[bytes] = []
    stop = threading.Event()

    def seal() -> None:
        while not stop.wait(0.001):
            sealed.append(process.seal(b"place", b"value"))

    threads = [threading.Thread(target=seal) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        ring = ring.rotate()
        ring.write(path)
        clock.now += 2
    stop.set()
    for thread in threads:
        thread.join()
    last = Vault(ring)
    assert all(last.open(b"place", blob) == b"value" for blob in sealed)


def test_a_ring_remembers_since_when_a_key_is_current(path: Path) -> None:
    ring = KeyRing.generate("k1")
    assert set(ring.since) == {"k1"}
    added = ring.add("k2")
    assert (added.current, added.ids, set(added.since)) == ("k1", ("k1", "k2"), {"k1"})
    used = added.use("k2")
    assert used.since["k2"] >= used.since["k1"]
    used.write(path)
    read = KeyRing.from_file(path)
    assert set(read.since) == {"k1", "k2"}
    assert (read.since["k1"] - used.since["k1"]).total_seconds() < 1
    assert KeyRing.from_text(used.to_text()).since == {}
    with pytest.raises(KeyMissing, match="k7"):
        added.use("k7")


def test_a_ring_written_before_that_was_remembered_is_read(path: Path) -> None:
    ring = KeyRing.generate("k1")
    ring.write(path)
    for since in ('"since": {}', '"since": 7', '"since": {"k1": "yesterday", "k9": 3}'):
        text = path.read_text()
        head = text.partition('"since"')[0]
        path.write_text(f"{head}{since}}}\n")
        assert KeyRing.from_file(path).since == {}
