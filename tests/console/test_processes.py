"""`ml-connector console`, and `ml-connector up` with the console in it, as an operator starts them."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from support.consoles import token
from support.ports import free_ports
from support.processes import MortalProcess, start_command
from support.stack import DEMO_CONFIGURATION, PATIENCE, Stack, eventually, open_stack

from runtime.temporal.devserver import DevServer


@pytest.fixture
async def stack(temporal_server: DevServer, tmp_path: Path) -> AsyncIterator[Stack]:
    async with open_stack(temporal_server, tmp_path) as opened:
        yield opened


async def answers(url: str) -> bool:
    try:
        async with httpx.AsyncClient() as http:
            return (await http.get(url)).is_success
    except httpx.TransportError:
        return False


async def signs_in(stack: Stack, url: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http:
        assert (await http.get("/")).headers["location"] == "/sign-in"
        assert (await http.post("/sign-in", data={"token": token(stack.keys)})).status_code == 303
        assert "Signed in as dana" in (await http.get("/")).text


async def ended(process: MortalProcess) -> None:
    await process.end(grace=PATIENCE)
    assert "Traceback" not in process.text()


async def test_the_console_by_itself_lets_people_in_and_ends_when_told(stack: Stack, tmp_path: Path) -> None:
    [port] = free_ports(1)
    config = tmp_path / "connector.toml"
    config.write_text(f"{DEMO_CONFIGURATION.read_text()}\n[console]\nport = {port}\n")
    process, child = await start_command(
        ["console", "--config", str(config)], stack.environment, tmp_path / "console.log", "ml-connector console"
    )
    await process.says("console is up")
    await eventually(lambda: answers(f"http://127.0.0.1:{port}/healthz"), "the console answers")
    await signs_in(stack, f"http://127.0.0.1:{port}")
    await ended(process)
    assert await child.wait() == 0


async def test_up_runs_worker_gateway_and_console_and_ends_them_together(stack: Stack, tmp_path: Path) -> None:
    gateway, console = free_ports(2)
    text = DEMO_CONFIGURATION.read_text()
    config = tmp_path / "connector.toml"
    config.write_text(f"{_with_gateway_port(text, gateway)}\n[console]\nport = {console}\n")
    process, child = await start_command(
        ["up", "--config", str(config)], stack.environment, tmp_path / "up.log", "ml-connector up"
    )
    await process.says("worker is up")
    for url in (f"http://127.0.0.1:{gateway}/readyz", f"http://127.0.0.1:{console}/healthz"):
        await eventually(lambda at=url: answers(at), f"{url} answers")
    await signs_in(stack, f"http://127.0.0.1:{console}")
    await ended(process)
    assert await child.wait() == 0


def _with_gateway_port(text: str, port: int) -> str:
    lines = text.splitlines()
    [at] = [number for number, line in enumerate(lines) if line.startswith("port = ")]
    lines[at] = f"port = {port}"
    return "\n".join(lines)
