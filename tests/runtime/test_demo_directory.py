"""The demo empties its own directory, and nobody else's."""

from pathlib import Path

from support.typed import run_line

from runtime.demo.stage import MARKER, emptied


def test_a_directory_that_no_demo_made_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    kept = tmp_path / "ledger.xlsx"
    kept.write_text("three years of work")
    for place in (tmp_path, kept):
        result = run_line({}, "demo", "--directory", str(place))
        assert result.exit_code == 2
        assert "holds something that no demo made" in result.output
        assert kept.read_text() == "three years of work"
    assert [one.name for one in tmp_path.iterdir()] == ["ledger.xlsx"]


def test_a_new_or_empty_directory_and_an_earlier_demos_are_taken(tmp_path: Path) -> None:
    for place in (tmp_path / "deep" / "new", tmp_path / "deep" / "new"):
        first = emptied(place)
        assert {one.name for one in place.iterdir()} == {MARKER, "keyring.json"}
        (place / "store.db").write_text("of an earlier demo")
        assert emptied(place).to_text() != first.to_text()
        assert {one.name for one in place.iterdir()} == {MARKER, "keyring.json"}
    empty = tmp_path / "empty"
    empty.mkdir()
    emptied(empty)
