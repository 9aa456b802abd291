"""What activities work with: one set per process, built by `runtime`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from temporalio.client import Client

from activities.access.gates import Gates
from activities.access.sharing import Sharing
from activities.epochs import EpochGuard
from activities.orders.facts import ReferenceFacts
from activities.orders.shops import Shop
from clients.oracle_fusion import FusionClient
from contracts.configuration import Books, Configuration, FusionConnection, ImportPolicy, Integration
from contracts.starting import Starter
from contracts.steps.groups import GroupStep
from store import Store


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Collaborators:
    """Everything an activity may reach. Clients live as long as the process, one per connection."""

    configuration: Configuration
    store: Store
    shops: Mapping[str, Shop]
    """By connection id."""
    fusions: Mapping[str, FusionClient]
    """By connection id."""
    temporal: Client
    starter: Starter
    clock: Callable[[], datetime] = utc_now
    facts: ReferenceFacts = field(default_factory=ReferenceFacts)
    gates: Gates = field(default_factory=Gates)
    sharing: Sharing | None = None
    """With the other processes that call the same accounts; None where there are none."""
    epochs: EpochGuard = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "epochs", EpochGuard(self.store.epochs, self.temporal))

    def fusion_connection(self, fusion: str) -> FusionConnection:
        """Raises `KeyError`."""
        connection = self.configuration.connection(fusion)
        if not isinstance(connection, FusionConnection):
            raise KeyError(fusion)
        return connection

    def integration_for_import(self, step: GroupStep) -> Integration:
        """The first integration that books to this ledger and journal source. Raises `KeyError`."""
        return self._integration_for_import(step.fusion, step.ledger, step.source)[0]

    def import_policy(self, step: GroupStep) -> ImportPolicy:
        """How patient the imports of this ledger and journal source are."""
        return self.integration_for_import(step).imports

    def books_for_import(self, fusion: str, ledger: str, source: str) -> Books:
        """The books that name this ledger and journal source; `check` proves that all of them agree.

        Raises `KeyError`.
        """
        return self._integration_for_import(fusion, ledger, source)[1]

    def _integration_for_import(self, fusion: str, ledger: str, source: str) -> tuple[Integration, Books]:
        for integration in self.configuration.integrations:
            for books in integration.books:
                if integration.fusion == fusion and books.ledger == ledger and books.journal_source == source:
                    return integration, books
        raise KeyError(f"{fusion}/{ledger}/{source}")
