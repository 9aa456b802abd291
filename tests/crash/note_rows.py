"""Orders that say in their shop what became of them: nothing that is posted depends on it, and none says it twice."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Final

from crash.books import Document, Entry, Journals
from crash.journal_rows import WAY
from crash.mornings import announced_morning
from crash.posting import Posting
from crash.scene import Scene
from crash.settings import Setting
from crash.strikes import Call
from support.notes import WRITES
from support.stack import Stack

NOTING: Final = Setting(
    "orders that say so in their shop",
    amended=tuple(
        (f'id = "{one}"\n', f'id = "{one}"\norder_metafield = {{ enabled = true }}\n') for one in ("shop-us", "shop-eu")
    ),
)
SAY: Final = Call("saying it in the shop", "shops", "POST", r"/metafields$", paused_at=("committed",))


class NotedJournals(Journals):
    """The general ledger, and what the shop's twin says of it: one note an order at most, and a true one."""

    def entries(self, stack: Stack, document: Document) -> Sequence[Entry]:
        shop = stack.shop(document.connection)
        store = next(one for one in stack.shops.stores.values() if one.shop is shop)
        notes = [json.loads(one.value) for one in store.metafields.of(document.number, store.accounts[0])]
        ours = f"/{document.connection}/order/{document.number}/"
        there = {one.given_name for one in stack.fusion.journals() if ours in one.given_name}
        # What is told is the reference; Fusion puts its own words behind it.
        told = [one["reference"] for note in notes for one in note["documents"]]
        true = len(notes) <= 1 and all(any(name.startswith(one) for name in there) for one in told)
        found = super().entries(stack, document)
        return [dataclasses.replace(one, counts=one.counts and true) for one in found]


async def unheard_morning(scene: Scene) -> None:
    """The shop takes no word of ours."""
    faults = scene.lane.stack.shops.faults
    faults.set("error", status=403, **WRITES)
    scene.at_close(faults.clear)
    await announced_morning(scene)


NOTED: Final = Posting(
    "an order that says so in its shop",
    announced_morning,
    way=(*WAY, "note_order"),
    calls=(SAY,),
    books=NotedJournals(),
    setting=NOTING,
    decisions=0,
)

UNNOTED: Final = Posting(
    "an order that cannot say so in its shop",
    unheard_morning,
    way=(*WAY, "note_order", "record_unnoted"),
    books=NotedJournals(),
    setting=NOTING,
    decisions=0,
)

NOTE_POSTINGS: Final = (NOTED, UNNOTED)
