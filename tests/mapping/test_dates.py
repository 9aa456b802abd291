import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.configuration import PostingPolicy
from contracts.journal import Period, Problem
from contracts.sale import Sale
from mapping.dates import Dated, NotRecognised, Waiting, accounting_date, local_day, recognition_day

TODAY = dt.date(2026, 3, 10)
PLACED = PostingPolicy()


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def dated(sale: Sale, periods: list[Period], policy: PostingPolicy = PLACED, today: dt.date = TODAY) -> Dated:
    found = accounting_date(sale, policy, periods, today)
    assert isinstance(found, Dated)
    return found


def refused(sale: Sale, periods: list[Period], policy: PostingPolicy = PLACED, today: dt.date = TODAY) -> Problem:
    found = accounting_date(sale, policy, periods, today)
    assert isinstance(found, Problem)
    return found


class TestRecognitionDay:
    @pytest.mark.parametrize(
        ("moment", "zone", "day"),
        [
            # An evening in Chicago is the next day in UTC.
            ("2026-03-01T05:59:59", "America/Chicago", "2026-02-28"),
            ("2026-03-01T06:00:00", "America/Chicago", "2026-03-01"),
            # Clocks go forward on 8 March 2026 and back on 1 November 2026: midnight moves by an hour in UTC.
            ("2026-03-08T05:59:59", "America/Chicago", "2026-03-07"),
            ("2026-03-09T04:59:59", "America/Chicago", "2026-03-08"),
            ("2026-03-09T05:00:00", "America/Chicago", "2026-03-09"),
            ("2026-11-01T05:00:00", "America/Chicago", "2026-11-01"),
            ("2026-11-02T05:59:59", "America/Chicago", "2026-11-01"),
            ("2026-11-02T06:00:00", "America/Chicago", "2026-11-02"),
            ("2026-03-28T23:00:00", "Europe/Berlin", "2026-03-29"),
            ("2026-03-29T22:00:00", "Europe/Berlin", "2026-03-30"),
            ("2026-12-31T10:00:00", "Pacific/Kiritimati", "2027-01-01"),
        ],
    )
    def test_the_day_is_the_stores_own_also_when_clocks_change(
        self, company: Any, moment: str, zone: str, day: str
    ) -> None:
        sale = company.sale(placed_at=at(moment), store_timezone=zone)
        assert recognition_day(sale, PLACED) == dt.date.fromisoformat(day)

    @given(
        moment=st.integers(1_577_836_800, 2_051_222_400).map(lambda second: dt.datetime.fromtimestamp(second, dt.UTC)),
        zone=st.sampled_from(["America/Chicago", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"]),
    )
    def test_a_local_day_is_never_more_than_a_day_from_utc(self, moment: dt.datetime, zone: str) -> None:
        day = local_day(moment, zone)
        assert day is not None
        assert abs((day - moment.date()).days) <= 1

    @pytest.mark.parametrize("zone", ["Central Time", "", "../etc/passwd", "America"])
    def test_an_unknown_timezone_is_a_problem_and_no_guess(self, company: Any, zone: str) -> None:
        problem = refused(company.sale(store_timezone=zone), [company.month(3)])
        assert problem.code == "unknown_timezone"
        assert recognition_day(company.sale(store_timezone=zone), PLACED) is None


class TestRecognitionEvent:
    def test_placed_is_the_default(self, company: Any) -> None:
        found = dated(company.sale(placed_at=at("2026-03-02T12:00:00")), [company.month(3)])
        assert found.on == dt.date(2026, 3, 2)
        assert found.reason == "placed 2026-03-02 in America/Chicago"
        assert not found.moved

    @pytest.mark.parametrize("event", ["paid", "shipped"])
    def test_an_order_is_dated_by_the_event_of_the_policy(self, company: Any, event: Any) -> None:
        policy = PostingPolicy(recognise_on=event)
        sale = company.sale(**{f"{event}_at": at("2026-03-05T12:00:00")})
        assert dated(sale, [company.month(3)], policy).reason == f"{event} 2026-03-05 in America/Chicago"

    @pytest.mark.parametrize("event", ["paid", "shipped"])
    def test_an_order_whose_event_is_to_come_is_skipped_for_now(self, company: Any, event: Any) -> None:
        found = accounting_date(company.sale(), PostingPolicy(recognise_on=event), [company.month(3)], TODAY)
        assert isinstance(found, NotRecognised)
        assert found.reason == f"not {event} yet: revenue is recognized when the order is {event}"


class TestPeriods:
    def test_a_day_in_a_future_enterable_period_stays(self, company: Any) -> None:
        assert dated(company.sale(), [company.month(2), company.month(3, "future")]).on == dt.date(2026, 3, 10)

    def test_a_day_in_a_closed_period_moves_to_the_first_day_of_the_next_open_one(self, company: Any) -> None:
        sale = company.sale(placed_at=at("2026-02-27T18:00:00"))
        found = dated(sale, [company.month(3), company.month(2, "closed"), company.month(1, "permanently_closed")])
        assert (found.on, found.recognised_on, found.moved) == (dt.date(2026, 3, 1), dt.date(2026, 2, 27), True)
        assert found.reason == "placed 2026-02-27 in America/Chicago, moved: Feb-26 is closed"
        assert found.period == "Mar-26"

    @pytest.mark.parametrize(("day", "moves"), [("19", True), ("18", False)])
    def test_late_days_bound_the_move(self, company: Any, day: str, moves: bool) -> None:
        sale = company.sale(placed_at=at(f"2026-02-{day}T18:00:00"))
        found = accounting_date(sale, PLACED, [company.month(2, "closed"), company.month(3)], TODAY)
        assert isinstance(found, Dated) is moves

    def test_beyond_late_days_a_person_decides(self, company: Any) -> None:
        sale = company.sale(placed_at=at("2026-01-15T18:00:00"))
        problem = refused(sale, [company.month(1, "closed"), company.month(2, "closed"), company.month(3)])
        assert problem.code == "period_closed"
        assert problem.sentence == (
            "Order 1024 (bc-us): placed 2026-01-15 in America/Chicago, but Jan-26 is closed and the next open period,"
            " Mar-26, starts 45 days later and late posting is limited to 10 days."
        )

    def test_nothing_open_later_is_said(self, company: Any) -> None:
        assert "no later period is open" in refused(company.sale(), [company.month(3, "closed")]).sentence

    def test_an_adjustment_period_is_never_chosen(self, company: Any) -> None:
        adjustment = Period(
            name="Adj-26", starts=dt.date(2026, 3, 10), ends=dt.date(2026, 3, 10), status="open", adjustment=True
        )
        found = dated(
            company.sale(), [adjustment, company.month(3, "closed"), company.month(4)], today=TODAY, policy=late(30)
        )
        assert found.period == "Apr-26"

    def test_a_day_outside_the_calendar_is_a_problem(self, company: Any) -> None:
        assert refused(company.sale(), [company.month(2)]).code == "no_period"

    def test_a_period_that_will_be_opened_is_waited_for(self, company: Any) -> None:
        found = accounting_date(company.sale(), PLACED, [company.month(2), company.month(3, "never_opened")], TODAY)
        assert isinstance(found, Waiting)
        assert found.problem.code == "period_not_opened"

    def test_a_period_that_stays_unopened_goes_to_review(self, company: Any) -> None:
        periods = [company.month(2), company.month(3, "never_opened")]
        assert refused(company.sale(), periods, today=TODAY + dt.timedelta(days=11)).code == "period_not_opened"

    def test_a_period_before_the_ledgers_first_counts_as_closed(self, company: Any) -> None:
        sale = company.sale(placed_at=at("2026-02-27T18:00:00"))
        found = dated(sale, [company.month(2, "never_opened"), company.month(3)])
        assert found.reason.endswith("moved: Feb-26 was never opened")


def late(days: int) -> PostingPolicy:
    return PostingPolicy(late_days=days)


STATUSES = st.sampled_from(["open", "future", "closed", "never_opened", "permanently_closed"])


@given(statuses=st.lists(STATUSES, min_size=12, max_size=12), day=st.integers(0, 364), allowed=st.integers(0, 90))
def test_an_accounting_date_always_lies_in_an_enterable_period_and_never_before_the_event(
    company: Any, statuses: list[str], day: int, allowed: int
) -> None:
    periods = [company.month(month, status) for month, status in enumerate(statuses, start=1)]
    placed = dt.datetime(2026, 1, 1, 18, tzinfo=dt.UTC) + dt.timedelta(days=day)
    found = accounting_date(company.sale(placed_at=placed), late(allowed), periods, TODAY)
    assert not isinstance(found, NotRecognised)
    if isinstance(found, Dated):
        (period,) = [one for one in periods if one.starts <= found.on <= one.ends]
        assert period.status in ("open", "future")
        assert found.period == period.name
        assert 0 <= (found.on - found.recognised_on).days <= allowed
        assert found.moved == (found.on != found.recognised_on)
