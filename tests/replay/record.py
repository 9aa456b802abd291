"""Records the histories anew: real dev server, real worker, twins over HTTP.

    PYTHONPATH=tests python -m replay.record               everything, some minutes
    PYTHONPATH=tests python -m replay.record doubts rates   only these scenes

Look at the difference before committing it: what changed is what runs under way would have to survive.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from replay import (
    alignment_scenes,
    audit_scenes,
    credit_scenes,
    customer_scenes,
    edit_scenes,
    fingerprint,
    hooks_scenes,
    import_scenes,
    invoice_scenes,
    item_scenes,
    loss_scenes,
    note_scenes,
    order_scenes,
    recovery_scenes,
    refund_scenes,
    release_scenes,
    reversal_scenes,
)
from replay.branches import branch_files
from replay.history_files import HISTORIES
from replay.order_scenes import Open
from replay.stage import open_stage

from runtime.temporal.devserver import DevServer
from runtime.temporal.temporal_cli import find_or_obtain

Scene = Callable[[Open], Awaitable[None]]

SCENES: Final[dict[str, Scene]] = {
    "everyday": order_scenes.everyday,
    "reviews": order_scenes.reviews,
    "changes-in-review": order_scenes.changes_in_review,
    "edits": edit_scenes.edits,
    "unposted": edit_scenes.unposted,
    "settled-by-hand": edit_scenes.settled_by_hand,
    "mistakes": order_scenes.mistakes,
    "turns": order_scenes.turns,
    "waiting": order_scenes.waiting,
    "rates": order_scenes.rates,
    "resets": order_scenes.resets,
    "refusals": import_scenes.refusals,
    "several-groups": import_scenes.several_groups,
    "unexplained": import_scenes.unexplained,
    "late-explanations": import_scenes.late_explanations,
    "periods": import_scenes.periods,
    "doubts": import_scenes.doubts,
    "group-reviews": import_scenes.reviews,
    "postings": import_scenes.postings,
    "slots": import_scenes.slots,
    "counts": loss_scenes.counts,
    "alignments": alignment_scenes.alignments,
    "customers": customer_scenes.customers,
    "sealings": audit_scenes.sealings,
    "releases": release_scenes.releases,
    "hooks": hooks_scenes.hooks,
    "invoices": invoice_scenes.invoices,
    "unknown-invoices": invoice_scenes.unknown_invoices,
    "abandoned-invoices": invoice_scenes.abandoned_invoices,
    "endless-looks": invoice_scenes.endless_looks,
    "restored": recovery_scenes.restored,
    "asks-nobody": recovery_scenes.asks_nobody,
    "remapped": recovery_scenes.remapped,
    "edited-since": recovery_scenes.edited_since,
    "refunds": refund_scenes.refunds,
    "refund-reviews": refund_scenes.refund_reviews,
    "refund-declined-late": refund_scenes.refund_declined_late,
    "refund-turns": refund_scenes.refund_turns,
    "refund-rates": refund_scenes.refund_rates,
    "refund-behind": refund_scenes.refund_behind,
    "refund-periods": refund_scenes.refund_periods,
    "refund-unwanted": refund_scenes.refund_unwanted,
    "cancelled-invoices": reversal_scenes.cancelled_invoices,
    "credits": credit_scenes.credited,
    "credits-read-back": credit_scenes.credits_read_back,
    "credit-periods": credit_scenes.credit_periods,
    "abandoned-credits": credit_scenes.abandoned_credits,
    "noted": note_scenes.noted,
    **item_scenes.ITEM_SCENES,
}
ON_A_SMALL_SERVER: Final[dict[str, Scene]] = {
    "long-histories": order_scenes.long_histories,
    "long-waits": order_scenes.long_waits,
    "long-keeping": recovery_scenes.long_keeping,
    "long-doubts": invoice_scenes.long_doubts,
}
FEW_EVENTS: Final = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=8")


async def record(wanted: set[str], directory: Path) -> list[str]:
    """Plays the scenes and saves into `directory`. Returns the names it saved."""
    binary = await find_or_obtain(lambda line: print(line, file=sys.stderr))  # noqa: T201
    saved: list[str] = []
    for scenes, arguments in ((SCENES, ()), (ON_A_SMALL_SERVER, FEW_EVENTS)):
        chosen = {name: scene for name, scene in scenes.items() if not wanted or name in wanted}
        if not chosen:
            continue
        async with DevServer(binary, ui_port=None, extra_arguments=arguments) as server:
            for name, scene in chosen.items():
                began = time.monotonic()
                await _play(scene, server, directory, saved)
                print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)  # noqa: T201
    return saved


async def _play(scene: Scene, server: DevServer, directory: Path, saved: list[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        opened = 0

        def open_one(**options: object) -> object:
            nonlocal opened
            opened += 1
            return open_stage(server, directory, saved, Path(scratch) / str(opened), **options)  # type: ignore[arg-type]

        await scene(open_one)  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description="Record the saved workflow histories anew.")
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=f"of {', '.join([*SCENES, *ON_A_SMALL_SERVER])}")
    wanted = set(parser.parse_args().scenes)
    unknown = wanted - set(SCENES) - set(ON_A_SMALL_SERVER)
    if unknown:
        parser.error(f"no such scene: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as fresh:
        saved = asyncio.run(record(wanted, Path(fresh)))
        HISTORIES.mkdir(exist_ok=True)
        for path in Path(fresh).glob("*.json"):
            shutil.copy(path, HISTORIES / path.name)
    if not wanted:
        for stale in set(HISTORIES.glob("*.json")) - {HISTORIES / f"{name}.json" for name in saved}:
            stale.unlink()
        missing = sorted(set(branch_files()) - set(saved))
        if missing:
            sys.exit(f"not recorded: {', '.join(missing)}")
        fingerprint.write()


if __name__ == "__main__":
    main()
