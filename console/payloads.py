"""Payloads as the Temporal UI and CLI send them, in JSON; decoded one by one, so that one bad one spoils no other."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Final

from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec

from store import KeyRingError

UNREADABLE: Final = "mlc-unreadable"
"""Metadata of a payload that stands for one that could not be opened. Its text says why."""
OFFLOAD_FROM: Final = 256 * 1024
"""Bytes of JSON above which it is read and written beside the event loop."""
MOST: Final = 10_000
"""Payloads in one request."""


class NotPayloads(ValueError):  # noqa: N818 -- the name says what is wrong
    """A body that is not what was agreed. The sentence holds nothing of it."""


@dataclass
class Decoded:
    """What became of the payloads of one request, in their order."""

    payloads: Payloads
    unreadable: list[str] = field(default_factory=list)
    """Why payloads could not be opened, each reason once."""


async def parse(body: bytes) -> Payloads:
    """Raises `NotPayloads`."""
    payloads = await asyncio.to_thread(_parse, body) if len(body) > OFFLOAD_FROM else _parse(body)
    if len(payloads.payloads) > MOST:
        raise NotPayloads(f"{len(payloads.payloads)} payloads in one request are too many; the limit is {MOST}.")
    return payloads


async def write(payloads: Payloads) -> str:
    """The JSON that UI and CLI expect."""
    return await asyncio.to_thread(_write, payloads) if payloads.ByteSize() > OFFLOAD_FROM else _write(payloads)


async def decode(codec: PayloadCodec, payloads: Payloads) -> Decoded:
    """Opens each payload. Where one does not open, a text says which key is missing, and the others are as usual."""
    decoded = Decoded(Payloads())
    for payload in payloads.payloads:
        try:
            opened = await codec.decode([payload])
        except Exception as error:
            # Of foreign errors the type alone: their messages may hold what was to stay secret.
            why = str(error) if isinstance(error, KeyRingError) else f"The codec failed: {type(error).__name__}."
            opened = [_stand_in(why)]
            if why not in decoded.unreadable:
                decoded.unreadable.append(why)
        decoded.payloads.payloads.extend(opened)
    return decoded


async def encode(codec: PayloadCodec, payloads: Payloads) -> Payloads:
    """Seals each payload. Raises `NotPayloads` for one that only says that it could not be opened.

    Without that, whoever reads a schedule without its key and writes it back would lose its arguments.
    """
    if any(UNREADABLE in payload.metadata for payload in payloads.payloads):
        raise NotPayloads("A value that could not be decoded cannot be written back. Put its key into the ring first.")
    return Payloads(payloads=await codec.encode(list(payloads.payloads)))


def _stand_in(why: str) -> Payload:
    return Payload(
        metadata={"encoding": b"json/plain", UNREADABLE: b"1"}, data=json.dumps(f"Not decoded. {why}").encode()
    )


def _parse(body: bytes) -> Payloads:
    try:
        content = json.loads(body)
        if isinstance(content, dict):
            return json_format.ParseDict(content, Payloads(), ignore_unknown_fields=True)
    except (ValueError, RecursionError, json_format.ParseError):
        pass
    raise NotPayloads('The body is not JSON of the form {"payloads": [...]}.')


def _write(payloads: Payloads) -> str:
    return json_format.MessageToJson(payloads, indent=None)
