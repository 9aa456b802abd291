"""Before go-live people see which SKUs are items; afterwards, which product is which item."""

import csv
import datetime as dt
import io
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.typed import typed
from typer.testing import Result

from contracts.converging import Digests
from contracts.secret_names import ACCESS_TOKEN, CLIENT_SECRET
from runtime.configuring.configuration import load
from runtime.parts import open_store
from sandbox.bigcommerce import EU_SHOP, US_SHOP, BigCommerceTwin, StoreSettings
from sandbox.fusion import FusionTwin, demo_world
from sandbox.fusion.masters.setup import ITEM_MASTER, WAREHOUSE
from sandbox.kit import serve
from store import KeyRing
from store.rows import Agreement

DEMO = Path(__file__).parents[2] / "runtime" / "demo" / "connector.toml"


@dataclass
class Place:
    shops: BigCommerceTwin
    fusion: FusionTwin
    environment: dict[str, str]
    config: Path

    async def typed(self, *arguments: str, columns: int = 80) -> Result:
        """Runs a command line beside the twins, as another process would."""
        environment = {**self.environment, "COLUMNS": str(columns)}
        return await typed(environment, "items", *arguments, "--config", str(self.config))

    @property
    def catalog(self) -> Any:
        return self.shops.stores["us1abc"].catalog

    def item(self, number: str, organization: str = ITEM_MASTER, **values: Any) -> None:
        self.fusion.items.add(
            ItemNumber=number, ItemDescription=f"Item {number}", OrganizationCode=organization, **values
        )

    def product(self, sku: str) -> None:
        self.catalog.create({"name": f"Product {sku}", "type": "physical", "weight": 1, "price": 5, "sku": sku})


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    shops = BigCommerceTwin([StoreSettings(US_SHOP), StoreSettings(EU_SHOP)])
    fusion = FusionTwin(demo_world())
    async with AsyncExitStack() as stack:
        market = await stack.enter_async_context(serve(shops))
        pod = await stack.enter_async_context(serve(fusion))
        environment = {
            "MLC_STORE_URL": f"sqlite+aiosqlite:///{tmp_path}/store.db",
            "MLC_TEMPORAL": "127.0.0.1:1",
            "MLC_FUSION_URL": pod.url,
            "MLC_SHOP_URL": market.url,
            "ML_CONNECTOR_KEYS": KeyRing.generate().to_text(),
        }
        config = tmp_path / "connector.toml"
        text = DEMO.read_text()
        config.write_text(
            text.replace('id = "fusion"\n', f'id = "fusion"\nitems = {{ organization = "{ITEM_MASTER}" }}\n')
        )
        made = Place(shops, fusion, environment, config)
        for product_id in list(made.catalog.products):
            made.catalog.delete(product_id)
        yield made


async def set_secrets(place: Place) -> None:
    ring = KeyRing.from_environment(place.environment)
    async with open_store(load(place.config, place.environment), ring, migrate=True) as store:
        await store.secrets.put("acme", "fusion", CLIENT_SECRET, "twin-secret")
        await store.secrets.put("acme", "bc-us", ACCESS_TOKEN, "access-token")


async def test_everything_that_does_not_match_is_listed_with_what_to_do_on_eighty_columns(place: Place) -> None:
    await set_secrets(place)
    for number in ("SAME-1", "SAME-2", "Case-1", "ONLY-FUSION"):
        place.item(number)
    place.item("NOT-SOLD", CustomerOrderEnabledFlag=False)
    place.item("SAME-1", WAREHOUSE)
    for sku in ("SAME-1", "CASE-1", "ONLY-SHOP"):
        place.product(sku)
    place.product("SHIRT")
    shirt = max(place.catalog.products)
    place.catalog.add_variants(shirt, 2)
    place.item("SHIRT-000")
    told = await place.typed("unmapped", "shop-us")
    assert told.exit_code == 1, told.output
    table, _, summary = told.stdout.partition("\n\n")
    assert all(len(line) <= 80 for line in table.splitlines())
    rows = {tuple(line.split()) for line in table.splitlines()[1:]}
    assert ("no", "item", "ONLY-SHOP", str(shirt - 1)) in rows
    assert ("no", "SKU", "ONLY-FUSION") in rows
    assert ("case", "differs", "CASE-1", str(shirt - 2), "Case-1") in rows
    assert any(row[:3] == ("no", "item", "SHIRT-001") and "/" in row[3] for row in rows)
    flat = " ".join(summary.split())
    assert "6 SKUs, 6 items, 2 of them the same." in flat
    assert "no SKU: 2. These become drafts" in flat
    assert "1 items without a SKU are not for sale" in flat
    assert not place.shops.calls.count("POST", "catalog")
    assert not place.fusion.calls.count("PATCH")

    lines = await place.typed("unmapped", "shop-us", "--csv")
    listed = list(csv.DictReader(io.StringIO(lines.stdout)))
    assert {row["what"] for row in listed} == {"no item", "no SKU", "case differs"}
    assert json.loads((await place.typed("unmapped", "shop-us", "--json")).stdout) == listed


async def test_a_sku_is_no_formula_in_a_spreadsheet(place: Place) -> None:
    await set_secrets(place)
    place.product("=1+1")
    (row,) = csv.DictReader(io.StringIO((await place.typed("unmapped", "shop-us", "--csv")).stdout))
    assert row["sku"] == "'=1+1"
    (same,) = json.loads((await place.typed("unmapped", "shop-us", "--json")).stdout)
    assert same["sku"] == "=1+1"


async def test_a_shop_whose_skus_are_all_items_is_ready(place: Place) -> None:
    await set_secrets(place)
    place.item("SAME-1")
    place.product("SAME-1")
    told = await place.typed("unmapped", "shop-us")
    assert told.exit_code == 0, told.output
    assert "Nothing is in the way" in told.stdout
    assert json.loads((await place.typed("unmapped", "shop-us", "--json")).stdout) == []


async def test_a_long_list_is_cut_on_the_screen_and_whole_in_a_file(place: Place) -> None:
    await set_secrets(place)
    for number in range(30):
        place.item(f"I-{number:03d}")
    told = await place.typed("unmapped", "shop-us", "--limit", "5")
    assert sum(" I-0" in line for line in told.stdout.splitlines()) == 5
    assert "(the first 5 are shown; --csv lists all)" in " ".join(told.stdout.split())
    lines = await place.typed("unmapped", "shop-us", "--csv")
    assert len(list(csv.DictReader(io.StringIO(lines.stdout)))) == 30


async def test_what_cannot_be_asked_is_said_in_a_sentence(place: Place) -> None:
    unknown = await place.typed("unmapped", "nobody")
    assert unknown.exit_code == 2
    assert 'There is no integration "nobody". Integrations are: shop-us, shop-eu.' in " ".join(unknown.stderr.split())
    both = await place.typed("unmapped", "shop-us", "--csv", "--json")
    assert both.exit_code == 2
    ring = KeyRing.from_environment(place.environment)
    async with open_store(load(place.config, place.environment), ring, migrate=True):
        pass
    unsigned = await place.typed("unmapped", "shop-us")
    assert unsigned.exit_code == 1
    assert "secrets set bc-us" in " ".join(unsigned.stderr.split())
    await set_secrets(place)
    place.fusion.faults.set("error", path="itemsV2", status=400)
    refused = await place.typed("unmapped", "shop-us")
    assert refused.exit_code == 1


async def test_links_are_listed_as_the_store_keeps_them(place: Place) -> None:
    empty_first = KeyRing.from_environment(place.environment)
    now = dt.datetime(2026, 3, 2, 15, tzinfo=dt.UTC)
    both = Digests(fusion={"name": "1"}, shop={"name": "1"})
    rows = [
        ("A-1", "7", "900", both),
        ("B-1", "8", "901", Digests(fusion={"name": "1"})),
        ("C-1", "9", "", Digests(shop={"name": "1"})),
    ]
    async with open_store(load(place.config, place.environment), empty_first, migrate=True) as store:
        assert "Nothing is linked yet" in (await place.typed("links", "shop-us")).stdout
        for name, product, item, digests in rows:
            await store.agreements.put(
                Agreement(
                    tenant="acme",
                    integration="shop-us",
                    connection="bc-us",
                    kind="item",
                    id=name,
                    name=name,
                    shop_id=product,
                    fusion_id=item,
                    digests=digests,
                    at=now,
                )
            )
    told = await place.typed("links", "shop-us")
    assert told.exit_code == 0, told.output
    assert all(len(line) <= 80 for line in told.stdout.splitlines())
    listed = json.loads((await place.typed("links", "shop-us", "--json")).stdout)
    assert [(row["sku"], row["state"]) for row in listed] == [
        ("A-1", "linked"),
        ("B-1", "gone in shop"),
        ("C-1", "not in Fusion"),
    ]
    lines = await place.typed("links", "shop-us", "--csv")
    assert list(csv.DictReader(io.StringIO(lines.stdout))) == listed
