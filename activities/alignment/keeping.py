"""What is kept of a comparison, and what of it is new."""

import datetime as dt
from dataclasses import dataclass

from contracts.alignment import ALIGNED, Misalignment, SideCompared, number_of
from contracts.configuration import Integration
from contracts.loss import INTEGRATION_KIND
from store.rows import AlignmentRow, AuditEvent


@dataclass(frozen=True, slots=True)
class Kept:
    row: AlignmentRow
    new: tuple[Misalignment, ...]
    """What the comparison before did not know."""


def kept_row(
    integration: Integration, found: SideCompared, before: AlignmentRow | None, *, job: str, at: dt.datetime
) -> Kept:
    """The row of a comparison. What went wrong stays wrong since when it was seen first, and what could not be looked
    at this time stays as it was."""
    misalignments, unnamed = found.misalignments, found.unnamed
    if before:
        misalignments += tuple(one for one in before.misalignments if any(left.covers(one) for left in found.unread))
        whole = {left.kind for left in found.unread if not left.prefix}
        unnamed = {kind: count for kind, count in before.unnamed.items() if kind in whole} | unnamed
    misaligned = number_of(misalignments, unnamed)
    known = {(one.kind, one.subject) for one in before.misalignments} if before else set()
    since = None
    if misaligned:
        since = before.bad_since if before and before.bad_since else at
    row = AlignmentRow(
        tenant=integration.tenant,
        integration=integration.id,
        connection=integration.source,
        fusion=integration.fusion,
        at=at,
        job=job,
        misaligned=misaligned,
        bad_since=since,
        misalignments=misalignments,
        unnamed=unnamed,
        compared=found.compared,
        notes=found.notes,
        unread=found.unread,
    )
    return Kept(row, tuple(one for one in misalignments if (one.kind, one.subject) not in known))


def told(kept: Kept) -> AuditEvent:
    row = kept.row
    return AuditEvent(
        tenant=row.tenant,
        connection=row.connection,
        kind=INTEGRATION_KIND,
        document_id=row.integration,
        at=row.at,
        action=ALIGNED,
        sentence=in_words(row, new=len(kept.new)),
        details={
            "compared": row.compared,
            "misalignments": [one.model_dump(mode="json") for one in row.misalignments],
            "unnamed": {kind.value: count for kind, count in row.unnamed.items()},
            "notes": list(row.notes),
        },
        job=row.job,
    )


def in_words(row: AlignmentRow, *, new: int = 0) -> str:
    """`3 do not fit (2 new); compared 1 channel, 10 categories`."""
    compared = ", ".join(f"{count:,} {name}" for name, count in row.compared.items()) or "nothing"
    if row.unread and row.compared:
        compared += ", not everything"
    if not row.misaligned:
        fits = "everything" if not row.unread else "what could be compared" if row.compared else "nobody knows what"
        return f"{fits} fits; compared: {compared}"
    verb = "does" if row.misaligned == 1 else "do"
    news = f" ({new} new)" if new else ""
    return f"{row.misaligned:,} {verb} not fit{news}; compared: {compared}"
