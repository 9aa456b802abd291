"""Ids of records: readable where the text is, one for each text, and fit for a workflow's id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from contracts.record_ids import HASHED, record_id, text_of
from contracts.starting import DocumentId

IDS = TypeAdapter(DocumentId)
texts = st.text(min_size=1, max_size=60) | st.text("_xh-.AZ09", min_size=1, max_size=20)


@given(text=texts)
def test_an_id_fits_and_leads_back_to_its_text(text: str) -> None:
    written = record_id(text)
    IDS.validate_python(written)
    assert text_of(written) in (text, None)
    if len(text.encode("utf-8", "surrogatepass")) <= 25:
        assert text_of(written) == text


@given(one=texts, other=texts)
def test_two_texts_have_two_ids(one: str, other: str) -> None:
    assert (record_id(one) == record_id(other)) == (one == other)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("SHIRT-1.B", "SHIRT-1.B"),
        ("AB 12/3", "AB_2012_2f3"),
        ("-17", "x__-17"),
        ("Größe", "Gr_c3_b6_c3_9fe"),
        ("x__A", "x_5f_5fA"),
        ("a:b", "a_3ab"),
    ],
)
def test_ids_are_read_by_people(text: str, written: str) -> None:
    assert record_id(text) == written
    assert text_of(written) == text


def test_what_is_too_long_is_known_by_its_hash() -> None:
    long = "ITEM " * 40
    assert record_id(long).startswith(HASHED)
    assert len(record_id(long)) < 80
    assert text_of(record_id(long)) is None


def test_what_is_no_id_of_ours_is_refused() -> None:
    with pytest.raises(ValueError, match="not the id of a record"):
        text_of("a_zz")
