"""As for journals, where orders are billed in Receivables, with each home of the reference."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

import pytest
from recovery.conftest import patient
from replay.stage import with_fusion
from support.receivables import billed
from support.stack import changed

import activities.posting.posting
import store.epochs
from contracts.configuration import Configuration
from contracts.receivable import ReferenceHome

HOMES: Final[tuple[ReferenceHome, ...]] = ("transaction_number", "cross_reference")
ONE_HOME: Final = pytest.mark.parametrize("home", HOMES[:1], indirect=True)
"""For what does not depend on it."""


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest) -> ReferenceHome:
    given: ReferenceHome = request.param
    return given


@pytest.fixture
def imports() -> Mapping[str, float]:
    """Changes of the import policy; a module has its own."""
    return {}


@pytest.fixture
def adjust(home: ReferenceHome, imports: Mapping[str, float]) -> Callable[[Configuration], Configuration]:
    def configured(configuration: Configuration) -> Configuration:
        # Longer than a backup takes on a slow machine: some are made while a create is held.
        quick = with_fusion(patient(billed(configuration, home)), create_timeout=15.0, settle=0.5)
        return changed(quick, **imports)

    return configured


@pytest.fixture(autouse=True)
def _hours_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The epoch rises, and is told, with every create and not once in half a minute: the backup is yesterday's."""
    monkeypatch.setattr(store.epochs, "CREATES_APART", timedelta(0))
    monkeypatch.setattr(activities.posting.posting, "TOLD_EVERY", 0.0)
