"""What the demo shows while it runs: one line an event, and a table of orders and refunds that keeps itself current."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

COLOURS = {
    "announced": "dim",
    "running": "cyan",
    "waiting_import": "yellow",
    "needs_review": "red",
    "posted": "green",
    "reversed": "green",
    "waiting_parent": "yellow",
    "skipped": "magenta",
}


@dataclass(frozen=True)
class DocumentLine:
    shop: str
    name: str
    """An order's number, or `refund 77`."""
    amount: str
    state: str
    journal: str


class Screen:
    """At a terminal a live table; elsewhere a line whenever a count changes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._live: Live | None = None
        self._last = ""

    def tell(self, sentence: str) -> None:
        """A line for people, with the seconds since the demo began."""
        self._console.print(Text(f"{time.monotonic() - self._began:6.1f} s  "), Text(sentence), sep="", soft_wrap=True)

    def show(self, orders: Sequence[DocumentLine]) -> None:
        counts: dict[str, int] = {}
        for order in orders:
            counts[order.state] = counts.get(order.state, 0) + 1
        summary = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(counts.items()))
        if not self._console.is_terminal:
            if summary != self._last:
                self.tell(f"{len(orders)} orders and refunds: {summary}")
            self._last = summary
            return
        if self._live is None:
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        self._live.update(_table(orders, summary, self._console.height - 6))

    def close(self) -> None:
        """Leave the table; what follows is printed below what was told."""
        if self._live:
            self._live.stop()
            self._live = None


def _table(orders: Sequence[DocumentLine], summary: str, height: int) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    for title, justify in (("shop", "left"), ("order", "right"), ("amount", "right"), ("state", "left")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    table.add_column("journal in Fusion", no_wrap=True)
    # The ones still moving are worth the room.
    moving = sorted(orders, key=lambda order: order.state in ("posted", "reversed", "skipped"))
    for order in moving[: max(height, 5)]:
        state = Text(order.state.replace("_", " "), style=COLOURS.get(order.state, ""))
        table.add_row(order.shop, order.name, order.amount, state, order.journal)
    return Group(table, Text(f"{len(orders)} orders and refunds: {summary}", style="bold"))
