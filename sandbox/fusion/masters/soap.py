"""SOAP 1.1 as the pod speaks it: envelopes, faults with the service's own message, MIME answers (Oracle Fusion: 3.5).

Read and written with the standard library, so that the client's own reading is put to the test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
ADDRESSING = "http://www.w3.org/2005/08/addressing"
ERRORS = "http://xmlns.oracle.com/adf/svc/errors/"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
BOUNDARY = "----=_Part_17_1130281925.1763715600000"

Tree = Mapping[str, Any]
"""An element's children by their names: texts, trees, or lists of those."""


@dataclass
class SoapFaultError(Exception):
    """A fault on its way out. `parts` are (attribute, message) of what is wrong, below the first message."""

    message: str
    code: str = ""
    parts: list[tuple[str, str]] = field(default_factory=list)
    fault_code: str = "env:Server"
    service: bool = True
    """With the service's own message; the infrastructure in front of it has none."""


def read(body: bytes) -> tuple[str, dict[str, Any]]:
    """The operation of a request and its parameters. Raises `SoapFaultError`."""
    if b"<!DOCTYPE" in body:
        raise SoapFaultError("A document type is not allowed.", fault_code="env:Client", service=False)
    try:
        envelope = ET.fromstring(body)  # noqa: S314 - without a document type there is nothing to expand
    except ET.ParseError as wrong:
        raise SoapFaultError("The request is not XML.", fault_code="env:Client", service=False) from wrong
    found = envelope.find(f"{{{ENVELOPE}}}Body")
    if envelope.tag != f"{{{ENVELOPE}}}Envelope" or found is None or len(found) != 1:
        raise SoapFaultError("The request is no SOAP 1.1 envelope.", fault_code="env:Client", service=False)
    return found[0].tag, tree(found[0])


def tree(element: ET.Element) -> dict[str, Any]:
    """What is below an element, by qualified names; every name holds a list."""
    found: dict[str, Any] = {}
    for below in element:
        value: Any = tree(below) if len(below) else "" if below.get(NIL) == "true" else (below.text or "").strip()
        found.setdefault(below.tag, []).append(value)
    return found


def one(row: Tree, name: str) -> Any:
    """The first of a name; empty text when there is none."""
    found = row.get(name)
    return found[0] if found else ""


def answer(action: str, namespace: str, operation: str, rows: Iterable[ET.Element]) -> bytes:
    """The envelope of a success: `result` holds each row."""
    response = ET.Element(f"{{{namespace}}}{operation}Response")
    result = ET.SubElement(response, f"{{{namespace}}}result")
    result.extend(rows)
    return _enveloped(response, action)


def fault(error: SoapFaultError) -> bytes:
    """The envelope of a fault."""
    found = ET.Element(f"{{{ENVELOPE}}}Fault")
    ET.SubElement(found, "faultcode").text = error.fault_code
    told = f"JBO-{error.code}: {_wrapped(error.message)}" if error.code else error.message
    ET.SubElement(found, "faultstring").text = told
    if error.service:
        spoken = ET.SubElement(ET.SubElement(found, "detail"), f"{{{ERRORS}}}ServiceErrorMessage")
        for name, text in (("code", error.code), ("message", told), ("severity", "SEVERITY_ERROR")):
            ET.SubElement(spoken, f"{{{ERRORS}}}{name}").text = text
        for attribute, message in error.parts:
            detail = ET.SubElement(spoken, f"{{{ERRORS}}}detail")
            ET.SubElement(detail, f"{{{ERRORS}}}message").text = message
            ET.SubElement(detail, f"{{{ERRORS}}}attributeName").text = attribute
    return _enveloped(found, "")


def build(name: str, content: Any, namespaces: Mapping[str, str], namespace: str) -> ET.Element:
    """An element from a tree of plain names; `namespaces` says which names are in another namespace than `namespace`.

    None is written as nil, as the pod writes what is empty.
    """
    made = ET.Element(f"{{{namespace}}}{name}")
    if content is None:
        made.set(NIL, "true")
    elif isinstance(content, Mapping):
        inner = namespaces.get(name, namespace)
        for below, value in content.items():
            for each in value if isinstance(value, list) else [value]:
                made.append(build(below, each, namespaces, inner))
    else:
        made.text = str(content).lower() if isinstance(content, bool) else str(content)
    return made


def mime(envelope: bytes) -> tuple[bytes, str]:
    """An envelope as the first part of a MIME document, with its content type."""
    head = (
        f'--{BOUNDARY}\r\nContent-Type: application/xop+xml;charset=UTF-8;type="text/xml"\r\n'
        "Content-Transfer-Encoding: 8bit\r\nContent-ID: <envelope@pod>\r\n\r\n"
    )
    kind = f'multipart/related;start="<envelope@pod>";type="application/xop+xml";boundary="{BOUNDARY}"'
    return head.encode() + envelope + f"\r\n--{BOUNDARY}--\r\n".encode(), f'{kind};start-info="text/xml"'


def _enveloped(content: ET.Element, action: str) -> bytes:
    envelope = ET.Element(f"{{{ENVELOPE}}}Envelope")
    if action:
        header = ET.SubElement(envelope, f"{{{ENVELOPE}}}Header")
        ET.SubElement(header, f"{{{ADDRESSING}}}Action").text = action
    ET.SubElement(envelope, f"{{{ENVELOPE}}}Body").append(content)
    written: bytes = ET.tostring(envelope, encoding="UTF-8", xml_declaration=True)
    return written


def _wrapped(message: str) -> str:
    return f"<MESSAGE><TEXT>{message}</TEXT></MESSAGE>"
