"""A worker that stood still between its mark and its request sends nothing, whatever it believes the time to be."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from replay.stage import with_fusion
from support.stack import FAST, Stack, open_stack
from temporalio.testing import ActivityEnvironment

from activities.collaborators import Collaborators
from activities.journals.importing import ImportingActivities
from contracts.configuration import Configuration
from contracts.flow import State
from contracts.steps.groups import GroupStep
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import US_SHOP, Shape, draft
from store.outbox.groups import Groups
from store.rows import GroupState

IMPORTS = {"method": "POST", "path": "erpintegrations"}


@pytest.fixture
async def patient(temporal_server: DevServer, tmp_path: Path) -> AsyncIterator[Stack]:
    """A stack whose groups are sealed by the test, and whose leases no busy machine outlasts."""

    def unhurried(configuration: Configuration) -> Configuration:
        return with_fusion(configuration, import_timeout=120.0)

    imports = {**FAST, "flush_after": 3600}
    async with open_stack(temporal_server, tmp_path, imports=imports, adjust=unhurried) as opened:
        yield opened


@pytest.fixture
async def sealed(patient: Stack) -> GroupStep:
    """A sealed group of one journal that nobody has begun to import."""
    order = patient.shop().place(draft(Shape.ORDINARY, US_SHOP))
    async with patient.worker():
        await patient.announce(order.id)
        await patient.in_state(order.id, State.WAITING_IMPORT)
    integration = patient.configuration.integrations_of("bc-us")[0]
    ledger, source = integration.books[0].ledger, integration.books[0].journal_source
    group_id = await patient.parts.store.groups.seal(integration.fusion, ledger, source, limit=10)
    assert group_id is not None
    return GroupStep(fusion=integration.fusion, ledger=ledger, source=source, group_id=group_id)


async def _keep_epoch(patient: Stack, parts: Collaborators, step: GroupStep) -> None:
    """The group's epoch is kept by a workflow, which needs a worker; the steps under test run without one."""
    async with patient.worker():
        await parts.epochs.tell((await parts.store.groups.group(step.group_id)).epoch)


async def test_a_machine_that_slept_after_the_mark_sends_nothing(patient: Stack, sealed: GroupStep) -> None:
    asleep = timedelta(0)

    class Sleepy(Groups):
        async def mark_sending(self, *args: Any, **named: Any) -> bool:
            nonlocal asleep
            marked = await super().mark_sending(*args, **named)
            asleep = timedelta(hours=1)
            return marked

    parts: Collaborators = replace(patient.parts, clock=lambda: datetime.now(UTC) + asleep)
    await _keep_epoch(patient, parts, sealed)
    parts.store.groups.__class__ = Sleepy
    submission = await ActivityEnvironment().run(ImportingActivities(parts).submit_group, sealed)
    assert submission.state == "in_doubt"
    assert not patient.fusion.calls.count(**IMPORTS)
    assert (await patient.parts.store.groups.group(sealed.group_id)).state is GroupState.SEALED


async def test_a_worker_that_stood_still_after_the_mark_sends_nothing(
    patient: Stack, sealed: GroupStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _keep_epoch(patient, patient.parts, sealed)
    loop = asyncio.get_running_loop()
    real, stood_still = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: real() + stood_still)

    class Paused(Groups):
        async def mark_sending(self, *args: Any, **named: Any) -> bool:
            nonlocal stood_still
            marked = await super().mark_sending(*args, **named)
            stood_still = 3600.0
            return marked

    patient.parts.store.groups.__class__ = Paused
    with pytest.raises(Exception, match="too late to send"):
        await ActivityEnvironment().run(ImportingActivities(patient.parts).submit_group, sealed)
    stood_still = 0.0
    assert not patient.fusion.calls.count(**IMPORTS)
