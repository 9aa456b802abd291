"""On a real dev server: `TEMPORAL_CLI_PATH`, the PATH or the cache; obtained when there is none."""

from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():  # the workflows below are loaded from this file
    import asyncio
    import logging
    import os
    import signal
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest
    from support.stack import eventually
    from temporalio.client import Client, WorkflowFailureError
    from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
    from temporalio.contrib.pydantic import pydantic_data_converter
    from temporalio.exceptions import ApplicationError
    from temporalio.service import ConnectConfig, RPCError, ServiceClient
    from temporalio.worker import Replayer, Worker

    from contracts.configuration import TemporalSettings
    from contracts.names import SEARCH_ATTRIBUTES
    from runtime.observing.log_context import LOG_FIELDS
    from runtime.temporal.connect import (
        SearchAttributesError,
        TemporalUnreachableError,
        connect,
        connect_options,
        register_search_attributes,
    )
    from runtime.temporal.connect import (
        _time_for_one as time_for_one,
    )
    from runtime.temporal.devserver import DevServer, DevServerError
    from runtime.temporal.plugin import MlConnectorPlugin
    from store.keys.keyring import KeyRing

SECRET = "canary-4711"
RING = KeyRing.generate()


@activity.defn
async def tell_context(document: str) -> dict[str, str | int]:
    return dict(LOG_FIELDS.get({}))


@activity.defn
async def fail(document: str) -> None:
    raise ApplicationError(f"no account for {document}", type="Unmapped", non_retryable=True)


@workflow.defn
class Journey:
    @workflow.run
    async def run(self, document: str) -> dict[str, str | int]:
        in_activity = await workflow.execute_activity(
            tell_context, document, start_to_close_timeout=timedelta(seconds=120)
        )
        workflow.logger.warning("told")
        return in_activity


@workflow.defn
class Failing:
    @workflow.run
    async def run(self, document: str) -> None:
        await workflow.execute_activity(fail, document, start_to_close_timeout=timedelta(seconds=120))


@pytest.fixture(scope="module")
async def server(temporal_cli: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevServer]:
    place = tmp_path_factory.mktemp("temporal")
    async with DevServer(
        temporal_cli, database=place / "temporal.db", ui_port=None, log=place / "temporal.log"
    ) as server:
        yield server


@pytest.fixture(scope="module")
async def client(server: DevServer) -> Client:
    return await connect(TemporalSettings(address=server.address), RING)


def attributes(**values: str) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [SearchAttributePair(SearchAttributeKey.for_keyword(name), value) for name, value in values.items()]
    )


async def test_the_server_knows_our_search_attributes_from_the_start(client: Client) -> None:
    assert await register_search_attributes(client) == ()


async def test_attributes_are_registered_where_they_are_missing_and_only_once(
    temporal_cli: Path, tmp_path: Path
) -> None:
    async with DevServer(temporal_cli, database=tmp_path / "temporal.db", ui_port=None, search_attributes=()) as bare:
        client = await connect(TemporalSettings(address=bare.address), RING)
        added = await asyncio.gather(*(register_search_attributes(client) for _ in range(3)))
        assert set(SEARCH_ATTRIBUTES) in [set(names) for names in added]
        assert await register_search_attributes(client) == ()


async def test_a_server_that_is_away_for_a_moment_is_waited_for(temporal_cli: Path, tmp_path: Path) -> None:
    async with DevServer(temporal_cli, database=tmp_path / "temporal.db", ui_port=None) as server:
        client = await connect(TemporalSettings(address=server.address), RING)
        await server.kill()
        asked = asyncio.create_task(register_search_attributes(client, patience=120))
        # The last of these is what a machine hears that stands still meanwhile.
        with pytest.raises(SearchAttributesError, match=r"answers: (unavailable|deadline_exceeded|cancelled)"):
            await register_search_attributes(client, patience=0.5)
        await server.start()
        assert await asked == ()


def stands_still(pid: int) -> bool:
    """A thread that runs on another core goes on for a moment after the signal, and may still answer."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return all("State:\tT" in (thread / "status").read_text() for thread in threads)


async def test_a_server_that_takes_requests_and_answers_none_is_given_up_in_time(
    temporal_cli: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted: list[timedelta] = []

    def noted(gives_up_at: float) -> timedelta:
        granted.append(time_for_one(gives_up_at))
        return granted[-1]

    monkeypatch.setattr("runtime.temporal.connect._time_for_one", noted)
    async with DevServer(temporal_cli, database=tmp_path / "temporal.db", ui_port=None) as server:
        client = await connect(TemporalSettings(address=server.address), RING)
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            await eventually(lambda: stands_still(pid), "every thread of the server stands still")
            with pytest.raises(SearchAttributesError, match="See whether it is well"):
                await register_search_attributes(client, patience=2)
            # The last request has a second, however little is left.
            assert sum(granted, start=timedelta()) <= timedelta(seconds=3), "one deadline, whatever is asked"
        finally:
            os.kill(pid, signal.SIGCONT)


async def test_an_attribute_of_another_type_is_refused(temporal_cli: Path, tmp_path: Path) -> None:
    arguments = ("--search-attribute", "MlcJob=Int")
    async with DevServer(
        temporal_cli,
        database=tmp_path / "temporal.db",
        ui_port=None,
        search_attributes=(),
        extra_arguments=arguments,
    ) as other:
        client = await connect(TemporalSettings(address=other.address), RING)
        with pytest.raises(SearchAttributesError, match="MlcJob"):
            await register_search_attributes(client)


async def test_work_runs_with_our_plugin_and_history_shows_no_content(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "temporalio")
    async with Worker(client, task_queue="plugin", workflows=[Journey], activities=[tell_context]):
        handle = await client.start_workflow(
            Journey.run,
            SECRET,
            id="order-to-journal:bc-us:1",
            task_queue="plugin",
            search_attributes=attributes(MlcJob="poll:7", MlcDocument="1"),
        )
        context = await handle.result()
    assert context == {
        "job": "poll:7",
        "document": "1",
        "workflow_id": "order-to-journal:bc-us:1",
        "activity": "tell_context",
        "attempt": 1,
    }
    history = await handle.fetch_history()
    assert SECRET not in history.to_json()
    await Replayer(workflows=[Journey], plugins=[MlConnectorPlugin(RING)]).replay_workflow(history)


async def test_histories_that_were_saved_in_the_clear_replay(server: DevServer) -> None:
    plain = await Client.connect(server.address, data_converter=pydantic_data_converter)
    async with Worker(plain, task_queue="plain", workflows=[Journey], activities=[tell_context]):
        handle = await plain.start_workflow(Journey.run, SECRET, id="plain", task_queue="plain")
        await handle.result()
    history = await handle.fetch_history()
    await Replayer(workflows=[Journey], plugins=[MlConnectorPlugin(KeyRing.generate())]).replay_workflow(history)


async def test_failures_are_readable_for_us_and_not_in_the_history(client: Client) -> None:
    async with Worker(client, task_queue="failing", workflows=[Failing], activities=[fail]):
        handle = await client.start_workflow(Failing.run, SECRET, id="failing", task_queue="failing")
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    assert failed.value.cause is not None
    assert f"no account for {SECRET}" in str(failed.value.cause.__cause__)
    assert SECRET not in (await handle.fetch_history()).to_json()


async def test_work_outlives_a_killed_server_on_the_same_address(client: Client, server: DevServer) -> None:
    handle = await client.start_workflow(Journey.run, "1", id="survivor", task_queue="survivor")
    pid, address = server.pid, server.address
    await server.kill()
    assert not server.running
    assert server.pid is None
    await server.start()
    assert server.address == address
    assert server.pid != pid
    async with Worker(client, task_queue="survivor", workflows=[Journey], activities=[tell_context]):
        assert (await handle.result())["workflow_id"] == "survivor"


class _Stuck(DevServer):
    """Says of its first process that its database connection stays interrupted."""

    first: int | None = None

    async def _interrupted(self, service: ServiceClient) -> bool:
        self.first = self.first or self.pid
        return self.pid == self.first

    def replaced(self) -> bool:
        return self.first is not None and self.pid not in (None, self.first)


async def test_a_server_that_is_stuck_is_started_again_on_its_file(temporal_cli: Path, tmp_path: Path) -> None:
    async with _Stuck(temporal_cli, database=tmp_path / "temporal.db", ui_port=None) as stuck:
        client = await connect(TemporalSettings(address=stuck.address), RING)
        await client.start_workflow(Journey.run, "kept", id="kept", task_queue="nobody-listens")
        await eventually(stuck.replaced, "there is another process")

        async def known() -> bool:
            try:
                return (await client.get_workflow_handle("kept").describe()).id == "kept"
            except RPCError:
                return False

        await eventually(known, "the other process serves what the first one kept")


async def test_a_server_that_serves_is_not_stuck(server: DevServer) -> None:
    service = await ServiceClient.connect(ConnectConfig(target_host=server.address, lazy=True))
    assert not await server._interrupted(service)


class _Reluctant(_Stuck):
    """Cannot be started at the second attempt."""

    attempts = 0

    async def _start(self) -> None:
        self.attempts += 1
        if self.attempts == 2:
            raise DevServerError("The machine is too busy.")
        await super()._start()


async def test_a_stuck_server_that_does_not_come_up_is_tried_again(temporal_cli: Path, tmp_path: Path) -> None:
    async with _Reluctant(temporal_cli, database=tmp_path / "temporal.db", ui_port=None) as stuck:
        await eventually(stuck.replaced, "there is another process")
        assert stuck.attempts >= 3


class _Hopeless(_Stuck):
    """Cannot be started a second time."""

    attempts = 0

    async def _start(self) -> None:
        self.attempts += 1
        if self.attempts > 1:
            raise DevServerError("The machine is too busy.")
        await super()._start()


async def test_a_stuck_server_that_somebody_stops_is_left_alone(temporal_cli: Path, tmp_path: Path) -> None:
    async with _Hopeless(temporal_cli, database=tmp_path / "temporal.db", ui_port=None) as stuck:
        await eventually(lambda: stuck.attempts > 1, "it is tried again")
        await stuck.kill()
        await stuck._start_in_the_end()
        assert not stuck.running


async def test_a_server_that_cannot_start_says_why(temporal_cli: Path, server: DevServer, tmp_path: Path) -> None:
    with pytest.raises(DevServerError, match=r"(?s)ended with code 1 .*unknown flag"):
        await DevServer(temporal_cli, ui_port=None, log=tmp_path / "log", extra_arguments=["--no-such-flag"]).start()
    with pytest.raises(DevServerError, match="is in use"):
        await DevServer(temporal_cli, port=server.port, ui_port=None).start()
    with pytest.raises(DevServerError, match="does not run"):
        await DevServer(tmp_path / "absent").start()


async def test_a_temporal_that_is_not_there_is_named_with_what_to_do() -> None:
    with pytest.raises(TemporalUnreachableError, match=r"127\.0\.0\.1:9 .*TEMPORAL_ADDRESS"):
        await connect(TemporalSettings(address="127.0.0.1:9"), RING, patience=0.3)


async def test_a_lazy_client_does_not_wait(server: DevServer) -> None:
    await connect(TemporalSettings(address="127.0.0.1:9"), RING, lazy=True)


def test_the_configuration_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
        monkeypatch.delenv(name)
    assert connect_options(TemporalSettings())["target_host"] == "localhost:7233"
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal:7233")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "erp")
    options = connect_options(TemporalSettings(address="127.0.0.1:1"))
    assert (options["target_host"], options["namespace"]) == ("127.0.0.1:1", "erp")
