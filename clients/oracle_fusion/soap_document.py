"""SOAP documents, read and written with lxml: no external entities, no document types, nothing from the network.

Services of Fusion answer plain, or as the first part of a MIME document (MTOM), whichever way they were asked.
"""

import email
import email.message
import email.policy
from collections.abc import Iterable, Iterator
from typing import Final

from lxml import etree

ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"
_NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"

Element = etree._Element


class NotSoapError(ValueError):
    """The document is no SOAP envelope."""


def tag(namespace: str, name: str) -> str:
    return f"{{{namespace}}}{name}"


def make(name: str, content: str | int | bool | Iterable[Element | None] | None = None) -> Element:
    """An element of a qualified name: a text, or with elements below it; those that are None are left out."""
    made = etree.Element(name)
    if isinstance(content, bool):
        made.text = "true" if content else "false"
    elif isinstance(content, int):
        made.text = str(content)
    elif isinstance(content, str):
        made.text = carried(content)
    elif content is not None:
        made.extend([one for one in content if one is not None])
    return made


def given(name: str, content: str | int | None) -> Element | None:
    """As `make`, but nothing for an empty text: an empty element would clear the attribute."""
    return None if content is None or content == "" else make(name, content)


def carried(text: str) -> str:
    """A text without the characters that XML cannot carry (shops let control characters into names)."""
    return (
        "".join(one for one in text if one in "\t\n\r" or (ord(one) >= 0x20 and one not in "\ufffe\uffff"))
        .encode("utf-8", "ignore")
        .decode()
    )


def enveloped(request: Element) -> bytes:
    """A request in its envelope."""
    envelope = etree.Element(tag(ENVELOPE, "Envelope"), nsmap={"soap": ENVELOPE})
    etree.SubElement(envelope, tag(ENVELOPE, "Body")).append(request)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def opened(content: bytes, content_type: str) -> Element:
    """What the body of an envelope holds. Raises `NotSoapError`."""
    envelope = _parsed(_root_part(content, content_type))
    if local(envelope) != "Envelope":
        raise NotSoapError("The document is no envelope.")
    body = child(envelope, "Body")
    first = next(children(body), None) if body is not None else None
    if first is None:
        raise NotSoapError("The envelope is empty.")
    return first


def local(element: Element) -> str:
    """An element's name without its namespace: services put the same things into several."""
    return etree.QName(element).localname


def children(element: Element, name: str = "") -> Iterator[Element]:
    """The elements right below one, those of a name where one is given."""
    return (one for one in element if isinstance(one.tag, str) and name in ("", local(one)))


def child(element: Element, name: str) -> Element | None:
    return next(children(element, name), None)


def told(element: Element, name: str) -> str:
    """The text of the element of a name right below one; empty when there is none, or when it is nil."""
    found = child(element, name)
    if found is None or found.get(_NIL) in ("true", "1"):
        return ""
    return (found.text or "").strip()


def _parsed(content: bytes) -> Element:
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as wrong:
        raise NotSoapError("The document is not XML.") from wrong
    if root.getroottree().docinfo.doctype:
        raise NotSoapError("The document brings a document type of its own.")
    return root


def _root_part(content: bytes, content_type: str) -> bytes:
    """The envelope of a MIME document; the document itself where it is none."""
    if not content_type.lower().startswith("multipart/"):
        return content
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    document = email.message_from_bytes(head + content, email.message.EmailMessage, policy=email.policy.HTTP)
    start = document.get_param("start")
    for part in document.iter_parts():
        if not isinstance(start, str) or part.get("Content-ID") == start:
            body = part.get_payload(decode=True)
            if isinstance(body, bytes):
                return body
    raise NotSoapError("The MIME document has no envelope.")
