"""Orders that say in their shop what became of them: switched on, and read as the twin has it."""

import json
from typing import Any

from replay.stage import with_integration
from support.stack import Stack

from contracts.configuration import Configuration, OrderMetafieldSettings

WRITES = {"method": "POST|PUT", "path": "/metafields"}
"""The calls that say something, for hooks and faults."""


def noting(configuration: Configuration) -> Configuration:
    """The US shop's orders say what became of them."""
    return with_integration(configuration, "shop-us", order_metafield=OrderMetafieldSettings(enabled=True))


def notes_of(stack: Stack, order_id: int) -> list[dict[str, Any]]:
    """What the order says, as the shop has it; more than one is a mistake."""
    store = stack.shops.stores["us1abc"]
    rows = store.metafields.of(order_id, store.accounts[0])
    assert {(row.namespace, row.key) for row in rows} <= {("ml_connector", "fusion")}
    return [json.loads(row.value) for row in rows]


def references_of(note: dict[str, Any]) -> list[str]:
    return [one["reference"] for one in note["documents"]]
