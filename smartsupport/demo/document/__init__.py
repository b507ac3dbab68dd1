"""The OpenAPI 3.1 document of the business, written by hand.

It is what the server itself goes by: routes, arguments and their limits are read from here, so the document
and the
behaviour cannot part.
"""

from __future__ import annotations

from . import bank, help_centre, saas, shop
from .parts import Object, record, ref, text

FACES = (shop, saas, bank, help_centre)
METHODS = ("get", "put", "post", "delete", "patch")


def build(server_url: str = "/") -> Object:
    """The whole document. `server_url` is where the reader reached this server."""
    paths: Object = {}
    schemas: Object = dict(COMMON_SCHEMAS)
    for face in FACES:
        paths |= face.PATHS
        schemas |= face.SCHEMAS
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Harbour & Co. business API",
            "version": "1.0.0",
            "summary": "A demonstration business: shop, software subscription and bank.",
            "description": "Orders, subscriptions and bank payments of a made-up business. Every path names "
            "the customer whose data it touches; what belongs to somebody else is not found. "
            "Operations with an effect take an `Idempotency-Key`, so that a repeated request "
            "has no second effect.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": server_url, "description": "This server."}],
        "tags": [
            {"name": "shop", "description": "Orders, parcels, discounts and coupons."},
            {"name": "saas", "description": "A software subscription: account, plan and invoices."},
            {"name": "bank", "description": "A bank account: transactions and disputes."},
            {"name": "help", "description": "The help centre."},
        ],
        "security": [{"bearer": []}, {}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The API key. Needed only where the server was started with one.",
                }
            },
            "parameters": PARAMETERS,
            "responses": RESPONSES,
            "schemas": schemas,
        },
    }


COMMON_SCHEMAS: Object = {
    "Money": record(
        "An amount of money.",
        {
            "amount": text(
                "In units of the currency, two decimals.",
                pattern=r"^-?[0-9]+\.[0-9]{2}$",
                examples=["129.90"],
            ),
            "currency": text("ISO 4217 code.", examples=["EUR"]),
        },
    ),
    "Error": record(
        "Why a request was not carried out.",
        {
            "error": record(
                "The reason.",
                {"code": text("A stable word for programs."), "message": text("A sentence for people.")},
            )
        },
    ),
}

PARAMETERS: Object = {
    "CustomerId": {
        "name": "customer_id",
        "in": "path",
        "required": True,
        "description": "The customer whose data this is about.",
        "schema": {"type": "string", "pattern": "^cus_[0-9]{1,12}$", "examples": ["cus_1001"]},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "A key of the caller's choice. A request repeated with the same key has no second "
        "effect and gets the first answer again.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
}


def _refusal(description: str) -> Object:
    return {"description": description, "content": {"application/json": {"schema": ref("Error")}}}


RESPONSES: Object = {
    "Malformed": _refusal("The request cannot be read. Nothing was changed."),
    "Unauthorized": _refusal("The API key is missing or wrong."),
    "NotFound": _refusal("There is no such thing, or it belongs to somebody else."),
    "Conflict": _refusal("Not possible in the present state. Nothing was changed."),
    "Invalid": _refusal("A value is not allowed, or the idempotency key was used for another request."),
}
