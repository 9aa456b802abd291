"""How Receivables refuses: a sentence with the message's code behind it, and the attribute it is about.

The vendor's page lists message names and few of their numbers, and not the message of a duplicate number (Oracle
Fusion: 3.1, 10). Names are shown as codes unless `ReceivablesHabits.codes` knows the number a pod has.
"""

from __future__ import annotations

from sandbox.fusion.answers import RestError
from sandbox.fusion.receivables.setup import ReceivablesSetup

ONLY_COMPLETE = "AR-857798"
DUPLICATE_NUMBER = "AR_TRX_NUMBER_DUPLICATE"


def refuse(setup: ReceivablesSetup, name: str, sentence: str, path: str = "", status: int = 400) -> RestError:
    """The refusal to raise."""
    code = setup.habits.codes.get(name, name)
    return RestError(status, f"{sentence} ({code})", code, path)
