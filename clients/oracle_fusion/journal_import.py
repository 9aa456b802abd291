"""Journal import: the file goes in, an ESS request runs, its report comes out (Oracle Fusion: 4.3, 4.5).

The vendor refuses no duplicate. Whether something may be sent is the caller's decision; what was sent is found by
`find_import` or by reading journals back.
"""

import datetime as dt
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from clients.errors import InDoubt, NotFound, Rejected
from clients.oracle_fusion.gl_interface import interface_zip
from clients.oracle_fusion.import_report import read_report, report_texts
from clients.oracle_fusion.models import ImportReport, ImportRequest, Job, JobState
from clients.oracle_fusion.rest import RESOURCES, SCHEDULER, FusionRest, Row, finder, text, whole
from clients.redaction import plain
from contracts.journal import Journal, LedgerFacts

_ERP_INTEGRATIONS: Final = f"{RESOURCES}/erpintegrations"
_SCHEDULER_PAGES: Final = 200
_REFUSED: Final = -1
"""Request id with which the service declines a job, in a 201."""


class JournalImports:
    """Imports of one pod, launched the way its settings say."""

    def __init__(self, rest: FusionRest) -> None:
        self._rest = rest
        self._settings = rest.connection.journal_import

    async def submit_journal_import(
        self,
        journals: Sequence[Journal],
        *,
        group_id: int,
        ledger: LedgerFacts,
        data_access_set_id: int,
        source_id: int | str,
        batch_name: str,
        ends: float,
    ) -> int:
        """Send one group and start its import. Returns the ESS request id.

        `ends` is the moment of the event loop's clock after which nothing may go out any more. Raises `NotSent` when
        that is over, `Rejected` when Fusion answers that it started nothing, `InDoubt` when it may have, `ValueError`
        when the file cannot carry a journal (nothing was sent).
        """
        subject = f"journal group {group_id}"
        packed = interface_zip(
            journals,
            group_id=group_id,
            ledger=ledger,
            batch=batch_name,
            created=dt.datetime.now(dt.UTC).date(),
            file_name=self._settings.interface_file,
            date_format=self._settings.date_format,
        )
        body = {
            "OperationName": "importBulkData",
            "DocumentContent": b64encode(packed).decode(),
            "ContentType": "zip",
            "FileName": f"GlInterface_{group_id}.zip",
            "DocumentAccount": self._settings.document_account,
            "JobName": self._settings.job_name,
            "ParameterList": _filled(
                self._settings.parameters, data_access_set_id, source_id, ledger.ledger_id, group_id
            ),
            "CallbackURL": "#NULL",
            "NotificationCode": "10",
            "JobOptions": self._settings.job_options,
        }
        answer = await self._rest.create(_ERP_INTEGRATIONS, body, subject=subject, ends=ends)
        return self._request_id(answer, subject)

    async def find_import(self, group_id: int, *, since: dt.datetime) -> int | None:
        """The ESS request that carries a group's id in its parameters, submitted at or after `since`.

        Of a request and its children the topmost is returned. `None` proves nothing: the scheduler shows a request
        late, and only what the integration user may see.
        """
        async for request in self.imports_since(since, subject=f"the scheduler's request of journal group {group_id}"):
            if str(group_id) in request.parameters:
                return request.request_id
        return None

    async def imports_since(
        self, since: dt.datetime, *, subject: str = "the scheduler's journal imports"
    ) -> AsyncIterator[ImportRequest]:
        """Import requests submitted at or after `since`, oldest first; of a request and its children each is given, by
        the id of the topmost."""
        params: dict[str, str | int | bool] = {
            "q": f'submissionTime ge "{since.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}"',
            "fields": "requestId,absParentRequestId,jobDefinitionId,submissionTime,requestParameters",
            "orderBy": "requestId:asc",
        }
        seen = set[int]()
        for _ in range(_SCHEDULER_PAGES):
            page = await self._rest.page(SCHEDULER, subject=subject, params=params)
            fresh = False
            for row in page["items"]:
                request_id = whole(row, "requestId")
                if request_id is None or request_id in seen:
                    continue
                seen.add(request_id)
                fresh = True
                parameters = await self._parameters_of(row, request_id)
                if parameters:
                    top = whole(row, "absParentRequestId", "parentRequestId")
                    yield ImportRequest(
                        request_id=top if top is not None and top > 0 else request_id, parameters=frozenset(parameters)
                    )
            if not fresh:
                return
            # The scheduler cuts its pages and gives no reliable link to the next: go on behind the last id.
            params["q"] = f"requestId gt {max(seen)}"

    async def job(self, request_id: int) -> Job:
        """State of an ESS request and of everything it started. Raises `NotFound` while Fusion does not show it."""
        subject = f"ESS request {request_id}"
        row = await self._execution(request_id, "ESSExecutionDetailsRF", subject)
        status = text(row, "RequestStatus")
        try:
            details = json.loads(status)
        except ValueError:
            # Some pods answer with the bare state here.
            return Job(request_id=request_id, state=_state(status))
        tree = details.get("JOBS") if isinstance(details, Mapping) else None
        jobs = [_job(node, request_id) for node in _nodes(tree)]
        if not jobs:
            raise self._rest.http.bad_answer(subject, "the execution details hold no job")
        root = next((job for job in jobs if job.request_id == request_id), jobs[0])
        others = tuple(job for job in jobs if job is not root)
        return root.model_copy(update={"children": (*root.children, *others)}) if others else root

    async def import_report(self, request_id: int, names: Collection[str] = ()) -> ImportReport:
        """The output of an import and all its children, with every error read from it.

        `names` are the journal names of the group; they attribute rows the report's columns do not name.
        """
        job = await self.job(request_id)
        texts: list[str] = []
        for one in dict.fromkeys(part.request_id for part in job.tree):
            texts += [found for found in await self._output(one) if found.strip() and found not in texts]
        faults = dict.fromkeys(fault for found in texts for fault in read_report(found, names))
        named = {fault.code for fault in faults if fault.journal_name}
        errors = tuple(fault for fault in faults if fault.journal_name or fault.code not in named)
        return ImportReport(errors=errors, text="\n".join(texts))

    async def purge_group(
        self, group_id: int, *, ledger: LedgerFacts, source_id: int | str, data_access_set_id: int = 0
    ) -> int:
        """Start the job that removes a group's rows from the interface. Harmless when it runs twice."""
        return await self._start(
            self._settings.purge_job,
            _filled(self._settings.purge_parameters, data_access_set_id, source_id, ledger.ledger_id, group_id),
            f"the purge of journal group {group_id}",
        )

    async def submit_posting(
        self, *, ledger: LedgerFacts, source_id: int | str, data_access_set_id: int, group_id: int = 0
    ) -> int:
        """Start the job that posts what its criteria select. A journal is posted once, however often this runs."""
        return await self._start(
            self._settings.posting_job,
            _filled(self._settings.posting_parameters, data_access_set_id, source_id, ledger.ledger_id, group_id),
            f"the posting job of ledger {ledger.ledger}",
        )

    async def _start(self, job: str, parameters: str, subject: str) -> int:
        package, _, name = job.partition(",")
        answer = await self._rest.create(
            _ERP_INTEGRATIONS,
            {
                "OperationName": "submitESSJobRequest",
                "JobPackageName": package,
                "JobDefName": name,
                "ESSParameters": parameters,
            },
            subject=subject,
        )
        return self._request_id(answer, subject)

    def _request_id(self, answer: Row, subject: str) -> int:
        request_id = whole(answer, "ReqstId", "RequestId")
        if request_id is not None and request_id > 0:
            return request_id
        status = plain(text(answer, "RequestStatus", "StatusCode", "Comments"))
        if request_id == _REFUSED:
            raise Rejected(
                self._rest.connection.id,
                f"Oracle Fusion ({self._rest.connection.id}) started nothing for {subject}"
                + (f": {status}" if status and status != str(_REFUSED) else "."),
                remedy="Check job name, parameter order and document account of the connection, and the user's roles.",
                code="-1",
                messages=(status,) if status else (),
            )
        raise InDoubt(
            self._rest.connection.id,
            f"Oracle Fusion ({self._rest.connection.id}) accepted {subject} without a request id.",
        )

    async def _execution(self, request_id: int, name: str, subject: str, **more: str) -> Row:
        page = await self._rest.page(
            _ERP_INTEGRATIONS,
            subject=subject,
            params={"finder": finder(name, requestId=request_id, **more), "onlyData": True},
        )
        for row in page["items"]:
            if isinstance(row, Mapping):
                return row
        raise NotFound(
            self._rest.connection.id,
            f"Oracle Fusion ({self._rest.connection.id}) shows no {subject}.",
            remedy="Check that the integration user may see scheduled processes; a new request can take a minute.",
        )

    async def _output(self, request_id: int) -> list[str]:
        try:
            row = await self._execution(
                request_id, "ESSJobExecutionDetailsRF", f"the output of ESS request {request_id}", fileType="ALL"
            )
        except NotFound:
            return []
        try:
            packed = b64decode(text(row, "DocumentContent"), validate=False)
        except ValueError:
            return []
        return list(report_texts(packed))

    async def _parameters_of(self, row: Row, request_id: int) -> set[str]:
        parameters = row.get("requestParameters")
        if parameters is None:
            launcher = self._settings.job_name.rpartition(",")[2]
            definition = text(row, "jobDefinitionId")
            if definition and launcher not in definition:
                return set()
            details = await self._rest.http.read(
                f"{SCHEDULER}/{request_id}", subject=f"ESS request {request_id}", params={"fields": "requestParameters"}
            )
            parameters = details.get("requestParameters") if isinstance(details, Mapping) else None
        found = set[str]()
        for parameter in parameters if isinstance(parameters, list) else []:
            if isinstance(parameter, Mapping):
                found |= {part.strip() for part in str(parameter.get("value") or "").split(",")}
        return found


def _filled(
    template: str, data_access_set_id: int | str, source_id: int | str, ledger_id: int | str, group_id: int | str
) -> str:
    """Positional job parameters from the connection's template."""
    return template.format(
        data_access_set_id=data_access_set_id, source_id=source_id, ledger_id=ledger_id, group_id=group_id
    )


def _state(word: str) -> JobState:
    name = "_".join(word.strip().upper().replace("-", " ").replace("_", " ").split())
    name = {"CANCELLED": "CANCELED", "SUCCESS": "SUCCEEDED"}.get(name, name)
    return JobState(name) if name in JobState.__members__ else JobState.OTHER


def _nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    """Children come as one object, as a list, or not at all."""
    for node in value if isinstance(value, list) else [value]:
        if isinstance(node, Mapping):
            yield node


def _job(node: Mapping[str, Any], asked: int) -> Job:
    request_id = whole(node, "REQUESTID", "requestId")
    return Job(
        request_id=asked if request_id is None else request_id,
        name=text(node, "JOBNAME", "jobName"),
        state=_state(text(node, "STATUS", "status")),
        children=tuple(_job(child, asked) for child in _nodes(node.get("CHILD"))),
    )
