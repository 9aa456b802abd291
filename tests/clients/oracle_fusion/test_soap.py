"""SOAP documents: read without trust, written so that any name fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.errors import Forbidden, Rejected, Unauthorized, VendorError
from clients.oracle_fusion.soap_document import (
    ENVELOPE,
    NotSoapError,
    child,
    enveloped,
    local,
    make,
    opened,
    told,
)
from clients.oracle_fusion.soap_document import (
    given as given_text,
)
from clients.oracle_fusion.soap_faults import explain_fault

FAULT = """<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body><env:Fault>
<faultcode>{code}</faultcode><faultstring>{said}</faultstring>{detail}</env:Fault></env:Body></env:Envelope>"""
DETAIL = """<detail><e:ServiceErrorMessage xmlns:e="http://xmlns.oracle.com/adf/svc/errors/"><e:code>27024</e:code>
<e:message>JBO-27024: Failed to validate a row</e:message>
<e:detail><e:message>JBO-27014: Attribute PartyId is required.</e:message><e:attributeName>PartyId</e:attributeName>
<e:detail><e:message>JBO-HZ:::HZ_INVALID_ORIG_SYSTEM</e:message><e:attributeName>OrigSystem</e:attributeName></e:detail>
</e:detail></e:ServiceErrorMessage></detail>"""


WHOLE = f'<s:Envelope xmlns:s="{ENVELOPE}"><s:Body><a/></s:Body></s:Envelope>'


def body(document: str) -> bytes:
    return document.encode()


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1))
def test_any_name_can_be_written_and_is_read_as_it_was_but_for_what_xml_cannot_carry(name: str) -> None:
    answer = opened(enveloped(make("customer", [make("name", name)])), "text/xml")
    read = child(answer, "name")
    assert read is not None
    kept = "".join(one for one in name if one in "\t\n\r" or (ord(one) >= 0x20 and one not in "\ufffe\uffff"))
    assert (read.text or "") == kept


def test_nothing_is_written_for_what_is_empty_and_nil_is_read_as_nothing() -> None:
    assert given_text("a", "") is None
    assert given_text("a", None) is None
    assert given_text("a", 0) is not None
    nil = 'xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:nil="true"'
    document = f'<s:Envelope xmlns:s="{ENVELOPE}"><s:Body><r><n {nil}/><a> b </a></r></s:Body></s:Envelope>'
    answer = opened(body(document), "text/xml")
    assert (told(answer, "n"), told(answer, "a"), told(answer, "c")) == ("", "b", "")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"no xml",
        b"<html/>",
        f'<s:Envelope xmlns:s="{ENVELOPE}"><s:Body/></s:Envelope>'.encode(),
        f'<!DOCTYPE s [<!ENTITY a "b">]>{WHOLE}'.encode(),
        f'<!DOCTYPE s SYSTEM "file:///etc/passwd">{WHOLE}'.encode(),
    ],
)
def test_what_is_no_envelope_or_brings_a_document_type_is_refused(document: bytes) -> None:
    with pytest.raises(NotSoapError):
        opened(document, "text/xml")


def test_an_envelope_is_taken_out_of_a_mime_document() -> None:
    envelope = enveloped(make("answer", "Größe"))
    other = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n"
    head = b"--b\r\nContent-Type: application/xop+xml\r\nContent-ID: <e>\r\n\r\n"
    document = other + head + envelope + b"\r\n--b--\r\n"
    answer = opened(document, 'multipart/related; start="<e>"; type="application/xop+xml"; boundary="b"')
    assert (local(answer), answer.text) == ("answer", "Größe")
    with pytest.raises(NotSoapError):
        opened(document, 'multipart/related; start="<f>"; boundary="b"')


@pytest.mark.parametrize(
    ("code", "said", "detail", "kind"),
    [
        ("env:Server", "JBO-27024: Failed", DETAIL, Rejected),
        ("env:Server", "ORA-00060: deadlock detected", DETAIL, None),
        ("env:Server", "Internal error", "", None),
        ("wsse:FailedAuthentication", "The token cannot be authenticated.", "", Unauthorized),
        ("env:Server", "The user does not have the privilege.", "", Forbidden),
    ],
)
def test_a_fault_is_a_refusal_only_when_the_service_itself_spoke(
    code: str, said: str, detail: str, kind: type[VendorError] | None
) -> None:
    fault = opened(body(FAULT.format(code=code, said=said, detail=detail)), "text/xml")
    told_of = explain_fault(fault)
    assert told_of.kind is kind
    if detail:
        assert told_of.code == "27024"
        assert told_of.messages == (
            "Failed to validate a row",
            "Attribute PartyId is required.",
            "JBO-HZ:::HZ_INVALID_ORIG_SYSTEM (OrigSystem)",
        )
