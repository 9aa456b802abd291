"""`ml-connector audit verify` and `audit seal`: whether the trail is what was written, and sealing it until now."""

import datetime as dt
import json
import os
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from contracts.configuration import Configuration
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, fail, indented, output, run
from runtime.operations.ages import age
from runtime.parts import open_store
from store import KeyRing, Store
from store.trail.audit_rows import Seal, Verification
from store.trail.seals import Head

TenantOption = Annotated[str | None, typer.Option(help="Only this tenant.")]


def verify_trail(
    tenant: TenantOption = None,
    kept: Annotated[
        list[str] | None,
        typer.Option(help="Digest of a seal that you kept elsewhere: proves that nothing up to it was rewritten."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Make every seal of the audit trail anew from what is in the store, and name what does not agree.

    Exit code 0: nothing sealed was changed, removed or inserted. 1: something was, or a seal could not be verified.
    """
    configuration = configured(config).configuration
    wanted = tuple(one.strip().lower() for one in kept or ())
    trails = run(_verify(configuration, tenant, wanted))
    missing = [one for one in wanted if not any(one == seal.digest for trail in trails for seal in trail.kept)]
    intact = not missing and all(trail.intact for trail in trails)
    if as_json:
        content = {
            "intact": intact,
            "tenants": [trail.model_dump(mode="json") | {"intact": trail.intact} for trail in trails],
            "kept_missing": missing,
        }
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        print_verification(trails, missing, output)
    raise typer.Exit(0 if intact else 1)


def seal_trail(tenant: TenantOption = None, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Seal what happened until now, without waiting for the schedule: before an export, or before a backup."""
    configuration = configured(config).configuration
    for name, made, head in run(_seal(configuration, tenant)):
        if not head.number:
            output.print(f"{name}: nothing to seal", highlight=False)
            continue
        events = sum(seal.count for seal in made)
        done = f"{_events(events)} under {_seals(len(made))}" if made else "nothing new"
        output.print(f"{name}: {done}; newest seal {head.number}", highlight=False)
        output.print(f"    digest {head.digest}", highlight=False, soft_wrap=True)


async def _verify(configuration: Configuration, tenant: str | None, kept: Sequence[str]) -> tuple[Verification, ...]:
    async with open_store(configuration, KeyRing.from_environment(os.environ)) as store:
        return tuple([await store.verify_audit(one, kept=kept) for one in await _tenants(store, configuration, tenant)])


async def _seal(configuration: Configuration, tenant: str | None) -> list[tuple[str, list[Seal], Head]]:
    """Tenant, the seals that were made, and the head of its chain."""
    done: list[tuple[str, list[Seal], Head]] = []
    async with open_store(configuration, KeyRing.from_environment(os.environ)) as store:
        for one in await _tenants(store, configuration, tenant):
            made: list[Seal] = []
            while seal := await store.seals.seal(one):
                made.append(seal)
            done.append((one, made, await store.seals.head(one)))
    return done


async def _tenants(store: Store, configuration: Configuration, wanted: str | None) -> tuple[str, ...]:
    """Those of the configuration, and those that are no longer in it and left events behind."""
    known = sorted({one.id for one in configuration.tenants} | set(await store.seals.tenants()))
    if wanted is None:
        return tuple(known)
    if wanted not in known:
        fail(f"There is no tenant {wanted}. Tenants are: {', '.join(known)}.", code=2)
    return (wanted,)


def print_verification(trails: Sequence[Verification], missing: Sequence[str], console: Console) -> None:
    now = dt.datetime.now(dt.UTC)
    for trail in trails:
        verdict = (
            "[bold green]OK[/]" if trail.intact else f"[bold red]NOT AS IT WAS SEALED[/] ({_faults(trail.faults)})"
        )
        console.print(f"[bold]{escape(trail.tenant)}[/]: {verdict}", highlight=False)
        if trail.first is not None and trail.last is not None:
            span = f", {trail.first:%Y-%m-%d %H:%M:%S} to {trail.last:%Y-%m-%d %H:%M:%S} UTC"
            console.print(f"    {_seals(trail.seals)} over {_events(trail.events)}{span}", highlight=False)
        for finding in trail.findings:
            console.print(indented(f"[red]{escape(finding.sentence)}[/]"), highlight=False)
            console.print(indented(escape(finding.remedy), 8), highlight=False)
        if trail.faults > len(trail.findings):
            console.print(f"    ... and {trail.faults - len(trail.findings)} more", highlight=False)
        for note in trail.notes:
            console.print(indented(f"[yellow]The trail itself tells: {escape(note)}[/]"), highlight=False)
        if trail.tail.oldest is not None:
            since = age(now - trail.tail.oldest)
            console.print(f"    not sealed yet: {_events(trail.tail.count)}, the oldest for {since}", highlight=False)
        for seal in trail.kept:
            console.print(
                f"    seal {seal.number} of {seal.sealed_at:%Y-%m-%d %H:%M:%S} UTC has the digest that you kept",
                highlight=False,
            )
        if trail.newest is not None:
            console.print(
                f"    newest seal {trail.newest.number} of {trail.newest.sealed_at:%Y-%m-%d %H:%M:%S} UTC; keep its "
                "digest elsewhere, and later give it to --kept:",
                highlight=False,
                soft_wrap=True,
            )
            console.print(f"    {trail.newest.digest}", highlight=False, soft_wrap=True)
    for digest in missing:
        console.print(
            f"[bold red]No seal has the digest {escape(digest)}:[/] the trail was cut back and sealed anew, or the "
            "digest is another store's.",
            highlight=False,
        )


def _seals(count: int) -> str:
    return f"{count:,} {'seal' if count == 1 else 'seals'}"


def _events(count: int) -> str:
    return f"{count:,} {'event' if count == 1 else 'events'}"


def _faults(count: int) -> str:
    return f"{count:,} {'finding' if count == 1 else 'findings'}"
