import datetime as dt
from typing import Any

import pytest

from contracts.journal import Purpose
from mapping.rules_csv import RuleTableError, read_rules


def mistakes(text: str, company: Any, *rules: Any) -> list[str]:
    with pytest.raises(RuleTableError) as refused:
        read_rules(text, file="rules.csv", mapping_set=company.set(*rules))
    return [str(mistake) for mistake in refused.value.mistakes]


def test_a_row_becomes_a_rule(company: Any) -> None:
    text = (
        "id,purpose,account,category,ship_to_country,effective_from,effective_to,control_account\n"
        'shirts,Revenue,*-10-40000,"Apparel > Shirts | Apparel > Hats",US,2026-01-01,2026-12-31,no\n'
    )
    (rule,) = read_rules(text, file="rules.csv", mapping_set=company.set())
    assert rule.purpose is Purpose.REVENUE
    assert rule.account == "*-10-40000"
    assert rule.when.category == ("Apparel > Shirts", "Apparel > Hats")
    assert rule.when.ship_to_country == ("US",)
    assert (rule.effective_from, rule.effective_to) == (dt.date(2026, 1, 1), dt.date(2026, 12, 31))
    assert rule.control_account is False


def test_the_account_may_come_segment_by_segment(company: Any) -> None:
    text = "purpose;id;segment:Account;segment:company;segment:Department\nrevenue;a;40000;*;10\n"
    (rule,) = read_rules(text, file="rules.csv", mapping_set=company.set())
    assert rule.account == "*-10-40000"


def test_a_spreadsheet_export_is_read_as_it_is(company: Any) -> None:
    text = (
        "\ufeffid;purpose;account;sku;\r\na;revenue;*-10-40000;SHIRT-*;\r\n;;;;\r\n# a remark;;;;\r\nb;tax;*-10-2;\r\n"
    )
    rules = read_rules(text, file="rules.csv", mapping_set=company.set())
    assert [rule.id for rule in rules] == ["a", "b"]


def test_rows_keep_their_order(company: Any) -> None:
    rows = "".join(f"r{number},revenue,*-10-{number}\n" for number in (3, 1, 2))
    rules = read_rules(f"id,purpose,account\n{rows}", file="rules.csv", mapping_set=company.set())
    assert [rule.id for rule in rules] == ["r3", "r1", "r2"]


def test_every_mistake_is_told_with_file_line_and_remedy(company: Any) -> None:
    text = (
        "id,purpose,account,effective_from,control_account\n"
        "a,revenue,*-10-40000,2026-01-01,yes\n"
        "a,revenue,*-10-40000,,\n"
        "b,sales,*-10,31.01.2026,perhaps\n"
        "Not an id,tax,*-10-2,,\n"
        ",tax,*-10-2,,\n"
    )
    found = mistakes(text, company)
    assert found == [
        'rules.csv:3: Rule id "a" is used before, in line 2. Give each rule its own id.',
        found[1],
        'rules.csv:4: Account "*-10" has 2 segments; mapping set retail has 3: Company-Department-Account.'
        " Write every segment, in the chart's order.",
        'rules.csv:4: control_account is "perhaps". Write yes or no.',
        'rules.csv:4: effective_from is "31.01.2026", which is not a day. Write it as year-month-day: 2026-03-31.',
        'rules.csv:5: "Not an id" is not a rule id. Use lower case letters, digits and hyphens, at most 40.',
        "rules.csv:6: The rule has no id. Give it one: lower case letters, digits and hyphens, at most 40.",
    ]
    assert found[1].startswith('rules.csv:4: "sales" is not a purpose. Purposes are: revenue, shipping,')


def test_a_line_number_counts_lines_inside_quoted_cells(company: Any) -> None:
    text = 'id,purpose,account,category\na,revenue,*-10-1,"two\nlines"\nb,what,*-10-1,\n'
    (found,) = mistakes(text, company)
    assert found.startswith("rules.csv:4: ")


def test_dates_in_the_wrong_order_are_a_mistake(company: Any) -> None:
    text = "id,purpose,account,effective_from,effective_to\na,revenue,*-10-1,2026-02-01,2026-01-01\n"
    assert mistakes(text, company) == [
        "rules.csv:2: Rule a: effective_from is after effective_to. Correct the row.",
    ]


def test_an_id_of_the_configuration_file_is_not_free(company: Any) -> None:
    (found,) = mistakes("id,purpose,account\na,revenue,*-10-1\n", company, company.rule("a", "tax"))
    assert "used before, in mapping set retail" in found


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ("id,purpose,account,catgory", 'Column "catgory" is not known. Did you mean "category"?'),
        ("id,account", 'Column "purpose" is missing.'),
        ("id,purpose", 'Column "account" is missing. Add it, or one column for each segment: segment:Company,'),
        ("id,purpose,account,account", 'Column "account" appears twice.'),
        ("id,purpose,account,segment:Company", "in one column and by segment"),
        ("id,purpose,segment:Company", "Segment columns are missing: segment:department, segment:account."),
    ],
)
def test_a_header_that_does_not_fit_is_explained_and_no_row_is_read(company: Any, header: str, complaint: str) -> None:
    found = mistakes(f"{header}\nnonsense,nonsense,nonsense,nonsense\n", company)
    assert any(complaint in one for one in found)
    assert all(one.startswith("rules.csv:1: ") for one in found)


def test_an_unquoted_separator_is_noticed(company: Any) -> None:
    (found,) = mistakes("id,purpose,account,category\na,revenue,*-10-1,Shirts,Hats\n", company)
    assert "has 5 cells, the table 4 columns" in found


def test_an_open_quotation_is_noticed(company: Any) -> None:
    (found,) = mistakes('id,purpose,account,category\na,revenue,*-10-1,"Shirts\n', company)
    assert found.startswith("rules.csv:2: The row cannot be read")


def test_an_empty_file_is_a_mistake(company: Any) -> None:
    assert mistakes("\n\n", company)[0].startswith("rules.csv:1: The file is empty.")
