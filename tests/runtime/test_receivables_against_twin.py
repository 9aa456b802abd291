"""`check` and `connections test` over real HTTP for a channel that is billed in Receivables."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from clients.oracle_fusion import FusionClient
from contracts.configuration import FusionConnection
from contracts.journal import Purpose
from contracts.names import short_reference
from contracts.receivable import Invoice, InvoiceLine
from runtime.checking.check import Probes, check
from runtime.checking.connections_test import try_fusion
from runtime.checking.findings import Finding, Level
from runtime.checking.reference_homes import billings
from runtime.configuring.configuration import ConfigurationFile, read
from sandbox.fusion import FusionTwin
from sandbox.fusion.receivables.demo import AUTOMATIC_SOURCE, CONTEXT, MANUAL_SOURCE, REFERENCE_ATTRIBUTE
from sandbox.fusion.world import RECEIVABLES
from sandbox.kit import serve

DEMO = Path(__file__).parents[2] / "runtime" / "demo" / "connector.toml"
TODAY = dt.datetime.now(dt.UTC).date()
BY_HAND = f'transaction_source = "{MANUAL_SOURCE}"\n'
BY_ITSELF = f'transaction_source = "{AUTOMATIC_SOURCE}"\nreference_home = "cross_reference"\n'
FLEXFIELD = (
    f'transaction_source = "{AUTOMATIC_SOURCE}"\nreference_home = "line_flexfield"\n'
    f'flexfield_context = "{CONTEXT}"\nflexfield_attribute = "{REFERENCE_ATTRIBUTE}"\n'
)


@dataclass
class Billed:
    """The demo's US shop, billed in Receivables, and a client of the pod."""

    file: ConfigurationFile
    fusion: FusionTwin
    client: FusionClient

    async def checked(self) -> list[Finding]:
        found = await check(self.file, Probes({"fusion": self.client}), today=TODAY)
        return [one for one in found if one.subject == "fusion"]

    async def tried(self) -> list[Finding]:
        return await try_fusion(self.client.connection, self.client, billings(self.file.configuration, "fusion"))

    async def post(self, *, order: int = 1024) -> None:
        integration = self.file.configuration.integrations[0]
        billing = integration.books[0].receivable
        assert billing is not None
        reference = f"acme/bc-us/order/{order}/invoice/1"
        invoice = Invoice(
            reference=reference,
            number=short_reference(reference, 20),
            home=billing.reference_home,
            business_unit=integration.books[0].business_unit,
            transaction_source=billing.transaction_source,
            transaction_type=billing.transaction_type,
            customer_account=billing.customer_account,
            ledger=integration.books[0].ledger,
            transaction_date=TODAY,
            accounting_date=TODAY,
            date_reason="placed today",
            currency="USD",
            order_number=str(order),
            lines=(
                InvoiceLine(
                    number=1,
                    purpose=Purpose.REVENUE,
                    description="1 x Shirt",
                    quantity=Decimal(1),
                    unit_price=Decimal("10.50"),
                    amount=Decimal("10.50"),
                    segments=("101", "110", "41100", "1000"),
                ),
            ),
            mapping_set="retail",
            mapping_version=1,
        )
        await self.client.create_invoice(invoice, billing, ends=asyncio.get_running_loop().time() + 60)


@asynccontextmanager
async def opened(directory: Path, settings: str, account: str = "1006") -> AsyncIterator[Billed]:
    text = DEMO.read_text().replace("cut_over = 2026-01-01", f"cut_over = {TODAY}")
    books = 'business_unit = "US Web Sales"\n'
    billing = f'\n[integrations.books.receivable]\ntransaction_type = "Web Invoice"\ncustomer_account = "{account}"\n'
    for what, by in (
        ('name = "Maple & Pine Goods"', 'name = "Maple & Pine Goods", target = "receivable"'),
        (books, books + billing + settings),
    ):
        assert what in text
        text = text.replace(what, by, 1)
    path = directory / "connector.toml"
    path.write_text(text)
    fusion = FusionTwin()
    async with serve(fusion) as pod:
        environment = {
            "MLC_STORE_URL": "sqlite+aiosqlite:///none.db",
            "MLC_TEMPORAL": "127.0.0.1:1",
            "MLC_FUSION_URL": pod.url,
            "MLC_SHOP_URL": pod.url,
        }
        file = read(path, environment)
        connection = file.configuration.connection("fusion")
        assert isinstance(connection, FusionConnection)

        async def secret() -> str:
            return fusion.world.credentials.client_secret

        client = FusionClient(connection, secret)
        try:
            yield Billed(file, fusion, client)
        finally:
            await client.aclose()


def worse(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level is not Level.OK]


def home_of(findings: list[Finding]) -> Finding:
    (found,) = [one for one in findings if one.sentence.startswith("reference home")]
    return found


async def test_a_billed_channel_is_proved_and_only_the_numbering_waits_for_an_invoice(tmp_path: Path) -> None:
    async with opened(tmp_path, BY_HAND) as shop:
        found = await shop.checked()
        assert any("Customer account 1006: Web Store US, active." in one.sentence for one in found)
        (numbering,) = worse(found)
        assert (numbering.level, "cannot be read over REST" in numbering.sentence) == (Level.WARNING, True)
        await shop.post()
        found = await shop.checked()
        assert worse(found) == []
        assert any("takes the number it is given" in one.sentence for one in found)


async def test_a_source_that_numbers_by_itself_suits_the_cross_reference(tmp_path: Path) -> None:
    async with opened(tmp_path, BY_ITSELF) as shop:
        await shop.post()
        found = await shop.checked()
        assert worse(found) == []
        assert any("numbers by itself" in one.sentence for one in found)


async def test_a_given_number_that_the_source_ignores_is_a_mistake(tmp_path: Path) -> None:
    async with opened(tmp_path, f'transaction_source = "{AUTOMATIC_SOURCE}"\n') as shop:
        shop.fusion.world.receivables.habits.given_number = "ignored"
        await shop.post()
        (finding,) = worse(await shop.checked())
        assert (finding.level, "has another number than it was given" in finding.sentence) == (Level.MISTAKE, True)


async def test_what_is_missing_in_receivables_is_found_before_an_order_is(tmp_path: Path) -> None:
    async with opened(tmp_path, BY_HAND + 'payment_terms = "5 Net"\n') as shop:
        await shop.checked()
        setup = shop.fusion.world.receivables
        setup.customer("1006").enabled = False
        setup.types.clear()
        setup.sources = [one for one in setup.sources if one.name != MANUAL_SOURCE]
        period = next(one for one in shop.fusion.world.ledgers[0].periods if one.starts <= TODAY <= one.ends)
        shop.fusion.set_period("US Primary Ledger", period.name, "C", application=RECEIVABLES)
        told = " ".join(one.sentence for one in worse(await shop.checked()))
        assert "Customer account 1006 has no active bill-to site" in told
        assert f'Fusion has no transaction source "{MANUAL_SOURCE}" in use' in told
        assert 'Transaction type "Web Invoice" could not be proved' in told
        assert 'Fusion has no payment terms "5 Net" in use' in told
        assert "US Primary Ledger in Receivables" in told


async def test_a_customer_with_two_sites_needs_one_named(tmp_path: Path) -> None:
    async with opened(tmp_path, BY_HAND, account="1007") as shop:
        found = [one for one in worse(await shop.checked()) if one.level is Level.MISTAKE]
        assert [one.remedy for one in found] == ['Set bill_to_site to one of: "Outlet North", "Outlet South".']


async def test_lists_that_the_user_may_not_read_leave_it_unproved(tmp_path: Path) -> None:
    async with opened(tmp_path, BY_HAND) as shop:
        shop.fusion.faults.set("error", path="transactionSourcesLOV", status=403)
        found = worse(await shop.checked())
        assert {one.level for one in found} == {Level.WARNING}
        assert any("could not be proved" in one.sentence for one in found)


@pytest.mark.parametrize(
    ("settings", "home"),
    [(BY_HAND, "transaction_number"), (BY_ITSELF, "cross_reference"), (FLEXFIELD, "line_flexfield")],
)
async def test_the_reference_home_is_probed_without_a_trace(tmp_path: Path, settings: str, home: str) -> None:
    async with opened(tmp_path, settings) as shop:
        found = await shop.tried()
        assert worse(found) == []
        assert home_of(found).sentence.startswith(f"reference home {home}: ")
        assert shop.fusion.invoices() == []


@pytest.mark.parametrize(
    ("settings", "blocked", "instead"),
    [(BY_HAND, "TransactionNumber", "cross_reference"), (BY_ITSELF, "CrossReference", "transaction_number")],
)
async def test_where_the_configured_home_cannot_be_asked_for_another_is_named(
    tmp_path: Path, settings: str, blocked: str, instead: str
) -> None:
    async with opened(tmp_path, settings) as shop:
        shop.fusion.world.receivables.habits.queryable = {blocked: False}
        finding = home_of(await shop.tried())
        assert finding.level is Level.WARNING
        assert f"{blocked} cannot be asked for" in finding.sentence
        assert f'Set reference_home = "{instead}"' in finding.remedy
        shop.fusion.world.receivables.habits.queryable = {"TransactionNumber": False, "CrossReference": False}
        assert "No home can be asked for" in home_of(await shop.tried()).remedy


async def test_a_flexfield_that_is_not_there_would_refuse_every_invoice(tmp_path: Path) -> None:
    async with opened(tmp_path, FLEXFIELD.replace(REFERENCE_ATTRIBUTE, "otherReference")) as shop:
        finding = home_of(await shop.tried())
        assert finding.level is Level.MISTAKE
        assert "no line flexfield attribute otherReference" in finding.sentence
        assert 'Set reference_home = "transaction_number"' in finding.remedy


async def test_a_missing_privilege_for_invoices_is_named(tmp_path: Path) -> None:
    async with opened(tmp_path, BY_HAND) as shop:
        shop.fusion.faults.set("error", path="receivablesInvoices", status=403)
        (finding,) = worse(await shop.tried())
        assert finding.sentence.startswith("receivablesInvoices: invoices created and found again")
        assert "AR_CREATE_RECEIVABLES_INVOICE_PRIV" in finding.remedy


REFUNDS = f'{BY_HAND}credit_memo_type = "Web Credit Memo"\n'


async def test_what_refunds_need_is_proved_where_they_become_credit_memos(tmp_path: Path) -> None:
    async with opened(tmp_path, REFUNDS) as shop:
        await shop.post()
        assert worse(await shop.checked()) == []
        assert worse(found := await shop.tried()) == []
        assert any(one.sentence.startswith("receivablesCreditMemos: credit memos created") for one in found)
        shop.fusion.faults.set("no_privilege", path="receivablesCustomerAccountActivities")
        (finding,) = worse(await shop.tried())
        assert "AR_REVIEW_CUSTOMER_ACCOUNT_ACTIVITIES_PRIV" in finding.remedy
    unknown = 'credit_memo_type = "No such type"\ncredit_memo_source = "No such source"\n'
    async with opened(tmp_path, BY_HAND + unknown) as shop:
        await shop.post()
        told = " ".join(one.sentence for one in worse(await shop.checked()))
        assert 'Fusion has no transaction type "No such type" in use' in told
        assert 'Fusion has no transaction source "No such source" in use' in told
