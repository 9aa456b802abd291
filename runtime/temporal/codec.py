"""Encryption of everything Temporal stores: arguments, results, signals, memos, heartbeats and failures.

A payload is serialized whole, compressed when that pays, and sealed with AES-256-GCM. The key is derived from the
key ring for this purpose alone, so a payload key tells nothing about the keys of the store. Each payload names its key,
so keys rotate while histories live on. What another encoding wrote passes through: saved plain histories replay.
"""

import asyncio
import os
import zlib
from collections.abc import Mapping, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from store.keys.keyring import KEYS_VARIABLE, KeyRing, KeyRingError

ENCODING: Final = b"binary/encrypted"
KEY_ID: Final = "mlc-key"
NONCE: Final = "mlc-nonce"
COMPRESSION: Final = "mlc-compression"

PURPOSE: Final = "temporal-payload"
"""The purpose the payload key is derived for."""

COMPRESS_FROM: Final = 8 * 1024
"""Bytes. Below this, compression costs more time than the server would save."""

OFFLOAD_FROM: Final = 512 * 1024
"""Bytes in one call above which the work leaves the event loop, which also serves heartbeats and polls."""


class UnreadablePayloadError(KeyRingError):
    """A payload was altered, or sealed with another key of the same id. Holds no content."""


class EncryptionCodec(PayloadCodec):
    """Seals each payload by itself; order and number stay the same.

    Both directions raise `store.keys.keyring.KeyMissing` for a key that is not in the ring, and decoding raises
    `UnreadablePayloadError`; a workflow task then waits and is tried again, so putting the key back heals it.
    """

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if sum(len(payload.data) for payload in payloads) > OFFLOAD_FROM:
            return await asyncio.to_thread(self._seal_all, payloads)
        return self._seal_all(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if sum(len(payload.data) for payload in payloads) > OFFLOAD_FROM:
            return await asyncio.to_thread(self._open_all, payloads)
        return self._open_all(payloads)

    def _seal_all(self, payloads: Sequence[Payload]) -> list[Payload]:
        key_id = self._keys.current
        return [self._seal(key_id, payload) for payload in payloads]

    def _open_all(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._open(payload) for payload in payloads]

    def _seal(self, key_id: str, payload: Payload) -> Payload:
        if _sealed(payload):
            # A tool may hand back what it could not read; sealed twice it would not open any more.
            return payload
        plain = payload.SerializeToString()
        metadata = {"encoding": ENCODING, KEY_ID: key_id.encode(), NONCE: os.urandom(12)}
        if len(plain) > COMPRESS_FROM:
            packed = zlib.compress(plain, level=1)
            if len(packed) < len(plain):
                plain = packed
                metadata[COMPRESSION] = b"zlib"
        sealed = self._cipher(key_id).encrypt(metadata[NONCE], plain, _bound(metadata))
        return Payload(metadata=metadata, data=sealed)

    def _open(self, payload: Payload) -> Payload:
        metadata = payload.metadata
        if not _sealed(payload):
            return payload
        key_id = metadata[KEY_ID].decode()
        try:
            plain = self._cipher(key_id).decrypt(metadata[NONCE], payload.data, _bound(metadata))
        except (InvalidTag, KeyError, ValueError):
            raise UnreadablePayloadError(
                f'A payload sealed with key "{key_id}" does not open: it was altered, or the key ring holds another '
                f"key under this id. Put the right key into {KEYS_VARIABLE} or the key file."
            ) from None
        if metadata.get(COMPRESSION) == b"zlib":
            plain = zlib.decompress(plain)
        return Payload.FromString(plain)

    def _cipher(self, key_id: str) -> AESGCM:
        return AESGCM(self._keys.derive(key_id, PURPOSE))


def _sealed(payload: Payload) -> bool:
    return payload.metadata.get("encoding") == ENCODING and KEY_ID in payload.metadata


def _bound(metadata: Mapping[str, bytes]) -> bytes:
    """The readable metadata as associated data: it cannot be changed without the seal breaking."""
    return b"\x00".join((ENCODING, metadata[KEY_ID], metadata.get(COMPRESSION, b"")))
