"""A document's review, begun anew: the run that waits for a person was terminated, or is past its retention.

The store still lists the document. Its run begins in review as it was, in one request with what it is to be told, so
that nobody finds it before it knows.
"""

from dataclasses import dataclass
from typing import Final

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from contracts import names
from contracts.causes import NEEDS_REVIEW
from contracts.flow import DocumentInput, JournalImportInput, Parked, State, document_input
from contracts.journal import Problem
from store import Store
from store.rows import DocumentRow


@dataclass(frozen=True)
class ParkedRun:
    """A workflow that begins in review. A run that is there after all is used instead."""

    flow: str
    id: str
    given: DocumentInput | JournalImportInput
    values: dict[str, str]
    """Its search attributes."""
    summary: str

    @property
    def search_attributes(self) -> TypedSearchAttributes:
        return TypedSearchAttributes(
            [SearchAttributePair(SearchAttributeKey.for_keyword(name), text) for name, text in self.values.items()]
        )


_REMEDY: Final = "Repair the cause, then retry."


def problems_of_document(row: DocumentRow) -> tuple[Problem, ...]:
    """What the row says is wrong; its reason, where it was put into review without problems."""
    return row.problems or (Problem(code=NEEDS_REVIEW, sentence=row.reason, remedy=_REMEDY),)


async def parked_document(store: Store, connection: str, kind: str, document_id: str) -> ParkedRun | None:
    """None: the store says by now that it is not in review.

    A document's row is written before its run ends: what is still listed when its run is gone was not decided.
    """
    row = await store.documents.get(connection, kind, document_id)
    if row is None or row.state is not State.NEEDS_REVIEW:
        return None
    postings = await store.journals.postings_of(connection, kind, document_id)
    # Fates of groups that are known already are history (`Parked.group_id`).
    refused = max((one.fate.group_id for one in postings if one.fate), default=0)
    return ParkedRun(
        flow=names.FLOWS[kind],
        id=names.document_workflow_id(kind, connection, document_id),
        given=document_input(
            kind,
            document_id,
            integration=row.integration,
            connection=connection,
            job=row.job,
            parked=Parked(
                problems=problems_of_document(row), since=row.at, fingerprint=row.fingerprint, group_id=refused
            ),
        ),
        values={
            names.SA_INTEGRATION: row.integration,
            names.SA_FLOW: names.FLOWS[kind],
            names.SA_DOCUMENT: document_id,
            names.SA_STATE: State.NEEDS_REVIEW.value,
            names.SA_JOB: row.job,
        },
        summary=f"{kind.capitalize()} {document_id} of {connection}, in review again",
    )
