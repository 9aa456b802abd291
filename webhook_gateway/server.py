"""The gateway's HTTP server: one process, one loop, limits against slow and many strangers."""

import uvicorn
from starlette.applications import Starlette

from contracts.configuration import GatewaySettings


def make_server(app: Starlette, settings: GatewaySettings, *, concurrency: int = 1000) -> uvicorn.Server:
    """A server whose `serve()` runs until SIGTERM or SIGINT, or until `should_exit` is set.

    `concurrency` connections at once; further ones get 503 at once. On exit it stops accepting, lets running requests
    end, then the app's lifespan flushes the delivery records. No access log: the delivery records are better evidence,
    and a log line per stranger's request would be a free way to fill a disk.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=concurrency,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=10,
            h11_max_incomplete_event_size=32 * 1024,
        )
    )
