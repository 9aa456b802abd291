"""Routes of channels: where a store sells (V3)."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from sandbox.bigcommerce import v3_listing
from sandbox.bigcommerce.channels import Channel
from sandbox.bigcommerce.desk import Desk, Visit
from sandbox.bigcommerce.v3_listing import Shelf

CHANNELS = "store_channel_settings"
_SHELF = Shelf({"id": lambda row: row.id, "status": lambda row: row.status, "type": lambda row: row.type}, {})


def routes(desk: Desk) -> list[Route]:
    return [desk.route("/v3/channels", channels, CHANNELS)]


async def channels(visit: Visit) -> Response:
    rows = _SHELF.chosen(sorted(visit.store.channels, key=lambda row: row.id), visit.query, visit.store.habits)
    return v3_listing.answer(visit, rows, _shown)


def _shown(row: Channel) -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "type": row.type,
        "platform": row.platform,
        "status": row.status,
        "external_id": "",
        "is_listable_from_ui": True,
        "is_visible": True,
        "is_enabled": row.status == "active",
        "icon_url": "",
        "date_created": "2024-01-08T09:00:00Z",
        "date_modified": "2024-01-08T09:00:00Z",
    }
