"""Refunds: one, those of an order, and all since a moment."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from clients.bigcommerce.wire import Reader
from clients.errors import BadAnswer, NotFound
from contracts.bigcommerce_refund import OrderRefund
from contracts.id_set import IdSet


class Refunds:
    """Reads refunds of one store. `connection` names it in errors."""

    def __init__(self, reader: Reader, connection: str) -> None:
        self._reader = reader
        self._connection = connection

    async def refund(self, refund_id: str) -> OrderRefund:
        """One refund. Raises `NotFound`, also for a moment after it was announced: refunds are made asynchronously."""
        subject = f"refund {refund_id}"
        found = await self._reader.document_v3(
            f"v3/orders/payment_actions/refunds/{_digits(refund_id, 'refund')}", OrderRefund, subject=subject
        )
        if found is None:
            raise NotFound(self._connection, f"BigCommerce ({self._connection}) has no {subject}.", status=204)
        return found

    async def of_order(self, order_id: str) -> tuple[OrderRefund, ...]:
        """All refunds of an order, by id. The list has no pages. Raises `NotFound` for an unknown order."""
        rows = await self._reader.rows_v3(
            f"v3/orders/{_digits(order_id, 'order')}/payment_actions/refunds",
            OrderRefund,
            subject=f"the refunds of order {order_id}",
            paged=False,
        )
        return tuple(sorted(rows, key=lambda one: one.id))

    async def since(self, moment: datetime, until: datetime | None = None) -> AsyncIterator[OrderRefund]:
        """Refunds created at or after `moment` (and at or before `until`), by ascending id, each once.

        Refunds are never taken away, so a list that grows while it is read can show one twice on its pages but hides
        none: a bit is remembered for each. One that becomes visible late has an older id: read again from before the
        last moment, as with orders.
        Raises `BadAnswer` when the shop ignores the filter or the order.
        """
        subject = "the list of refunds"
        # A filter of whole seconds, as the dates are.
        earliest = moment.astimezone(UTC).replace(microsecond=0)
        params: dict[str, str | int | bool] = {"created:min": earliest.isoformat(timespec="seconds")}
        if until is not None:
            params["created:max"] = until.astimezone(UTC).isoformat(timespec="seconds")
        last, seen = 0, IdSet()
        async for page in self._reader.pages_v3(
            "v3/orders/payment_actions/refunds", OrderRefund, subject=subject, params=params
        ):
            for row in page:
                if row.created < earliest:
                    raise self._ignored(subject, "the filter by created")
                if row.id in seen:
                    continue
                if row.id < last:
                    raise self._ignored(subject, "that it ascends by id")
                last = row.id
                seen.add(row.id)
                yield row

    def _ignored(self, subject: str, what: str) -> BadAnswer:
        """BigCommerce: a filter that is not understood is ignored in silence, and everything comes back."""
        return BadAnswer(
            self._connection, f"BigCommerce ({self._connection}) answered for {subject}, but ignored {what}."
        )


def _digits(number: str, kind: str) -> str:
    """Ids come from webhooks and people: anything but a number must not reach an address."""
    if not (number.isascii() and number.isdigit()):
        raise ValueError(f"{number!r} is no {kind} id of BigCommerce")
    return number
