"""The fifteen order statuses. Labels can be renamed by the merchant; ids cannot (orders V2, `/order_statuses`)."""

INCOMPLETE, PENDING, SHIPPED, PARTIALLY_SHIPPED, REFUNDED, CANCELLED, DECLINED = range(7)
AWAITING_PAYMENT, AWAITING_PICKUP, AWAITING_SHIPMENT, COMPLETED, AWAITING_FULFILLMENT = range(7, 12)
MANUAL_VERIFICATION, DISPUTED, PARTIALLY_REFUNDED = range(12, 15)

LABELS: dict[int, str] = {
    INCOMPLETE: "Incomplete",
    PENDING: "Pending",
    SHIPPED: "Shipped",
    PARTIALLY_SHIPPED: "Partially Shipped",
    REFUNDED: "Refunded",
    CANCELLED: "Cancelled",
    DECLINED: "Declined",
    AWAITING_PAYMENT: "Awaiting Payment",
    AWAITING_PICKUP: "Awaiting Pickup",
    AWAITING_SHIPMENT: "Awaiting Shipment",
    COMPLETED: "Completed",
    AWAITING_FULFILLMENT: "Awaiting Fulfillment",
    MANUAL_VERIFICATION: "Manual Verification Required",
    DISPUTED: "Disputed",
    PARTIALLY_REFUNDED: "Partially Refunded",
}

DESCRIPTIONS: dict[int, str] = {
    INCOMPLETE: "The shopper reached the payment page and did not finish.",
    PENDING: "The shopper started the checkout and did not finish.",
    SHIPPED: "Everything was shipped; receipt is not confirmed.",
    PARTIALLY_SHIPPED: "Only some items were shipped.",
    REFUNDED: "The whole order was refunded.",
    CANCELLED: "The seller cancelled the order.",
    DECLINED: "The seller declined the order.",
    AWAITING_PAYMENT: "The checkout is finished; payment is not confirmed.",
    AWAITING_PICKUP: "The shopper collects the order.",
    AWAITING_SHIPMENT: "The order is packed and waits for the carrier.",
    COMPLETED: "The order is shipped or picked up and receipt is confirmed.",
    AWAITING_FULFILLMENT: "The checkout is finished and payment is confirmed.",
    MANUAL_VERIFICATION: "Something must be confirmed by hand.",
    DISPUTED: "The shopper disputes the payment.",
    PARTIALLY_REFUNDED: "Part of the order was refunded.",
}

DISPLAY_ORDER = (0, 1, 7, 11, 9, 8, 3, 10, 2, 5, 6, 4, 13, 12, 14)
"""The order in which `/orders/count` lists them."""

UNPAID = frozenset({INCOMPLETE, PENDING, AWAITING_PAYMENT, DECLINED, MANUAL_VERIFICATION})
