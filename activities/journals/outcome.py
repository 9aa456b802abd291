"""Outcome: what a terminal import made of each journal of its group, read from Fusion and never assumed."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from temporalio import activity

from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.failures import review, wait
from activities.heartbeat import sightings, staying_alive
from activities.journals.importing import document
from activities.journals.ledgers import fate_of
from clients.oracle_fusion.gl_interface import batch_name
from clients.oracle_fusion.models import FusionJournal, ImportFault, ImportReport
from contracts.journal import FateKind, Journal, JournalFate, Problem
from contracts.model import Instant
from contracts.steps.groups import GroupStep, ImportOutcome, ReadOutcome
from store.rows import GroupState

PATIENCE: Final = 60
"""Looks for what a job should have imported before a person is asked: Fusion shows new journals late."""
UNEXPLAINED: Final = "import_unexplained"
FATES: Final = "fates"
"""Where a group's evidence keeps what was read, until the group is closed."""


class OutcomeActivities:
    """Runs on the Fusion connection's queue."""

    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="read_outcome")
    @staying_alive()
    async def read_outcome(self, wanted: ReadOutcome) -> ImportOutcome:
        """The fates are written to the group's evidence; the answer counts them.

        Imported when the journal is in the ledger as we sent it; refused when the report names it; to be staged again
        when a neighbour was refused. A refusal that names nobody is found by halving the group. A journal that is
        neither there nor refused is waited for, then a person is asked.
        """
        step = wanted.step
        groups = self._parts.store.groups
        journals = await groups.journals_in(step.group_id)
        found, report = await pass_gate(
            self._parts, step.fusion, document(step), partial(self._read, wanted, [one.reference for one in journals])
        )
        imported = _matched(step, journals, found)
        missing = [journal for journal in journals if journal.reference not in imported]
        faults = [fault for fault in report.errors if not _is_warning(fault)] if report else []
        if missing and not faults and not wanted.declared_absent:
            # Not visible yet, or refused without a word: nothing is sent again because nothing was found.
            self._wait_for(step, len(missing), wanted)
        now = self._parts.clock()
        refused = _refused(step, missing, faults, now)
        unexplained = 0
        if missing and not refused:
            if len(missing) == 1 and faults:
                refused = _blamed(step, missing[0], faults, now)
            else:
                unexplained = len(missing)
        requeued = [
            JournalFate(reference=journal.reference, kind=FateKind.RETRY, group_id=step.group_id, at=now)
            for journal in missing
            if journal.reference not in {fate.reference for fate in refused}
        ]
        fates = [*(fate_of(step, one, FateKind.IMPORTED, now) for one in imported.values()), *refused, *requeued]
        await groups.set_state(
            step.group_id,
            GroupState.RESOLVING,
            {
                FATES: [fate.model_dump(mode="json") for fate in fates],
                "ess_state": wanted.state,
                "faults": [f"{fault.code} {fault.sentence}" for fault in faults[:20]],
            },
        )
        return ImportOutcome(
            imported=len(imported), refused=len(refused), requeued=len(requeued), unexplained=unexplained
        )

    async def _read(
        self, wanted: ReadOutcome, references: Sequence[str]
    ) -> tuple[tuple[FusionJournal, ...], ImportReport | None]:
        fusion = self._parts.fusions[wanted.step.fusion]
        found = await fusion.journals(batch_name(wanted.step.group_id))
        return found, None if wanted.succeeded else await fusion.import_report(wanted.request_id, references)

    def _wait_for(self, step: GroupStep, missing: int, wanted: ReadOutcome) -> None:
        if sightings() < PATIENCE:
            raise wait(f"{document(step)}: {missing} journals are not visible yet.", 2, kind="NotVisibleYet")
        raise review(
            Problem(
                code=UNEXPLAINED,
                sentence=(
                    f"{document(step)}: ESS request {wanted.request_id} ended {wanted.state}; {missing} of its "
                    "journals are not in the ledger, and its report gives no reason."
                ),
                remedy=(
                    "Look for the batch in Fusion. If its journals are there, check that the integration user may see "
                    "them; if they are not, retry: they then go to a new group."
                ),
            )
        )


def _matched(step: GroupStep, ours: Sequence[Journal], theirs: Iterable[FusionJournal]) -> dict[str, FusionJournal]:
    """Journals in the ledger by our reference. Names may be decorated; content must agree (design rule 2)."""
    wanted = {journal.reference: journal for journal in ours}
    matched: dict[str, FusionJournal] = {}
    for theirs_one in theirs:
        reference = theirs_one.reference
        journal = wanted.get(reference)
        if journal is None:
            continue
        if reference in matched:
            raise review(_differs(step, theirs_one, "it is in the ledger twice"))
        if difference := _difference(theirs_one, journal):
            raise review(_differs(step, theirs_one, difference))
        matched[reference] = theirs_one
    return matched


def _difference(theirs: FusionJournal, ours: Journal) -> str:
    if (theirs.currency, theirs.debit, theirs.credit) != (ours.currency, ours.total, ours.total):
        return f"it has {theirs.debit} {theirs.currency}, we sent {ours.total} {ours.currency}"
    if theirs.accounting_date and theirs.accounting_date != ours.accounting_date:
        return f"its accounting date is {theirs.accounting_date}, we sent {ours.accounting_date}"
    return ""


def _differs(step: GroupStep, journal: FusionJournal, how: str) -> Problem:
    return Problem(
        code="ledger_differs",
        sentence=f"{document(step)}: journal {journal.name} is not what we sent: {how}.",
        remedy="Compare the journal in Fusion with the audit trail; reverse it there if it is wrong, then retry.",
    )


def _refused(
    step: GroupStep, missing: Sequence[Journal], faults: Sequence[ImportFault], now: Instant
) -> list[JournalFate]:
    """Journals that the report names, each with its first fault."""
    by_reference: dict[str, ImportFault] = {}
    for fault in faults:
        if fault.journal_name:
            by_reference.setdefault(fault.journal_name.split(maxsplit=1)[0], fault)
    return [
        _refusal(step, journal, found.code, _sentence(found), now)
        for journal in missing
        if (found := by_reference.get(journal.reference)) is not None
    ]


def _blamed(step: GroupStep, journal: Journal, faults: Sequence[ImportFault], now: Instant) -> list[JournalFate]:
    """The only journal that is missing: whatever the report says is about it."""
    return [_refusal(step, journal, faults[0].code, _sentence(faults[0]), now)]


def _is_warning(fault: ImportFault) -> bool:
    """Oracle: codes that begin with W accompany journals that were imported all the same, e.g. to suspense."""
    return fault.code.upper().startswith("W")


def _refusal(step: GroupStep, journal: Journal, code: str, sentence: str, now: Instant) -> JournalFate:
    return JournalFate(
        reference=journal.reference,
        kind=FateKind.REFUSED,
        group_id=step.group_id,
        at=now,
        code=code,
        sentence=sentence,
    )


def _sentence(fault: ImportFault) -> str:
    where = f" (line {fault.line})" if fault.line else ""
    account = f" Account {fault.account}." if fault.account and fault.account not in fault.sentence else ""
    return f"{fault.sentence}{where}{account}"
