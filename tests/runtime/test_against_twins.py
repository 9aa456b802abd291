"""`check` and `connections test` over real HTTP, with the configuration the demo uses."""

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.configuration import BigCommerceConnection, FusionConnection
from contracts.secret_names import ACCESS_TOKEN, CLIENT_SECRET
from runtime.checking.check import Probes, check
from runtime.checking.connections_test import FUSION_PATHS, try_bigcommerce, try_fusion
from runtime.checking.findings import EXIT_CODES, Finding, Level, worst
from runtime.checking.probes import OpenProbes, open_probes, secret_findings
from runtime.configuring.configuration import ConfigurationFile, read
from runtime.parts import open_store
from sandbox.bigcommerce import EU_SHOP, US_SHOP, BigCommerceTwin, Shape, StoreSettings, draft
from sandbox.fusion import FusionTwin
from sandbox.kit import serve
from store import KeyRing

DEMO = Path(__file__).parents[2] / "runtime" / "demo" / "connector.toml"
TODAY = dt.datetime.now(dt.UTC).date()


@dataclass
class World:
    file: ConfigurationFile
    fusion: FusionTwin
    shops: BigCommerceTwin
    environment: dict[str, str]

    async def set_secrets(self, *, fusion: str = "twin-secret", shop: str = "access-token") -> None:
        ring = KeyRing.from_environment(self.environment)
        async with open_store(self.file.configuration, ring, migrate=True) as store:
            await store.secrets.put("acme", "fusion", CLIENT_SECRET, fusion)
            for name in ("bc-us", "bc-eu"):
                await store.secrets.put("acme", name, ACCESS_TOKEN, shop)
                await store.secrets.put("acme", name, CLIENT_SECRET, "client-secret")

    async def checked(self) -> tuple[Finding, ...]:
        async with open_probes(self.file.configuration, environment=self.environment) as opened:
            return await check(self.file, Probes(opened.fusions, opened.shops), today=TODAY)

    async def tried(self, connection: str) -> list[Finding]:
        async with open_probes(self.file.configuration, only=connection, environment=self.environment) as opened:
            return await _tried(opened)


async def _tried(opened: OpenProbes) -> list[Finding]:
    found = secret_findings(opened)
    for pod in opened.fusions.values():
        assert isinstance(pod.connection, FusionConnection)
        found += await try_fusion(pod.connection, pod)
    for shop in opened.shops.values():
        assert isinstance(shop.connection, BigCommerceConnection)
        found += await try_bigcommerce(shop.connection, shop)
    return found


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    fusion, shops = FusionTwin(), BigCommerceTwin([StoreSettings(US_SHOP), StoreSettings(EU_SHOP)])
    async with serve(fusion) as pod, serve(shops) as market:
        environment = {
            "MLC_STORE_URL": f"sqlite+aiosqlite:///{tmp_path}/store.db",
            "MLC_TEMPORAL": "127.0.0.1:1",
            "MLC_FUSION_URL": pod.url,
            "MLC_SHOP_URL": market.url,
            "ML_CONNECTOR_KEYS": KeyRing.generate().to_text(),
        }
        yield World(read(DEMO, environment), fusion, shops, environment)


def worse(findings: list[Finding] | tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.level is not Level.OK]


async def test_the_demo_configuration_is_proved_without_a_mistake(world: World) -> None:
    await world.set_secrets()
    found = await world.checked()
    assert [one.sentence for one in found if one.level in (Level.MISTAKE, Level.UNPROVED)] == []
    assert any("Ledger US Primary Ledger: the period of" in one.sentence for one in found)
    assert sum("accounts of mapping set retail can be posted to" in one.sentence for one in found) == 2


async def test_a_disabled_account_and_a_closed_period_are_found_before_month_end(world: World) -> None:
    await world.set_secrets()
    world.fusion.set_account("101-000-42100-0000", enabled=False)
    period = next(one for one in world.fusion.world.ledgers[1].periods if one.starts <= TODAY <= one.ends)
    world.fusion.set_period("EU Primary Ledger", period.name, "C")
    found = worse(await world.checked())
    disabled = next(one for one in found if "101-000-42100-0000" in one.sentence)
    assert disabled.level is Level.MISTAKE
    assert "*-000-42100-0000" in DEMO.read_text().splitlines()[disabled.line - 1]
    assert any(f"the period of {TODAY} is closed" in one.sentence for one in found)


async def test_every_path_of_a_connection_that_is_set_up_works(world: World) -> None:
    await world.set_secrets()
    world.shops.stores["us1abc"].shop.place(draft(Shape.ORDINARY, US_SHOP))
    found = await world.tried("fusion")
    assert worse(found) == []
    assert all(any(path.resource in one.sentence for one in found) for path in FUSION_PATHS)
    (hooks,) = worse(await world.tried("bc-us"))
    assert "no active webhook for orders" in hooks.sentence


async def test_a_secret_that_was_never_set_names_the_command(world: World) -> None:
    async with open_store(world.file.configuration, KeyRing.from_environment(world.environment), migrate=True) as store:
        await store.secrets.put("acme", "bc-eu", CLIENT_SECRET, "client-secret")
    (finding,) = await world.tried("bc-eu")
    assert finding.remedy == "Set it: ml-connector secrets set bc-eu access_token"


async def test_wrong_credentials_are_said_once_and_never_shown(world: World) -> None:
    await world.set_secrets(fusion="canary-4711", shop="canary-4711")
    for connection in ("fusion", "bc-us"):
        (finding,) = await world.tried(connection)
        assert finding.level is Level.MISTAKE
        assert finding.sentence.startswith("Cannot sign in")
        assert "canary" not in finding.model_dump_json()


async def test_a_missing_privilege_is_named_for_the_path_that_needs_it(world: World) -> None:
    await world.set_secrets()
    world.fusion.faults.set("error", path="journalCategoriesLOV", status=403)
    (finding,) = worse(await world.tried("fusion"))
    assert finding.sentence.startswith("journalCategoriesLOV: journal category")
    assert "FUN_GET_ENTERPRISE_STRUCTURES_REST_SERVICE_PRIV" in finding.remedy


async def test_a_privilege_without_data_access_is_told_apart(world: World) -> None:
    await world.set_secrets()
    world.fusion.faults.set("no_data", path="ledgersLOV")
    found = worse(await world.tried("fusion"))
    assert any("no data access" in one.sentence for one in found)


async def test_a_missing_scope_is_named(world: World) -> None:
    await world.set_secrets()
    world.shops.faults.set("error", path="v2/orders/", status=403)
    world.shops.stores["us1abc"].shop.place(draft(Shape.ORDINARY, US_SHOP))
    found = [one for one in worse(await world.tried("bc-us")) if one.level is Level.MISTAKE]
    assert found
    assert all("store_v2_orders_read_only" in one.remedy for one in found)


async def test_a_clock_that_is_off_is_told_with_its_side(world: World) -> None:
    await world.set_secrets()
    world.shops.clock.advance(-100)
    found = worse(await world.tried("bc-us"))
    assert found[0].level is Level.WARNING
    assert "s ahead of theirs" in found[0].sentence
    world.shops.clock.advance(700)
    found = worse(await world.tried("bc-us"))
    assert found[0].level is Level.MISTAKE
    assert "behind theirs" in found[0].sentence


async def test_a_system_that_is_down_proves_nothing(world: World) -> None:
    await world.set_secrets()
    assert world.fusion.listener is not None
    world.fusion.listener.refuse()
    (finding,) = await world.tried("fusion")
    assert finding.level is Level.UNPROVED
    assert EXIT_CODES[worst([finding])] == 3
