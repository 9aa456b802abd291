"""Whatever happens to orders, in whatever order it is heard of, the ledger ends equal to the shops.

Stories of several orders in two shops happen side by side against the real server, twins over HTTP and a real store:
placed, edited, refunded, cancelled and brought back, announced at once, twice, late or never. In the end every shop is
polled. `HISTORIES=200` plays so many sets of stories, other ones each time.
"""

import asyncio
import os
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st
from support.any_history import (
    EU,
    FOREIGN,
    PAUSES,
    US,
    Delivery,
    Event,
    Happening,
    Impossible,
    Story,
    stories,
)
from support.refunds import announce_refund, refund_flow
from support.stack import FAST, PATIENCE, Stack, eventually, open_stack
from support.story_ledger import ENTITIES, ROUNDING, ROUNDING_LIMIT, asks, expected, expected_of_reversed, granted
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from contracts import names
from contracts.configuration import Configuration
from contracts.flow import PollInput, State
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import Shape, StoreSettings
from sandbox.bigcommerce.documents import Refund
from sandbox.fusion import Journal

WANTED = os.environ.get("HISTORIES")
EXAMPLES = int(WANTED or 8)
TOGETHER = 6
"""Stories side by side."""
TICK = 2.0
"""Seconds between two things that happen, by the shops' clock: their stamps have whole ones."""
APART = 120.0
"""Seconds between two sets of stories, so that no poll of one looks at another."""
STORES = (StoreSettings(US, requests_per_window=100_000), StoreSettings(EU, requests_per_window=100_000))
_numbers = count(1)


def with_foreign_books(configuration: Configuration) -> Configuration:
    """Both shops also sell in a foreign currency, at the corporate rate, and may round."""

    def books(integration: str, connection: str) -> tuple[object, ...]:
        known = configuration.integration(integration).books
        more = {"currency": FOREIGN[connection], "conversion_type": "Corporate"}
        return (*known, known[0].model_copy(update=more))

    return configuration.model_copy(
        update={
            "integrations": tuple(
                one.model_copy(
                    update={
                        "books": books(one.id, one.source),
                        "posting": one.posting.model_copy(update={"rounding_limit": ROUNDING_LIMIT}),
                    }
                )
                for one in configuration.integrations
            )
        }
    )


class Ground:
    """Where stories happen; Hypothesis tells of it with every example, so in short."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def __repr__(self) -> str:
        return "ground"


@pytest.fixture(scope="module")
async def ground(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """One stack with a worker for all stories; each has an order of its own."""
    directory = tmp_path_factory.mktemp("histories")
    imports = FAST | {"flush_after": 0.3, "reread_after": 2.0}
    async with (
        open_stack(temporal_server, directory, imports=imports, adjust=with_foreign_books, stores=STORES) as opened,
        opened.worker(),
    ):
        yield Ground(opened)


@dataclass
class Teller:
    """Lets a story happen, and tells the connector of it as the story says."""

    stack: Stack
    story: Story
    since: datetime
    one: Happening = field(init=False)
    late: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.one = Happening(self.stack.shop(self.story.connection), self.story)

    async def tell(self) -> None:
        """All of it, up to what is told late."""
        await self._heard(self.story.told, ("order", self.one.order.id))
        for event in self.story.events:
            self.stack.shops.clock.advance(TICK)
            if event.what in PAUSES:
                await (self.at_rest() if event.what == "rest" else poll(self.stack, self.story.connection, self.since))
                continue
            try:
                refund = self.one.happen(event)
            except Impossible:
                continue
            if refund is not None:
                await self._heard(event.told, ("refund", refund.id))
            await self._heard(event.told, ("order", self.one.order.id))
        for kind, number in reversed(self.late):
            await self._announce(kind, number)

    async def _heard(self, told: Delivery, document: tuple[str, int]) -> None:
        if told == "late":
            self.late.append(document)
        for _ in range({"at once": 1, "twice": 2}.get(told, 0)):
            await self._announce(*document)

    async def _announce(self, kind: str, number: int) -> None:
        if kind == "order":
            await self.stack.announce(number, self.story.connection)
        else:
            await announce_refund(self.stack, number, self.story.connection)

    async def at_rest(self, *, over: bool = False) -> None:
        """Until nothing of the order is under way; what was never heard of is not. `over`: all of it was."""

        async def resting() -> bool:
            asked = await self.asked()
            if not (self.one.was_reversed and granted(self.one, self.one.paid_back)):
                assert not asked, f"in review: {await self._standing()}"
            order = self.one.order
            for refund in order.refunds:
                flow = refund_flow(refund.id, self.story.connection)
                if (names.REFUND, refund.id) in asked:
                    if over and not (self.one.is_reversed and asks(self.one, refund)):
                        return False
                elif await self._runs(flow) and not await self._waits_for_the_shop(refund):
                    return False
            if (names.ORDER, order.id) in asked:
                return not over or (self.one.is_reversed and bool(granted(self.one, self.booked())))
            return not await self._runs(names.order_to_journal_id(self.story.connection, str(order.id)))

        try:
            await eventually(resting, f"order {self.one.order.id} and its refunds rest", patience=PATIENCE)
        except AssertionError as late:
            raise AssertionError(f"{late}: {await self._standing()}") from late

    async def _standing(self) -> str:
        """Where everything of the order stands, by its runs and by the store."""
        connection, told = self.story.connection, []
        wanted = [(names.ORDER, self.one.order.id), *((names.REFUND, one.id) for one in self.one.order.refunds)]
        for kind, number in wanted:
            flow = names.document_workflow_id(kind, connection, str(number))
            row = await self.stack.parts.store.documents.get(connection, kind, str(number))
            runs = "runs" if await self._runs(flow) else "rests"
            told.append(f"{kind} {number} {runs}, {row.state if row else 'unknown'}: {row.reason if row else ''}")
        return "; ".join(told)

    async def _runs(self, flow: str) -> bool:
        try:
            described = await self.stack.temporal.get_workflow_handle(flow).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return described.status is WorkflowExecutionStatus.RUNNING

    async def _waits_for_the_shop(self, refund: Refund) -> bool:
        """A payment was declined, or its order is not one that is posted: only the shop can end that."""
        row = await self.stack.parts.store.documents.get(self.story.connection, names.REFUND, str(refund.id))
        if row is None:
            return False
        if refund.declined:
            return "declined to pay back" in row.reason or row.state is State.WAITING_PARENT
        return row.state is State.WAITING_PARENT and self.one.is_reversed

    async def asked(self) -> set[tuple[str, int]]:
        """What of it a person is asked about: kind and number."""
        documents = self.stack.parts.store.documents
        wanted = [(names.ORDER, self.one.order.id), *((names.REFUND, one.id) for one in self.one.order.refunds)]
        rows = {place: await documents.get(self.story.connection, place[0], str(place[1])) for place in wanted}
        return {place for place, row in rows.items() if row is not None and row.state is State.NEEDS_REVIEW}

    def booked(self) -> list[Refund]:
        """Its refunds that are in the ledger."""
        named = [journal.given_name for journal in self.journals()]
        return [one for one in self.one.order.refunds if any(f"/refund/{one.id}/" in name for name in named)]

    def journals(self) -> list[Journal]:
        """Of the order and its refunds, whoever wrote them."""
        place = f"/{self.story.connection}/"
        wanted = [f"{place}order/{self.one.order.id}/"]
        wanted += [f"{place}refund/{refund.id}/" for refund in self.one.order.refunds]
        journals = self.stack.fusion.journals()
        return [one for one in journals if any(document in one.given_name for document in wanted)]

    def ledger(self) -> dict[str, Decimal]:
        """Debits less credits of the order and its refunds by natural account, without what comes to nothing."""
        found: defaultdict[str, Decimal] = defaultdict(Decimal)
        for journal in self.journals():
            assert (journal.batch.status, journal.currency) == ("P", self.one.order.currency)
            assert journal.total("entered_dr") == journal.total("entered_cr")
            for line in journal.lines:
                entity, _, account, _ = line.account.split("-")
                assert entity == ENTITIES[self.story.connection]
                found[account] += (line.entered_dr or Decimal(0)) - (line.entered_cr or Decimal(0))
        return {account: amount for account, amount in found.items() if amount}

    async def agrees(self) -> None:
        """The ledger says of the order what the shop says: by account, tax and tender."""
        order, found, asked = self.one.order, self.ledger(), await self.asked()
        note(f"order {order.id}: {len(self.journals())} journals, {len(order.refunds)} refunds, {found}, {asked}")
        if (names.ORDER, order.id) in asked:
            return  # a person takes it back
        if self.one.is_reversed:
            booked = self.booked()
            assert found == expected_of_reversed(self.one, booked), "what stays of an order that was taken back"
            if granted(self.one, booked) != granted(self.one, self.one.paid_back):
                assert asked or not self.journals(), "what was granted is in the ledger, or a person knows"
            return
        wanted = expected(self.one)
        assert abs(found.get(ROUNDING, Decimal(0))) <= wanted.slack, "rounding"
        for account, amount in wanted.exact.items():
            assert found.get(account, Decimal(0)) == amount, account
        if wanted.near is not None:
            for account in {*found, *wanted.near} - {*wanted.exact, ROUNDING}:
                off = found.get(account, Decimal(0)) - wanted.near.get(account, Decimal(0))
                assert abs(off) <= wanted.slack, account


async def poll(stack: Stack, connection: str, since: datetime) -> None:
    await stack.temporal.execute_workflow(
        names.POLL_ORDERS,
        PollInput(connection=connection, since=since),
        id=f"poll:{connection}:{next(_numbers)}",
        task_queue=names.WORKFLOW_QUEUE,
    )


async def play(stack: Stack, drawn: list[Story]) -> None:
    """All stories side by side, then polls, until the ledger has to be as the shops are."""
    stack.shops.clock.advance(APART)
    since = stack.shop().now()
    tellers = [Teller(stack, story, since) for story in drawn]
    await asyncio.gather(*(teller.tell() for teller in tellers))
    # Two, as in life: the second finds nothing that the first has not started.
    for _ in range(2):
        for connection in sorted({story.connection for story in drawn}):
            await poll(stack, connection, since)
        await asyncio.gather(*(teller.at_rest(over=True) for teller in tellers))
    for teller in tellers:
        await teller.agrees()
    times = Counter(journal.given_name for journal in stack.fusion.journals())
    assert not {name: number for name, number in times.items() if number > 1}
    assert stack.fusion.interface() == []
    await _end(stack, tellers)


async def _end(stack: Stack, tellers: list[Teller]) -> None:
    """What still waits for the shop, or for a person, would do so for ever."""
    for teller in tellers:
        connection, order = teller.story.connection, teller.one.order
        flows = [refund_flow(refund.id, connection) for refund in order.refunds]
        for flow in (names.order_to_journal_id(connection, str(order.id)), *flows):
            if await teller._runs(flow):
                await stack.temporal.get_workflow_handle(flow).terminate("the story has ended")


def told(what: str, choice: int = 0, how: Delivery = "at once") -> Event:
    return Event(what, how, choice)


EVERYTHING_AT_ONCE = [
    Story(
        "bc-us", Shape.SPLIT_TENDER, 1, False, "at once", (told("rest"), told("pieces"), told("everything", 0, "late"))
    ),
    Story("bc-eu", Shape.COUPON_PERCENT, 2, True, "never", (told("fee", 3, "twice"), told("to several tenders", 5))),
    Story(
        "bc-us", Shape.FEE, 3, True, "late", (told("pieces", 1), told("cancelled"), told("rest"), told("back again"))
    ),
    Story(
        "bc-eu", Shape.TWO_ADDRESSES, 4, False, "twice", (told("rest"), told("no tax"), told("rest"), told("no tax"))
    ),
    Story(
        "bc-us", Shape.ORDINARY, 5, False, "never", (told("declined payment"), told("poll"), told("payment repeated"))
    ),
    # Cancelled while its refund, which a poll finds at the same time, is on its way.
    Story(
        "bc-eu",
        Shape.SPLIT_TENDER,
        46,
        True,
        "never",
        (told("declined payment", 5, "twice"), told("amount", 0, "never"), told("cancelled", 1, "late")),
    ),
    Story("bc-us", Shape.HANDLING, 6, False, "at once", (told("shipping", 1, "never"), told("tax alone", 2, "late"))),
]

CANCELLED_AND_GRANTED = [
    # Store credit was granted before the cancellation was heard of, or is heard of after it; and one of each.
    Story(
        "bc-us", Shape.ORDINARY, 5, False, "at once", (told("to several tenders", 5), told("rest"), told("cancelled"))
    ),
    Story(
        "bc-eu",
        Shape.ORDINARY,
        6,
        False,
        "at once",
        (told("rest"), told("to several tenders", 5, "late"), told("cancelled"), told("rest")),
    ),
    Story(
        "bc-us",
        Shape.MANY_LINES,
        7,
        True,
        "at once",
        (
            told("to several tenders", 3),
            told("rest"),
            told("to several tenders", 2, "late"),
            told("cancelled"),
            told("rest"),
        ),
    ),
    # It opens the order again, so nobody is asked any more.
    Story(
        "bc-eu",
        Shape.ORDINARY,
        8,
        True,
        "twice",
        (
            told("rest"),
            told("cancelled"),
            told("rest"),
            told("to several tenders", 4),
            told("rest"),
            told("back again", 0, "never"),
        ),
    ),
    # Which of two tenders pays for what was granted, a person says.
    Story(
        "bc-us",
        Shape.SPLIT_TENDER,
        9,
        False,
        "at once",
        (told("to several tenders", 11), told("rest"), told("declined")),
    ),
    # Never in the ledger.
    Story(
        "bc-eu",
        Shape.ORDINARY,
        10,
        False,
        "never",
        (told("to several tenders", 3, "never"), told("cancelled", 0, "never")),
    ),
]

EDITED_DOWN = [
    Story(
        "bc-us",
        Shape.MANY_LINES,
        3,
        False,
        "at once",
        (
            told("rest"),
            told("pieces"),
            told("rest"),
            told("quantity", 4),
            told("no line", 1),
            told("rest"),
            told("everything"),
        ),
    ),
    Story(
        "bc-eu",
        Shape.MANY_LINES,
        4,
        True,
        "twice",
        (
            told("amount", 3),
            told("rest"),
            told("no line", 2),
            told("price", 5),
            told("rest"),
            told("amount", 2),
            told("everything", 0, "late"),
        ),
    ),
]


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=WANTED is None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(drawn=st.lists(stories, min_size=1, max_size=TOGETHER))
@example(drawn=EVERYTHING_AT_ONCE)
@example(drawn=CANCELLED_AND_GRANTED)
@example(drawn=EDITED_DOWN)
async def test_whatever_happens_to_orders_the_ledger_ends_as_the_shops_are(ground: Ground, drawn: list[Story]) -> None:
    await play(ground.stack, drawn)
