"""The compose file, the image and the licence are what the documentation promises."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def _default(text: str) -> str:
    """The text with `${NAME:-default}` replaced by the default."""
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", text)


def test_it_starts_temporal_its_ui_postgresql_worker_and_gateway(compose: dict[str, Any]) -> None:
    assert {"postgresql", "temporal", "temporal-ui", "worker", "gateway", "console"} <= compose["services"].keys()


def test_every_image_is_official_and_pinned_to_a_release(compose: dict[str, Any]) -> None:
    images = {name: _default(service["image"]) for name, service in compose["services"].items()}
    own = {name for name, image in images.items() if image.startswith("ml-connector:")}
    assert own == {"worker", "gateway", "console"}
    for name in images.keys() - own:
        repository, _, tag = images[name].partition(":")
        assert repository in {"postgres", "temporalio/server", "temporalio/admin-tools", "temporalio/ui"}
        assert re.fullmatch(r"\d+\.\d+(\.\d+)?", tag), f"{name} is not pinned: {images[name]}"


def test_server_and_schema_tools_have_the_same_version(compose: dict[str, Any]) -> None:
    services = compose["services"]
    tags = {services[name]["image"].split(":", 1)[1] for name in ("temporal", "temporal-schema", "temporal-namespace")}
    assert len(tags) == 1


def test_only_the_gateway_can_be_published_beyond_this_host(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for port in service.get("ports", ()):
            assert _default(port).startswith("127.0.0.1:")
            assert name == "gateway" or port.startswith("127.0.0.1:")


def test_the_ui_sends_sealed_values_to_the_console_that_is_published(compose: dict[str, Any]) -> None:
    environment = compose["services"]["temporal-ui"]["environment"]
    [published] = compose["services"]["console"]["ports"]
    host, port, _ = published.split(":")
    assert _default(environment["TEMPORAL_CODEC_ENDPOINT"]) == f"http://{host}:{port}"
    assert environment["TEMPORAL_CODEC_INCLUDE_CREDENTIALS"] == "true"
    assert "TEMPORAL_CODEC_PASS_ACCESS_TOKEN" not in environment


def test_no_password_or_key_has_a_default(compose: dict[str, Any]) -> None:
    secret = re.compile(r"PASSWORD|PWD|KEYS?$|API_KEY")
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if secret.search(name):
                assert value is None or ":?" in value, f"{name} must be required"
            if value is not None and "PASSWORD" in str(value):
                assert re.search(r"\$\{\w*PASSWORD:\?", str(value))


def test_every_dependency_exists_and_is_waited_for(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in services
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[other], f"{name} waits for the health of {other}, which reports none"
            else:
                assert how["condition"] == "service_completed_successfully"
                assert services[other]["restart"].startswith("on-failure"), f"{other} runs once"


def test_every_mounted_file_of_ours_exists(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            source = _default(volume).split(":", 1)[0]
            if source.startswith("./") and source != "./connector.toml":
                assert (ROOT / source).exists(), source


def test_every_variable_is_explained_in_the_example(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    example = (ROOT / "deploy" / "environment.example").read_text()
    for name in set(re.findall(r"\$\{([A-Z_]+):\?", text)):
        assert re.search(rf"^{name}=$", example, re.MULTILINE), f"{name} is missing, or has a value"


def test_connector_containers_run_without_privileges(compose: dict[str, Any]) -> None:
    for name in ("worker", "gateway"):
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["stop_grace_period"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    final_stage = dockerfile.rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER \d+$", final_stage, re.MULTILINE)
    assert "--require-hashes" in dockerfile


@pytest.mark.parametrize("script", sorted((ROOT / "deploy").rglob("*.sh")), ids=lambda path: path.name)
def test_scripts_are_valid_posix_shell(script: Path) -> None:
    assert os.access(script, os.X_OK)
    shell = shutil.which("dash") or "/bin/sh"
    subprocess.run([shell, "-n", str(script)], check=True)


def test_the_image_carries_exactly_the_rooms_of_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rooms = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    copied = set(re.findall(r"^COPY (\w+) \1$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)) - {"LICENSE"}
    assert copied == rooms
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert rooms <= allowed
    assert not allowed & {"tests", "benchmarks", ".env", "connector.toml"}


def test_the_licence_is_the_whole_apache_license() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert "9. Accepting Warranty or Additional Liability" in text
