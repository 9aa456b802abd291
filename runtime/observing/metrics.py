"""Metrics of a process: the SDK's own and ours, each on a Prometheus endpoint.

The SDK serves its series (task slots, pollers, schedule-to-start latency, failures) from its own listener; `PORT + 1`
holds those of the Python side (deliveries, vendor calls).
"""

import functools
import logging
from typing import Final

from prometheus_client import start_http_server
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

CORE_LOGGER: Final = "temporalio.core"


@functools.cache
def telemetry(host: str = "127.0.0.1", port: int | None = None) -> Runtime:
    """The Temporal runtime of this process, made once: pass it to `runtime.temporal.connect.connect`.

    With `port`, metrics are served: the SDK's on it, ours on the next. Without, none are. The SDK's core logs through
    Python either way, and so through the redactor. Raises `ValueError` when the port is taken.
    """
    metrics = None
    if port is not None:
        metrics = PrometheusConfig(
            bind_address=f"{host}:{port}", durations_as_seconds=True, unit_suffix=True, counters_total_suffix=True
        )
        start_http_server(port + 1, addr=host)
    return Runtime(
        telemetry=TelemetryConfig(
            metrics=metrics,
            logging=LoggingConfig(
                filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
                forwarding=LogForwardingConfig(logger=logging.getLogger(CORE_LOGGER)),
            ),
        )
    )
