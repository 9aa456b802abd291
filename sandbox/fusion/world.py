"""What a pod is set up with: charts of accounts, ledgers and their periods, sources, categories, rates, and habits.

Pods differ in things no page documents; those are `Habits`, so that a client can be tested against each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from sandbox.fusion.masters.setup import Masters
from sandbox.fusion.receivables.setup import ReceivablesSetup

GENERAL_LEDGER, PAYABLES, RECEIVABLES = 101, 200, 222
"""Application ids; each closes its periods by itself (Oracle Fusion: 4.7)."""

ClosingStatus = Literal["O", "F", "C", "N", "P"]
"""Open, future-enterable, closed, never opened, permanently closed."""


@dataclass
class Period:
    name: str
    year: int
    number: int
    starts: date
    ends: date
    status: dict[int, ClosingStatus]
    """Per application id."""
    adjustment: bool = False


@dataclass
class Chart:
    id: int
    name: str
    segments: tuple[str, ...]
    """Attribute names, in order, as the account combination resource shows them."""


@dataclass
class Combination:
    id: int
    chart_id: int
    segments: tuple[str, ...]
    account_type: str = "E"
    """A asset, L liability, O equity, R revenue, E expense."""
    enabled: bool = True
    posting_allowed: bool = True
    control: bool = False
    starts: date | None = None
    ends: date | None = None
    import_refuses: str | None = None
    """An error code the import gives although the list of values shows a good account (cross-validation, security)."""

    @property
    def account(self) -> str:
        return "-".join(self.segments)


@dataclass
class Ledger:
    id: int
    name: str
    currency: str
    chart_id: int
    calendar: str = "Accounting_Mon"
    periods: list[Period] = field(default_factory=list)
    suspense: bool = False
    """Suspense posting is allowed: unbalanced journals are accepted with WU01 when the import asks for it."""
    dynamic_insertion: bool = False
    """Unknown combinations are created by the import."""

    def period_of(self, day: date) -> Period | None:
        """The period that is not an adjustment period and holds the day."""
        return next((each for each in self.periods if not each.adjustment and each.starts <= day <= each.ends), None)


@dataclass
class DataAccessSet:
    id: int
    name: str
    ledger_ids: tuple[int, ...]


@dataclass
class BusinessUnit:
    id: int
    name: str
    ledger_id: int
    legal_entity_id: int
    legal_entity: str


@dataclass
class Rate:
    from_currency: str
    to_currency: str
    conversion_type: str
    day: date
    rate: Decimal


@dataclass
class Habits:
    """How this pod behaves where pods differ, and how fast it is (seconds)."""

    parameter_order: Literal["access_set_first", "ledger_first"] = "access_set_first"
    """Order of the first three import parameters: access set, source, ledger; or ledger, source, access set."""
    date_format: str = "%Y/%m/%d"
    purge_option: bool = True
    """`PurgeOption=Y` in JobOptions removes refused rows; some pods leave them."""
    decorated_names: bool = True
    """Batch and journal names get source, request, category and so on behind what the file says."""
    header_ids: bool = True
    """Journal headers show JeHeaderId; some releases list no such attribute."""
    status_case: Literal["upper", "title"] = "upper"
    loader_is_parent: bool = False
    """The import runs as a child of the file loader instead of the other way round."""
    report_in_parent: bool = False
    """Execution details of a parent also hold the files of its children."""
    child_warning_in_parent: bool = False
    """A refused import shows as WARNING on the parent too; usually the parent has SUCCEEDED."""
    wait: float = 0.1
    load: float = 0.1
    running: float = 0.2
    completed: float = 0.1
    autopost: bool = True
    autopost_delay: float = 0.2
    """After the import; with `autopost` off a posting job must be submitted."""
    token_lifetime: int = 3600
    change_indicators: Literal["both", "header", "link", "none"] = "both"
    """Where the version of a changeable item is shown; with `none` it has none, and `If-Match` is not looked at."""
    not_queryable: dict[str, list[str]] = field(default_factory=dict)
    """Attributes by resource that cannot be asked for, as `describe` says."""
    secretly_not_queryable: dict[str, list[str]] = field(default_factory=dict)
    """The same, but `describe` says that they can."""
    not_sortable: dict[str, list[str]] = field(default_factory=dict)
    """Attributes by resource that are refused in orderBy; `describe` never tells."""
    session_offset: float = 0.0
    """Hours from UTC of the user's session: times are written with it."""
    plain_literals: Literal["utc", "session"] = "utc"
    """In which zone a time without an offset is read in `q`."""
    children_touch_parents: bool = True
    """A changed child changes the parent's LastUpdateDate."""


@dataclass
class Credentials:
    client_id: str = "connector"
    client_secret: str = "twin-secret"  # noqa: S105 - a simulated system
    scope: str = "urn:opc:resource:fa:instanceid=1000001urn:opc:resource:consumer::all"
    user: str = "ML_CONNECTOR"
    """The Fusion user the tokens act as."""
    tenant: str = "idcs-0123456789abcdef0123456789abcdef"
    """The identity domain that issues the tokens."""


@dataclass
class World:
    """Everything a Fusion twin knows before the first request. Change it in place, also while the twin runs."""

    charts: list[Chart] = field(default_factory=list)
    combinations: list[Combination] = field(default_factory=list)
    ledgers: list[Ledger] = field(default_factory=list)
    access_sets: list[DataAccessSet] = field(default_factory=list)
    sources: dict[str, int] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    business_units: list[BusinessUnit] = field(default_factory=list)
    currencies: dict[str, int] = field(default_factory=dict)
    """Enabled currencies and their minor digits."""
    conversion_types: tuple[str, ...] = ("Corporate", "Spot", "User")
    rates: list[Rate] = field(default_factory=list)
    receivables: ReceivablesSetup = field(default_factory=ReceivablesSetup)
    masters: Masters = field(default_factory=Masters)
    habits: Habits = field(default_factory=Habits)
    credentials: Credentials = field(default_factory=Credentials)
    other_credentials: list[Credentials] = field(default_factory=list)
    """Further clients: other accounts, or the second secret of one while it is being rotated."""
    _by_segments: dict[tuple[int, tuple[str, ...]], Combination] = field(default_factory=dict, repr=False)

    def ledger(self, name: str | int) -> Ledger:
        """A ledger by name or id. Raises KeyError."""
        for each in self.ledgers:
            if name in (each.name, each.id):
                return each
        raise KeyError(f"There is no ledger {name!r}.")

    def chart(self, chart_id: int) -> Chart:
        """A chart of accounts by id. Raises KeyError."""
        for each in self.charts:
            if each.id == chart_id:
                return each
        raise KeyError(f"There is no chart of accounts {chart_id}.")

    def combination(self, chart_id: int, segments: Iterable[str]) -> Combination | None:
        """The combination with exactly these segment values."""
        if len(self._by_segments) != len(self.combinations):
            self._by_segments = {(each.chart_id, each.segments): each for each in self.combinations}
        return self._by_segments.get((chart_id, tuple(segments)))

    def account(self, account: str, chart_id: int | None = None) -> Combination:
        """A combination by its hyphenated form, e.g. `101-000-41000-0000`. Raises KeyError."""
        for each in self.combinations:
            if each.account == account and chart_id in (None, each.chart_id):
                return each
        raise KeyError(f"There is no account {account!r}.")

    def add_account(self, account: str, chart_id: int | None = None, **facts: object) -> Combination:
        """Add a combination (to the first chart by default); `facts` are fields of `Combination`."""
        number = max((each.id for each in self.combinations), default=300100000000000) + 1
        chart = self.charts[0].id if chart_id is None else chart_id
        combination = Combination(number, chart, tuple(account.split("-")), **facts)  # type: ignore[arg-type]
        self.combinations.append(combination)
        return combination

    def rate(self, from_currency: str, to_currency: str, conversion_type: str, day: date) -> Decimal | None:
        """The daily rate of exactly that day."""
        wanted = (from_currency, to_currency, conversion_type, day)
        for each in self.rates:
            if (each.from_currency, each.to_currency, each.conversion_type, each.day) == wanted:
                return each.rate
        return None
