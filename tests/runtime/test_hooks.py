"""`hooks register`, `hooks list` and `migrate`, typed against the shops' twin over HTTP."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from activities.orders.bigcommerce_shop import ORDER_SCOPES
from contracts.secret_names import ACCESS_TOKEN, WEBHOOK_HEADER
from runtime.cli import application
from runtime.configuring.configuration import load
from runtime.parts import open_store
from sandbox.bigcommerce import EU_SHOP, US_SHOP, BigCommerceTwin, StoreSettings
from sandbox.kit import serve
from store import KeyRing

DEMO = Path(__file__).parents[2] / "runtime" / "demo" / "connector.toml"
GATEWAY = "https://hooks.example.com"
SECRET = "canary-4711"

Typed = Callable[..., Awaitable[Result]]


class Shops:
    def __init__(self, twin: BigCommerceTwin, environment: dict[str, str], config: Path) -> None:
        self.twin = twin
        self.environment = environment
        self.config = config

    async def typed(self, *arguments: str) -> Result:
        """Runs a command line beside the twin, as another process would."""
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        runner = CliRunner(env={**self.environment, "COLUMNS": "200"})
        try:
            return await asyncio.to_thread(runner.invoke, application(), (*arguments, "--config", str(self.config)))
        finally:
            logging.captureWarnings(False)
            root.handlers[:] = handlers
            root.setLevel(level)
            structlog.reset_defaults()

    async def set_secrets(self, **values: str) -> None:
        ring = KeyRing.from_environment(self.environment)
        async with open_store(load(self.config, self.environment), ring, migrate=True) as store:
            for name in ("bc-us", "bc-eu"):
                for secret, value in values.items():
                    await store.secrets.put("acme", name, secret, value)

    def scopes(self, store_hash: str) -> dict[str, str]:
        """Scope -> destination of everything the store will announce."""
        return {
            hook.scope: hook.destination
            for hook in self.twin.stores[store_hash].subscriptions.every()
            if hook.is_active
        }


@pytest.fixture
async def shops(tmp_path: Path) -> AsyncIterator[Shops]:
    twin = BigCommerceTwin([StoreSettings(US_SHOP), StoreSettings(EU_SHOP)])
    async with serve(twin) as market:
        environment = {
            "MLC_STORE_URL": f"sqlite+aiosqlite:///{tmp_path}/store.db",
            "MLC_TEMPORAL": "127.0.0.1:1",
            "MLC_FUSION_URL": "http://127.0.0.1:1",
            "MLC_SHOP_URL": market.url,
            "ML_CONNECTOR_KEYS": KeyRing.generate().to_text(),
        }
        config = tmp_path / "connector.toml"
        config.write_text(DEMO.read_text())
        yield Shops(twin, environment, config)


async def test_every_shop_announces_its_orders_at_its_own_address(shops: Shops) -> None:
    await shops.set_secrets(**{ACCESS_TOKEN: "access-token"})
    told = await shops.typed("hooks", "register", "--url", f"{GATEWAY}/")
    assert told.exit_code == 0, told.output
    assert all(f"registered {scope}" in told.output for scope in ORDER_SCOPES)
    for store_hash, connection in (("us1abc", "bc-us"), ("eu2def", "bc-eu")):
        assert shops.scopes(store_hash) == dict.fromkeys(ORDER_SCOPES, f"{GATEWAY}/webhooks/acme/{connection}")

    again = await shops.typed("hooks", "register", "--url", GATEWAY)
    assert again.exit_code == 0
    assert "registered store" not in again.output
    assert again.output.count("nothing to do") == 2

    listed = await shops.typed("hooks", "list", "bc-us")
    assert listed.exit_code == 0
    assert listed.output.count(f"{GATEWAY}/webhooks/acme/bc-us") == len(ORDER_SCOPES)
    assert "bc-eu" not in listed.output


async def test_a_webhook_that_the_shop_switched_off_is_switched_on_again(shops: Shops) -> None:
    await shops.set_secrets(**{ACCESS_TOKEN: "access-token"})
    await shops.typed("hooks", "register", "bc-us", "--url", GATEWAY)
    hook = next(one for one in shops.twin.stores["us1abc"].subscriptions.every() if one.scope == "store/order/updated")
    hook.is_active, hook.deactivated = False, True
    assert "switched off" in (await shops.typed("hooks", "list", "bc-us")).output
    told = await shops.typed("hooks", "register", "bc-us", "--url", GATEWAY)
    assert told.exit_code == 0, told.output
    assert told.output.count("registered") == 1
    assert hook.is_active


async def test_the_secret_header_is_asked_for_where_deliveries_prove_themselves_by_it(shops: Shops) -> None:
    text = shops.config.read_text()
    own = 'store_hash = "us1abc"\n'
    shops.config.write_text(text.replace(own, own + 'webhooks = { method = "custom-header", header = "x-acme" }\n', 1))
    await shops.set_secrets(**{ACCESS_TOKEN: "access-token"})
    told = await shops.typed("hooks", "register", "--url", GATEWAY)
    assert told.exit_code == 1
    assert "ml-connector secrets set bc-us webhook_header" in f"{told.output} {told.exception}"
    assert shops.scopes("us1abc") == {}

    await shops.set_secrets(**{WEBHOOK_HEADER: SECRET})
    told = await shops.typed("hooks", "register", "--url", GATEWAY)
    assert told.exit_code == 0, told.output
    assert SECRET not in told.output
    subscriptions = shops.twin.stores["us1abc"].subscriptions.every()
    assert all(hook.headers == {"x-acme": SECRET} for hook in subscriptions)
    assert not any(hook.headers for hook in shops.twin.stores["eu2def"].subscriptions.every())


@pytest.mark.parametrize(
    "address",
    ["http://hooks.example.com", "https://hooks.example.com:8443", "hooks.example.com", "https://", "https://a:b"],
)
async def test_an_address_that_no_shop_would_deliver_to_is_refused(shops: Shops, address: str) -> None:
    told = await shops.typed("hooks", "register", "--url", address)
    assert told.exit_code == 2
    assert "https on port 443 only" in told.output


async def test_what_keeps_webhooks_from_being_registered_is_said(shops: Shops) -> None:
    told = await shops.typed("hooks", "register", "fusion", "--url", GATEWAY)
    assert told.exit_code == 2
    assert "fusion is not a shop" in told.output

    await shops.set_secrets(**{WEBHOOK_HEADER: SECRET})
    told = await shops.typed("hooks", "list")
    assert told.exit_code == 1
    assert "ml-connector secrets set bc-us access_token" in told.output

    await shops.set_secrets(**{ACCESS_TOKEN: "access-token"})
    assert "No webhook is registered" in (await shops.typed("hooks", "list")).output
    assert shops.twin.listener is not None
    shops.twin.listener.refuse()
    assert (await shops.typed("hooks", "register", "--url", GATEWAY)).exit_code == 3


async def test_tables_are_brought_up_to_date_once(shops: Shops) -> None:
    outdated = await shops.typed("secrets", "list")
    assert "Run `ml-connector migrate`" in f"{outdated.output} {outdated.exception}"
    first = await shops.typed("migrate")
    assert first.exit_code == 0, first.output
    assert "now those of this version" in first.output
    assert "up to date already" in (await shops.typed("migrate")).output
    assert (await shops.typed("secrets", "list")).exit_code == 0
