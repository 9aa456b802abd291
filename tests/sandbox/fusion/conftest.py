"""A pod over real HTTP on a fixed day."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from support.fusion_pod import JSON_ERRORS, TODAY, Pod
from support.still_clock import StillClock

from sandbox.fusion import FusionTwin, demo_world
from sandbox.kit import serve

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
async def pod() -> AsyncIterator[Pod]:
    twin = FusionTwin(demo_world(TODAY), clock=StillClock(NOON, tick=timedelta(milliseconds=1)))
    async with serve(twin) as listener:
        headers = {"Accept": JSON_ERRORS}
        async with httpx.AsyncClient(base_url=listener.url, headers=headers, timeout=600) as http:
            pod = Pod(twin, http)
            await pod.sign_in()
            yield pod
