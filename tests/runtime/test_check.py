import datetime as dt
from collections.abc import AsyncIterator, Callable, Collection
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest

from clients.errors import Forbidden, NotFound, Unavailable, VendorError
from clients.oracle_fusion import BillToSite, BusinessUnit, CombinationState, FoundInvoice
from contracts.bigcommerce import StoreCurrency, StoreInformation
from contracts.configuration import ReceivableBooks
from contracts.journal import LedgerFacts, Period
from contracts.names import short_reference
from runtime.checking.check import Probes, check
from runtime.checking.findings import EXIT_CODES, Finding, Level, worst
from runtime.configuring.configuration import ConfigurationFile, read

TODAY = dt.date(2026, 3, 15)
Write = Callable[..., Path]
T = TypeVar("T")

RECEIVABLE = """
[integrations.books.receivable]
transaction_source = "Web Shop"
transaction_type = "Invoice"
customer_account = "WEB-US"
"""


class Pod:
    """A pod that has what the configuration names; each test takes something away."""

    def __init__(self) -> None:
        self.currency = "USD"
        self.segments = 3
        self.units = (BusinessUnit(business_unit_id=1, name="US Retail", primary_ledger_id=7),)
        self.status = "open"
        self.rate: Decimal | None = Decimal("0.9")
        self.categories = {"Sales"}
        self.states: dict[str, CombinationState] = {}
        self.failure: VendorError | None = None
        self.hidden = False
        self.asked: set[tuple[str, ...]] = set()
        self.applications: set[int] = set()
        self.sources = frozenset({"Web Shop"})
        self.types = frozenset({"Invoice"})
        self.terms = frozenset({"IMMEDIATE"})
        self.sites = (BillToSite(customer="Web Store", account="WEB-US", site="1042", primary=True),)
        self.invoices: list[FoundInvoice] = []
        self.hides: VendorError | None = None

    async def ledgers(self) -> tuple[LedgerFacts, ...]:
        if self.failure:
            raise self.failure
        if self.hidden:
            return ()
        return (LedgerFacts(ledger="US Primary", ledger_id=7, currency=self.currency, segment_count=self.segments),)

    async def periods(self, ledger_id: int, application: int = 101) -> tuple[Period, ...]:
        self.applications.add(application)
        first = Period(name="Mar-26", starts=dt.date(2026, 3, 1), ends=dt.date(2026, 3, 31), status="closed")
        second = Period(name="Apr-26", starts=dt.date(2026, 4, 1), ends=dt.date(2026, 4, 30), status="open")
        return (first.model_copy(update={"status": self.status}), second)

    async def data_access_set_id(self, name: str) -> int:
        return 1

    async def journal_source_id(self, name: str) -> int | str:
        if name != "Spreadsheet":
            raise NotFound("fusion-test", f'There is no journal source "{name}".', remedy="Use: Spreadsheet.")
        return 2

    async def journal_category_exists(self, name: str) -> bool:
        return name in self.categories

    async def business_units(self) -> tuple[BusinessUnit, ...]:
        return self.units

    async def transaction_sources(self) -> frozenset[str]:
        return self.shown(self.sources)

    async def transaction_types(self) -> frozenset[str]:
        return self.shown(self.types)

    async def payment_terms(self) -> frozenset[str]:
        return self.shown(self.terms)

    async def bill_to_sites(self, account: str) -> tuple[BillToSite, ...]:
        return tuple(one for one in self.shown(self.sites) if one.account == account)

    async def invoices_of_source(
        self, source: str, business_unit: str, since: dt.datetime, *, books: ReceivableBooks | None = None
    ) -> AsyncIterator[FoundInvoice]:
        for one in self.shown(self.invoices):
            if one.created_at is None or one.created_at >= since:
                yield one

    def shown(self, what: T) -> T:
        """What Receivables shows to this user; unless it hides all of it."""
        if self.hides:
            raise self.hides
        return what

    async def conversion_rate(self, from_: str, to: str, conversion_type: str, on: dt.date) -> Decimal | None:
        return self.rate

    async def combinations(
        self, ledger: LedgerFacts, wanted: Collection[tuple[str, ...]], separator: str = "-"
    ) -> dict[tuple[str, ...], CombinationState]:
        self.asked |= set(wanted)
        return {
            segments: self.states.get(
                separator.join(segments),
                CombinationState(
                    segments=segments,
                    account=separator.join(segments),
                    exists=True,
                    enabled=True,
                    detail_posting_allowed=True,
                ),
            )
            for segments in wanted
        }


class Shop:
    def __init__(self) -> None:
        self.zone = "America/Chicago"
        self.codes = ["USD"]
        self.channel = 1

    async def store(self, *, fresh: bool = False) -> StoreInformation:
        return StoreInformation.model_validate(
            {
                "name": "Acme",
                "timezone": {"name": self.zone, "raw_offset": -21600},
                "currency": "USD",
                "default_channel_id": self.channel,
            }
        )

    async def currencies(self) -> tuple[StoreCurrency, ...]:
        return tuple(StoreCurrency(currency_code=code, enabled=True, is_transactional=True) for code in self.codes)


@pytest.fixture
def pod() -> Pod:
    return Pod()


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def findings(path: Path, pod: Pod, shop: Shop, *, workers: int | None = None) -> list[Finding]:
    file: ConfigurationFile = read(path, {})
    probes = Probes({"fusion-test": pod}, {"bc-us": shop})
    found = await check(file, probes, today=TODAY, workers=workers)
    return [one for one in found if one.level is not Level.OK and not one.sentence.startswith("No rule covers")]


async def the_finding(path: Path, pod: Pod, shop: Shop) -> Finding:
    found = await findings(path, pod, shop)
    assert len(found) == 1, [one.sentence for one in found]
    return found[0]


def line_of(path: Path, text: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


async def test_a_configuration_that_fits_its_systems_has_nothing_to_say(written: Write, pod: Pod, shop: Shop) -> None:
    assert await findings(written(), pod, shop) == []
    assert pod.asked == {("101", "10", "41000"), ("101", "00", "11500")}


async def test_a_ledger_that_is_not_there_is_named_with_those_that_are(written: Write, pod: Pod, shop: Shop) -> None:
    path = written(('ledger = "US Primary"', 'ledger = "US primary"'))
    finding = await the_finding(path, pod, shop)
    assert finding.level is Level.MISTAKE
    assert (finding.line, "US Primary" in finding.remedy) == (line_of(path, "US primary"), True)


async def test_a_user_without_data_access_is_told_apart_from_an_empty_pod(written: Write, pod: Pod, shop: Shop) -> None:
    pod.hidden = True
    finding = await the_finding(written(), pod, shop)
    assert "sees no ledger" in finding.sentence


async def test_sources_categories_and_units_are_proved(written: Write, pod: Pod, shop: Shop) -> None:
    pod.categories, pod.units = set(), (BusinessUnit(business_unit_id=2, name="Other"),)
    path = written(('journal_source = "Spreadsheet"', 'journal_source = "Web"'))
    found = await findings(path, pod, shop)
    assert [one.line for one in found] == [
        line_of(path, "journal_source"),
        line_of(path, "journal_category"),
        line_of(path, "business_unit"),
    ]
    assert found[0].remedy == "Use: Spreadsheet."


async def test_every_account_of_every_rule_is_proved_for_every_legal_entity(
    written: Write, pod: Pod, shop: Shop
) -> None:
    second = (
        '[[integrations.books]]\nchannel = "1"\ncurrency = "CAD"\nledger = "US Primary"\n'
        'data_access_set = "US Primary"\njournal_source = "Spreadsheet"\njournal_category = "Sales"\n'
        'balancing_segment = "102"\nbusiness_unit = "US Retail"\nconversion_type = "Corporate"\n\n[[mapping_sets]]'
    )
    shop.codes = ["USD", "CAD"]
    pod.states["102-10-41000"] = CombinationState(
        segments=("102", "10", "41000"), account="102-10-41000", exists=True, detail_posting_allowed=True
    )
    path = written(("[[mapping_sets]]", second))
    finding = await the_finding(path, pod, shop)
    assert finding.sentence == "Rule shirts, ledger US Primary: account 102-10-41000 is disabled."
    assert finding.line == line_of(path, "*-10-41000")


async def test_rules_that_are_over_are_not_proved(written: Write, pod: Pod, shop: Shop) -> None:
    path = written(('account = "*-10-41000"', 'account = "*-10-41000"\neffective_to = 2026-02-28'))
    await findings(path, pod, shop)
    assert pod.asked == {("101", "00", "11500")}


async def test_a_control_account_needs_to_be_named_on_purpose(written: Write, pod: Pod, shop: Shop) -> None:
    pod.states["101-00-11500"] = CombinationState(
        segments=("101", "00", "11500"),
        account="101-00-11500",
        exists=True,
        enabled=True,
        detail_posting_allowed=True,
        control_account=True,
    )
    assert (await the_finding(written(), pod, shop)).level is Level.MISTAKE
    named = written(('account = "*-00-11500"', 'account = "*-00-11500"\ncontrol_account = true'))
    assert (await the_finding(named, pod, shop)).level is Level.WARNING


async def test_a_chart_with_other_segments_is_a_mistake(written: Write, pod: Pod, shop: Shop) -> None:
    pod.segments = 4
    finding = await the_finding(written(), pod, shop)
    assert "has 3 segments, the chart of accounts of ledger US Primary has 4" in finding.sentence


async def test_a_closed_period_warns_and_says_what_happens_until_it_opens(written: Write, pod: Pod, shop: Shop) -> None:
    pod.status = "never_opened"
    found = await findings(written(), pod, shop)
    assert found[0].sentence == "Ledger US Primary: the period of 2026-03-15 is never opened."
    assert "10 days" in found[0].remedy
    assert "those placed before go to review" in found[1].sentence


async def test_foreign_currency_needs_a_conversion_type_and_a_rate(written: Write, pod: Pod, shop: Shop) -> None:
    pod.currency = "EUR"
    assert (await the_finding(written(), pod, shop)).level is Level.MISTAKE
    path = written(('currency = "USD"', 'currency = "USD"\nconversion_type = "Corporate"'))
    assert await findings(path, pod, shop) == []
    pod.rate = None
    finding = await the_finding(path, pod, shop)
    assert (finding.level, finding.line) == (Level.WARNING, line_of(path, "Corporate"))


async def test_a_rate_for_refunds_without_a_foreign_currency_changes_nothing(
    written: Write, pod: Pod, shop: Shop
) -> None:
    dated = "rounding_limit = 0.05", 'rounding_limit = 0.05\nrefund_rate = "refund_date"'
    path = written(dated)
    finding = await the_finding(path, pod, shop)
    assert (finding.level, finding.line) == (Level.WARNING, line_of(path, "refund_rate"))
    pod.currency = "EUR"
    path = written(('currency = "USD"', 'currency = "USD"\nconversion_type = "Corporate"'), dated)
    assert await findings(path, pod, shop) == []


async def test_an_outage_proves_nothing_and_is_said_once(written: Write, pod: Pod, shop: Shop) -> None:
    pod.failure = Unavailable("fusion-test", "Oracle Fusion (fusion-test) answered HTTP 503.")
    finding = await the_finding(written(), pod, shop)
    assert finding.level is Level.UNPROVED
    assert EXIT_CODES[worst([finding])] == 3
    pod.failure = Forbidden("fusion-test", "Oracle Fusion (fusion-test) answered HTTP 403.")
    assert EXIT_CODES[worst([await the_finding(written(), pod, shop)])] == 1


async def test_currencies_and_channels_without_books_are_listed(written: Write, pod: Pod, shop: Shop) -> None:
    shop.codes, shop.channel = ["USD", "EUR", "CAD"], 2
    found = await findings(written(), pod, shop)
    assert ["default channel 2" in found[0].sentence, "CAD, EUR" in found[1].sentence] == [True, True]


async def test_a_store_without_a_known_time_zone_cannot_be_dated(written: Write, pod: Pod, shop: Shop) -> None:
    shop.zone = "US/Nowhere"
    assert (await the_finding(written(), pod, shop)).level is Level.MISTAKE


async def test_rules_that_can_never_be_chosen_are_warned_of_with_their_line(
    written: Write, pod: Pod, shop: Shop
) -> None:
    path = written(
        more='[[mapping_sets.rules]]\nid = "late"\npurpose = "clearing"\naccount = "*-00-11500"\n'
        'when = { payment_method = ["Card"] }\n'
    )
    finding = await the_finding(path, pod, shop)
    assert (finding.level, finding.line) == (Level.WARNING, line_of(path, 'id = "late"') - 1)
    assert "rule clearing before it" in finding.sentence


async def test_purposes_that_no_rule_covers_are_listed(written: Write, pod: Pod, shop: Shop) -> None:
    found = await check(read(written(), {}), Probes(), today=TODAY)
    assert any("No rule covers shipping, tax, rounding" in one.sentence for one in found)


async def test_more_pollers_than_a_namespace_serves_are_refused(written: Write, pod: Pod, shop: Shop) -> None:
    assert await findings(written(), pod, shop, workers=40) == []
    found = await findings(written(), pod, shop, workers=41)
    assert "would open 1025 pollers for 2 connections" in found[0].sentence
    assert "[[worker_groups]]" in found[0].remedy
    assert found[0].level is Level.MISTAKE


async def test_workers_that_the_file_expects_are_planned_with(written: Write, pod: Pod, shop: Shop) -> None:
    path = written(('environment = "test"', 'environment = "test"\nworkers_expected = 80'))
    found = await findings(path, pod, shop)
    # Each opens fewer pollers, because there are so many; it is not enough.
    assert "80 workers would open 1680 pollers" in found[0].sentence
    assert found[0].line == line_of(path, "workers_expected")


def billed(written: Write, *replacements: tuple[str, str], settings: str = "") -> Path:
    """The configuration with its channel billed in Receivables."""
    return written(
        ('name = "Storefront"', 'name = "Storefront", target = "receivable"'),
        ("[integrations.posting]", f"{RECEIVABLE}{settings}\n[integrations.posting]"),
        *replacements,
    )


def posted(number: int = 1, *, number_given: bool = True, days_ago: int = 0, **changes: Any) -> FoundInvoice:
    reference = f"acme/bc-us/order/{number}/invoice/1"
    return FoundInvoice.model_validate(
        {
            "customer_transaction_id": number,
            "transaction_number": short_reference(reference, 20) if number_given else str(1000 + number),
            "cross_reference": reference,
            "transaction_source": "Web Shop",
            "business_unit": "US Retail",
            "customer_account": "WEB-US",
            "currency": "USD",
            "entered_amount": Decimal(1),
            "transaction_date": TODAY,
            "accounting_date": TODAY,
            "status": "Complete",
            "purchase_order": str(number),
            "created_at": dt.datetime.combine(TODAY, dt.time(8), dt.UTC) - dt.timedelta(days=days_ago),
            **changes,
        }
    )


async def test_a_billed_channel_needs_no_journal_names_and_no_clearing_account(
    written: Write, pod: Pod, shop: Shop
) -> None:
    pod.categories, pod.invoices = set(), [posted()]
    path = billed(written, ('journal_source = "Spreadsheet"', 'journal_source = "None"'))
    assert await findings(path, pod, shop) == []
    assert pod.applications == {222}
    told = await check(read(path, {}), Probes(), today=TODAY)
    assert any("No rule covers shipping, tax, rounding" in one.sentence for one in told)
    without = billed(written, ('purpose = "clearing"', 'purpose = "shipping"'))
    told = await check(read(without, {}), Probes(), today=TODAY)
    assert any("No rule covers tax, rounding:" in one.sentence for one in told)


async def test_receivables_close_their_own_periods(written: Write, pod: Pod, shop: Shop) -> None:
    pod.status, pod.invoices = "closed", [posted()]
    found = await findings(billed(written), pod, shop)
    assert found[0].sentence == "Ledger US Primary in Receivables: the period of 2026-03-15 is closed."


@pytest.mark.parametrize(
    ("take_away", "sentence", "remedy"),
    [
        ({"sources": frozenset({"Manual"})}, 'Fusion has no transaction source "Web Shop" in use.', '"Manual"'),
        ({"types": frozenset({"Credit Memo"})}, 'Fusion has no transaction type "Invoice" in use.', "Credit Memo"),
        ({"terms": frozenset({"30 Net"})}, 'Fusion has no payment terms "IMMEDIATE" in use.', "30 Net"),
        ({"sites": ()}, "Customer account WEB-US has no active bill-to site", "Manage Customers"),
    ],
)
async def test_customer_source_type_and_terms_are_proved(
    written: Write, pod: Pod, shop: Shop, take_away: dict[str, Any], sentence: str, remedy: str
) -> None:
    pod.invoices = [posted()]
    path = billed(written, settings='payment_terms = "IMMEDIATE"\n')
    assert await findings(path, pod, shop) == []
    for name, value in take_away.items():
        setattr(pod, name, value)
    finding = await the_finding(path, pod, shop)
    assert finding.level is Level.MISTAKE
    assert finding.sentence.startswith(sentence)
    assert remedy in finding.remedy


async def test_a_bill_to_site_is_named_where_fusion_cannot_choose(written: Write, pod: Pod, shop: Shop) -> None:
    pod.invoices = [posted()]
    pod.sites = tuple(BillToSite(customer="Web Store", account="WEB-US", site=name) for name in ("North", "South"))
    finding = await the_finding(billed(written), pod, shop)
    assert finding.level is Level.MISTAKE
    assert '"North", "South"' in finding.remedy
    assert await findings(billed(written, settings='bill_to_site = "North"\n'), pod, shop) == []
    wrong = await the_finding(billed(written, settings='bill_to_site = "West"\n'), pod, shop)
    assert 'no active bill-to site "West"' in wrong.sentence


async def test_what_rest_does_not_show_is_only_not_proved(written: Write, pod: Pod, shop: Shop) -> None:
    pod.hides = NotFound("fusion-test", "Oracle Fusion (fusion-test) answered HTTP 404.")
    found = await findings(billed(written), pod, shop)
    assert [one.level for one in found] == [Level.WARNING] * 4
    assert all("could not be proved" in one.sentence for one in found)
    pod.hides = Unavailable("fusion-test", "Oracle Fusion (fusion-test) answered HTTP 503.")
    assert {one.level for one in await findings(billed(written), pod, shop)} == {Level.UNPROVED}
    pod.hides, pod.sources, pod.invoices = None, frozenset(), [posted()]
    assert "sees none at all" in (await the_finding(billed(written), pod, shop)).sentence


async def test_the_numbering_is_warned_of_until_an_invoice_proves_it(written: Write, pod: Pod, shop: Shop) -> None:
    finding = await the_finding(billed(written), pod, shop)
    assert finding.level is Level.WARNING
    assert "automatic transaction numbering must be off" in finding.remedy
    pod.invoices = [posted(days_ago=20, number_given=False), posted(2), posted(3, cross_reference="PO 7")]
    assert await findings(billed(written), pod, shop) == []
    pod.invoices = [posted(number_given=False, days_ago=20)]
    wrong = await the_finding(billed(written), pod, shop)
    assert (wrong.level, "numbers by itself" in wrong.sentence) == (Level.MISTAKE, True)


async def test_a_source_numbered_by_hand_does_not_suit_the_other_homes(written: Write, pod: Pod, shop: Shop) -> None:
    path = billed(written, settings='reference_home = "cross_reference"\n')
    assert "must be on" in (await the_finding(path, pod, shop)).remedy
    pod.invoices = [posted()]
    finding = await the_finding(path, pod, shop)
    assert (finding.level, "is numbered by hand" in finding.sentence) == (Level.MISTAKE, True)
    pod.invoices = [posted(number_given=False)]
    assert await findings(path, pod, shop) == []


async def test_the_receivable_account_may_be_a_control_account(written: Write, pod: Pod, shop: Shop) -> None:
    pod.invoices = [posted()]
    pod.states["101-00-11500"] = CombinationState(
        segments=("101", "00", "11500"),
        account="101-00-11500",
        exists=True,
        enabled=True,
        detail_posting_allowed=True,
        control_account=True,
    )
    path = billed(written, ('id = "clearing"\npurpose = "clearing"', 'id = "owed"\npurpose = "receivable"'))
    assert await findings(path, pod, shop) == []
