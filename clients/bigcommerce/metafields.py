"""Metafields of orders: one by namespace and key, made once and kept as it should be."""

from collections.abc import Mapping
from typing import Any

import httpx

from clients.bigcommerce.wire import Reader
from clients.errors import Rejected
from clients.http import VendorHttp
from contracts.bigcommerce_metafield import Metafield, MetafieldDraft


class OrderMetafields:
    """Reads and writes metafields of orders of one store.

    `client_id` is the API account's own: what others call the same is not touched. Without it, a metafield of the same
    namespace and key counts as ours, whoever made it.
    """

    def __init__(self, http: VendorHttp, reader: Reader, client_id: str = "") -> None:
        self._http = http
        self._reader = reader
        self._client_id = client_id

    async def find(self, order_id: str | int, namespace: str, key: str) -> Metafield | None:
        """Our metafield of this name, or None. BigCommerce: those of other apps are seen too, unless they are private.

        An unknown order is answered with an empty list as well (unconfirmed), or with 404 (`NotFound`).
        """
        rows = self._reader.every_v3(
            _path(order_id),
            Metafield,
            subject=f"the metafields of order {order_id}",
            key=lambda row: row.id,
            params={"namespace": namespace, "key": key},
        )
        async for row in rows:
            if (row.namespace, row.key) == (namespace, key) and self._is_ours(row):
                return row
        return None

    async def put(self, order_id: str | int, wanted: MetafieldDraft, *, ends: float | None = None) -> Metafield:
        """See to it that the order has this metafield, once; return it.

        Looked for first, and changed only where it differs, so that nothing is announced when nothing changed. When the
        answer to its making is lost (`InDoubt`), calling again settles it: BigCommerce refuses a second of the same
        name by the same account (409), and that one is then taken. `ends` is the moment of the event loop's clock
        after which nothing may be made.
        """
        known = await self.find(order_id, wanted.namespace, wanted.key)
        if known is None:
            try:
                return await self._write("POST", _path(order_id), order_id, wanted, ends)
            except Rejected as refused:
                if refused.status != httpx.codes.CONFLICT:
                    raise
                known = await self.find(order_id, wanted.namespace, wanted.key)
                if known is None:
                    raise
        if wanted.is_said_by(known):
            return known
        return await self._write("PUT", f"{_path(order_id)}/{known.id}", order_id, wanted, ends)

    def _is_ours(self, row: Metafield) -> bool:
        return not self._client_id or row.owner_client_id in ("", self._client_id)

    async def _write(
        self, method: str, path: str, order_id: str | int, wanted: MetafieldDraft, ends: float | None
    ) -> Metafield:
        subject = f"the metafield {wanted.namespace}.{wanted.key} of order {order_id}"
        answer = await self._http.send(
            method, path, subject=subject, body=wanted.model_dump(), write=method == "POST", ends=ends
        )
        body: Any = self._http.document(answer, subject)
        return self._reader.model(Metafield, body.get("data") if isinstance(body, Mapping) else body, subject)


def _path(order_id: str | int) -> str:
    """Order ids come from webhooks and people: anything but a number must not reach an address."""
    digits = str(order_id)
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{order_id!r} is not an order id of BigCommerce")
    return f"v3/orders/{digits}/metafields"
