from runtime.configuring.positions import locate

TEXT = """\
environment = "test"
[store]
url = "x"

[[integrations]]
id = "one"
[integrations.poll]
cron = "a"

[[integrations]]
id = "two"
channels = [
    # the storefront
    { id = "1" },
    { id = "2", "odd name" = 3 },
]
[[integrations.books]]
channel = "1"
[[integrations.books]]
channel = "2"
posting.late_days = 3
"""


def test_a_key_is_found_on_its_line() -> None:
    places = locate(TEXT)
    assert places.line(("environment",)) == 1
    assert places.line(("store", "url")) == 3


def test_a_table_below_an_array_belongs_to_its_last_element() -> None:
    places = locate(TEXT)
    assert places.line(("integrations", 0, "poll", "cron")) == 8
    assert places.line(("integrations", 1, "books", 1, "channel")) == 20
    assert places.line(("integrations", 1, "books", 1, "posting", "late_days")) == 21


def test_elements_of_inline_lists_have_lines_and_comments_do_not_count() -> None:
    places = locate(TEXT)
    assert places.line(("integrations", 1, "channels", 0, "id")) == 14
    assert places.line(("integrations", 1, "channels", 1, "odd name")) == 15


def test_what_is_missing_is_reported_at_the_table_that_lacks_it() -> None:
    places = locate(TEXT)
    assert places.line(("integrations", 0, "books")) == 5
    assert places.line(("integrations", 1, "books", 0, "ledger")) == 17
    assert places.line(("nothing",)) == 1


def test_tags_that_validation_adds_to_a_path_are_skipped() -> None:
    assert locate(TEXT).line(("integrations", 1, "some_tag", "id")) == 11
