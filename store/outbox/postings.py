"""How rows of the journal outbox become values, and values rows. Shared by `journals` and `groups`."""

import datetime as dt
import hashlib
from decimal import Decimal
from typing import Any, Final

from contracts.journal import FateKind, Journal, JournalFate
from contracts.refund import RefundSale
from contracts.sale import Sale
from store.keys.rewrapping import Sealed
from store.keys.vault import Vault, binding
from store.rows import PostingKey, PostingRow, PostingState
from store.schema import postings

FATE_OF: Final = {
    PostingState.IMPORTED: FateKind.IMPORTED,
    PostingState.POSTED: FateKind.POSTED,
    PostingState.REFUSED: FateKind.REFUSED,
}
"""States that are a fate. A journal whose neighbour was refused is simply staged again."""

FINAL: Final = frozenset({PostingState.IMPORTED, PostingState.POSTED})
RESTAGEABLE: Final = frozenset({PostingState.STAGED, PostingState.REFUSED, PostingState.WITHDRAWN})
"""Nothing of such a posting is, or may be, in Fusion."""

KEY_COLUMNS: Final = tuple(postings.c[name] for name in PostingKey.model_fields)
FATE_COLUMNS: Final = (
    postings.c.reference,
    postings.c.state,
    postings.c.group_id,
    postings.c.fate_group_id,
    postings.c.fate_at,
    postings.c.journal_header_id,
    postings.c.journal_batch_id,
    postings.c.journal_name,
    postings.c.period,
    postings.c.fate_code,
    postings.c.fate_sentence,
)
NO_FATE: Final[dict[str, Any]] = {
    "fate_group_id": None,
    "fate_at": None,
    "journal_header_id": None,
    "journal_batch_id": None,
    "journal_name": "",
    "period": "",
    "fate_code": "",
    "fate_sentence": "",
}

CONTENT_NAMES: Final = (
    "ledger",
    "source",
    "currency",
    "accounting_date",
    "date_moved",
    "suspense",
    "total",
    "mapping_set",
    "mapping_version",
    "digest",
    "content",
)
"""Columns that a new version of the journal replaces."""


def fate_of(row: Any) -> JournalFate | None:
    """The fate a posting's row carries, from `FATE_COLUMNS`."""
    kind = FATE_OF.get(PostingState(row.state))
    if kind is None:
        return None
    return JournalFate(
        reference=row.reference,
        kind=kind,
        group_id=row.fate_group_id or 0,
        at=row.fate_at,
        journal_header_id=row.journal_header_id,
        journal_batch_id=row.journal_batch_id,
        journal_name=row.journal_name,
        period=row.period,
        code=row.fate_code,
        sentence=row.fate_sentence,
    )


def fate_columns(fate: JournalFate) -> dict[str, Any]:
    return {
        "fate_group_id": fate.group_id,
        "fate_at": fate.at,
        "journal_header_id": fate.journal_header_id,
        "journal_batch_id": fate.journal_batch_id,
        "journal_name": fate.journal_name,
        "period": fate.period,
        "fate_code": fate.code,
        "fate_sentence": fate.sentence,
    }


def key_of(row: Any) -> PostingKey:
    return PostingKey(**{name: getattr(row, name) for name in PostingKey.model_fields})


def posting_of(row: Any) -> PostingRow:
    return PostingRow(
        reference=row.reference,
        key=key_of(row),
        ledger=row.ledger,
        source=row.source,
        currency=row.currency,
        total=row.total,
        mapping_set=row.mapping_set,
        mapping_version=row.mapping_version,
        fingerprint=row.fingerprint,
        state=PostingState(row.state),
        job=row.job,
        staged_at=row.staged_at,
        group_id=row.group_id,
        fate=fate_of(row),
        date_moved=row.date_moved,
        suspense=row.suspense,
        accounting_date=row.accounting_date,
    )


def content_binding(tenant: str, reference: str) -> bytes:
    return binding("posting", tenant, reference)


SEALED: Final = Sealed(
    postings,
    "content",
    place=("tenant", "reference"),
    bind=lambda row: content_binding(row.tenant, row.reference),
)


class _Content(Journal):
    """A journal as the outbox keeps it."""

    basis: RefundSale | Sale | None = None
    """The version of the sale that it and the journals before it add up to, or what a refund takes back; none where
    nobody knows it."""


def content_columns(journal: Journal, tenant: str, vault: Vault, basis: Sale | None = None) -> dict[str, Any]:
    """The values of `CONTENT_NAMES`. `basis`: the version of the sale that the ledger shows with this journal, or what
    it takes back as a refund's."""
    text = journal.model_dump_json()
    content = _Content.model_construct(**dict(journal), basis=basis).model_dump_json() if basis else text
    return {
        "ledger": journal.ledger,
        "source": journal.journal_source,
        "currency": journal.currency,
        "accounting_date": journal.accounting_date,
        "date_moved": journal.date_moved,
        "suspense": journal.suspense,
        "total": journal.total,
        "mapping_set": journal.mapping_set,
        "mapping_version": journal.mapping_version,
        "digest": hashlib.sha256(text.encode()).hexdigest(),
        "content": vault.seal_text(content_binding(tenant, journal.reference), content),
    }


def without_content(reference: str, key: PostingKey, fingerprint: str, job: str, now: dt.datetime) -> dict[str, Any]:
    """The row of a posting that a person closes before anything was staged: it only keeps others from posting."""
    return {
        "reference": reference,
        **key.model_dump(),
        "ledger": "",
        "source": "",
        "currency": "",
        "accounting_date": None,
        "date_moved": False,
        "suspense": False,
        "total": Decimal(0),
        "mapping_set": "",
        "mapping_version": 0,
        "fingerprint": fingerprint,
        "digest": "",
        "content": None,
        "state": PostingState.WITHDRAWN,
        "job": job,
        "created_at": now,
        "staged_at": now,
        "group_id": None,
        **NO_FATE,
    }


def line_rows(journal: Journal) -> list[dict[str, Any]]:
    """One row per line, without the description: it may name a customer's goods."""
    return [
        {
            "reference": journal.reference,
            "number": number,
            "purpose": line.purpose.value,
            "segments": list(line.segments),
            "debit": line.debit,
            "credit": line.credit,
            "source_key": line.source_key,
            "mapping_set": line.rule.mapping_set if line.rule else "",
            "mapping_version": line.rule.version if line.rule else None,
            "rule": line.rule.rule if line.rule else "",
        }
        for number, line in enumerate(journal.lines, start=1)
    ]


def open_content(vault: Vault, tenant: str, reference: str, content: bytes) -> Journal:
    """Raises `store.keys.vault.Unsealable` or `store.keys.keyring.KeyMissing`."""
    return open_with_basis(vault, tenant, reference, content)[0]


def open_with_basis(vault: Vault, tenant: str, reference: str, content: bytes) -> tuple[Journal, Sale | None]:
    """The journal, and the version of the sale it leads to, or what it takes back. Raises as `open_content`."""
    kept = _Content.model_validate_json(vault.open_text(content_binding(tenant, reference), content))
    return Journal.model_construct(**{name: getattr(kept, name) for name in Journal.model_fields}), kept.basis
