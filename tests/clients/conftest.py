"""A connection, and raw servers that misbehave in ways no framework would."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(answer: Answer) -> AsyncIterator[str]:
    """An HTTP server by hand: `answer` gets the streams after the request's head was read. Yields its address."""
    open_streams: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_streams.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        except (asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            open_streams.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(open_streams):
            task.cancel()
        await asyncio.gather(*open_streams, return_exceptions=True)


@pytest.fixture
def misbehaving() -> Callable[[Answer], object]:
    return raw_server
