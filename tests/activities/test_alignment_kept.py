"""What is kept of a comparison of which a part could not be read: nothing is cleared that nobody has looked at."""

import datetime as dt

from activities.alignment.keeping import in_words, kept_row
from contracts.alignment import Misalignment, Misfit, SideCompared, Unread
from contracts.configuration import Integration

MONDAY = dt.datetime(2026, 3, 2, 4, 50, tzinfo=dt.UTC)
TUESDAY, WEDNESDAY = MONDAY + dt.timedelta(days=1), MONDAY + dt.timedelta(days=2)
INTEGRATION = Integration.model_construct(id="shop-us", tenant="acme", source="bc-us", fusion="fusion")


def misfit(kind: Misfit, subject: str) -> Misalignment:
    return Misalignment(kind=kind, subject=subject, sentence=f"{subject} does not fit.", remedy="Correct it.")


CHANNEL = misfit(Misfit.CHANNEL_WITHOUT_BOOKS, "channel 2")
CENTER = misfit(Misfit.SEGMENT_VALUE, "cost_center 120")
PRODUCT = misfit(Misfit.SEGMENT_VALUE, "product 7")
ALL = SideCompared(
    misalignments=(CHANNEL, CENTER, PRODUCT), unnamed={Misfit.CHANNEL_WITHOUT_BOOKS: 3}, compared={"channels": 104}
)


def test_what_could_not_be_read_stays_as_it_was_and_is_not_new_afterwards() -> None:
    monday = kept_row(INTEGRATION, ALL, None, job="1", at=MONDAY).row
    half = SideCompared(
        compared={"values of product": 9},
        unread=(Unread(kind=Misfit.CHANNEL_WITHOUT_BOOKS), Unread(kind=Misfit.SEGMENT_VALUE, prefix="cost_center ")),
    )
    tuesday = kept_row(INTEGRATION, half, monday, job="2", at=TUESDAY)
    assert tuesday.row.misalignments == (CHANNEL, CENTER), "the product was looked at, and fits"
    assert (tuesday.row.misaligned, tuesday.row.bad_since, tuesday.new) == (5, MONDAY, ())
    wednesday = kept_row(INTEGRATION, ALL, tuesday.row, job="3", at=WEDNESDAY)
    assert (wednesday.row.bad_since, wednesday.new) == (MONDAY, (PRODUCT,))


def test_nobody_says_that_everything_fits_who_could_not_read_it() -> None:
    unread = (Unread(kind=Misfit.BUSINESS_UNIT),)
    nothing = kept_row(INTEGRATION, SideCompared(unread=unread), None, job="1", at=MONDAY).row
    assert in_words(nothing) == "nobody knows what fits; compared: nothing"
    some = SideCompared(compared={"channels": 1}, unread=unread)
    half = kept_row(INTEGRATION, some, None, job="2", at=MONDAY).row
    assert in_words(half) == "what could be compared fits; compared: 1 channels, not everything"
    whole = kept_row(INTEGRATION, SideCompared(compared={"channels": 2}), None, job="3", at=MONDAY).row
    assert in_words(whole) == "everything fits; compared: 2 channels"
