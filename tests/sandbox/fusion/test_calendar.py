"""The accounting calendar of a fresh pod, whatever day it is."""

from datetime import date

import pytest

from sandbox.fusion import demo_world
from sandbox.fusion.demo_world import US_LEDGER
from sandbox.fusion.world import GENERAL_LEDGER, RECEIVABLES


def statuses(today: date, application: int) -> str:
    """Of the months around, oldest first."""
    periods = [one for one in demo_world(today).ledger(US_LEDGER).periods if not one.adjustment]
    present = next(at for at, one in enumerate(periods) if one.starts <= today <= one.ends)
    return "".join(one.status[application] for one in periods[present - 2 : present + 4])


@pytest.mark.parametrize("today", [date(2026, 11, 1), date(2026, 11, 29), date(2026, 2, 27), date(2027, 1, 1)])
def test_this_month_is_open_and_the_next_may_be_entered(today: date) -> None:
    assert statuses(today, GENERAL_LEDGER) == "COOFNN"
    assert statuses(today, RECEIVABLES) == "CCOFNN"


@pytest.mark.parametrize("today", [date(2026, 11, 30), date(2026, 2, 28), date(2026, 12, 31)])
def test_on_the_last_day_of_a_month_the_next_one_has_begun_somewhere(today: date) -> None:
    """A shop east of here sells in it already, and a period that may only be entered is never posted."""
    assert statuses(today, GENERAL_LEDGER) == "COOOFN"
    assert statuses(today, RECEIVABLES) == "CCOOFN"
