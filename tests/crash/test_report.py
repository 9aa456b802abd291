"""The report says what was done and what the books said, also of runs that broke off, and needs nothing but itself."""

import json
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from crash.page import duration_text, seeds_text
from crash.report import Report, Run, Totals, Verdict
from support.topology import CLUSTER

JOURNAL, STORM = "an order to its journal", "orders edited without pause"


def ended(report: Report, posting: str, point: str, seed: int = 1, *, kills: int = 1, **found: object) -> Run:
    run = report.begin(posting, point, seed)
    run.kills["worker"] += kills
    run.end(Verdict(**{"documents": 2, **found}))  # type: ignore[arg-type]
    run.seconds = 10.0 * seed
    return run


@pytest.fixture
def clean() -> Report:
    report = Report()
    for seed in (1, 2, 3):
        ended(report, JOURNAL, "before stage_journal", seed)
        ended(report, JOURNAL, "importBulkData, committed", seed)
    ended(report, STORM, "at random", 1, kills=9).decisions["journal-import retry"] += 1
    return report


@pytest.fixture
def stained(clean: Report) -> Report:
    ended(clean, STORM, "at random", 2, duplicates=1, differences={"USD": Decimal("12.34"), "EUR": Decimal("0.01")})
    ended(clean, STORM, "at random", 4, losses=2, leftovers=3)
    clean.begin(STORM, "at random", 5).fail(AssertionError("order 1007 <is> stuck\nand more"), None)
    clean.begin(STORM, "never begun")
    return clean


def rows(page: str, posting: str) -> list[list[str]]:
    """Cells of the posting's table."""
    section = page.split(f"<h2>{posting[:1].upper()}{posting[1:]}</h2>")[1].split("</section>")[0]
    body = section.split("<tbody>")[1]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in body.split("</tr>")]
    return [row for row in cells if row]


def test_runs_of_all_seeds_are_added_up_by_posting_and_kill_point(clean: Report, tmp_path: Path) -> None:
    page = clean.write(tmp_path / "report").read_text()
    assert "Nothing lost, nothing twice" in page
    assert "Not as they should be" not in page
    assert rows(page, JOURNAL) == [
        ["before stage_journal", "3", "3", "6", "0", "0", "0", "0", "30.0 s", "3 × worker", ""],
        ["importBulkData, committed", "3", "3", "6", "0", "0", "0", "0", "30.0 s", "3 × worker", ""],
    ]
    (storm,) = rows(page, STORM)
    assert storm == ["at random", "1", "9", "2", "0", "0", "0", "0", "10.0 s", "9 × worker", "1 × journal-import retry"]


def test_what_went_wrong_is_named_with_its_seed_and_how_to_repeat_it(stained: Report, tmp_path: Path) -> None:
    page = stained.write(tmp_path).read_text()
    assert "4 of 11 runs did not end as they should." in page
    at_random, never_begun = rows(page, STORM)
    assert at_random[1:8] == ["4", "11", "6", "1", "2", "0.01 EUR, 12.34 USD", "3"]
    assert never_begun[1:3] == ["1", "0"]
    assert "order 1007 &lt;is&gt; stuck" in page
    assert "and more" not in page
    assert "CRASH_SEEDS=5-5" in page


def test_the_json_adds_up_and_holds_every_run(stained: Report, tmp_path: Path) -> None:
    stained.write(tmp_path)
    facts = json.loads((tmp_path / "report.json").read_text())
    assert facts["totals"]["differences"] == {"EUR": "0.01", "USD": "12.34"}
    assert (facts["totals"]["runs"], facts["totals"]["bad"]) == (11, 4)
    assert facts["totals"]["seeds"] == [1, 2, 3, 4, 5]
    assert facts["runs"][9]["failure"] == "order 1007 <is> stuck"
    assert facts["runs"][9]["verdict"] is None
    assert sum(sum(run["kills"].values()) for run in facts["runs"]) == sum(facts["totals"]["kills"].values())


def test_the_page_needs_nothing_from_elsewhere(stained: Report, tmp_path: Path) -> None:
    page = stained.write(tmp_path).read_text()
    assert not re.search(r"(?:src|href)=|@import|url\(|https?:", page)


def test_a_page_of_the_production_server_says_so_and_repeats_runs_there(tmp_path: Path) -> None:
    report = Report(topology=CLUSTER)
    report.begin(JOURNAL, "before lookup").fail(TimeoutError(), None)
    page = report.write(tmp_path).read_text()
    assert "On the production Temporal server and PostgreSQL" in page
    assert "CRASH_SEEDS=1-1 pytest --topology=cluster" in page
    assert json.loads((tmp_path / "report.json").read_text())["topology"] == CLUSTER


def test_differences_of_two_documents_do_not_cancel() -> None:
    verdict = Verdict(documents=2)
    verdict.differ("USD", Decimal("1.00"))
    verdict.differ("USD", Decimal("-1.00"))
    verdict.differ("EUR", Decimal("0.00"))
    assert verdict.differences == {"USD": Decimal("2.00")}
    assert not verdict.clean


def test_a_run_that_broke_off_is_bad_although_the_books_were_clean() -> None:
    report = Report()
    report.begin(JOURNAL, "before lookup").fail(TimeoutError(), Verdict(documents=1))
    assert report.totals == Totals(runs=1, bad=1, verdict=Verdict(documents=1), seeds={1}, kills=Counter())
    assert next(report.lines()).endswith("0 rows left behind; TimeoutError")


def test_what_is_under_way_is_not_in_the_page_that_a_long_session_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crash.report.KEPT_EVERY", 0.0)
    report = Report(tmp_path)
    ended(report, JOURNAL, "before lookup")
    report.begin(JOURNAL, "after lookup")
    report.keep()
    facts = json.loads((tmp_path / "report.json").read_text())
    assert [run["point"] for run in facts["runs"]] == ["before lookup"]
    assert facts["totals"]["bad"] == 0


def test_seeds_and_durations_are_written_for_people() -> None:
    assert seeds_text({3, 1, 2, 7}) == "1-3, 7"
    assert seeds_text(set()) == ""
    assert [duration_text(one) for one in (9.94, 119, 1500, 12_000)] == ["9.9 s", "119.0 s", "25 min", "3 h 20 min"]
