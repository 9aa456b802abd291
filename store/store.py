# ruff: noqa: N818 -- the names say what happened; that they are errors is said by where they stand
"""The store: one database, its vault, and a repository per concern."""

from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from store import deliveries
from store.agreements import Agreements
from store.alignments import Alignments
from store.connections import Connections
from store.creating import creation
from store.creating.creations import Creations
from store.cross_references import CrossReferences
from store.deliveries import Deliveries
from store.documents import Documents
from store.engine.database import Database, StoreError
from store.engine.postgresql_database import PostgreSQLDatabase
from store.engine.sqlite_database import SQLiteDatabase
from store.epochs import Epochs
from store.hooks import Hooks
from store.keys import secrets, tokens
from store.keys.rewrapping import Rewrapped, count_by_key, rewrap
from store.keys.secrets import Secrets
from store.keys.tokens import Tokens
from store.keys.vault import Vault
from store.loss_counts import LossCounts
from store.mapping_sets import MappingSets
from store.outbox import postings
from store.outbox.groups import Groups
from store.outbox.journals import Journals
from store.overview import Overview
from store.presence import Presence
from store.reconciliations import Reconciliations
from store.recoveries import Recoveries
from store.resource_descriptions import ResourceDescriptions
from store.trail import audit, seals
from store.trail.audit import Audit
from store.trail.audit_rows import Verification
from store.trail.seal_verification import verify
from store.trail.seals import Seals
from store.wakeups import Wakeups
from store.watermarks import Watermarks

_MIGRATIONS = Path(__file__).parent / "migrations"
_SEALED = (
    secrets.SEALED,
    tokens.SEALED,
    postings.SEALED,
    creation.SEALED,
    deliveries.SEALED,
    audit.SEALED,
    *seals.SEALED,
)
"""Everything in the store that is under a key of the ring."""


class StoreOutdated(StoreError):
    """The tables are not those this version works with."""

    def __init__(self, found: str | None, wanted: str | None) -> None:
        super().__init__(
            f"The store's tables are at revision {found or 'none'}, this version works with {wanted}. "
            "Run `ml-connector migrate`, or start a worker of this version, to bring them up to date."
        )


class Store:
    """Evidence, lease and outbox. Made by `Store.open`; safe to use from any number of tasks."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self.audit = Audit(database, vault)
        self.seals = Seals(database, vault)
        self.secrets = Secrets(database, vault)
        self.tokens = Tokens(database, vault)
        self.connections = Connections(database)
        self.mapping_sets = MappingSets(database)
        self.wakeups = Wakeups(database)
        self.documents = Documents(database, self.audit)
        self.journals = Journals(database, vault, self.audit)
        self.groups = Groups(database, vault, self.audit)
        self.creations = Creations(database, vault, self.audit)
        self.cross_references = CrossReferences(database)
        self.agreements = Agreements(database)
        self.watermarks = Watermarks(database)
        self.deliveries = Deliveries(database, vault)
        self.hooks = Hooks(database, self.audit)
        self.reconciliations = Reconciliations(database)
        self.loss_counts = LossCounts(database, self.audit)
        self.alignments = Alignments(database, self.audit)
        self.epochs = Epochs(database)
        self.recoveries = Recoveries(database)
        self.overview = Overview(database)
        self.presence = Presence(database)
        self.resource_descriptions = ResourceDescriptions(database)

    @classmethod
    def open(cls, url: str, vault: Vault, *, pool_size: int = 10) -> Self:
        """`url`: `sqlite+aiosqlite:///file.db` or `postgresql+asyncpg://user:password@host/database`.

        Connects with the first use. `pool_size`: PostgreSQL connections kept open; twice as many may be used at once.
        Raises `ValueError` for another kind of database.
        """
        parsed = make_url(url)
        match parsed.get_backend_name():
            case "sqlite":
                return cls(SQLiteDatabase(parsed), vault)
            case "postgresql" | "postgres":
                return cls(PostgreSQLDatabase(parsed, pool_size=pool_size), vault)
            case other:
                raise ValueError(f"The store works on sqlite and postgresql, not on {other}.")

    async def migrate(self) -> None:
        """Bring the tables up to date. Any number of processes may call it at once; one of them works."""
        await self._database.migrate(_upgrade)

    async def check(self) -> None:
        """The database answers and has the tables of this version. Raises `StoreUnavailable`, `StoreOutdated`."""
        wanted = ScriptDirectory.from_config(_alembic()).get_current_head()
        found = await self._database.read(lambda at: MigrationContext.configure(at).get_current_revision())
        if found != wanted:
            raise StoreOutdated(found, wanted)

    async def rewrap(self) -> Rewrapped:
        """Put everything that is sealed under the ring's current key; afterwards old keys may leave the ring.

        What does not open, because its key is not in the ring or because it was altered, stays as it is and is told.
        """
        done = [await rewrap(self._database, self._vault, sealed) for sealed in _SEALED]
        return Rewrapped(sum(one.changed for one in done), tuple(told for one in done for told in one.unreadable))

    async def verify_audit(self, tenant: str, *, kept: Collection[str] = ()) -> Verification:
        """Make every seal of a tenant's audit trail anew. `kept`: digests to look for, as somebody kept them."""
        return await verify(self._database, self._vault, self.seals, tenant, kept=kept)

    async def sealed_by_key(self) -> dict[str, dict[str, int]]:
        """How many values of which table are sealed under which key: key id -> table -> count.

        Names keys that are not in the ring, too, and those that the ring has another one of under the same id
        (`store.keys.rewrapping.ANOTHER`). Raises `Unsealable` for a damaged value.
        """
        by_key: dict[str, dict[str, int]] = {}
        for sealed in _SEALED:
            for key_id, count in (await count_by_key(self._database, self._vault, sealed)).items():
                by_key.setdefault(key_id, {})[sealed.table.name] = count
        return by_key

    async def aclose(self) -> None:
        """Finish what was asked, then close every connection."""
        await self._database.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"Store({self._database!r})"


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _upgrade(connection: Connection) -> None:
    config = _alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
