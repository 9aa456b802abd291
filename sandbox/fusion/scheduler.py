"""The Enterprise Scheduler: requests, their states and children, and what the jobs of the general ledger do.

A journal import is a small family of requests. By default the import is the parent: it waits, loads the file in one
child and imports in another. The file loader may be the parent instead (`Habits.loader_is_parent`). A refused import
leaves its child in WARNING while the parent has SUCCEEDED (Oracle Fusion: 4.3).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox.fusion.interface_file import FileRejectedError, read_interface_file
from sandbox.fusion.journal_import import ImportOrder, ImportOutcome, run_import
from sandbox.fusion.ledger import GeneralLedger
from sandbox.fusion.world import Ledger, World
from sandbox.kit import Agenda, Faults

IMPORT = "/oracle/apps/ess/financials/generalLedger/programs/common,JournalImportLauncher"
IMPORT_CHILD = "/oracle/apps/ess/financials/generalLedger/programs/common,JournalImportChild"
DELETE = "/oracle/apps/ess/financials/generalLedger/programs/common,JournalImportDelete"
POST = "/oracle/apps/ess/financials/generalLedger/programs/common,AutomaticPosting"
LOADER = "/oracle/apps/ess/financials/commonModules/shared/common/interfaceLoader,InterfaceLoaderController"
LOADER_CHILD = "/oracle/apps/ess/financials/commonModules/shared/common/interfaceLoader,InterfaceLoaderSqlldrImport"

NAMES = {
    IMPORT: "Import Journals",
    IMPORT_CHILD: "Import Journals: Child",
    DELETE: "Delete Journal Import Data",
    POST: "AutoPost Journals",
    LOADER: "Load Interface File for Import",
    LOADER_CHILD: "Load File to Interface",
}
TERMINAL = {"SUCCEEDED", "WARNING", "ERROR", "CANCELLED"}


class JobRefusedError(Exception):
    """The scheduler takes no such request; the answer is request id -1."""


@dataclass
class EssRequest:
    id: int
    job: str
    """Package and definition, `/package,Definition`."""
    parameters: list[str]
    submitted: datetime
    parent: EssRequest | None = None
    state: str = "WAIT"
    started: datetime | None = None
    ended: datetime | None = None
    children: list[EssRequest] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    output: str = ""
    visible_from: datetime | None = None

    @property
    def name(self) -> str:
        return NAMES.get(self.job, self.job.rpartition(",")[2])

    @property
    def path(self) -> str:
        return self.job.rpartition(",")[0]

    @property
    def root(self) -> EssRequest:
        return self.parent.root if self.parent else self

    def family(self) -> list[EssRequest]:
        """This request and everything below it."""
        return [self, *(each for child in self.children for each in child.family())]

    def files(self, family: bool) -> dict[str, str]:
        """Log and output as files named after the request; of the whole family where asked."""
        files = {}
        for each in self.family() if family else [self]:
            files[f"{each.id}.log"] = "\n".join(each.log) + "\n"
            if each.output:
                files[f"{each.id}.txt"] = each.output
        return files


class Scheduler:
    """Runs requests by the twin's agenda. `slow_job` faults (path: the job's name) lengthen the work."""

    def __init__(self, world: World, books: GeneralLedger, agenda: Agenda, faults: Faults) -> None:
        self.world = world
        self.books = books
        self._agenda = agenda
        self._faults = faults
        self._ids = itertools.count(3001001)
        self.requests: dict[int, EssRequest] = {}

    def submit(
        self, job: str, parameters: list[str], at: datetime, *, parent: EssRequest | None = None, state: str = "WAIT"
    ) -> EssRequest:
        """Record a request; what it does is up to the caller."""
        request = EssRequest(next(self._ids), job, parameters, at, parent, state)
        if late := self._faults.take("late_requests", "", request.name):
            request.visible_from = at + timedelta(seconds=late.seconds)
        self.requests[request.id] = request
        if parent:
            parent.children.append(request)
        return request

    def visible(self, at: datetime) -> list[EssRequest]:
        """Requests that can be seen by now, oldest first; a `late_requests` fault hides new ones for a while."""
        return [each for each in self.requests.values() if each.visible_from is None or each.visible_from <= at]

    def bulk_import(
        self, job: str, parameters: list[str], content: str, options: dict[str, str], at: datetime
    ) -> EssRequest:
        """importBulkData: load the file, then import. Raises `JobRefusedError` for an unknown job or parameters."""
        if job != IMPORT:
            raise JobRefusedError(f"The job {job} is not known.")
        self._understand(parameters)
        habits = self.world.habits
        purge = habits.purge_option and options.get("purgeoption", "N").upper() == "Y"
        root = self.submit(LOADER if habits.loader_is_parent else IMPORT, parameters, at)
        if habits.loader_is_parent:
            root.parameters = ["15", str(self.books.next_id()), "N", "N"]

        def load(moment: datetime) -> None:
            self._begin(root, moment)
            loader = self.submit(LOADER_CHILD, [str(root.id)], moment, parent=root, state="RUNNING")
            loader.started = moment
            self._agenda.after(habits.load, lambda done: loaded(loader, done), start=moment)

        def loaded(loader: EssRequest, moment: datetime) -> None:
            try:
                rows = read_interface_file(
                    content,
                    date_format=habits.date_format,
                    request_id=root.id,
                    first_id=self.books.row_id + 1,
                )
            except FileRejectedError as error:
                loader.log.append(f"ERROR: {error}")
                root.log.append("The file could not be loaded into the interface table.")
                self._end(loader, "ERROR", moment)
                self._end(root, "ERROR", moment)
                return
            self.books.load(rows)
            loader.log.append(f"{len(rows)} rows were loaded.")
            self._end(loader, "SUCCEEDED", moment)
            launcher = root
            if habits.loader_is_parent:
                launcher = self.submit(IMPORT, parameters, moment, parent=root, state="RUNNING")
                launcher.started = moment
            self._import(launcher, parameters, purge, moment)

        self._agenda.after(habits.wait, load, start=at)
        return root

    def run_job(self, job: str, parameters: list[str], at: datetime) -> EssRequest:
        """submitESSJobRequest for the jobs this pod has. Raises `JobRefusedError`."""
        work = {IMPORT: self._again, DELETE: self._delete, POST: self._autopost}.get(job)
        if work is None:
            raise JobRefusedError(f"The job {job} is not known.")
        if job == IMPORT:
            self._understand(parameters)
        request = self.submit(job, parameters, at)
        delay = self.world.habits.wait

        def begin(moment: datetime) -> None:
            self._begin(request, moment)
            work(request, moment)

        self._agenda.after(delay, begin, start=at)
        return request

    def _begin(self, request: EssRequest, at: datetime) -> None:
        request.state, request.started = "RUNNING", at

    def _end(self, request: EssRequest, state: str, at: datetime) -> None:
        request.state, request.ended = state, at

    def _finish(self, request: EssRequest, state: str, at: datetime) -> None:
        """COMPLETED first: executed, post-processing pending."""
        request.state = "COMPLETED"
        self._agenda.after(self.world.habits.completed, lambda done: self._end(request, state, done), start=at)

    def _seconds(self, request: EssRequest) -> float:
        slow = self._faults.take("slow_job", "", request.name)
        return self.world.habits.running + (slow.seconds if slow else 0.0)

    def _understand(self, parameters: list[str]) -> tuple[Ledger, str, str, bool]:
        """Ledger, source name, group and suspense switch of import parameters. Raises `JobRefusedError`."""
        if len(parameters) != 7:
            raise JobRefusedError(f"Import Journals takes 7 parameters, not {len(parameters)}.")
        first, source_id, third, group_id, suspense, summary, flexfields = parameters
        if self.world.habits.parameter_order == "ledger_first":
            first, third = third, first
        access = next((each for each in self.world.access_sets if str(each.id) == first), None)
        ledger = next((each for each in self.world.ledgers if str(each.id) == third), None)
        source = next((name for name, number in self.world.sources.items() if str(number) == source_id), None)
        if access is None or ledger is None or source is None or ledger.id not in access.ledger_ids:
            raise JobRefusedError("Data access set, journal source and ledger do not belong together.")
        if group_id != "ALL" and not group_id.isdigit():
            raise JobRefusedError("The group ID must be a number or ALL.")
        if not {suspense, summary, flexfields} <= {"Y", "N", "O", "W"}:
            raise JobRefusedError("The switches of Import Journals are Y or N.")
        return ledger, source, group_id, suspense == "Y"

    def _again(self, request: EssRequest, at: datetime) -> None:
        self._import(request, request.parameters, False, at)

    def _import(self, launcher: EssRequest, parameters: list[str], purge: bool, at: datetime) -> None:
        ledger, source, group_id, to_suspense = self._understand(parameters)
        child = self.submit(IMPORT_CHILD, [*parameters], at, parent=launcher, state="RUNNING")
        child.started = at
        launcher.log.append(f"Import Journals: Child job request_id: {child.id} has been submitted.")

        def work(moment: datetime) -> None:
            late = self._faults.take("late_visibility", "", child.name)
            order = ImportOrder(
                ledger=ledger,
                source=source,
                group_id=group_id,
                to_suspense=to_suspense,
                request_id=child.id,
                purge=purge,
                visible_after=moment + timedelta(seconds=late.seconds if late else 0.0),
            )
            outcome = run_import(self.books, order, moment)
            child.output = outcome.report
            child.log.append(f"{outcome.rows} rows, {len(outcome.batches)} batches, {len(outcome.refused)} refused.")
            worst = "WARNING" if outcome.refused else "SUCCEEDED"
            self._finish(child, worst, moment)
            above = worst if self.world.habits.child_warning_in_parent else "SUCCEEDED"
            for parent in _ancestors(child):
                self._finish(parent, above, moment)
            self._schedule_posting(outcome, moment)

        self._agenda.after(self._seconds(child), work, start=at)

    def _schedule_posting(self, outcome: ImportOutcome, at: datetime) -> None:
        habits = self.world.habits
        if not habits.autopost:
            return

        def post(moment: datetime) -> None:
            for batch in outcome.batches:
                self.books.post(batch, moment, self.books.next_id())

        self._agenda.after(habits.autopost_delay, post, start=at)

    def _delete(self, request: EssRequest, at: datetime) -> None:
        """Delete Journal Import Data: source, ledger, group, in any order their ids allow."""

        def work(moment: datetime) -> None:
            ledger = next((each for each in self.world.ledgers if str(each.id) in request.parameters), None)
            source = next(
                (name for name, number in self.world.sources.items() if str(number) in request.parameters), ""
            )
            others = set(request.parameters) - {str(ledger.id if ledger else ""), str(self.world.sources.get(source))}
            group = next((each for each in others if each.isdigit()), None)
            if ledger is None or not source or group is None:
                request.log.append("Source, ledger and group are required.")
                self._end(request, "ERROR", moment)
                return
            rows = self.books.take(ledger_id=str(ledger.id), source=source, group_id=group)
            request.output = f"Rows deleted: {self.books.remove(rows)}\n"
            self._finish(request, "SUCCEEDED", moment)

        self._agenda.after(self._seconds(request), work, start=at)

    def _autopost(self, request: EssRequest, at: datetime) -> None:
        """Post every unposted batch of the ledger and source the parameters name."""

        def work(moment: datetime) -> None:
            ledgers = [each.id for each in self.world.ledgers if str(each.id) in request.parameters]
            sources = [name for name, number in self.world.sources.items() if str(number) in request.parameters]
            batches = [
                each
                for each in self.books.batches
                if each.status != "P" and each.ledger_id in ledgers and each.source in sources
            ]
            posted = [self.books.post(batch, moment, request.id) for batch in batches]
            request.output = f"Batches posted: {sum(posted)} of {len(posted)}\n"
            self._finish(request, "SUCCEEDED" if all(posted) else "WARNING", moment)

        self._agenda.after(self._seconds(request), work, start=at)


def _ancestors(request: EssRequest) -> list[EssRequest]:
    found = []
    above = request.parent
    while above is not None:
        found.append(above)
        above = above.parent
    return found
