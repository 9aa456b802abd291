"""A configuration that is right, to be made wrong in one place by each test."""

from collections.abc import Callable
from pathlib import Path

import pytest

CONNECTOR = """\
environment = "test"

[[tenants]]
id = "acme"
name = "Acme"

[[connections]]
system = "oracle_fusion"
id = "fusion-test"
tenant = "acme"
environment = "test"
base_url = "https://pod.example.com"

[connections.oauth]
token_url = "https://id.example.com/oauth2/v1/token"
client_id = "connector"
scope = "urn:opc:resource:consumer::all"

[[connections]]
system = "bigcommerce"
id = "bc-us"
tenant = "acme"
environment = "test"
store_hash = "abc123"

[[integrations]]
id = "us"
tenant = "acme"
fusion = "fusion-test"
source = "bc-us"
mapping_set = "retail"
cut_over = 2026-03-01
channels = [{ id = "1", name = "Storefront" }]

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
rounding_limit = 0.05

[[mapping_sets]]
id = "retail"
version = 1
segments = ["company", "department", "account"]
balancing_segment = "company"

[[mapping_sets.rules]]
id = "shirts"
purpose = "revenue"
account = "*-10-41000"
when = { category = ["Shirts"] }

[[mapping_sets.rules]]
id = "clearing"
purpose = "clearing"
account = "*-00-11500"
"""

Write = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Writes the configuration with replacements `(what, by)` and more text at the end; gives the path."""

    def write(*replacements: tuple[str, str], more: str = "") -> Path:
        text = CONNECTOR
        for what, by in replacements:
            assert what in text, what
            text = text.replace(what, by, 1)
        path = tmp_path / "connector.toml"
        path.write_text(text + more)
        return path

    return write
