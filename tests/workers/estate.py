"""A large installation: many tenants, each with a pod and its shops, served by the same twins."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from support.stack import DEMO_CONFIGURATION

from sandbox.bigcommerce import US_SHOP, StoreSettings

TENANTS: Final = 30
SHOPS: Final = 9
"""Of each tenant."""

_HEAD: Final = """
environment = "test"

[store]
url = "${MLC_STORE_URL}"

[temporal]
address = "${MLC_TEMPORAL}"
"""
_TENANT: Final = """
[[tenants]]
id = "{tenant}"

[[connections]]
id = "{tenant}-fusion"
system = "oracle_fusion"
tenant = "{tenant}"
environment = "test"
base_url = "${{MLC_FUSION_URL}}"
settle = 2.0

[connections.oauth]
token_url = "${{MLC_FUSION_URL}}/oauth2/v1/token"
client_id = "connector"
scope = "urn:opc:resource:fa:instanceid=1000001urn:opc:resource:consumer::all"

[connections.journal_import]
job_options = "InterfaceDetails=15,ImportOption=Y,PurgeOption=N,ExtractFileType=ALL"
status_interval = 0.5
"""
_SHOP: Final = """
[[connections]]
id = "{shop}"
system = "bigcommerce"
tenant = "{tenant}"
environment = "test"
base_url = "${{MLC_SHOP_URL}}"
store_hash = "{store_hash}"
hooks = {{ check_cron = "0 4 1 1 *" }}

[[integrations]]
id = "{shop}"
tenant = "{tenant}"
fusion = "{tenant}-fusion"
source = "{shop}"
mapping_set = "retail"
cut_over = 2026-01-01
channels = [{{ id = "1" }}]

[[integrations.books]]
channel = "1"
currency = "USD"
ledger = "US Primary Ledger"
data_access_set = "US Primary Ledger"
journal_source = "ML Connector"
journal_category = "Web Sales"
balancing_segment = "101"
business_unit = "US Web Sales"

[integrations.imports]
flush_after = 2.0
quiet_period = 0.1

[integrations.poll]
cron = "0 4 1 1 *"
sweep_cron = "0 5 1 1 *"
jitter = 0.0

[integrations.loss_count]
enabled = false

[integrations.alignment]
enabled = false
"""


@dataclass(frozen=True)
class ShopOf:
    """One shop of the installation. Its id is that of its connection and of its integration."""

    tenant: str
    number: int

    @property
    def id(self) -> str:
        return f"{self.tenant}-shop-{self.number}"

    @property
    def store_hash(self) -> str:
        return f"{self.tenant}s{self.number}"


def shops() -> Iterator[ShopOf]:
    for tenant in range(TENANTS):
        for number in range(SHOPS):
            yield ShopOf(f"t{tenant:02}", number)


def stores() -> tuple[StoreSettings, ...]:
    """What the shops' twin serves: every shop is the same American one, with orders and a quota of its own."""
    return tuple(StoreSettings(replace(US_SHOP, store_hash=shop.store_hash)) for shop in shops())


def write_estate(path: Path) -> None:
    """The configuration file: limits as vendors have them, the demo's rules; polls run when a test asks for one."""
    text = [_HEAD]
    for shop in shops():
        if shop.number == 0:
            text.append(_TENANT.format(tenant=shop.tenant))
        text.append(_SHOP.format(tenant=shop.tenant, shop=shop.id, store_hash=shop.store_hash))
    _, mark, rules = DEMO_CONFIGURATION.read_text(encoding="utf-8").partition("[[mapping_sets]]\n")
    path.write_text("".join([*text, "\n", mark, rules]), encoding="utf-8")
