import urllib.request

from support.ports import free_ports

from runtime.observing.metrics import telemetry


def test_a_process_has_one_runtime_and_serves_its_metrics() -> None:
    [port] = free_ports(1, room=2)
    runtime = telemetry("127.0.0.1", port)
    assert telemetry("127.0.0.1", port) is runtime
    for served in (port, port + 1):
        with urllib.request.urlopen(f"http://127.0.0.1:{served}/metrics") as answer:
            assert answer.status == 200
