import socket
import urllib.request

from runtime.observing.metrics import telemetry


def free_pair() -> int:
    """A free port with a free one behind it."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def test_a_process_has_one_runtime_and_serves_its_metrics() -> None:
    port = free_pair()
    runtime = telemetry("127.0.0.1", port)
    assert telemetry("127.0.0.1", port) is runtime
    for served in (port, port + 1):
        with urllib.request.urlopen(f"http://127.0.0.1:{served}/metrics") as answer:
            assert answer.status == 200
