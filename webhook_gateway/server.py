"""The gateway's HTTP server: one process, one loop, limits against slow and many strangers."""

import contextlib
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette

from contracts.configuration import GatewaySettings


class _Server(uvicorn.Server):
    """Signals belong to the process, which may have more to end than this server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(app: Starlette, settings: GatewaySettings, *, concurrency: int = 1000) -> uvicorn.Server:
    """A server whose `serve()` runs until its `should_exit` is set. It handles no signals.

    `concurrency` connections at once; further ones get 503 at once. On exit it stops accepting, lets running requests
    end, then the app's lifespan flushes the delivery records. No access log: the delivery records are better evidence,
    and a log line per stranger's request would be a free way to fill a disk.
    """
    return _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            lifespan="on",
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=concurrency,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=10,
            h11_max_incomplete_event_size=32 * 1024,
        )
    )
