"""`hooks register`, `hooks list` and `migrate`, typed against the shops' twin over HTTP."""

import datetime as dt
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from support.typed import typed
from typer.testing import Result

from contracts.hooks import EXCEPTION_SCOPE, ORDER_SCOPES
from contracts.secret_names import ACCESS_TOKEN, WEBHOOK_HEADER
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

    async def typed(self, *arguments: str, columns: int = 200) -> Result:
        """Runs a command line beside the twin, as another process would, on a terminal of so many columns."""
        environment = {**self.environment, "COLUMNS": str(columns)}
        return await typed(environment, *arguments, "--config", str(self.config))

    async def set_secrets(self, **values: str) -> None:
        ring = KeyRing.from_environment(self.environment)
        async with open_store(load(self.config, self.environment), ring, migrate=True) as store:
            for name in ("bc-us", "bc-eu"):
                for secret, value in values.items():
                    await store.secrets.put("acme", name, secret, value)

    async def seen_earlier(self, span: dt.timedelta) -> None:
        """The store's clock seems to have moved on since the webhooks were looked at, and found wanting."""
        ring = KeyRing.from_environment(self.environment)
        async with open_store(load(self.config, self.environment), ring) as store:
            rows = [
                row.model_copy(
                    update={"checked_at": row.checked_at - span, "found_at": row.found_at and row.found_at - span}
                )
                for row in await store.hooks.of()
            ]
            await store.hooks.put(rows)

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
        address = f"{GATEWAY}/webhooks/acme/{connection}"
        orders = dict.fromkeys(ORDER_SCOPES, address)
        assert shops.scopes(store_hash) == {**orders, EXCEPTION_SCOPE: f"{address}/exceptions"}

    again = await shops.typed("hooks", "register", "--url", GATEWAY)
    assert again.exit_code == 0
    assert "registered store" not in again.output
    assert again.output.count("nothing to do") == 2

    listed = await shops.typed("hooks", "list", "bc-us")
    assert listed.exit_code == 0
    assert listed.output.count(f"{GATEWAY}/webhooks/acme/bc-us") == len(ORDER_SCOPES) + 1
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


async def test_where_the_gateway_is_has_to_be_said_once(shops: Shops) -> None:
    await shops.set_secrets(**{ACCESS_TOKEN: "access-token"})
    told = await shops.typed("hooks", "register", "bc-us")
    assert told.exit_code == 2
    assert "Say where bc-us is to deliver" in told.output
    assert (await shops.typed("hooks", "register", "bc-us", "--url", GATEWAY)).exit_code == 0
    assert "nothing to do" in (await shops.typed("hooks", "register", "bc-us")).output

    text = shops.config.read_text()
    own = 'store_hash = "us1abc"\n'
    shops.config.write_text(text.replace(own, own + f'hooks = {{ destination = "{GATEWAY}" }}\n', 1))
    assert "nothing to do" in (await shops.typed("hooks", "register", "bc-us")).output
    told = await shops.typed("hooks", "register", "bc-us", "--url", "https://elsewhere.example.com")
    assert told.exit_code == 2
    assert "as hooks.destination says" in told.output
    assert all(GATEWAY in address for address in shops.scopes("us1abc").values())


async def test_status_shows_what_was_found_and_what_is_still_to_be_read(shops: Shops) -> None:
    await shops.set_secrets(**{ACCESS_TOKEN: "access-token"})
    nothing = await shops.typed("hooks", "status")
    assert nothing.exit_code == 0
    assert nothing.output.count("no webhook has been registered from here") == 2

    await shops.typed("hooks", "register", "bc-us", "--url", GATEWAY)
    shops.twin.stores["us1abc"].subscriptions.deactivate("store/order/updated")
    await shops.typed("hooks", "register", "bc-us")
    shown = await shops.typed("hooks", "status", "bc-us")
    assert shown.exit_code == 0, shown.output
    assert "store/order/updated: healed" in shown.output
    assert "gap open since" in shown.output
    rows = json.loads((await shops.typed("hooks", "status", "bc-us", "--json")).output)
    assert {row["scope"] for row in rows} == {*ORDER_SCOPES, EXCEPTION_SCOPE}
    healed = next(row for row in rows if row["scope"] == "store/order/updated")
    assert healed["active"]
    assert healed["lost_at"]
    assert healed["healed_at"] > healed["gap_from"]
    assert healed["last_delivery"] is None
    stands = (await shops.typed("status")).output
    assert "Webhooks of bc-us: 6 deliver" in stands
    assert "1 did not and were healed" in stands
    assert "Webhooks of bc-eu: none is registered" in stands
    told = (await shops.typed("connections", "show", "bc-us")).output
    assert "webhook store/order/updated did not deliver" in told
    assert "webhook store/order/updated delivers again" in told


@pytest.mark.parametrize("columns", [80, 120])
async def test_status_is_read_on_terminals_of_any_width(shops: Shops, columns: int) -> None:
    await shops.set_secrets(**{ACCESS_TOKEN: "access-token"})
    await shops.typed("hooks", "register", "--url", GATEWAY)
    shops.twin.stores["us1abc"].subscriptions.deactivate("store/order/updated")
    shops.twin.stores["eu2def"].subscriptions.remove("store/order/refund/created")
    shops.twin.faults.set("error", method="POST", path="/eu2def/v3/hooks", status=422)
    await shops.typed("hooks", "register")
    shown = (await shops.typed("hooks", "status", columns=columns)).output
    lines = shown.splitlines()
    assert max(map(len, lines)) <= columns, shown
    tables = [line.split() for line in lines if line.lstrip().startswith("store/") and ":" not in line]
    assert len(tables) == 2 * (len(ORDER_SCOPES) + 1), "one line each, whole"
    assert {row[0] for row in tables} == {*ORDER_SCOPES, EXCEPTION_SCOPE}
    assert {"active", "missing"} == {word for row in tables for word in row} & {"active", "missing", "switched"}
    assert f"  {GATEWAY}/webhooks/acme/bc-us" in lines
    assert "store/order/refund/created: " in shown


async def test_a_shop_that_refuses_a_webhook_is_told(shops: Shops) -> None:
    await shops.set_secrets(**{ACCESS_TOKEN: "access-token"})
    shops.twin.faults.set("error", method="POST", path="/v3/hooks", status=422)
    told = await shops.typed("hooks", "register", "bc-us", "--url", GATEWAY)
    assert told.exit_code == 1, told.output
    assert "store/order/created:" in told.output
    status = await shops.typed("hooks", "status", "bc-us")
    assert status.exit_code == 1
    assert "missing" in status.output


async def test_webhooks_that_are_off_are_an_alarm_and_after_an_hour_a_failure(shops: Shops) -> None:
    await shops.set_secrets(**{ACCESS_TOKEN: "access-token"})
    await shops.typed("hooks", "register", "bc-us", "--url", GATEWAY)
    shops.twin.stores["us1abc"].subscriptions.remove("store/order/updated")
    shops.twin.faults.set("error", method="POST", path="/v3/hooks", status=403)
    assert (await shops.typed("hooks", "register", "bc-us")).exit_code == 1
    warned = await shops.typed("status")
    assert warned.exit_code == 0, "the next look may heal it"
    alarm, _, rest = warned.output.partition("\n")
    assert "bc-us" in alarm
    assert "1 of 6 webhooks does not deliver: store/order/updated (missing)" in alarm
    assert "ml-connector hooks status bc-us" in rest.partition("\n")[0]

    await shops.seen_earlier(dt.timedelta(minutes=61))
    failed = await shops.typed("status")
    assert failed.exit_code == 1
    assert re.search(r"For 1 h 0\d min; what they miss is found by poll meanwhile\.", failed.output)
    assert "Nobody could heal them." in failed.output
    assert (await shops.typed("status", "--json")).exit_code == 1

    shops.twin.faults.clear()
    await shops.typed("hooks", "register", "bc-us")
    healed = await shops.typed("status")
    assert (healed.exit_code, "not deliver:" in healed.output) == (0, False)
    await shops.seen_earlier(dt.timedelta(hours=25))
    unseen = await shops.typed("status")
    assert unseen.exit_code == 0
    assert "Nobody has looked after its webhooks for more than a day." in unseen.output
    assert "hooks-health:bc-us" in unseen.output


async def test_a_domain_that_is_blocked_is_an_alarm(shops: Shops) -> None:
    await shops.set_secrets(**{ACCESS_TOKEN: "access-token"})
    await shops.typed("hooks", "register", "bc-us", "--url", GATEWAY)
    shops.twin.stores["us1abc"].deliveries.block("hooks.example.com")
    await shops.typed("hooks", "register", "bc-us")
    told = (await shops.typed("status")).output
    assert "6 of 6 webhooks do not deliver: " in told.partition("\n")[0]
    await shops.seen_earlier(dt.timedelta(hours=2))
    assert (await shops.typed("status")).exit_code == 1


async def test_tables_are_brought_up_to_date_once(shops: Shops) -> None:
    outdated = await shops.typed("secrets", "list")
    assert "Run `ml-connector migrate`" in f"{outdated.output} {outdated.exception}"
    first = await shops.typed("migrate")
    assert first.exit_code == 0, first.output
    assert "now those of this version" in first.output
    assert "up to date already" in (await shops.typed("migrate")).output
    assert (await shops.typed("secrets", "list")).exit_code == 0
