"""The shop's half of the document: orders, parcels, discounts, coupons."""

from __future__ import annotations

from .parts import (
    DISCOUNT_RANGE,
    Object,
    body,
    day,
    identifier,
    in_path,
    many,
    moment,
    number,
    or_null,
    query,
    reading,
    record,
    ref,
    text,
    writing,
)  # fmt: skip

TAG = "shop"
STATUSES = ["paid", "processing", "shipped", "delivered", "cancelled"]
ORDER_ID = identifier("The order number, as printed in the order confirmation.", 1042)
PERCENT = {
    "type": "integer",
    "minimum": 1,
    "maximum": 100,
    "examples": [10],
    "x-error-message": DISCOUNT_RANGE,
}

SUMMARY = {
    "order_id": ORDER_ID,
    "status": text("How far the order has got.", enum=STATUSES),
    "placed_at": moment("When it was ordered."),
    "total": ref("Money"),
}
SCHEMAS: Object = {
    "OrderSummary": record("An order in a list.", SUMMARY),
    "OrderItem": record(
        "One line of an order.",
        {
            "sku": text("Stock number."),
            "name": text("What was ordered."),
            "quantity": number("How many."),
            "unit_price": ref("Money"),
        },
    ),
    "Order": record(
        "An order in full. `total` is what the customer pays: items less discount plus shipping.",
        {
            **SUMMARY,
            "status_text": text("The status as a sentence."),
            "items": many(ref("OrderItem"), "What was ordered."),
            "subtotal": ref("Money"),
            "discount": or_null(ref("OrderDiscount")),
            "shipping": ref("Money"),
            "payment_method": text("How it was paid."),
            "ship_to": text("The delivery address."),
            "shipped_at": or_null(moment("When it left the warehouse.")),
            "delivered_at": or_null(moment("When it arrived.")),
            "cancelled_at": or_null(moment("When it was cancelled.")),
            "refund": or_null(ref("Money")),
            "can_be_cancelled": {"type": "boolean", "description": "Whether it can still be cancelled."},
        },
    ),
    "OrderDiscount": record(
        "A discount on the items of an order.",
        {"percent": number("Percent off the items."), "amount": ref("Money")},
    ),
    "Tracking": record(
        "Where a parcel is, or when it is expected to leave.",
        {
            "order_id": ORDER_ID,
            "shipped": {"type": "boolean", "description": "Whether it has left the warehouse."},
            "status": text("How far the order has got.", enum=STATUSES),
            "message": text("Where the parcel is, as a sentence."),
            "carrier": or_null(text("Who delivers it.")),
            "tracking_number": or_null(text("The carrier's number for the parcel.")),
            "shipped_at": or_null(moment("When it left the warehouse.")),
            "delivered_at": or_null(moment("When it arrived.")),
            "expected_dispatch_on": or_null(
                day("When it should leave the warehouse, if it has not left yet.")
            ),
            "expected_delivery_on": or_null(day("When it should arrive, if it has not arrived yet.")),
            "events": many(
                record(
                    "A stop on the way.",
                    {"at": moment("When."), "place": text("Where."), "description": text("What happened.")},
                ),
                "The parcel's journey, newest first.",
            ),
        },
    ),
    "Coupon": record(
        "A code that lowers the price of a later order.",
        {
            "code": text("What the customer enters at the checkout.", examples=["SAVE10-9F86D081"]),
            "discount_percent": number("Percent off."),
            "status": text("Whether it can be used.", enum=["valid", "expired", "replaced"]),
            "created_at": moment("When it was issued."),
            "expires_at": moment("Until when it can be used."),
        },
    ),
}

OF_CUSTOMER = "/shop/customers/{customer_id}"
OF_ORDER = OF_CUSTOMER + "/orders/{order_id}"
CUSTOMER = ref("CustomerId", "parameters")
ORDER = in_path("order_id", ORDER_ID)

PATHS: Object = {
    OF_CUSTOMER + "/orders": {
        "parameters": [CUSTOMER],
        "get": reading(
            "list_orders",
            tag=TAG,
            summary="List the customer's orders",
            description="Lists the customer's orders, newest first, with number, status, date and total. "
            "Use it when the customer asks about their orders without giving an order number.",
            parameters=(
                query("status", text("Only orders with this status.", enum=STATUSES)),
                query("limit", number("How many orders to return.", minimum=1, maximum=100, default=20)),
                query("page", number("Which page of that many orders.", minimum=1, maximum=1000, default=1)),
            ),
            answer=record(
                "A page of orders.",
                {
                    "orders": many(ref("OrderSummary"), "The orders of this page."),
                    "total": number("How many orders there are in all."),
                    "page": number("This page."),
                },
            ),
        ),
    },
    OF_ORDER: {
        "parameters": [CUSTOMER, ORDER],
        "get": reading(
            "get_order_status",
            tag=TAG,
            summary="Get the status of an order",
            description="Looks up one order by its number: status, items, prices, discount, total, address, "
            "and whether it can still be cancelled. Use it for questions such as “What is the "
            "status of order 1042?” or “What did I order?”.",
            answer=ref("Order"),
        ),
    },
    OF_ORDER + "/tracking": {
        "parameters": [CUSTOMER, ORDER],
        "get": reading(
            "get_tracking_info",
            tag=TAG,
            summary="Track the parcel of an order",
            description="Tells where the parcel of an order is: carrier, tracking number, journey and "
            "expected delivery date. For an order that has not been shipped it tells when it is "
            "expected to leave. Use it for questions such as “Where is my parcel?” or “When "
            "will order 1042 arrive?”.",
            answer=ref("Tracking"),
        ),
    },
    OF_ORDER + "/cancellation": {
        "parameters": [CUSTOMER, ORDER],
        "post": writing(
            "cancel_order",
            tag=TAG,
            summary="Cancel an order",
            description="Cancels an order that has not been shipped and refunds what was paid. This cannot "
            "be undone. An order that was shipped, delivered or already cancelled is refused.",
            request=body(
                "Why the order is cancelled, if the customer said so.",
                {"reason": text("The customer's reason, in their words.", maxLength=500)},
                required=(),
            ),
            answer=record(
                "What was done.",
                {
                    "message": text("What was done, as a sentence."),
                    "refund": ref("Money"),
                    "order": ref("Order"),
                },
            ),
        ),
    },
    OF_ORDER + "/delivery-address": {
        "parameters": [CUSTOMER, ORDER],
        "put": writing(
            "change_delivery_address",
            tag=TAG,
            summary="Change the delivery address of an order",
            description="Sends an order that has not been shipped to another address.",
            request=body(
                "The new address.",
                {"address": text("Street, town and country in one line.", minLength=5, maxLength=300)},
                required=("address",),
            ),
            answer=record(
                "What was done.", {"message": text("What was done, as a sentence."), "order": ref("Order")}
            ),
        ),
    },
    OF_ORDER + "/discount": {
        "parameters": [CUSTOMER, ORDER],
        "post": writing(
            "apply_discount",
            tag=TAG,
            summary="Apply a discount to an order",
            description="Takes a percentage off the price of an existing order and refunds the difference. "
            "A second discount on the same order replaces the first. For an order that was "
            "cancelled the discount is kept for the next order, as a coupon.",
            request=body(
                "How much.",
                {
                    "percent": {
                        **PERCENT,
                        "description": "The discount in percent, a whole number from 1 to 100.",
                    }
                },
                required=("percent",),
            ),
            answer=record(
                "What was done.",
                {
                    "message": text("What was done, as a sentence."),
                    "applied_to": text(
                        "`next_order` when this one was cancelled and a coupon was issued instead.",
                        enum=["this_order", "next_order"],
                    ),
                    "coupon": or_null(ref("Coupon")),
                    "order": ref("Order"),
                },
            ),
        ),
    },
    OF_CUSTOMER + "/coupons": {
        "parameters": [CUSTOMER],
        "get": reading(
            "list_coupons",
            tag=TAG,
            summary="List the customer's coupons",
            description="Lists the customer's coupon codes, newest first, with discount and expiry date.",
            answer=record("The coupons.", {"coupons": many(ref("Coupon"), "Newest first.")}),
        ),
        "post": writing(
            "generate_coupon",
            tag=TAG,
            summary="Generate a coupon code",
            description="Issues a new coupon code that the customer can use on a future order. Use it when "
            "a coupon, a voucher or a code is wanted; to lower the price of an order that "
            "exists, use apply_discount.",
            request=body(
                "How much, and for how long.",
                {
                    "discount_percent": {
                        **PERCENT,
                        "description": "The coupon's discount in percent, a whole number from 1 to 100.",
                    },
                    "expiry_days": number(
                        "For how many days the coupon is valid, at most 3650.",
                        minimum=1,
                        default=30,
                        **{"x-error-message": "Invalid expiry: {value} days. Must be at least 1."},
                    ),
                },
                required=("discount_percent",),
            ),
            answer=record(
                "The new coupon.", {"message": text("What was done, as a sentence."), "coupon": ref("Coupon")}
            ),
            status="201",
        ),
    },
}
