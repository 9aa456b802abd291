# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""The key ring: every symmetric key this installation knows, and which one seals new material.

A ring is read from the environment or from a file, never from the store. Old keys stay in the ring until nothing
sealed with them is left (`Store.rewrap` and the retention of Temporal's histories), so rotation needs no downtime.
"""

import base64
import binascii
import datetime as dt
import json
import os
import re
import shlex
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, NamedTuple, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEYS_VARIABLE: Final = "ML_CONNECTOR_KEYS"
KEY_FILE_VARIABLE: Final = "ML_CONNECTOR_KEY_FILE"
DEFAULT_FILE: Final = Path(".ml-connector") / "keys.json"
"""Where `keys init` puts a ring unless told otherwise."""
KEY_BYTES: Final = 32
_ID_LIMIT: Final = 40
_NUMBERED: Final = re.compile(r"k(\d{1,6})(?:-|$)")


class KeyRingError(Exception):
    """The ring cannot be read, or does not fit what was sealed; the message names the remedy, never a key."""


class KeyMissing(KeyRingError):
    """Something was sealed with a key that this ring does not hold."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f'Key "{key_id}" is not in the key ring. Put it back into {KEYS_VARIABLE} or the key file.')
        self.key_id = key_id


class KeyDiffers(KeyMissing):
    """The ring has a key of this id, and it is not the one that something was sealed with."""

    def __init__(self, key_id: str, *, certain: bool = True) -> None:
        """`certain`: the sealed value itself says so. Else it may have been altered or moved instead."""
        back = f"Put the right key back into {KEYS_VARIABLE} or the key file"
        if certain:
            sentence = (
                f'The key ring holds another key under the id "{key_id}" than the one that this was sealed with. '
                f"{back}, from your backup of the ring."
            )
        else:
            sentence = (
                f'A sealed value does not open: the key ring holds another key under the id "{key_id}", or the value '
                f"was altered or moved to another row. {back}, or restore that row from a backup."
            )
        KeyRingError.__init__(self, sentence)
        self.key_id = key_id


class _Edition(NamedTuple):
    """One state of a ring, replaced as a whole: whoever reads it sees keys and derived keys that belong together."""

    keys: Mapping[str, bytes]
    current: str
    since: Mapping[str, dt.datetime]
    derived: dict[tuple[str, str, bytes], bytes]


class KeyRing:
    """Keys by id. Immutable; `rotate` gives a new ring. Neither `repr` nor `str` shows a key."""

    __slots__ = ("_edition",)

    def __init__(self, keys: Mapping[str, bytes], current: str, since: Mapping[str, dt.datetime] | None = None) -> None:
        """`keys`: id -> 32 bytes. `current`: the id that seals. `since`: when a key became current, where known.

        Raises `KeyRingError`.
        """
        for key_id, key in keys.items():
            if not acceptable_id(key_id):
                raise KeyRingError(f"Key ids are 1 to {_ID_LIMIT} letters, digits, '-', '_' or '.': {key_id!r} is not.")
            if len(key) != KEY_BYTES:
                raise KeyRingError(f'Key "{key_id}" has {len(key)} bytes; a key has {KEY_BYTES}.')
        if current not in keys:
            raise KeyMissing(current)
        known = {key_id: moment for key_id, moment in (since or {}).items() if key_id in keys}
        self._edition = _Edition(dict(keys), current, known, {})

    @classmethod
    def generate(cls, key_id: str | None = None) -> Self:
        """A ring with one fresh random key. The default id is k1 and eight random digits, e.g. k1-7f3a09c2."""
        named = _fresh_id(()) if key_id is None else key_id
        return cls({named: os.urandom(KEY_BYTES)}, named, {named: _now()})

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read `ML_CONNECTOR_KEYS` ("id:base64,id2:base64", the first is current), else `ML_CONNECTOR_KEY_FILE`.

        The latter names a JSON file; the variable wins. Raises `KeyRingError` when neither is set or one is malformed.
        """
        if text := environment.get(KEYS_VARIABLE, "").strip():
            return cls.from_text(text)
        if path := environment.get(KEY_FILE_VARIABLE, "").strip():
            return cls.from_file(Path(path))
        if DEFAULT_FILE.exists():
            # Taken unasked, it would depend on the directory with which keys something is sealed.
            raise KeyRingError(
                f"No key ring: set {KEYS_VARIABLE} or {KEY_FILE_VARIABLE}. There is a key file here:\n"
                f"  export {KEY_FILE_VARIABLE}={shlex.quote(str(DEFAULT_FILE.absolute()))}"
            )
        raise KeyRingError(
            f"No key ring: set {KEYS_VARIABLE} or {KEY_FILE_VARIABLE}. `ml-connector keys init` makes a new ring."
        )

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Parse "id:base64,id2:base64"; the first key is the current one."""
        keys: dict[str, bytes] = {}
        for position, entry in enumerate(text.split(","), start=1):
            key_id, colon, encoded = entry.strip().partition(":")
            if not colon:
                raise KeyRingError(f"Entry {position} of {KEYS_VARIABLE} is not of the form id:base64.")
            if key_id in keys:
                raise KeyRingError(f'Key "{key_id}" appears twice in {KEYS_VARIABLE}.')
            keys[key_id] = _decode(key_id, encoded)
        return cls(keys, next(iter(keys)))

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read {"current": id, "keys": {id: base64}, "since": {id: moment}}, the last part optional.

        The file must be readable by its owner only (0600).
        """
        try:
            mode = path.stat().st_mode
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise KeyRingError(f"Key file {path} does not exist. `ml-connector keys init` makes one.") from None
        except OSError as error:
            raise KeyRingError(f"Key file {path} cannot be read: {error.strerror}.") from None
        except ValueError:
            raise KeyRingError(f"Key file {path} is not JSON.") from None
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyRingError(
                f"Key file {path} is open to others (mode {stat.S_IMODE(mode):04o}). Run `chmod 600` on it."
            )
        match content:
            case {"current": str(current), "keys": dict(encoded)} if all(isinstance(v, str) for v in encoded.values()):
                keys = {key_id: _decode(key_id, text) for key_id, text in encoded.items()}
                return cls(keys, current, _moments(content.get("since")))
            case _:
                raise KeyRingError(f'Key file {path} is not of the form {{"current": id, "keys": {{id: base64}}}}.')

    @property
    def current(self) -> str:
        return self._edition.current

    @property
    def ids(self) -> tuple[str, ...]:
        """All key ids, the current one first."""
        edition = self._edition
        return (edition.current, *(key_id for key_id in edition.keys if key_id != edition.current))

    @property
    def since(self) -> Mapping[str, dt.datetime]:
        """When each key became current, in UTC. Lacks keys of which this is not known, and those never current."""
        return self._edition.since

    def rotate(self, key_id: str | None = None) -> "KeyRing":
        """A ring with one more fresh key, which becomes current. The default id counts on: k2-..., k3-..."""
        ring = self.add(key_id)
        [fresh] = set(ring.ids) - set(self.ids)
        return ring.use(fresh)

    def add(self, key_id: str | None = None) -> "KeyRing":
        """A ring with one more fresh key that seals nothing yet: for every process to learn it before `use`."""
        keys, current, since, _ = self._edition
        named = _fresh_id(keys) if key_id is None else key_id
        if named in keys:
            raise KeyRingError(f'Key "{named}" is already in the ring.')
        return KeyRing({**keys, named: os.urandom(KEY_BYTES)}, current, since)

    def use(self, key_id: str) -> "KeyRing":
        """A ring in which this key seals from now on. Raises `KeyMissing`."""
        keys, current, since, _ = self._edition
        if key_id == current:
            return self
        return KeyRing(keys, key_id, {**since, key_id: _now()})

    def without(self, key_id: str) -> "KeyRing":
        """A ring without an old key. The current key cannot be dropped."""
        keys, current, since, _ = self._edition
        if key_id == current:
            raise KeyRingError(f'Key "{key_id}" is the current key; rotate first.')
        if key_id not in keys:
            raise KeyMissing(key_id)
        return KeyRing({other: key for other, key in keys.items() if other != key_id}, current, since)

    def derive(self, key_id: str, purpose: str, context: bytes | str = b"") -> bytes:
        """32 bytes for one purpose and context (HKDF-SHA256), kept for the next call. Ring keys encrypt nothing.

        Raises `KeyMissing`.
        """
        edition = self._edition
        key = edition.keys.get(key_id)
        if key is None:
            raise KeyMissing(key_id)
        suffix = context.encode() if isinstance(context, str) else context
        place = (key_id, purpose, suffix)
        derived = edition.derived.get(place)
        if derived is None:
            info = b"ml-connector\x00" + purpose.encode() + b"\x00" + suffix
            derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(key)
            edition.derived[place] = derived
        return derived

    def to_text(self) -> str:
        """The secret form for `ML_CONNECTOR_KEYS`. For the `keys` commands only; it does not hold `since`."""
        keys = self._edition.keys
        return ",".join(f"{key_id}:{base64.b64encode(keys[key_id]).decode()}" for key_id in self.ids)

    def write(self, path: Path) -> None:
        """Write the key file atomically with mode 0600."""
        keys, current, since, _ = self._edition
        content = {
            "current": current,
            "keys": {key_id: base64.b64encode(keys[key_id]).decode() for key_id in self.ids},
            "since": {key_id: moment.isoformat() for key_id, moment in since.items()},
        }
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._edition.keys

    def __len__(self) -> int:
        return len(self._edition.keys)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(current={self.current!r}, ids={self.ids!r})"


def _fresh_id(known: Collection[str]) -> str:
    """An id that no other ring has either: a new ring after a loss must not pass for the lost one."""
    numbers = (_NUMBERED.match(key_id) for key_id in known)
    number = max((int(found[1]) for found in numbers if found), default=len(known)) + 1
    return f"k{number}-{os.urandom(4).hex()}"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _moments(content: object) -> dict[str, dt.datetime]:
    """What a key file says about when keys became current; whatever does not say it clearly is not known."""
    moments: dict[str, dt.datetime] = {}
    for key_id, text in content.items() if isinstance(content, dict) else ():
        try:
            moment = dt.datetime.fromisoformat(text)
        except (TypeError, ValueError):
            continue
        if moment.tzinfo is not None:
            moments[str(key_id)] = moment.astimezone(dt.UTC)
    return moments


def acceptable_id(key_id: str) -> bool:
    plain = key_id.replace("-", "").replace("_", "").replace(".", "")
    return 0 < len(key_id) <= _ID_LIMIT and plain.isalnum() and key_id.isascii()


def _decode(key_id: str, encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise KeyRingError(f'Key "{key_id}" is not valid base64.') from None
