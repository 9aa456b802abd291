"""Every basket the shops know, posted in one run: each journal says what the shop sold, to whom and how it was paid."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from support.stack import Stack, eventually, journals_of, open_stack

from contracts.configuration import Configuration
from contracts.flow import FlowResult, State
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import EU_SHOP, US_SHOP, Draft, Shape, StoreSettings, draft, statuses
from sandbox.bigcommerce.orders import NOT_EVERYDAY
from sandbox.bigcommerce.truth import Truth
from sandbox.fusion import Journal
from sandbox.fusion.demo_world import EU_LEDGER, US_LEDGER

EVERYDAY = [shape for shape in Shape if shape not in NOT_EVERYDAY]
ZERO = Decimal(0)

CLEARING = ("11200", "11210", "11220")
STORE_CREDIT, CERTIFICATES, ROUNDING = ("23100",), ("23200",), ("68900",)
TAX = {"bc-us": ("22100",), "bc-eu": ("22200",)}
SOLD = {
    "product": ("41100", "41200", "41300", "41400"),
    "custom": ("41900",),
    "shipping": ("42100",),
    "handling": ("42200",),
    "wrapping": ("42300",),
    "fee": ("42400",),
}
"""Natural accounts by what the shop charged for."""

US = replace(US_SHOP, exchange_rates=(("GBP", Decimal("0.8")), ("JPY", Decimal(150))))
EU = replace(EU_SHOP, exchange_rates=(("GBP", Decimal("0.85")), ("CHF", Decimal("0.94"))))
STORES = (StoreSettings(US, requests_per_window=100_000), StoreSettings(EU, requests_per_window=100_000))
FOREIGN = {"shop-us": ("GBP", "JPY"), "shop-eu": ("GBP", "CHF")}
PATIENCE = {"shop-us": 24.0, "shop-eu": 2 / 3600}
"""Hours to wait for a rate: a day, and two seconds."""


@dataclass
class Run:
    """What happened to every order of the run."""

    stack: Stack
    everyday: dict[str, list[int]] = field(default_factory=dict)
    """Order ids by connection."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Order ids by the reason their results must give."""
    results: dict[int, FlowResult] = field(default_factory=dict)

    def truth(self, connection: str, order_id: int) -> Truth:
        found: Truth = self.stack.shop(connection).truth()[order_id]
        return found

    def journal(self, order_id: int) -> Journal:
        (journal,) = journals_of(self.stack.fusion, order_id)
        return journal


def balance(journal: Journal, accounts: tuple[str, ...]) -> Decimal:
    """Debits less credits of these natural accounts, as entered."""
    return sum(
        (
            (line.entered_dr or ZERO) - (line.entered_cr or ZERO)
            for line in journal.lines
            if line.account.split("-")[2] in accounts
        ),
        start=ZERO,
    )


def with_foreign_books(configuration: Configuration) -> Configuration:
    """Both integrations also sell in foreign currencies, at the corporate rate."""
    return configuration.model_copy(
        update={
            "integrations": tuple(
                one.model_copy(
                    update={
                        "books": (
                            *one.books,
                            *(
                                one.books[0].model_copy(update={"currency": currency, "conversion_type": "Corporate"})
                                for currency in FOREIGN[one.id]
                            ),
                        ),
                        "posting": one.posting.model_copy(update={"rate_wait": PATIENCE[one.id]}),
                    }
                )
                for one in configuration.integrations
            )
        }
    )


def place_skipped(stack: Stack) -> dict[str, int]:
    """One order of each kind that leads to no journal."""
    shop = stack.shop("bc-us")
    archived = shop.place(draft(Shape.ORDINARY, US, seed=90))
    shop.archive(archived.id)
    return {
        "zero total": shop.place(draft(Shape.FREE, US)).id,
        "test order": shop.place(draft(Shape.TEST, US)).id,
        "migrated history": shop.place(draft(Shape.MIGRATED, US)).id,
        "archived": archived.id,
        # Half past midnight UTC on the day of the cut-over is still the year before in Chicago.
        "before the cut-over": shop.place(
            draft(Shape.ORDINARY, US, seed=91), created=datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
        ).id,
        "status Incomplete": shop.place(draft(Shape.ORDINARY, US, seed=92), status_id=statuses.INCOMPLETE).id,
    }


@pytest.fixture(scope="module")
async def posted(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Run]:
    """All everyday baskets of both shops, and all that lead to nothing, announced at once."""
    directory: Path = tmp_path_factory.mktemp("baskets")
    async with open_stack(temporal_server, directory, adjust=with_foreign_books, stores=STORES) as stack:
        run = Run(stack)
        for connection, profile in (("bc-us", US), ("bc-eu", EU)):
            shop = stack.shop(connection)
            run.everyday[connection] = [shop.place(draft(shape, profile)).id for shape in EVERYDAY]
        run.skipped = place_skipped(stack)
        announced = [(one, connection) for connection, ids in run.everyday.items() for one in ids]
        announced += [(one, "bc-us") for one in run.skipped.values()]
        async with stack.worker():
            for order_id, connection in announced:
                await stack.announce(order_id, connection)
            for order_id, connection in announced:
                run.results[order_id] = await stack.result(order_id, connection)
            yield run


@pytest.mark.parametrize("connection", ["bc-us", "bc-eu"])
async def test_every_everyday_basket_is_one_posted_journal_in_its_own_ledger(posted: Run, connection: str) -> None:
    ledger, currency, entity = (US_LEDGER, "USD", "101") if connection == "bc-us" else (EU_LEDGER, "EUR", "201")
    for order_id in posted.everyday[connection]:
        assert posted.results[order_id].state is State.POSTED, posted.results[order_id].sentence
        journal = posted.journal(order_id)
        assert (journal.ledger, journal.currency, journal.batch.status) == (ledger, currency, "P")
        assert {line.account.split("-")[0] for line in journal.lines} == {entity}


@pytest.mark.parametrize("connection", ["bc-us", "bc-eu"])
async def test_every_journal_agrees_with_the_shop_by_total_tax_and_tenders(posted: Run, connection: str) -> None:
    for order_id in posted.everyday[connection]:
        truth, journal = posted.truth(connection, order_id), posted.journal(order_id)
        rounding = balance(journal, ROUNDING)
        assert journal.total("entered_dr") == journal.total("entered_cr"), truth.shape
        assert journal.total("entered_dr") - max(rounding, ZERO) == truth.total, truth.shape
        assert -balance(journal, TAX[connection]) == truth.tax, truth.shape
        tenders = truth.tenders
        assert balance(journal, CLEARING) == tenders.get("payment", ZERO), truth.shape
        assert balance(journal, STORE_CREDIT) == tenders.get("store_credit", ZERO), truth.shape
        sold = truth.net.get("gift_certificate", ZERO)
        assert balance(journal, CERTIFICATES) == tenders.get("gift_certificate", ZERO) - sold, truth.shape


@pytest.mark.parametrize("connection", ["bc-us", "bc-eu"])
async def test_what_was_sold_and_charged_is_on_the_account_of_its_kind(posted: Run, connection: str) -> None:
    # The European shop rounds once per order: what its lines miss is on the rounding account, never lost.
    limit = ZERO if connection == "bc-us" else Decimal("0.01")
    for order_id in posted.everyday[connection]:
        truth, journal = posted.truth(connection, order_id), posted.journal(order_id)
        booked = {kind: -balance(journal, accounts) for kind, accounts in SOLD.items()}
        for kind, amount in booked.items():
            assert abs(amount - truth.net.get(kind, ZERO)) <= limit * len(journal.lines), (truth.shape, kind)
        certificates = truth.net.get("gift_certificate", ZERO)
        rounding = balance(journal, ROUNDING)
        assert sum(booked.values()) + certificates - rounding == truth.total - truth.tax, truth.shape
        assert abs(rounding) <= limit * 5, truth.shape


async def test_fifty_five_lines_are_all_in_the_journal(posted: Run) -> None:
    long = posted.everyday["bc-us"][EVERYDAY.index(Shape.OVER_FIFTY)]
    revenue = [line for line in posted.journal(long).lines if line.account.split("-")[2] in SOLD["product"]]
    assert len(revenue) == 55


async def test_what_is_no_sale_is_skipped_with_its_reason_and_nothing_else_is_in_the_ledger(posted: Run) -> None:
    for reason, order_id in posted.skipped.items():
        result = posted.results[order_id]
        assert result.state is State.SKIPPED
        assert reason in result.sentence
        known = await posted.stack.parts.store.documents.get("bc-us", "order", str(order_id))
        assert known is not None
        assert known.reason == result.sentence
        assert journals_of(posted.stack.fusion, order_id) == []


async def test_foreign_money_is_posted_as_entered_and_converted_by_the_ledger(posted: Run) -> None:
    stack = posted.stack
    shop = stack.shop()
    orders = {currency: shop.place(foreign(currency)).id for currency in FOREIGN["shop-us"]}
    for order_id in orders.values():
        await stack.announce(order_id)
    for currency, order_id in orders.items():
        assert (await stack.result(order_id)).state is State.POSTED
        truth, journal = posted.truth("bc-us", order_id), posted.journal(order_id)
        assert (journal.ledger, journal.currency, journal.conversion_type) == (US_LEDGER, currency, "Corporate")
        assert balance(journal, CLEARING) == truth.total
        assert -balance(journal, TAX["bc-us"]) == truth.tax
        rate = stack.fusion.world.rate(currency, "USD", "Corporate", journal.accounting_date)
        assert journal.conversion_rate == rate
        assert rate is not None
        assert abs(journal.total("accounted_dr") - truth.total * rate) <= Decimal("0.05")


async def test_without_a_rate_an_order_waits_for_it_and_past_the_patience_a_person_is_asked(posted: Run) -> None:
    stack = posted.stack
    known = list(stack.fusion.world.rates)
    # Rates that were read stay warm: these sales ask for a day nobody has asked for yet.
    earlier = stack.shop().now() - timedelta(days=3)
    stack.fusion.world.rates.clear()
    patient = stack.shop("bc-us").place(foreign("GBP", seed=1), created=earlier).id
    impatient = stack.shop("bc-eu").place(draft(Shape.ORDINARY, EU, currency="CHF"), created=earlier).id
    await stack.announce(patient)
    await stack.announce(impatient, "bc-eu")

    async def waits() -> bool:
        return "Corporate rate from GBP to USD" in (await stack.state(patient)).sentence

    await eventually(waits, "the order waits for its rate")
    review = await stack.in_state(impatient, State.NEEDS_REVIEW, "bc-eu")
    assert [problem.code for problem in review.problems] == ["no_conversion_rate"]
    assert "from CHF to EUR" in review.problems[0].sentence
    assert journals_of(stack.fusion, patient) == journals_of(stack.fusion, impatient) == []

    stack.fusion.world.rates.extend(known)
    await stack.announce(patient)
    assert (await stack.result(patient)).state is State.POSTED
    assert balance(posted.journal(patient), CLEARING) == posted.truth("bc-us", patient).total


def foreign(currency: str, *, seed: int = 0) -> Draft:
    return draft(Shape.ORDINARY, US, seed=seed, currency=currency)
