"""Calls a twin makes itself: webhooks and hook callbacks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """What came back. Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


async def send(
    method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, timeout: float = 10.0
) -> Answer:
    """One HTTP/1.1 request on a connection of its own.

    Written on plain streams because the twins use nothing but the standard library and the web stack. Raises OSError
    when nobody listens or the connection is cut, TimeoutError after `timeout` seconds, ValueError for an address that
    is not http or https or an answer that is not HTTP.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("A callback address must be an absolute http or https URL.")
    secure = parts.scheme == "https"
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(
            parts.hostname, parts.port or (443 if secure else 80), ssl=secure or None
        )
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            fields = {"host": parts.netloc, "connection": "close", "content-length": str(len(body)), **(headers or {})}
            head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            writer.write(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
            await writer.drain()
            return await _read(reader)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Answer:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as cut:
        raise ConnectionResetError("The connection was cut before an answer came.") from cut
    status_line, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = status_line.partition(" ")
    if not version.startswith("HTTP/") or not rest[:3].isdigit():
        raise ValueError("The answer is not HTTP.")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunks(reader)
    elif "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    else:
        body = await reader.read()
    return Answer(int(rest[:3]), headers, body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    return bytes(body)
