"""Whether people can reach the console safely, and from which Temporal UI."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from console.addresses import public_url, ui_origins
from contracts.configuration import Configuration
from runtime.configuring.disagreement import Disagreement


def console_is_encrypted(configuration: Configuration) -> Iterator[Disagreement]:
    """Sessions and decoded payloads leave the machine over https only."""
    if configuration.environment != "production":
        return
    settings = configuration.console
    if settings.url is None and not _is_here(settings.host):
        yield Disagreement(
            path=("console", "host"),
            sentence=f"The console listens on {settings.host}, and it is not said how people reach it.",
            remedy="Put a proxy with TLS in front and set url to its https address; or listen on 127.0.0.1.",
        )
    address = urlsplit(public_url(settings))
    if settings.url is not None and address.scheme != "https" and not _is_here(address.hostname or ""):
        yield Disagreement(
            path=("console", "url"),
            sentence=f"People would sign in at {settings.url} unencrypted.",
            remedy="Use an https address.",
        )


def ui_is_an_address(configuration: Configuration) -> Iterator[Disagreement]:
    """The codec endpoint serves pages of the Temporal UI: it must know where that is."""
    try:
        ui_origins(configuration)
    except ValueError:
        yield Disagreement(
            path=("temporal", "ui_url"),
            sentence=f'"{configuration.temporal.ui_url}" is not the address of a web page.',
            remedy="Write it as in the browser: http://127.0.0.1:8233 or https://temporal.example.com.",
        )


def _is_here(host: str) -> bool:
    """Only this machine can be meant."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
