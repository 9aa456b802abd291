"""`fusion get`, `fusion describe` and `fusion lookup`, typed against the pod's twin over HTTP."""

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from support.typed import typed
from support.widgets import NAME, widgets
from temporalio.client import Client
from typer.testing import Result

from contracts.secret_names import CLIENT_SECRET
from runtime.configuring.configuration import load
from runtime.observing.redaction import HIDDEN
from runtime.parts import open_parts, open_store
from sandbox.fusion import FusionTwin, demo_world
from sandbox.kit import serve
from store import KeyRing

DEMO = Path(__file__).parents[2] / "runtime" / "demo" / "connector.toml"
LEDGER = "US Primary Ledger"
ACCOUNT = "101-000-41000-0000"


class Pod:
    def __init__(self, twin: FusionTwin, environment: dict[str, str], config: Path) -> None:
        self.twin = twin
        self.environment = environment
        self.config = config

    async def typed(self, *arguments: str) -> Result:
        """Runs a command line beside the twin, as another process would."""
        environment = {**self.environment, "COLUMNS": "200"}
        return await typed(environment, "fusion", *arguments, "--config", str(self.config))

    async def rows(self, *arguments: str) -> Any:
        told = await self.typed(*arguments, "--json")
        assert told.exit_code == 0, told.output
        return json.loads(told.stdout)

    async def set_secret(self, value: str) -> None:
        ring = KeyRing.from_environment(self.environment)
        async with open_store(load(self.config, self.environment), ring, migrate=True) as store:
            await store.secrets.put("acme", "fusion", CLIENT_SECRET, value)


@pytest.fixture
async def pod(tmp_path: Path) -> AsyncIterator[Pod]:
    twin = FusionTwin(demo_world())
    async with serve(twin) as listener:
        environment = {
            "MLC_STORE_URL": f"sqlite+aiosqlite:///{tmp_path}/store.db",
            "MLC_TEMPORAL": "127.0.0.1:1",
            "MLC_FUSION_URL": listener.url,
            "MLC_SHOP_URL": "http://127.0.0.1:1",
            "ML_CONNECTOR_KEYS": KeyRing.generate().to_text(),
        }
        config = tmp_path / "connector.toml"
        config.write_text(DEMO.read_text())
        pod = Pod(twin, environment, config)
        await pod.set_secret(twin.world.credentials.client_secret)
        yield pod


async def test_rows_are_shown_as_a_table_as_json_and_as_csv(pod: Pod) -> None:
    table = await pod.typed("get", "ledgersLOV", "--q", "CurrencyCode='EUR'", "--fields", "LedgerId,Name")
    assert table.exit_code == 0, table.output
    assert "EU Primary Ledger" in table.stdout
    assert LEDGER not in table.stdout
    rows = await pod.rows("get", "ledgersLOV", "--fields", "LedgerId,Name")
    assert {"LedgerId": 300000046975971, "Name": LEDGER} in rows
    lines = (await pod.typed("get", "ledgersLOV", "--csv", "--fields", "Name,LedgerId")).stdout
    assert [row["Name"] for row in csv.DictReader(io.StringIO(lines))] == [row["Name"] for row in rows]
    both = await pod.typed("get", "ledgersLOV", "--csv", "--json")
    assert both.exit_code == 2


async def test_a_limit_goes_over_pages_and_more_rows_are_announced_beside_the_answer(pod: Pod) -> None:
    widgets(pod.twin, 1100)
    told = await pod.typed("get", NAME, "--limit", "1050", "--order-by", "WidgetId:asc", "--json")
    assert len({row["Number"] for row in json.loads(told.stdout)}) == 1050
    assert "There are more than these 1050 rows" in told.stderr
    assert len(await pod.rows("get", NAME)) == 25


async def test_one_item_by_its_key_with_its_children(pod: Pod) -> None:
    records = widgets(pod.twin, 2)
    records.children[0].add(records.rows[1], Code="BOLT", Quantity=4)
    key = str(records.rows[1].values["WidgetId"])
    shown = await pod.typed("get", NAME, key, "--expand", "parts")
    assert shown.exit_code == 0, shown.output
    assert "Widget 1" in shown.stdout
    assert "BOLT" in shown.stdout
    item = await pod.rows("get", NAME, key, "--expand", "parts")
    assert item["parts"]["items"][0]["Code"] == "BOLT"
    assert "links" not in item
    (part,) = await pod.rows("get", f"{NAME}/{key}/child/parts")
    assert part["Quantity"] == 4


async def test_finders_work_and_a_question_in_the_wrong_dialect_is_told_in_the_pods_words(pod: Pod) -> None:
    today = pod.twin.clock.now().date()
    finder = (
        "CurrencyRatesFinder;fromCurrency=EUR,toCurrency=USD,userConversionType=Corporate,"
        f"startDate={today},endDate={today}"
    )
    (rate,) = await pod.rows("get", "currencyRates", "--finder", finder)
    assert rate["ConversionRate"] == "1.0832"
    wrong = await pod.typed("get", "ledgersLOV", "--q", "Name=1;LedgerId=2")
    assert wrong.exit_code == 1
    assert "a semicolon is not expected" in wrong.stderr


@pytest.mark.parametrize("form", ["", "--json", "--csv"])
async def test_what_tells_of_a_person_is_hidden_in_every_form(pod: Pod, form: str) -> None:
    records = widgets(pod.twin, 1)
    records.rows[0].values["CreatedBy"] = "ada.lovelace"
    told = await pod.typed("get", NAME, *filter(None, (form,)), "--fields", "Number,CreatedBy")
    assert told.exit_code == 0, told.output
    assert "ada.lovelace" not in told.output
    assert HIDDEN in told.stdout
    assert "CreatedBy" in told.stderr


async def test_the_secret_is_never_shown_even_where_the_pod_repeats_it(pod: Pod) -> None:
    secret = pod.twin.world.credentials.client_secret
    records = widgets(pod.twin, 1)
    records.rows[0].values["Title"] = f"key {secret}"
    told = await pod.typed("get", NAME, "--json")
    assert told.exit_code == 0
    assert secret not in told.output


async def test_a_resource_describes_itself(pod: Pod) -> None:
    widgets(pod.twin, 1)
    shown = await pod.typed("describe", NAME)
    assert shown.exit_code == 0, shown.output
    assert "Number" in shown.stdout
    assert "children parts" in shown.stdout
    described = await pod.rows("describe", NAME)
    facts = {one["name"]: one for one in described["attributes"]}
    assert facts["Number"] == {
        "name": "Number",
        "type": "string",
        "length": 12,
        "mandatory": True,
        "updatable": False,
        "queryable": True,
        "title": "",
    }
    assert not facts["Status"]["queryable"]
    assert described["actions"] == ["get", "create"]
    child = await pod.rows("describe", NAME, "--child", "parts")
    assert "Code" in {one["name"] for one in child["attributes"]}
    wrong = await pod.typed("describe", NAME, "--child", "party")
    assert (wrong.exit_code, "Children are: parts." in wrong.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("ledger", LEDGER), "300000046975971"),
        (("source", "ML Connector"), "300000081234567"),
        (("category", "Web Sales"), "Web Sales"),
        (("business-unit", "US Web Sales"), "300000046987012"),
        (("account", ACCOUNT, "--ledger", LEDGER), "It can be posted to on"),
        (("period", "--ledger", LEDGER), "future"),
        (("value", "110", "--set", "Operations costCenter"), "Web shop US"),
        (("value", "--set", "Operations costCenter"), "No cost centre"),
    ],
)
async def test_names_that_flows_need_are_looked_up(pod: Pod, arguments: tuple[str, ...], shown: str) -> None:
    told = await pod.typed("lookup", *arguments)
    assert told.exit_code == 0, told.output
    assert shown in told.output


async def test_a_period_is_found_by_a_day_and_belongs_to_an_application(pod: Pod) -> None:
    today = pod.twin.clock.now().date()
    before = (today.replace(day=1)).fromordinal(today.replace(day=1).toordinal() - 1)
    asked = ("lookup", "period", "--ledger", LEDGER, "--on", before.isoformat())
    ledger, receivables = await pod.rows(*asked), await pod.rows(*asked, "--application", "ar")
    assert {row["status"] for row in ledger} == {"open"}
    assert {row["status"] for row in receivables} == {"closed"}


async def test_what_a_command_learnt_of_a_resource_the_next_process_knows(pod: Pod) -> None:
    pod.twin.items.seed(1)
    for _ in range(2):
        assert await pod.rows("lookup", "item", "SKU-00000")
    ring = KeyRing.from_environment(pod.environment)
    configuration = load(pod.config, pod.environment)
    async with open_parts(configuration, ring, temporal=cast(Client, object())) as parts:
        assert (await parts.fusions["fusion"].descriptions.known("itemsV2")).described
    assert len(pod.twin.calls.matching("GET", "itemsV2/describe")) == 1


async def test_an_item_shows_its_categories_and_a_wrong_number_says_whether_there_are_others(pod: Pod) -> None:
    none = await pod.typed("lookup", "item", "SHIRT-1")
    assert none.exit_code == 1
    assert "role or data access" in none.output
    item = pod.twin.items.add(ItemNumber="SHIRT-1", ItemDescription="Shirt", OrganizationCode="ITM")
    pod.twin.items.categorize(item, "APPAREL", "Apparel")
    (row,) = await pod.rows("lookup", "item", "SHIRT-1")
    assert (row["number"], row["description"]) == ("SHIRT-1", "Shirt")
    assert row["categories"] == [{"catalog": "Web Shop", "code": "APPAREL", "name": "Apparel"}]
    assert "none fits the question" in (await pod.typed("lookup", "item", "SHIRT-2")).output


@pytest.mark.parametrize("form", ["", "--json", "--csv"])
async def test_an_item_does_not_say_who_changed_it(pod: Pod, form: str) -> None:
    item = pod.twin.items.add(ItemNumber="SHIRT-1", ItemDescription="Shirt", OrganizationCode="ITM")
    item.values["LastUpdatedBy"] = "ada.lovelace"
    told = await pod.typed("lookup", "item", "SHIRT-1", *filter(None, (form,)))
    assert told.exit_code == 0, told.output
    assert "Shirt" in told.stdout
    assert "ada.lovelace" not in told.output


async def test_a_customer_account_shows_its_sites(pod: Pod) -> None:
    customer = next(each for each in pod.twin.world.receivables.customers if each.enabled)
    rows = await pod.rows("lookup", "customer", customer.number)
    assert {row["AccountNumber"] for row in rows} == {customer.number}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ledger", "US primary ledgr"), f"There is: {LEDGER}"),
        (("source", "ML Conector"), "There is: ML Connector"),
        (("value", "111", "--set", "Operations costCenter"), 'There is no value "111"'),
        (("value", "110", "--set", "Operations CostCentre"), "There is: Operations costCenter"),
        (("account", "101-000-99999-0000", "--ledger", LEDGER), "does not exist"),
        (("account", "101-41000", "--ledger", LEDGER), "has 2 segments"),
        (("customer", "no-such"), "none fits the question"),
    ],
)
async def test_a_wrong_name_says_what_is_near_or_why_there_is_none(
    pod: Pod, arguments: tuple[str, ...], said: str
) -> None:
    told = await pod.typed("lookup", *arguments)
    assert told.exit_code == 1, told.output
    assert said in told.output


async def test_an_account_that_is_shut_is_found_and_says_so(pod: Pod) -> None:
    pod.twin.set_account(ACCOUNT, enabled=False)
    told = await pod.typed("lookup", "account", ACCOUNT, "--ledger", LEDGER)
    assert told.exit_code == 0
    assert "disabled" in told.output or "not enabled" in told.output


async def test_an_empty_answer_says_whether_that_proves_anything(pod: Pod) -> None:
    widgets(pod.twin)
    nothing = await pod.typed("get", NAME, "--json")
    assert (nothing.exit_code, json.loads(nothing.stdout)) == (0, [])
    assert "a role or data access is missing" in nothing.stderr
    pod.twin.faults.set("no_data", path="ledgersLOV")
    hidden = await pod.typed("lookup", "ledger", LEDGER)
    assert hidden.exit_code == 1
    assert "no data access" in hidden.output


async def test_a_mistyped_resource_gets_the_names_that_are_near(pod: Pod) -> None:
    told = await pod.typed("get", "receivableInvoice")
    assert told.exit_code == 1
    assert "receivablesInvoices" in told.stderr
    widgets(pod.twin)
    assert f"meant: {NAME}" in (await pod.typed("describe", "wigets")).stderr, "from the pod's own list"
    key = await pod.typed("get", "ledgersLOV", "1")
    assert key.exit_code == 1
    assert "Keys may be opaque" in key.stderr


async def test_a_missing_role_a_refused_secret_and_an_outage_say_what_to_do(pod: Pod) -> None:
    pod.twin.faults.set("no_privilege", path="ledgersLOV")
    role = await pod.typed("get", "ledgersLOV")
    assert role.exit_code == 1
    assert "FUN_GET_ENTERPRISE_STRUCTURES_REST_SERVICE_PRIV" in role.stderr
    pod.twin.faults.clear()
    pod.twin.faults.set("outage", path="fscmRestApi")
    assert (await pod.typed("get", "ledgersLOV")).exit_code == 3
    pod.twin.faults.clear()
    await pod.set_secret("another-secret")
    refused = await pod.typed("get", "ledgersLOV")
    assert refused.exit_code == 1
    assert "connections test fusion" in refused.stderr
    assert "another-secret" not in refused.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("get", "../crmRestApi"), "is not a resource"),
        (("get", "ledgersLOV?q=1"), "is not a resource"),
        (("get", "ledgersLOV", "--connection", "bc-us"), "is not an Oracle Fusion pod"),
        (("get", "ledgersLOV", "--connection", "nowhere"), "There is no connection"),
        (("lookup", "account", ACCOUNT), "--ledger"),
        (("lookup", "value", "110"), "--set"),
        (("lookup", "customer"), "which customer"),
        (("lookup", "period", "--ledger", LEDGER, "--application", "hr"), "gl or ar"),
    ],
)
async def test_wrong_use_is_told_before_anything_is_asked(pod: Pod, arguments: tuple[str, ...], said: str) -> None:
    told = await pod.typed(*arguments)
    assert told.exit_code == 2, told.output
    assert said in told.stderr
    assert not pod.twin.calls.total
