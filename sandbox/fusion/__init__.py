"""A simulated Oracle Fusion pod: general ledger, journal import, receivables invoices and what they need.

twin = FusionTwin(demo_world())
async with serve(twin) as listener:
    ...                       # base URL and token URL below listener.url
    twin.journals()           # the truth, for tests
    twin.invoices()
    twin.set_period("US Primary Ledger", "Nov-26", "C")
    twin.faults.set("lost_answer", path="/erpintegrations", method="POST", count=1)
"""

from sandbox.fusion.demo_world import demo_world
from sandbox.fusion.ledger import Batch, Journal, JournalLine
from sandbox.fusion.receivables.invoice import Invoice
from sandbox.fusion.receivables.setup import ReceivablesHabits, ReceivablesSetup
from sandbox.fusion.twin import TOKEN_PATH, FusionTwin
from sandbox.fusion.world import Combination, Credentials, Habits, Ledger, Period, World

__all__ = [
    "TOKEN_PATH",
    "Batch",
    "Combination",
    "Credentials",
    "FusionTwin",
    "Habits",
    "Invoice",
    "Journal",
    "JournalLine",
    "Ledger",
    "Period",
    "ReceivablesHabits",
    "ReceivablesSetup",
    "World",
    "demo_world",
]
