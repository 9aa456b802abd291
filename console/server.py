"""The console's HTTP server: a few people and their browsers."""

import contextlib
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette

from contracts.configuration import ConsoleSettings


class _Server(uvicorn.Server):
    """Signals belong to the process, which may have more to end than this server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(app: Starlette, settings: ConsoleSettings, *, concurrency: int = 200) -> uvicorn.Server:
    """A server whose `serve()` runs until its `should_exit` is set. It handles no signals.

    `concurrency` connections at once; a page of the Temporal UI opens half a dozen. No access log: the application
    says who has read what.
    """
    return _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=concurrency,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=5,
            h11_max_incomplete_event_size=32 * 1024,
        )
    )
