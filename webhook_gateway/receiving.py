"""Reading a body from a stranger: bounded in bytes and in time."""

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect, Request

from webhook_gateway.verdicts import Refusal, Verdict

PATIENCE: Final = 4
"""How many times the limit is read and thrown away before the connection is cut: a sender that is still sending would
see a reset instead of the answer."""


async def receive_body(request: Request, *, limit: int, deadline: float) -> bytes:
    """The raw body, exactly as sent: signatures are over these bytes.

    `limit` in bytes, counted while streaming, so that neither a false `Content-Length` nor a chunked body gets past
    it; `deadline` in seconds for the whole body. Raises `Refusal`.
    """
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and (len(declared) > 15 or int(declared) > limit * PATIENCE):
        raise Refusal(Verdict.OVERSIZE, f"The body is announced with {declared[:15]} bytes; the limit is {limit}.")
    body, received = bytearray(), 0
    try:
        async with asyncio.timeout(deadline):
            async for chunk in request.stream():
                received += len(chunk)
                if received <= limit:
                    body += chunk
                elif received > limit * PATIENCE:
                    break
    except TimeoutError as error:
        raise Refusal(Verdict.TOO_SLOW, f"The body did not arrive within {deadline:g} seconds.") from error
    except ClientDisconnect as error:
        raise Refusal(Verdict.CUT_OFF, f"The sender hung up after {received} bytes.") from error
    if received > limit:
        raise Refusal(Verdict.OVERSIZE, f"The body is larger than {limit} bytes.")
    return bytes(body)
