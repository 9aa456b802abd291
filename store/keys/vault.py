# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""Envelope encryption for everything the store keeps secret: AES-256-GCM with a data key per value.

Layout of a sealed value:

    envelope:  version (1) | length of key id (1) | key id | check (8) | wrap nonce (12) | wrapped data key (48)
    body:      nonce (12) | ciphertext and tag

The data key is wrapped by a key derived from the ring; both layers are bound to the same place (`binding`), so a value
copied to another row does not open. The check is derived from the ring's key as well: it tells a ring that holds
another key under this id from a value that was altered. Version 1 has no check. Rotation replaces the envelope and
leaves the body as it is.
"""

import os
import zlib
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store.keys.keyring import KEY_BYTES, KeyDiffers, KeyRing, acceptable_id

_VERSION: Final = 2
_CHECK: Final = {1: 0, 2: 8}
"""Version -> bytes of the check."""
_NONCE: Final = 12
_WRAPPED: Final = KEY_BYTES + 16


class Unsealable(Exception):
    """A sealed value is damaged, or lies in another place than it was sealed for."""

    def __init__(self, where: str = "") -> None:
        named = f"A sealed value {where}" if where else "A sealed value"
        super().__init__(
            f"{named} does not open: it was altered or moved to another row. Restore that row from a backup, "
            "or set the secret again."
        )


def binding(*parts: str) -> bytes:
    """Additional authenticated data from the parts of a place, e.g. tenant, connection, name and row. Unambiguous."""
    return b"".join(len(encoded).to_bytes(4) + encoded for encoded in (part.encode() for part in parts))


class Vault:
    """Seals and opens values with the keys of one ring."""

    __slots__ = ("_ring",)

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    @property
    def ring(self) -> KeyRing:
        return self._ring

    def seal(self, aad: bytes, plaintext: bytes) -> bytes:
        """Encrypt under a fresh data key, bound to `aad`."""
        key = os.urandom(KEY_BYTES)
        nonce = os.urandom(_NONCE)
        return self._envelope(aad, key) + nonce + AESGCM(key).encrypt(nonce, plaintext, aad)

    def open(self, aad: bytes, blob: bytes) -> bytes:
        """Raises `Unsealable` (altered or moved), or `KeyMissing` (its key is not in the ring, or is another there)."""
        envelope, body = self.split(blob)
        key = self._unwrap(aad, envelope)
        try:
            return AESGCM(key).decrypt(body[:_NONCE], body[_NONCE:], aad)
        except (InvalidTag, ValueError):
            raise Unsealable from None

    def seal_text(self, aad: bytes, text: str) -> bytes:
        """Seal a longer text, compressed: sealed bytes cannot be compressed by the database any more."""
        return self.seal(aad, zlib.compress(text.encode(), 1))

    def open_text(self, aad: bytes, blob: bytes) -> str:
        return zlib.decompress(self.open(aad, blob)).decode()

    def key_id(self, blob: bytes) -> str:
        """Which ring key wraps this value (works on the envelope alone, too). Raises `Unsealable`."""
        header = self.header_of(blob)
        try:
            key_id = header[2 : 2 + header[1]].decode("ascii")
        except UnicodeDecodeError:
            raise Unsealable from None
        if not acceptable_id(key_id):
            raise Unsealable
        return key_id

    def header(self, key_id: str | None = None) -> bytes:
        """What every value begins with that is sealed under this key, or under the current one. Raises `KeyMissing`."""
        named = self._ring.current if key_id is None else key_id
        return bytes((_VERSION, len(named))) + named.encode("ascii") + self._check(named)

    def header_of(self, blob: object) -> bytes:
        """What this value shares with all others that are sealed under its key. Raises `Unsealable`."""
        # A database without strict types may hand out a text where bytes were stored.
        if not isinstance(blob, bytes) or len(blob) < 2 or blob[0] not in _CHECK:
            raise Unsealable
        end = 2 + blob[1] + _CHECK[blob[0]]
        if len(blob) < end:
            raise Unsealable
        return blob[:end]

    def holds(self, blob: bytes) -> bool:
        """Whether the ring has the very key that wraps this value, as far as the value tells. Raises `Unsealable`."""
        key_id = self.key_id(blob)
        return key_id in self._ring and (blob[0] == 1 or self.header_of(blob) == self.header(key_id))

    def split(self, blob: bytes) -> tuple[bytes, bytes]:
        """Envelope and body; joined they are the blob again. Raises `Unsealable`."""
        end = len(self.header_of(blob)) + _NONCE + _WRAPPED
        return blob[:end], blob[end:]

    def check_envelope(self, aad: bytes, envelope: bytes) -> None:
        """Whether an envelope that is kept apart from its body opens. Raises as `open`."""
        bare, more = self.split(envelope)
        if more:
            raise Unsealable
        self._unwrap(aad, bare)

    def rewrap(self, aad: bytes, blob: bytes) -> bytes:
        """The same value under the current key. Takes a blob or a bare envelope."""
        envelope, body = self.split(blob)
        return self._envelope(aad, self._unwrap(aad, envelope)) + body

    def _envelope(self, aad: bytes, key: bytes) -> bytes:
        key_id = self._ring.current
        nonce = os.urandom(_NONCE)
        header = self.header(key_id)
        return header + nonce + self._wrapping_key(key_id).encrypt(nonce, key, header + aad)

    def _unwrap(self, aad: bytes, envelope: bytes) -> bytes:
        key_id = self.key_id(envelope)
        header = self.header_of(envelope)
        rest = envelope[len(header) :]
        wrapping = self._wrapping_key(key_id)
        if len(rest) != _NONCE + _WRAPPED:
            raise Unsealable
        if not self.holds(envelope):
            raise KeyDiffers(key_id)
        try:
            return wrapping.decrypt(rest[:_NONCE], rest[_NONCE:], header + aad)
        except InvalidTag:
            if envelope[0] == 1:
                raise KeyDiffers(key_id, certain=False) from None
            raise Unsealable from None

    def _check(self, key_id: str) -> bytes:
        return self._ring.derive(key_id, "vault-check")[: _CHECK[_VERSION]]

    def _wrapping_key(self, key_id: str) -> AESGCM:
        return AESGCM(self._ring.derive(key_id, "vault"))

    def __repr__(self) -> str:
        return f"Vault({self._ring!r})"
