from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from contracts.configuration import BigCommerceConnection, Configuration
from runtime.configuring.configuration import default_path, load, read
from runtime.configuring.item_agreement import items_agree
from runtime.configuring.mistakes import ConfigurationErrors, Mistake

Write = Callable[..., Path]


def mistakes(path: Path, environment: dict[str, str] | None = None) -> tuple[Mistake, ...]:
    with pytest.raises(ConfigurationErrors) as refused:
        load(path, environment or {})
    return refused.value.mistakes


def the_mistake(path: Path, environment: dict[str, str] | None = None) -> Mistake:
    found = mistakes(path, environment)
    assert len(found) == 1, [str(one) for one in found]
    return found[0]


def line_of(path: Path, text: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_a_right_configuration_loads(written: Write) -> None:
    configuration = load(written(), {})
    assert isinstance(configuration, Configuration)
    assert configuration.integration("us").posting.rounding_limit == Decimal("0.05")


def test_the_file_is_named_by_the_environment_or_lies_in_the_working_directory() -> None:
    assert default_path({"ML_CONNECTOR_CONFIG": "/etc/c.toml"}) == Path("/etc/c.toml")
    assert default_path({}) == Path("connector.toml")


def test_a_missing_file_says_how_to_name_it(tmp_path: Path) -> None:
    assert "--config" in the_mistake(tmp_path / "absent.toml").remedy


def test_broken_toml_is_reported_with_its_line(written: Write) -> None:
    path = written(('store_hash = "abc123"', 'store_hash = "abc123'))
    assert the_mistake(path).line == line_of(path, "store_hash")


def test_a_misspelt_setting_is_reported_with_line_and_the_likely_name(written: Write) -> None:
    path = written(('journal_category = "Sales"', 'journal_category = "Sales"\nconversion_typ = "Corporate"'))
    mistake = the_mistake(path)
    assert mistake.line == line_of(path, "conversion_typ")
    assert mistake.remedy == 'Did you mean "conversion_type"?'


def test_a_missing_setting_is_reported_where_it_should_stand(written: Write) -> None:
    path = written(('client_id = "connector"\n', ""))
    mistake = the_mistake(path)
    assert mistake.sentence == "connections[1].oauth.client_id is missing."
    assert mistake.line == line_of(path, "[connections.oauth]")


def test_all_mistakes_are_listed_at_once(written: Write) -> None:
    path = written(
        ('currency = "USD"', 'currency = "usd"'),
        ('system = "bigcommerce"', 'system = "shopify"'),
        ("version = 1\n", ""),
    )
    found = mistakes(path)
    assert [one.line for one in found] == [
        line_of(path, "shopify") - 1,
        line_of(path, 'currency = "usd"'),
        line_of(path, "[[mapping_sets]]"),
    ]
    assert "ISO 4217" in found[1].remedy


def test_a_channel_id_without_quotes_says_to_quote_it(written: Write) -> None:
    path = written(('channels = [{ id = "1"', "channels = [{ id = 1"))
    assert the_mistake(path).remedy == 'Write it as text, in quotes: "1".'


def test_values_come_from_the_environment_where_the_file_says_so(written: Write) -> None:
    path = written(more='[store]\nurl = "postgresql+asyncpg://mlc:${DB_PASSWORD}@${DB_HOST:-db}/mlc"\n')
    assert load(path, {"DB_PASSWORD": "s3"}).store.url == "postgresql+asyncpg://mlc:s3@db/mlc"
    mistake = the_mistake(path, {})
    assert "DB_PASSWORD, which is not set" in mistake.sentence
    assert mistake.line == line_of(path, "postgresql")


def test_a_test_shop_on_a_production_pod_is_refused_whatever_is_allowed(written: Write) -> None:
    path = written(
        ('environment = "test"', 'environment = "production"'),
        ('environment = "test"\nbase_url', 'environment = "production"\nbase_url'),
        ("cut_over = 2026-03-01", "cut_over = 2026-03-01\nallow_cross_environment = true"),
    )
    mistake = the_mistake(path)
    assert "would post the test shop bc-us to production pod fusion-test" in mistake.sentence
    assert mistake.line == line_of(path, "[[integrations]]")


def test_a_production_shop_on_a_test_pod_needs_a_word(written: Write) -> None:
    shop = ('environment = "test"\nstore_hash', 'environment = "production"\nstore_hash')
    assert "allow_cross_environment" in the_mistake(written(shop)).remedy
    rehearsal = ("cut_over = 2026-03-01", "cut_over = 2026-03-01\nallow_cross_environment = true")
    load(written(shop, rehearsal), {})


def test_a_test_installation_does_not_touch_a_production_pod(written: Write) -> None:
    path = written(
        ('environment = "test"\nbase_url', 'environment = "production"\nbase_url'),
        ('environment = "test"\nstore_hash', 'environment = "production"\nstore_hash'),
    )
    assert "This is a test installation" in the_mistake(path).sentence


def test_production_credentials_never_travel_unencrypted(written: Write) -> None:
    path = written(
        ('environment = "test"', 'environment = "production"'),
        ('environment = "test"\nbase_url = "https', 'environment = "production"\nbase_url = "http'),
        ('environment = "test"\nstore_hash', 'environment = "production"\nstore_hash'),
    )
    assert the_mistake(path).line == line_of(path, 'base_url = "http:')


def test_references_name_what_exists(written: Write) -> None:
    path = written(('mapping_set = "retail"', 'mapping_set = "retial"'), ('source = "bc-us"', 'source = "fusion-test"'))
    sentences = [one.sentence for one in mistakes(path)]
    assert sentences == ['There is no shop connection "fusion-test".', 'There is no mapping set "retial".']


def test_tenants_do_not_share_connections(written: Write) -> None:
    path = written(
        ('id = "bc-us"\ntenant = "acme"', 'id = "bc-us"\ntenant = "other"'), more='[[tenants]]\nid = "other"\n'
    )
    assert "of tenant other" in the_mistake(path).sentence


SECOND_SHOP = """
[[connections]]
system = "bigcommerce"
id = "bc-two"
tenant = "acme"
environment = "test"
store_hash = "abc123"
"""

SECOND_INTEGRATION = """
[[integrations]]
id = "us-too"
tenant = "acme"
fusion = "fusion-test"
source = "bc-us"
mapping_set = "retail"
cut_over = 2026-03-01
channels = [{ id = "1" }]
[[integrations.books]]
channel = "1"
currency = "USD"
ledger = "US Primary"
data_access_set = "US Primary"
journal_source = "Spreadsheet"
journal_category = "Sales"
balancing_segment = "101"
business_unit = "US Retail"
[integrations.posting]
"""


def test_two_revenue_owners_of_one_channel_are_refused(written: Write) -> None:
    mistake = the_mistake(written(more=SECOND_INTEGRATION))
    assert "two revenue owners" in mistake.sentence
    mistake = the_mistake(written(('name = "Storefront" }', 'name = "Storefront" }, { id = "1" }')))
    assert "names two revenue owners" in mistake.sentence


def test_one_store_behind_two_connections_is_refused(written: Write) -> None:
    assert "the same store" in the_mistake(written(more=SECOND_SHOP)).sentence


def test_every_channel_has_books_and_all_books_have_a_channel(written: Write) -> None:
    path = written(('[[integrations.books]]\nchannel = "1"', '[[integrations.books]]\nchannel = "2"'))
    sentences = [one.sentence for one in mistakes(path)]
    assert sentences == [
        "Channel 1 of integration us has no books.",
        "These books are for channel 2, which integration us does not have.",
    ]


def test_journals_that_are_imported_together_agree_on_how(written: Write) -> None:
    other = SECOND_INTEGRATION.replace('source = "bc-us"', 'source = "bc-two"').replace(
        'data_access_set = "US Primary"', 'data_access_set = "Other"'
    )
    shop = SECOND_SHOP.replace("abc123", "xyz789")
    path = written(more=shop + other + "[integrations.imports]\nflush_after = 10\n")
    found = mistakes(path)
    assert ["data access set" in one.remedy for one in found] == [True, False]
    assert "different import policies" in found[1].sentence


def test_accounts_have_every_segment_of_the_chart(written: Write) -> None:
    path = written(("*-10-41000", "*-41000"))
    mistake = the_mistake(path)
    assert 'Account "*-41000" has 2 segments' in mistake.sentence
    assert mistake.line == line_of(path, "*-41000")


def test_a_rule_books_only_to_legal_entities_of_the_books(written: Write) -> None:
    path = written(("*-10-41000", "102-10-41000"))
    assert "102, which no books name" in the_mistake(path).sentence


def test_rules_from_a_table_are_appended_and_keep_their_place(written: Write, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("id,purpose,account\nfreight,shipping,*-20-42000\ntax-ny,tax,*-00-25000\n")
    path = written(("version = 1", 'version = 1\nrules_csv = ["more.csv"]'))
    file = read(path, {})
    assert [rule.id for rule in file.configuration.mapping_set("retail").rules] == [
        "shirts",
        "clearing",
        "freight",
        "tax-ny",
    ]
    assert file.place("mapping_sets", 0, "rules", 3) == (str(tmp_path / "more.csv"), 3)
    assert file.place("mapping_sets", 0, "rules", 0, "account") == (str(path), line_of(path, "41000"))


def test_mistakes_in_a_rule_table_name_its_line(written: Write, tmp_path: Path) -> None:
    table = tmp_path / "more.csv"
    table.write_text("id,purpose,account\nfreight,shiping,*-20-42000\nclearing,clearing,*-1\n")
    found = mistakes(written(("version = 1", 'version = 1\nrules_csv = ["more.csv", "absent.csv"]')))
    assert {(Path(one.file).name, one.line) for one in found} >= {("more.csv", 2), ("more.csv", 3)}
    assert any("absent.csv cannot be read" in one.sentence for one in found)


def test_schedules_and_job_parameters_are_understood(written: Write) -> None:
    path = written(
        (
            "[integrations.posting]",
            '[integrations.poll]\ncron = "often"\ntimezone = "Mars/Base"\n'
            '[integrations.loss_count]\ncron = "seldom"\n[integrations.posting]',
        ),
        (
            '[[connections]]\nsystem = "bigcommerce"',
            '[connections.journal_import]\nparameters = "{ledger}"\n\n[[connections]]\nsystem = "bigcommerce"',
        ),
    )
    sentences = [one.sentence for one in mistakes(path)]
    assert sentences == [
        "parameters has a placeholder that is not known: ledger.",
        '"often" is not a cron schedule.',
        '"Mars/Base" is not a time zone.',
        '"seldom" is not a cron schedule.',
    ]


def test_webhooks_are_looked_after_where_shops_deliver_and_at_times_that_exist(written: Write) -> None:
    shop = '[[connections]]\nsystem = "bigcommerce"'
    often = mistakes(written((shop, f'{shop}\nhooks = {{ check_cron = "often" }}')))
    assert [one.sentence for one in often] == ['"often" is not a cron schedule.']
    for address in ("http://hooks.example.com", "https://hooks.example.com:8443", "https://me@hooks.example.com"):
        assert mistakes(written((shop, f'{shop}\nhooks = {{ destination = "{address}" }}')))
    good = written((shop, f'{shop}\nhooks = {{ destination = "https://hooks.example.com/" }}'))
    shops = [one for one in load(good, {}).connections if isinstance(one, BigCommerceConnection)]
    assert [one.hooks.destination for one in shops] == ["https://hooks.example.com"]


def test_items_are_kept_equal_where_it_is_said_of_which_organization_and_who_owns_what(written: Write) -> None:
    kept = "[integrations.items]\nenabled = true\n"
    organized = ('id = "fusion-test"', 'id = "fusion-test"\nitems = { organization = "ITM" }')
    plain = load(written(("[integrations.posting]", f"{kept}[integrations.posting]"), organized), {})
    assert plain.integrations[0].items.owner_of() == {"name": "fusion"}
    bare = the_mistake(written(("[integrations.posting]", f"{kept}[integrations.posting]")))
    assert "does not say of which organization" in bare.sentence
    unmade = f'{kept}new_products = "create"\n[integrations.posting]'
    assert "may not make any" in the_mistake(written(("[integrations.posting]", unmade), organized)).sentence
    often = f'{kept}cron = "often"\n[integrations.posting]'
    assert '"often" is not a cron' in the_mistake(written(("[integrations.posting]", often), organized)).sentence
    priced = f'{kept}owners = {{ price = "shop" }}\n[integrations.posting]'
    assert "nobody asked" in the_mistake(written(("[integrations.posting]", priced), organized)).sentence
    stocked = f"{kept}stock = true\n[integrations.posting]"
    assert "attributes.stock" in the_mistake(written(("[integrations.posting]", stocked), organized)).sentence


def test_a_field_of_an_item_belongs_to_one_shop_of_a_pod(written: Write) -> None:
    kept = '[integrations.items]\nenabled = true\nowners = { name = "fusion", description = "shop" }\n'
    organized = ('id = "fusion-test"', 'id = "fusion-test"\nitems = { organization = "ITM" }')
    one = load(written(("[integrations.posting]", f"{kept}[integrations.posting]"), organized), {})
    first = one.integrations[0]
    second = first.model_copy(update={"id": "another", "source": "bc-another"})
    (found,) = items_agree(one.model_copy(update={"integrations": (first, second)}))
    assert found.path == ("integrations", 1, "items", "owners")
    assert f"{first.source} and bc-another both own description" in found.sentence
    given_up = second.items.model_copy(update={"owners": {"description": "fusion"}})
    agreeing = second.model_copy(update={"items": given_up})
    assert list(items_agree(one.model_copy(update={"integrations": (first, agreeing)}))) == []
    elsewhere = second.model_copy(update={"fusion": "another-pod"})
    assert list(items_agree(one.model_copy(update={"integrations": (first, elsewhere)}))) == []


RECEIVABLE = """
[integrations.books.receivable]
transaction_source = "Web Shop"
transaction_type = "Invoice"
customer_account = "WEB-US"
"""
BILLED = ('name = "Storefront"', 'name = "Storefront", target = "receivable"')
AFTER_BOOKS = "[integrations.posting]"


def with_receivable(settings: str = "") -> tuple[str, str]:
    return (AFTER_BOOKS, f"{RECEIVABLE}{settings}\n{AFTER_BOOKS}")


def test_a_channel_is_billed_in_receivables_when_its_books_say_how(written: Write) -> None:
    books = load(written(BILLED, with_receivable()), {}).integrations[0].books[0]
    assert books.receivable is not None
    assert (books.receivable.reference_home, books.receivable.tax) == ("transaction_number", "manual_lines")
    path = written(BILLED)
    mistake = the_mistake(path)
    assert mistake.line == line_of(path, "[[integrations.books]]")
    assert "[integrations.books.receivable]" in mistake.remedy


def test_every_currency_of_a_billed_channel_says_how(written: Write) -> None:
    second = (
        '[[integrations.books]]\nchannel = "1"\ncurrency = "CAD"\nledger = "US Primary"\n'
        'data_access_set = "US Primary"\njournal_source = "Spreadsheet"\njournal_category = "Sales"\n'
        'balancing_segment = "101"\nbusiness_unit = "US Retail"\nconversion_type = "Corporate"\n\n[[mapping_sets]]'
    )
    mistake = the_mistake(written(BILLED, with_receivable(), ("[[mapping_sets]]", second)))
    assert "its books for CAD do not say how" in mistake.sentence


def test_a_customer_account_without_the_target_would_be_ignored_and_is_refused(written: Write) -> None:
    path = written(with_receivable())
    mistake = the_mistake(path)
    assert mistake.line == line_of(path, "[integrations.books.receivable]")
    assert "orders of channel 1 become journals" in mistake.sentence


def test_fusions_tax_lines_need_fusions_names(written: Write) -> None:
    path = written(BILLED, with_receivable('tax = "tax_lines"\n'))
    assert (the_mistake(path).line, "tax_codes" in the_mistake(path).remedy) == (line_of(path, "tax_lines"), True)
    code = '\n[integrations.books.receivable.tax_codes]\n"State Tax" = { regime = "US", rate_code = "STD" }\n'
    load(written(BILLED, with_receivable('tax = "tax_lines"\n' + code)), {})
    assert "sent as invoice lines" in the_mistake(written(BILLED, with_receivable(code))).sentence
    twice = code + '"state tax " = { regime = "US", rate_code = "STD" }\n'
    assert "named twice" in the_mistake(written(BILLED, with_receivable('tax = "tax_lines"\n' + twice))).sentence


def test_a_source_has_one_kind_of_numbering(written: Write) -> None:
    second = (
        '[[integrations.books]]\nchannel = "1"\ncurrency = "CAD"\nledger = "US Primary"\n'
        'data_access_set = "US Primary"\njournal_source = "Spreadsheet"\njournal_category = "Sales"\n'
        'balancing_segment = "101"\nbusiness_unit = "US Retail"\nconversion_type = "Corporate"\n'
        f'{RECEIVABLE}reference_home = "cross_reference"\n\n[[mapping_sets]]'
    )
    path = written(BILLED, with_receivable(), ("[[mapping_sets]]", second))
    mistake = the_mistake(path)
    assert mistake.line == line_of(path, "cross_reference")
    assert "keeps references as transaction_number and as cross_reference" in mistake.sentence


def test_a_flexfield_is_named_as_rest_names_it(written: Write) -> None:
    home = 'reference_home = "line_flexfield"\n'
    load(written(BILLED, with_receivable(home + 'flexfield_attribute = "connectorReference"\n')), {})
    wrong = written(BILLED, with_receivable(home + 'flexfield_attribute = "Connector Reference"\n'))
    assert the_mistake(wrong).line == line_of(wrong, "Connector Reference")
    assert "context" in the_mistake(written(BILLED, with_receivable(home + 'flexfield_context = " "\n'))).sentence


def test_a_user_rate_is_refused_for_invoices(written: Write) -> None:
    path = written(BILLED, with_receivable(), ('currency = "USD"', 'currency = "USD"\nconversion_type = "User"'))
    assert "needs a rate with every invoice" in the_mistake(path).sentence


def test_billed_channels_need_not_agree_on_how_journals_are_imported(written: Write) -> None:
    second = (
        '[[integrations.books]]\nchannel = "1"\ncurrency = "CAD"\nledger = "US Primary"\n'
        'data_access_set = "Another"\njournal_source = "Spreadsheet"\njournal_category = "Sales"\n'
        'balancing_segment = "101"\nbusiness_unit = "US Retail"\nconversion_type = "Corporate"\n'
        f"{RECEIVABLE}\n[[mapping_sets]]"
    )
    load(written(BILLED, with_receivable(), ("[[mapping_sets]]", second)), {})


def test_customers_that_are_kept_equal_have_groups_and_sites_with_sets(written: Write) -> None:
    path = written(
        ("[integrations.posting]", "[integrations.customers]\nenabled = true\n[integrations.posting]"),
        (
            '[[connections]]\nsystem = "bigcommerce"',
            '[connections.customers]\nreference_sets = { "Elsewhere" = 3 }\n\n[[connections]]\nsystem = "bigcommerce"',
        ),
    )
    no_group, no_set = mistakes(path)
    assert "no customer group is named" in no_group.sentence
    assert no_set.remedy == "Add its id to customers.reference_sets of the connection."
    assert no_set.line == line_of(path, "[integrations.customers]")


def test_one_attribute_of_the_shop_cannot_show_two_things(written: Write) -> None:
    kept = '[integrations.customers]\ngroups = ["2"]\nnumber_attribute = "ERP"\nstatus_attribute = "ERP"\n'
    path = written(("[integrations.posting]", f"{kept}[integrations.posting]"))
    assert "name the same attribute" in the_mistake(path).sentence


def test_compared_segments_are_those_of_the_rules_and_have_a_value_set(written: Write) -> None:
    asked = '[integrations.alignment]\ncron = "sometimes"\nsegments = { nothing = "X", company = "" }\n'
    path = written(("[integrations.posting]", f"{asked}[integrations.posting]"))
    sentences = [one.sentence for one in mistakes(path)]
    assert '"sometimes" is not a cron schedule.' in sentences
    assert any("has no segment nothing" in one for one in sentences)
