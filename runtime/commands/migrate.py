"""`ml-connector migrate`: bring the store's tables to this version."""

import os

import typer

from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, output, run
from runtime.parts import open_store
from store import KeyRing, StoreOutdated


def register(app: typer.Typer) -> None:
    app.command("migrate")(migrate)


def migrate(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Bring the store's tables to this version. Workers and gateways do it at their start as well."""
    configuration = configured(config).configuration

    async def work() -> bool:
        keys = KeyRing.from_environment(os.environ)
        try:
            async with open_store(configuration, keys):
                return False
        except StoreOutdated:
            async with open_store(configuration, keys, migrate=True):
                return True

    changed = run(work())
    output.print(
        "The store's tables are now those of this version." if changed else "The store's tables are up to date already."
    )
