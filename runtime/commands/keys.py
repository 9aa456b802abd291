"""`ml-connector keys`: the key ring that encrypts secrets, payloads and evidence."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, fail, output, run
from runtime.parts import open_store
from store import KeyRing
from store.keyring import KEY_FILE_VARIABLE, KEYS_VARIABLE


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The key ring of this installation.", no_args_is_help=True)
    group.command("init")(init)
    group.command("rotate")(rotate)
    group.command("list")(list_keys)
    group.command("rewrap")(rewrap)
    app.add_typer(group, name="keys")


FileOption = Annotated[
    Path | None, typer.Option("--file", envvar=KEY_FILE_VARIABLE, help="The key file.", show_default=False)
]
PrintOption = Annotated[
    bool, typer.Option("--print", help="Print the ring for a secret manager instead of writing a file.")
]


def init(file: FileOption = None, show: PrintOption = False) -> None:
    """Make a new ring with one key. Back it up: without it nothing in the store can be read."""
    ring = KeyRing.generate()
    if show:
        typer.echo(f"{KEYS_VARIABLE}={ring.to_text()}")
        return
    path = _path(file)
    if path.exists():
        fail(f"{path} exists. `ml-connector keys rotate` adds a key to it; a new ring would lose everything sealed.")
    path.parent.mkdir(parents=True, exist_ok=True)
    ring.write(path)
    output.print(
        f"Wrote {path} with key {ring.current}. Back it up: without it nothing in the store can be read.",
        highlight=False,
        soft_wrap=True,
    )
    if os.environ.get(KEY_FILE_VARIABLE) != str(path):
        output.print(
            f"  export {KEY_FILE_VARIABLE}={shlex.quote(str(path.absolute()))}", highlight=False, soft_wrap=True
        )


def rotate(file: FileOption = None, show: PrintOption = False) -> None:
    """Add a fresh key, used from now on. Old keys stay for what they sealed.

    Afterwards: restart every process, then `ml-connector keys rewrap`.
    """
    if show:
        ring = KeyRing.from_environment(os.environ).rotate()
        typer.echo(f"{KEYS_VARIABLE}={ring.to_text()}")
        return
    if os.environ.get(KEYS_VARIABLE):
        fail(f"The ring comes from {KEYS_VARIABLE}; use --print and put the result there.")
    path = _path(file)
    ring = KeyRing.from_file(path).rotate()
    ring.write(path)
    output.print(
        f"Key {ring.current} is now current in {path}. Restart every process, then run `ml-connector keys rewrap`.",
        highlight=False,
    )


def list_keys() -> None:
    """Show the ids of the keys in the ring. Never a key."""
    ring = KeyRing.from_environment(os.environ)
    for key_id in ring.ids:
        output.print(f"{key_id}{'  (current)' if key_id == ring.current else ''}", highlight=False)


def rewrap(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Put everything in the store under the current key.

    Old keys are still needed while Temporal keeps histories that were sealed with them (the namespace's retention).
    """
    configuration = configured(config).configuration

    async def work() -> int:
        async with open_store(configuration, KeyRing.from_environment(os.environ)) as store:
            return await store.rewrap()

    output.print(f"Values put under the current key: {run(work())}.", highlight=False)


def _path(file: Path | None) -> Path:
    return file if file is not None else Path(".ml-connector") / "keys.json"
