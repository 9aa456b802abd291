"""The demo from beginning to end: play the morning, wait until everything is decided, reconcile, resolve one review."""

import asyncio
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import Final

from rich.box import HEAVY_HEAD
from rich.console import Console

from contracts import names
from contracts.flow import State
from contracts.names import order_to_journal_id
from runtime.commands.reconcile import print_sums
from runtime.demo.screen import DocumentLine, Screen
from runtime.demo.stage import Setting, Stage, open_stage
from runtime.demo.story import Morning
from runtime.operations.deciding import ReviewItem, decide, decision_on, review_items
from runtime.operations.reconciled import ReconciledStore, Verdict
from runtime.operations.reconciliation import reconcile
from runtime.serving import stop_on_signals

PATIENCE: Final = 180.0
"""Seconds until what is not decided fails the demo."""
DECIDED: Final = frozenset({"posted", "reversed", "skipped", "needs_review"})
IN_REVIEW: Final = 2
PROGRAM: Final = "ml-connector"


async def play(directory: Path, console: Console, *, keep: bool, setting: Setting) -> bool:
    """True when the books agree to the cent and nothing is lost, doubled or forgotten."""
    screen = Screen(console)
    async with open_stage(directory, screen.tell, setting) as stage:
        began = time.monotonic()
        if keep:
            screen.tell(f"Watch it happen: the shops at {stage.shops.url}/ and Fusion at {stage.fusion.url}/")
        morning = Morning(stage.fusion, stage.shops, screen.tell)
        playing = asyncio.create_task(morning.play())
        decided = await _watch(stage, screen, morning, playing)
        screen.close()
        await playing
        taken = time.monotonic() - began
        screen.tell(f"{'Everything is decided' if decided else 'Out of patience'} after {taken:.0f} s.")
        screen.tell(_traffic(stage))
        first = await _reconciled(stage, console)
        items = await review_items(stage.parts.store, stage.configuration)
        _show_reviews(items, console)
        resolved = await _resolve_one(stage, morning, items, screen)
        second = await _reconciled(stage, console)
        right = decided and resolved and _right(first, IN_REVIEW) and _right(second, IN_REVIEW - 1)
        _show_links(stage, morning, console)
        console.print(
            "[bold green]Everything holds.[/]" if right else "[bold red]Something does not hold.[/]", highlight=False
        )
        if keep:
            await _keep(stage, console)
    return right


async def _watch(stage: Stage, screen: Screen, morning: Morning, playing: "asyncio.Task[None]") -> bool:
    """Shows progress until every order and refund is posted, reversed, skipped or in review, and all webhooks deliver.

    False when that takes too long.
    """
    gives_up_at = time.monotonic() + PATIENCE
    healed = False
    while time.monotonic() < gives_up_at:
        lines = await _lines(stage)
        screen.show(lines)
        if not healed and morning.switched_off and not await _ailing(stage):
            healed = True
            screen.tell("The webhook is switched on again, and what was changed meanwhile has been read.")
        if playing.done():
            playing.result()
            if healed and all(line.state in DECIDED for line in lines):
                return True
        await asyncio.sleep(0.5)
    return False


async def _ailing(stage: Stage) -> bool:
    """Whether a webhook is off, or what it missed is still to be read."""
    off = any(not hook.is_active for store in stage.shops.stores.values() for hook in store.subscriptions.every())
    rows = [await stage.parts.store.hooks.of(one.source) for one in stage.configuration.integrations]
    return off or any(row.gap_from for hooks in rows for row in hooks)


async def _lines(stage: Stage) -> list[DocumentLine]:
    """Every order and refund of both shops: its state by our store, its journal by Fusion's own books."""
    journals = stage.fusion.journals()
    billed = [(one.given, one.number) for one in (*stage.fusion.invoices(), *stage.fusion.credit_memos.all())]
    lines = []
    for integration in stage.configuration.integrations:
        connection = stage.configuration.connection(integration.source)
        shop = stage.shops.stores[connection.store_hash].shop  # type: ignore[union-attr]
        documents = [
            (names.ORDER, str(order_id), f"{truth.total:,.2f} {truth.currency}")
            for order_id, truth in shop.truth().items()
        ]
        documents += [
            (names.REFUND, str(refund.id), f"{-refund.total:,.2f} {order.currency}") for order, refund in shop.refunds()
        ]
        for kind, document_id, amount in documents:
            known = await stage.parts.store.documents.get(connection.id, kind, document_id)
            place = f"/{connection.id}/{kind}/{document_id}/"
            journal = next((f"{one.name} ({one.batch.status})" for one in journals if place in one.given_name), "")
            paper = next((number for given, number in billed if place in "".join(map(str, given.values()))), "")
            lines.append(
                DocumentLine(
                    shop=connection.id,
                    name=document_id if kind == names.ORDER else f"{kind} {document_id}",
                    amount=amount,
                    state=known.state.value if known else "announced",
                    journal=journal or paper,
                )
            )
    return lines


def _traffic(stage: Stage) -> str:
    """How many webhooks it took, and how many of them were copies or never sent."""
    log = [delivery for store in stage.shops.stores.values() for delivery in store.deliveries.log]
    sent = [delivery for delivery in log if delivery.state != "dropped"]
    copies = sum(delivery.copy for delivery in sent)
    calls = stage.fusion.calls.count()
    return (
        f"{len(sent)} webhooks were sent, {copies} of them twice; {len(log) - len(sent)} were never sent. "
        f"Fusion answered {calls} calls."
    )


async def _reconciled(stage: Stage, console: Console) -> tuple[ReconciledStore, ...]:
    results = await reconcile(stage.parts, stage.configuration.integrations)
    console.print("\nReconciliation: what the shops sold and gave back against what Fusion's ledger holds")
    print_sums(results, console, box=HEAVY_HEAD, pad_edge=True)
    return results


def _right(results: tuple[ReconciledStore, ...], in_review: int) -> bool:
    return (
        all(result.agrees and not result.of(Verdict.OPEN, Verdict.UNPOSTED) for result in results)
        and sum(len(result.of(Verdict.IN_REVIEW)) for result in results) == in_review
        and len(results) == len({result.connection for result in results})
    )


def _show_reviews(items: tuple[ReviewItem, ...], console: Console) -> None:
    console.print(f"\n[bold]In review: {len(items)}[/]", highlight=False)
    for item in items:
        for problem in item.problems:
            console.print(f"  {problem.sentence}", highlight=False, markup=False)
            console.print(f"    {problem.remedy}", highlight=False, markup=False)
        console.print(f"    {item.command}", style="cyan", highlight=False, markup=False, soft_wrap=True)


async def _resolve_one(stage: Stage, morning: Morning, items: tuple[ReviewItem, ...], screen: Screen) -> bool:
    """What an operator does with the refused order: repair the cause in Fusion, then retry."""
    connection, order_id = morning.told.disabled
    workflow_id = order_to_journal_id(connection, str(order_id))
    item = next((one for one in items if one.workflow_id == workflow_id), None)
    if item is None:
        screen.tell(f"Order {order_id} ({connection}) is not in review, though Fusion should have refused it.")
        return False
    screen.tell(f"The account is enabled in Fusion; order {order_id} ({connection}) is retried.")
    morning.enable_account()
    decision = decision_on(item, "retry", who="demo", why="The account was enabled in Fusion.")
    await decide(stage.parts.temporal, item, decision)
    gives_up_at = time.monotonic() + PATIENCE
    while time.monotonic() < gives_up_at:
        known = await stage.parts.store.documents.get(connection, "order", str(order_id))
        if known and known.state is State.POSTED:
            screen.tell(f"Order {order_id} ({connection}): {known.reason}.")
            return True
        await asyncio.sleep(0.3)
    return False


def _show_links(stage: Stage, morning: Morning, console: Console) -> None:
    if stage.ui is None:
        return
    console.print(f"\nTemporal UI: {stage.ui}", highlight=False, soft_wrap=True)
    for connection, order_id in (morning.told.unmapped, morning.told.disabled):
        console.print(f"  {stage.ui}/{order_to_journal_id(connection, str(order_id))}", highlight=False, soft_wrap=True)


async def _keep(stage: Stage, console: Console) -> None:
    console.print(
        "\nIn a browser, what is in the simulated systems, with buttons for what may go wrong:", highlight=False
    )
    for name, twin in (("shops", stage.shops), ("Fusion", stage.fusion)):
        console.print(f"  {name:<6} {twin.url}/", highlight=False, style="cyan", soft_wrap=True)
    console.print("Everything stays up until Ctrl-C. In another terminal:", highlight=False)
    if shutil.which(PROGRAM) is None:
        console.print(f'  export PATH="{Path(sys.executable).parent}:$PATH"', highlight=False, soft_wrap=True)
    for name, value in stage.environment.items():
        console.print(f"  export {name}={shlex.quote(value)}", highlight=False, soft_wrap=True)
    for command in ("status", "review list", "audit show 1001", "reconcile", "check", "connections test"):
        console.print(f"  {PROGRAM} {command}", highlight=False, style="cyan")
    with stop_on_signals() as stop:
        await stop.wait()
    console.print("Stopping ...")
