"""The configuration of the story: the demo's, with everything switched on that meets people or credentials."""

from pathlib import Path
from typing import Final

from support.stack import FAST

from runtime.demo import __file__ as demo_room
from runtime.demo.wholesale import with_wholesale
from sandbox.fusion.masters.setup import ITEM_MASTER

CONFIGURATION: Final = Path(demo_room).parent / "connector.toml"
NEVER: Final = 'cron = "0 4 1 1 *"\nsweep_cron = "0 4 1 1 *"\n'
STORE: Final = 'store_hash = "us1abc"\nrequests_per_window = 3000\n'


def configured(gateway_port: int, client_id: str) -> str:
    """The text of the file. `client_id` is that of the American shop's API account."""
    text = with_wholesale(CONFIGURATION.read_text(encoding="utf-8"))
    text = text.replace("port = 18080", f"port = {gateway_port}\nreceive_deadline = 60.0")
    text = text.replace("flush_after = 10.0\nquiet_period = 1.0", "\n".join(f"{n} = {v}" for n, v in FAST.items()))
    for old, new in (
        (STORE, f'{STORE}client_id = "{client_id}"\n\n[connections.webhooks]\nmethod = "both"\n'),
        ("[connections.journal_import]", f'[connections.items]\norganization = "{ITEM_MASTER}"\n\n{{}}'),
        ("[integrations.loss_count]", _kept() + "{}"),
    ):
        text = text.replace(old, new.replace("{}", old), 1)
    return text


def _kept() -> str:
    return f"""[integrations.order_metafield]
enabled = true

[integrations.items]
enabled = true
{NEVER}
[integrations.customers]
enabled = true
groups = ["2"]
number_attribute = "ERP account"
{NEVER}
"""
