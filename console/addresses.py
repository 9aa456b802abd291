"""Under which addresses the console and the Temporal UI know each other."""

from typing import Final

from contracts.configuration import Configuration, ConsoleSettings, origin_of

_ANYWHERE: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 -- compared with, not listened on


def public_url(settings: ConsoleSettings) -> str:
    """Where people find the console, without a slash at the end."""
    if settings.url is not None:
        return str(settings.url).rstrip("/")
    host = "127.0.0.1" if settings.host in _ANYWHERE else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def ui_origins(configuration: Configuration) -> tuple[str, ...]:
    """Pages of these origins may have payloads decoded; empty: none may.

    Raises `ValueError` when `[temporal] ui_url` is no web address.
    """
    if configuration.console.ui_origins:
        return configuration.console.ui_origins
    return (origin_of(configuration.temporal.ui_url),) if configuration.temporal.ui_url else ()
