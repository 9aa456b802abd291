import io
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from support.typed import logs_apart, typed

from runtime.observing.logs import bound, configure_logs
from runtime.observing.redaction import Redactor

SECRET = 'cl1ent/secret "4711"='


class Written:
    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.hide = Redactor()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def written() -> Iterator[Written]:
    log = Written()
    with logs_apart():
        configure_logs(form="json", stream=log.stream, hide=log.hide)
        yield log


def test_every_line_is_json_with_time_level_and_source(written: Written) -> None:
    structlog.stdlib.get_logger("runtime.worker").info("worker is up", queues=2)
    logging.getLogger("temporalio.worker").warning("polling slowly")
    ours, theirs = written.lines
    assert (ours["event"], ours["level"], ours["logger"], ours["queues"]) == (
        "worker is up",
        "info",
        "runtime.worker",
        2,
    )
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["logger"]) == ("polling slowly", "temporalio.worker")


def test_lines_carry_the_job_and_document_they_belong_to(written: Written) -> None:
    with bound(job="poll:7", document="1024"):
        structlog.stdlib.get_logger("activities").info("fetched")
        logging.getLogger("library").warning("slow")
    structlog.stdlib.get_logger("activities").info("idle")
    assert [(line.get("job"), line.get("document")) for line in written.lines] == [
        ("poll:7", "1024"),
        ("poll:7", "1024"),
        (None, None),
    ]


def test_temporal_ids_are_flat_and_said_once(written: Written) -> None:
    details = {"workflow_id": "order-to-journal:bc-us:1", "attempt": 2}
    logging.getLogger("temporalio.activity").warning(
        f"refused ({details})",
        extra={"temporal_activity": details},
    )
    (line,) = written.lines
    assert line["event"] == "refused"
    assert (line["workflow_id"], line["attempt"]) == ("order-to-journal:bc-us:1", 2)


def test_known_secrets_are_hidden_wherever_they_stand(written: Written) -> None:
    written.hide.remember(SECRET)
    log = structlog.stdlib.get_logger("clients")
    log.info(f"token from {SECRET}", field=SECRET, nested={"a": [SECRET]})
    try:
        raise RuntimeError(f"refused {SECRET}")
    except RuntimeError:
        log.exception("failed")
    for form in (SECRET, "cl1ent/secret", "cl1ent%2Fsecret", "4711"):
        assert form not in written.text
    assert written.lines[0]["field"] == "[hidden]"


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Bearer canary4711abcdef",
        "Authorization: Basic canary4711abcdef==",
        "POST client_secret=canary4711&scope=x",
        '{"access_token": "canary4711"}',
        "postgresql+asyncpg://mlc:canary4711@db/mlc",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnk0NzExIn0.canary4711",
    ],
)
def test_what_looks_like_a_credential_is_hidden_even_when_it_is_not_known(written: Written, line: str) -> None:
    structlog.stdlib.get_logger("clients").info(line)
    assert "canary4711" not in written.text
    assert "hidden" in written.lines[0]["event"]


async def test_secrets_are_remembered_as_they_are_read() -> None:
    hide = Redactor()

    async def read() -> str:
        return "canary-4711"

    assert await hide.watching(read)() == "canary-4711"
    assert hide("with canary-4711 in it") == "with [hidden] in it"
    assert "canary" not in repr(hide)


def test_short_values_do_not_blank_out_ordinary_words() -> None:
    assert Redactor(["on"])("one order") == "one order"


async def test_what_others_say_beside_a_command_is_no_part_of_its_output() -> None:
    """Commands are machines' food, and tests run them beside workers that log all the time."""
    told = threading.Event()

    def talk() -> None:
        while not told.is_set():
            structlog.stdlib.get_logger("runtime.worker").info("worker is up")

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        for _ in range(5):
            assert "worker is up" not in (await typed({}, "version")).stdout
    finally:
        told.set()
        talking.join()
