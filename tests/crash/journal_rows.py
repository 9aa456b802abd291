"""Orders that become journals: announced, polled, refused, in review, terminated, marked by a person."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any, Final

from crash.books import Document
from crash.lane import SETTLED
from crash.mornings import announced_morning, live, morning, place_any
from crash.posting import Posting
from crash.resets import newest_run
from crash.scene import EVERYDAY, Scene
from crash.settings import MANY, Setting
from crash.settling import settle
from crash.strikes import (
    IMPORT,
    AtBoundary,
    AtRandom,
    Call,
    CommandsKilled,
    GatewayWithInboxKilled,
    ResetUnderWay,
    ResetWhenFinished,
    ServerKilledTwice,
)
from support.stack import eventually

from contracts import names
from contracts.flow import State
from sandbox.bigcommerce import Shape
from sandbox.fusion import Journal, JournalLine
from sandbox.fusion.demo_world import US_LEDGER

TO_STAGED: Final = ("fetch_order", "lookup_cached", "lookup", "map_order", "stage_journal", "read_fate")
TO_CLOSED: Final = ("seal_group", "submit_group", "follow_job", "read_outcome", "close_group")
TO_POSTED: Final = ("follow_posting", "tell_documents")
WAY: Final = (*TO_STAGED, *TO_CLOSED, *TO_POSTED)
REFUSED_WAY: Final = (*WAY, "purge_group", "settle_document")

READ: Final = Call("reading the order", "shops", "GET", r"/v2/orders/\d+$")
LOOK: Final = Call(
    "looking for the import", "fusion", "GET", "/ess/rest/scheduler/v1/requests$", paused_at=("answering",)
)
SEND: Final = Call("importBulkData", "fusion", **IMPORT, paused_at=("received", "committed", "answering"))
JOB: Final = Call("job status", "fusion", "GET", "/erpintegrations$", query="ESSExecutionDetailsRF")
READ_BACK: Final = Call("reading journals back", "fusion", "GET", "/journalBatches$")
EXPLAIN: Final = Call("import report", "fusion", "GET", "/erpintegrations$", query="ESSJobExecutionDetailsRF")
PURGE: Final = Call("purge", "fusion", "POST", "/erpintegrations$", body="JournalImportDelete")

WITH_GATEWAY: Final = Setting("with a gateway", gateways=1)
WITH_SERVER: Final = Setting("with a server of its own", gateways=1, own_server=True)

ORDER: Final = Posting(
    "an order to its journal",
    announced_morning,
    way=WAY,
    calls=(READ, LOOK, SEND, JOB, READ_BACK),
    steps=("store/lease/after", "store/mark/before", "store/submitted/before"),
    strikes=(
        *(ResetWhenFinished(one) for one in (names.ORDER_TO_JOURNAL, names.JOURNAL_IMPORT, names.JOURNAL_GROUPS)),
        *(ResetUnderWay(kept) for kept in (True, False)),
    ),
    decisions=0,
)


# Marked as about to be sent, and never sent: only a person knows that

NEVER_SENT: Final = Posting(
    "an order whose import was announced and never sent",
    announced_morning,
    strikes=(AtBoundary("store/mark/after"), AtBoundary("store/mark/after", "SIGSTOP")),
    decisions=1,
)


async def never_sent(scene: Scene) -> None:
    lane = scene.lane
    lane.points.arm("store/mark/after", "SIGKILL")
    await announced_morning(scene)
    await lane.succeed(await lane.reached("store/mark/after"), "SIGKILL")


IN_REVIEW: Final = Posting(
    "a group in review", never_sent, way=(*WAY, "review_group"), special=frozenset({"close_group"}), decisions=1
)


# An order whose neighbour is refused

REFUSED_ACCOUNT: Final = "101-120-41400-1000"
"""Revenue of category Clearance."""


async def good_and_bad(scene: Scene) -> list[Document]:
    """Gives those that are refused; they come among the others."""
    scene.lane.stack.fusion.set_account(REFUSED_ACCOUNT, import_refuses="EF04")
    scene.at_close(lambda: scene.lane.stack.fusion.set_account(REFUSED_ACCOUNT, import_refuses=""))
    number = 1 if scene.plain else scene.chance.randint(1, 3)
    good = [(scene.place(), Shape.ORDINARY), *(place_any(scene) for _ in range(number - 1))]
    bad = [scene.place(category="Clearance", ends=State.SKIPPED) for _ in range(number)]
    everyone = [*(document for document, _ in good), *bad]
    if not scene.plain:
        scene.chance.shuffle(everyone)
    for document in everyone:
        await scene.announce(document)
    if scene.eventful:
        for document, shape in good:
            live(scene, document, scene.announce, edited=shape is Shape.ORDINARY)
    return bad


async def refused_neighbour(scene: Scene) -> None:
    await good_and_bad(scene)


async def settle_with_refusals(scene: Scene) -> None:
    await settle(scene)
    # Later resets find an account that takes everything: nothing may come of that.
    scene.lane.stack.fusion.set_account(REFUSED_ACCOUNT, import_refuses="")


REFUSED: Final = Posting(
    "an order whose neighbour is refused",
    refused_neighbour,
    way=REFUSED_WAY,
    calls=(EXPLAIN, PURGE),
    special=frozenset({"read_outcome", "close_group", "tell_documents"}),
    strikes=(ResetWhenFinished(names.JOURNAL_IMPORT),),
    settle=settle_with_refusals,
    decisions=1,
)


# An order that a person enters in Fusion and marks as posted


async def refused_and_entered_by_hand(scene: Scene) -> None:
    for document in await good_and_bad(scene):
        document.ends = State.POSTED
        document.judged = partial(_enter_by_hand, scene)


async def _enter_by_hand(scene: Scene, document: Document) -> dict[str, Any]:
    """What an accountant does: enters the journal in Fusion, then names its batch."""
    books = scene.lane.stack.fusion.books
    total = scene.lane.stack.shop(document.connection).truth()[document.number].total
    if not document.by_hand:
        document.by_hand = f"Clearance sale {document.number}"
        like = await eventually(partial(_neighbour, scene), "a neighbour is in the ledger")
        lines = [
            JournalLine(1, "101-000-11200-0000", total, None, total, None, document.by_hand, {}),
            JournalLine(2, REFUSED_ACCOUNT, None, total, None, total, document.by_hand, {}),
        ]
        batch = replace(
            like.batch, id=books.next_id(), name=document.by_hand, source="Manual", group_id="", status="P", journals=[]
        )
        own = dict.fromkeys(("name", "given_name", "description"), document.by_hand)
        batch.journals.append(
            replace(like, **own, id=books.next_id(), external_reference="", lines=lines, batch=batch, _totals={})
        )
        books.batches.append(batch)
    return {"kind": "mark_posted", "target_id": document.by_hand}


def _neighbour(scene: Scene) -> Journal | None:
    """A journal of the same ledger, to copy what does not matter from."""
    return next((one for one in scene.lane.stack.fusion.journals() if one.ledger == US_LEDGER), None)


MARKED: Final = Posting(
    "an order that a person marks as posted",
    refused_and_entered_by_hand,
    way=(*REFUSED_WAY, "verify_journal"),
    settle=settle_with_refusals,
    decisions=1,
)


# A refused order that a person retries


async def refused_and_healed(scene: Scene) -> None:
    for document in await good_and_bad(scene):
        document.ends = State.POSTED
        document.judged = partial(_heal, scene)


async def _heal(scene: Scene, document: Document) -> dict[str, Any]:
    """The account is corrected in Fusion, as the remedy says."""
    scene.lane.stack.fusion.set_account(REFUSED_ACCOUNT, import_refuses="")
    return {"kind": "retry"}


RETRIED: Final = Posting(
    "a refused order that a person retries", refused_and_healed, way=(*REFUSED_WAY, "record_decision"), decisions=1
)


# Orders without a rule, until a version of the mapping set has one

OF_RULES: Final = Setting("mapping sets that change")
ANTIQUES: Final = """
[[mapping_sets.rules]]
id = "antiques"
purpose = "revenue"
when = { category = ["Antiques"] }
account = "*-110-41900-0000"
"""


async def unmapped(scene: Scene) -> None:
    await scene.lane.remap()
    for _ in range(1 if scene.plain else scene.chance.randint(1, 4)):
        document = scene.place(category="Antiques")
        document.judged = _wait
        await scene.announce(document)
    for document in scene.documents:
        await scene.is_in(State.NEEDS_REVIEW, document)
    await scene.lane.remap(ANTIQUES)


async def _wait(document: Document) -> None:
    """The rule is being written."""


UNMAPPED: Final = Posting(
    "an order that waits for a rule",
    unmapped,
    way=(*WAY, "settle_document", "release_reviews"),
    setting=OF_RULES,
    decisions=0,
)


# An import that a person terminates while it is followed


async def terminated(scene: Scene) -> None:
    lane = scene.lane
    held = lane.stack.fusion.hooks.hold("answering", method=JOB.method, path=JOB.path, match=JOB.covers)
    await announced_morning(scene)
    await held.reached(SETTLED)
    for workflow_id in await scene.running(f"WorkflowType='{names.JOURNAL_IMPORT}'"):
        run = await newest_run(scene, workflow_id)
        await run.terminate("crash test")
        lane.hit("import terminated")
    held.release()


TERMINATED: Final = Posting(
    "an order whose import a person terminates", terminated, way=(*WAY, "keeps_its_slot"), decisions=0
)


# Found by the poll, not announced


async def polled_morning(scene: Scene) -> None:
    await morning(scene, lambda document: scene.trigger(names.poll_orders_id(document.connection)))


async def settle_polled(scene: Scene) -> None:
    """A poll that is asked for while another one runs is left out; the schedule comes again."""
    if scene.eventful:
        await scene.all_happened()
        for connection in {document.connection for document in scene.documents}:
            await eventually(lambda: _no_poll(scene), "polls have ended")
            await scene.trigger(names.poll_orders_id(connection))
    await settle(scene)


async def _no_poll(scene: Scene) -> bool:
    return not await scene.running(f"WorkflowType='{names.POLL_ORDERS}'")


POLLED: Final = Posting(
    "an order found by the poll", polled_morning, way=("poll_orders", *WAY), settle=settle_polled, decisions=0
)


# While the audit trail is being sealed


async def sealed_meanwhile(scene: Scene) -> None:
    await announced_morning(scene)
    await scene.trigger(names.audit_sealing_id("acme"))


async def settle_and_verify(scene: Scene) -> None:
    await settle(scene)
    verified = await scene.lane.stack.parts.store.verify_audit("acme")
    if not verified.intact:
        raise AssertionError(f"the audit trail is broken: {verified}")


SEALED: Final = Posting(
    "an order while the audit trail is sealed",
    sealed_meanwhile,
    way=(*WAY, "seal_audit"),
    settle=settle_and_verify,
    decisions=0,
)


# Announced by the shop to a gateway

ANNOUNCED: Final = Posting(
    "an order announced by webhook",
    announced_morning,
    way=WAY,
    setting=WITH_GATEWAY,
    strikes=(
        *(AtBoundary(f"gateway/{step}/{side}") for step in ("start", "confirm") for side in ("before", "after")),
        CommandsKilled(),
    ),
    decisions=0,
)


async def a_dozen(scene: Scene) -> None:
    for _ in range(12):
        scene.place()


HANGING_SERVER: Final = replace(ANNOUNCED, way=(), setting=WITH_SERVER, strikes=(GatewayWithInboxKilled(),))
KILLED_SERVER: Final = replace(
    ANNOUNCED,
    arrange=a_dozen,
    way=(),
    setting=WITH_SERVER,
    strikes=(ServerKilledTwice(),),
    settle=partial(settle, patience=600),
    workers=2,
    decisions=None,
)


async def many(scene: Scene) -> None:
    """Two shops sell at once; a third of the orders say several things about themselves."""
    for number in range(MANY):
        document = scene.place("bc-eu" if number % 4 == 0 else "bc-us", shape=scene.chance.choice(EVERYDAY))
        if number % 3 == 0:
            live(scene, document, scene.announce, edited=False)
        await asyncio.sleep(scene.chance.uniform(0, 0.1))


MANY_ORDERS: Final = Posting(
    "orders announced by webhook",
    many,
    setting=WITH_GATEWAY,
    strikes=(AtRandom(lives=(1.5, 5.0), lasts=60, gateways=0.25),),
    settle=partial(settle, patience=1000),
    workers=2,
    usual_seeds=2,
    long=True,
)

JOURNAL_POSTINGS: Final = (
    ORDER,
    NEVER_SENT,
    REFUSED,
    IN_REVIEW,
    MARKED,
    RETRIED,
    UNMAPPED,
    TERMINATED,
    POLLED,
    SEALED,
    ANNOUNCED,
    HANGING_SERVER,
    KILLED_SERVER,
    MANY_ORDERS,
)
