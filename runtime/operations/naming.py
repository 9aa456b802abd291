"""How people name documents at the command line: `1024`, `bc-us/1024`, `bc-us/refund/77`, or a workflow id."""

from contracts import names
from contracts.model import Frozen


class Named(Frozen):
    """What was typed, taken apart."""

    connection: str | None
    kind: str | None
    """None: not said. An order is meant, unless only another kind of document has this id."""
    document_id: str


def named(wanted: str) -> Named:
    flow, _, tail = wanted.partition(":")
    if flow in names.KINDS:
        connection, _, document_id = tail.partition(":")
        return Named(connection=connection or None, kind=names.KINDS[flow], document_id=document_id)
    place, _, document_id = wanted.rpartition("/")
    connection, _, kind = place.rpartition("/")
    if kind in names.FLOWS:
        return Named(connection=connection or None, kind=kind, document_id=document_id)
    return Named(connection=place or None, kind=None, document_id=document_id)


def short_ids(kind: str, connection: str, document_id: str) -> tuple[str, ...]:
    """What a person may type for a document, clearest first."""
    if kind == names.ORDER:
        return (f"{connection}/{document_id}", document_id)
    return (f"{connection}/{kind}/{document_id}", f"{kind}/{document_id}")
