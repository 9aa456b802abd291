"""`ml-connector keys`: the key ring that encrypts secrets, payloads and evidence."""

import hmac
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from temporalio.service import RPCError

from contracts.configuration import Configuration
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, errors, fail, output, run
from runtime.operations.key_usage import KeyUse, called, key_usage
from runtime.parts import open_store
from runtime.temporal.connect import TemporalUnreachableError, connect
from store import KeyRing
from store.keys.key_file import change_key_file, locked
from store.keys.keyring import DEFAULT_FILE, KEY_FILE_VARIABLE, KEYS_VARIABLE
from store.keys.rewrapping import Rewrapped

PATIENCE = 10.0
"""Seconds to wait for Temporal."""


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The key ring of this installation.", no_args_is_help=True)
    group.command("init")(init)
    group.command("list")(list_keys)
    group.command("rotate")(rotate)
    group.command("add")(add)
    group.command("use")(use)
    group.command("rewrap")(rewrap)
    group.command("usage")(usage)
    group.command("retire")(retire)
    app.add_typer(group, name="keys")


FileOption = Annotated[
    Path | None, typer.Option("--file", envvar=KEY_FILE_VARIABLE, help="The key file.", show_default=False)
]
PrintOption = Annotated[
    bool, typer.Option("--print", help="Print the ring for a secret manager instead of writing a file.")
]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="Id of the key, as `keys list` shows it.")]


def init(file: FileOption = None, show: PrintOption = False) -> None:
    """Make a new ring with one key. Back it up: without it nothing in the store can be read."""
    ring = KeyRing.generate()
    if show:
        typer.echo(f"{KEYS_VARIABLE}={ring.to_text()}")
        return
    path = _path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path):
        if path.exists():
            fail(
                f"{path} exists. `ml-connector keys rotate` adds a key to it; a new ring would lose everything sealed."
            )
        ring.write(path)
    _say(f"Wrote {path} with key {ring.current}. Back it up: without it nothing in the store can be read.")
    if os.environ.get(KEY_FILE_VARIABLE) != str(path):
        _say(f"  export {KEY_FILE_VARIABLE}={shlex.quote(str(path.absolute()))}")


def rotate(file: FileOption = None, show: PrintOption = False) -> None:
    """Add a fresh key, used from now on. Old keys stay for what they sealed.

    Where processes do not all read the same file, use `keys add` and `keys use`: no process may meet a key that it does
    not know. Afterwards: `ml-connector keys rewrap`.
    """
    ring = _change(KeyRing.rotate, file, show=show)
    if not show:
        _say(f"Key {ring.current} is now current. {_known_from_now_on()} Then run `ml-connector keys rewrap`.")


def add(file: FileOption = None, show: PrintOption = False) -> None:
    """Add a fresh key that is not used yet, so that every process knows it before one of them uses it."""
    ring = _change(KeyRing.add, file, show=show)
    if not show:
        fresh = ring.ids[-1]
        _say(f"Key {fresh} is in the ring. Once every process knows it: `ml-connector keys use {fresh}`.")


def use(key: KeyArgument, file: FileOption = None, show: PrintOption = False) -> None:
    """Seal with this key from now on. Old keys stay for what they sealed."""
    _change(lambda ring: _with(key, ring).use(key), file, show=show)
    if not show:
        _say(f"Key {key} is now current. {_known_from_now_on()} Then run `ml-connector keys rewrap`.")


def list_keys(file: FileOption = None) -> None:
    """Show the ids of the keys in the ring. Never a key."""
    ring = _ring(file)
    for key_id in ring.ids:
        since = f"  since {ring.since[key_id]:%Y-%m-%d %H:%M} UTC" if key_id in ring.since else ""
        output.print(f"{key_id}{'  (current)' if key_id == ring.current else ''}{since}", highlight=False)


def rewrap(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Put everything in the store under the current key.

    Old keys are still needed while Temporal keeps what was sealed with them: `ml-connector keys usage` says what.
    What does not open stays as it is, stops nothing else, and is named; then the exit code is 1.
    """
    configuration = configured(config).configuration
    ring = KeyRing.from_environment(os.environ)

    async def work() -> Rewrapped:
        async with open_store(configuration, ring) as store:
            return await store.rewrap()

    done = run(work())
    output.print(f"Values put under the current key: {done.changed}.", highlight=False)
    if not done.unreadable:
        return
    for one in done.unreadable:
        rows = ", ".join(one.rows) + (f" and {one.count - len(one.rows)} more" if one.count > len(one.rows) else "")
        told = f"{called(one.table, one.count)} (table {one.table}, {rows}): {one.reason}"
        errors.print(told, highlight=False, markup=False, soft_wrap=True)
    count = sum(one.count for one in done.unreadable)
    fail(f"{count} {'value stays' if count == 1 else 'values stay'} as {'it was' if count == 1 else 'they were'}.")


def usage(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show what each key is still needed for, in the store and in Temporal."""
    ring = KeyRing.from_environment(os.environ)
    table = Table("key", "in the store", "running", "schedules", "closed, kept until", box=None, header_style="bold")
    missing = []
    try:
        uses = _usage(configured(config).configuration, ring)
    except RPCError as error:
        fail(f"Temporal does not say which histories need which key: {error}")
    for one in uses:
        if one.key_id not in ring:
            missing.append(one.key_id)
        closed = "not known" if one.closed is None else "none"
        if one.closed is not None and one.closed.count and one.closed.kept_until:
            closed = f"{one.closed.count}, {one.closed.kept_until:%Y-%m-%d}"
        mark = " (current)" if one.key_id == ring.current else "" if one.key_id in ring else " (missing)"
        counts = (sum(one.stored.values()), len(one.running), len(one.schedules))
        table.add_row(f"{one.key_id}{mark}", *map(str, counts), "" if one.key_id == ring.current else closed)
    output.print(table)
    if missing:
        fail(f"Not in the ring, but needed: {', '.join(missing)}. Put them back from your backup of the ring.")


def retire(
    key: KeyArgument,
    file: FileOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    show: PrintOption = False,
    force: Annotated[bool, typer.Option("--force", help="Drop it although something needs it.")] = False,
) -> None:
    """Drop an old key that nothing needs any more. Says what does, and refuses, unless forced."""
    before = _with(key, _ring(file))
    before.without(key)  # the current key is refused before anybody is asked
    _may_be_written(show=show)
    reasons = _needed(configured(config).configuration, before, key)
    if reasons and not force:
        for reason in (f"Key {key} is still needed:", *(f"- {reason}" for reason in reasons)):
            errors.print(reason, highlight=False, markup=False, soft_wrap=True)
        fail("Nothing was changed. --force drops it all the same; keep a copy of the ring for the day you need it.")
    for reason in reasons:
        errors.print(f"Dropped although: {reason}", highlight=False, markup=False, soft_wrap=True)
    _change(lambda now: _without(key, before, now), file, show=show)
    if not show:
        _say(f"Key {key} is no longer in the ring. {_known_from_now_on()} Tokens that it signed are void.")


def _needed(configuration: Configuration, ring: KeyRing, key: str) -> list[str]:
    told = []
    try:
        uses = _usage(configuration, ring)
    except (TemporalUnreachableError, RPCError) as error:
        told.append(f"Temporal does not say which histories need it: {error}")
        uses = _usage(configuration, ring, temporal=False)
    [wanted] = [one for one in uses if one.key_id == key]
    return told + ([] if wanted.free else wanted.reasons(ring.current))


def _usage(configuration: Configuration, ring: KeyRing, *, temporal: bool = True) -> tuple[KeyUse, ...]:
    async def work() -> tuple[KeyUse, ...]:
        client = await connect(configuration.temporal, ring, patience=PATIENCE) if temporal else None
        async with open_store(configuration, ring) as store:
            return await key_usage(store, client, ring)

    return run(work())


def _without(key: str, before: KeyRing, now: KeyRing) -> KeyRing:
    """The ring as it is now without the key, if the key is still what it was when its use was looked at."""
    if key == now.current or not _same(key, before, now):
        fail(
            f"Meanwhile somebody else changed key {key} in this key file, so what was found out about it does not hold "
            "any more. Nothing was changed; run `ml-connector keys usage` and try again."
        )
    return now.without(key)


def _same(key: str, before: KeyRing, now: KeyRing) -> bool:
    purpose = "comparison"
    return (
        key in now
        and before.since.get(key) == now.since.get(key)
        and hmac.compare_digest(before.derive(key, purpose), now.derive(key, purpose))
    )


def _with(key: str, ring: KeyRing) -> KeyRing:
    if key not in ring:
        fail(f'There is no key "{key}" in the ring. Its keys are: {", ".join(ring.ids)}.', code=2)
    return ring


def _ring(file: Path | None) -> KeyRing:
    """The ring to change: of the variable when it is set, else of the file."""
    return KeyRing.from_environment(os.environ) if os.environ.get(KEYS_VARIABLE) else KeyRing.from_file(_path(file))


def _change(change: Callable[[KeyRing], KeyRing], file: Path | None, *, show: bool) -> KeyRing:
    """Writes the changed ring back, or only prints it, and gives it."""
    if show:
        ring = change(_ring(file))
        typer.echo(f"{KEYS_VARIABLE}={ring.to_text()}")
        return ring
    _may_be_written(show=show)
    return change_key_file(_path(file), change)


def _may_be_written(*, show: bool) -> None:
    if os.environ.get(KEYS_VARIABLE) and not show:
        fail(f"The ring comes from {KEYS_VARIABLE}; use --print and put the result there.")


def _known_from_now_on() -> str:
    return "Processes that read this file follow it by themselves; restart those that got the ring another way."


def _path(file: Path | None) -> Path:
    return file if file is not None else DEFAULT_FILE


def _say(sentence: str) -> None:
    output.print(sentence, highlight=False, markup=False, soft_wrap=True)
