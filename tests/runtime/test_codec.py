import pytest
from temporalio.api.common.v1 import Payload

from runtime.temporal.codec import COMPRESS_FROM, OFFLOAD_FROM, EncryptionCodec, UnreadablePayloadError
from store.keys.keyring import KeyMissing, KeyRing


def payload(text: str) -> Payload:
    return Payload(metadata={"encoding": b"json/plain", "messageType": b"order"}, data=text.encode())


async def test_what_was_sealed_opens_in_order_and_nothing_of_it_is_readable() -> None:
    codec = EncryptionCodec(KeyRing.generate())
    plain = [payload("order 1024"), payload(""), payload("order 1025")]
    sealed = await codec.encode(plain)
    assert all(b"order" not in one.SerializeToString() for one in sealed)
    assert await codec.decode(sealed) == plain


async def test_the_same_document_never_looks_the_same() -> None:
    codec = EncryptionCodec(KeyRing.generate())
    first, second = await codec.encode([payload("order"), payload("order")])
    assert first.data != second.data


async def test_histories_sealed_before_a_rotation_stay_readable() -> None:
    ring = KeyRing.generate("k1")
    old = await EncryptionCodec(ring).encode([payload("order")])
    rotated = EncryptionCodec(ring.rotate("k2"))
    new = await rotated.encode([payload("order")])
    assert new[0].metadata["mlc-key"] == b"k2"
    assert await rotated.decode([*old, *new]) == [payload("order")] * 2


async def test_a_key_taken_from_the_ring_too_early_is_named() -> None:
    ring = KeyRing.generate("k1").rotate("k2")
    sealed = await EncryptionCodec(ring).encode([payload("order")])
    with pytest.raises(KeyMissing, match="k2"):
        await EncryptionCodec(KeyRing.generate("k1")).decode(sealed)


@pytest.mark.parametrize("name", ["mlc-key", "mlc-nonce", "mlc-compression", "data"])
async def test_an_altered_payload_does_not_open(name: str) -> None:
    ring = KeyRing.generate("k1").rotate("k2")
    sealed = (await EncryptionCodec(ring).encode([payload("order" * COMPRESS_FROM)]))[0]
    if name == "data":
        sealed.data = sealed.data[:-1] + bytes([sealed.data[-1] ^ 1])
    elif name == "mlc-key":
        sealed.metadata[name] = b"k1"
    elif name == "mlc-compression":
        del sealed.metadata[name]
    else:
        sealed.metadata[name] = b"short"
    with pytest.raises(UnreadablePayloadError):
        await EncryptionCodec(ring).decode([sealed])


async def test_another_ring_with_the_same_key_id_does_not_open_it() -> None:
    sealed = await EncryptionCodec(KeyRing.generate("k1")).encode([payload("order")])
    with pytest.raises(UnreadablePayloadError, match="k1"):
        await EncryptionCodec(KeyRing.generate("k1")).decode(sealed)


async def test_large_payloads_are_compressed_and_small_ones_are_not() -> None:
    codec = EncryptionCodec(KeyRing.generate())
    small, large = await codec.encode([payload("x" * 100), payload("order line, " * 2000)])
    assert "mlc-compression" not in small.metadata
    assert len(large.data) < 2000
    assert (await codec.decode([large]))[0].data == b"order line, " * 2000


async def test_very_large_payloads_come_back_too() -> None:
    codec = EncryptionCodec(KeyRing.generate())
    plain = [payload("7" * (OFFLOAD_FROM + 1))]
    assert await codec.decode(await codec.encode(plain)) == plain


async def test_what_others_encoded_passes_through() -> None:
    codec = EncryptionCodec(KeyRing.generate())
    others = [payload("plain history"), Payload(metadata={"encoding": b"binary/encrypted"}, data=b"of another program")]
    assert await codec.decode(others) == others


async def test_what_is_sealed_already_is_not_sealed_twice() -> None:
    ring = KeyRing.generate()
    sealed = await EncryptionCodec(ring).encode([payload("order")])
    again = await EncryptionCodec(ring.rotate()).encode(sealed)
    assert again == sealed
    assert await EncryptionCodec(ring).decode(again) == [payload("order")]
