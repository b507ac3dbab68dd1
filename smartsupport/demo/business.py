"""The routes of the document, answered: one request from the wire to the books and back."""

from __future__ import annotations

import hmac
import json
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from aiohttp import web

from . import bank, document, help_centre, saas, shop
from .calls import Answer, Call, Operation
from .effects import Outcome, Request, carry_out, checked_key
from .errors import Refusal, malformed, not_found
from .faults import Fault, FaultRules
from .storage import Books
from .validation import body_arguments, path_arguments, query_arguments

OPERATIONS: dict[str, Operation] = (
    shop.OPERATIONS | saas.OPERATIONS | bank.OPERATIONS | {"fallback_respond": help_centre.fallback_respond}
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Route(NamedTuple):
    """One operation of the document and where it is served."""

    operation_id: str
    method: str
    path: str
    item: dict[str, Any]
    operation: dict[str, Any]


class Business:
    """Serves every operation of the document from the books."""

    def __init__(self, books: Books, faults: FaultRules, *, api_key: str | None) -> None:
        self._books = books
        self._faults = faults
        self._api_key = api_key
        self._document = document.build()

    def routes(self) -> list[web.RouteDef]:
        """What to add to the web application."""
        return [
            web.route(route.method, route.path, self._handler(route)) for route in operations(self._document)
        ]

    def _handler(self, route: Route) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            self._check_api_key(request)
            fault = self._faults.strike(route.operation_id)
            if fault:
                begun = self._books.resets
                await self._faults.delay(fault)
                if fault.drop == "before" or self._books.resets != begun:
                    return _hang_up(request)
                if fault.fail:
                    raise Refusal(
                        fault.fail, "injected_fault", "The business system is out of order (on purpose)."
                    )
            try:
                response = await self._respond(route, request)
            except Refusal:
                if _cuts_answer(fault):
                    return _hang_up(request)
                raise
            return _hang_up(request) if _cuts_answer(fault) else response

        return handle

    async def _respond(self, route: Route, request: web.Request) -> web.Response:
        body = await json_body(request)
        call = self._call(route, request, body)
        operation = _for_known_customer(OPERATIONS[route.operation_id])
        if route.method == "GET":
            with self._books.snapshot() as db:
                return web.json_response(operation(db, call).body)
        key = checked_key(request.headers.get("Idempotency-Key"))
        wire = Request(route.operation_id, route.method, request.path, body, key)
        # Nothing is awaited from here to the end of the transaction: of two requests with the same key the
        # second finds the answer of the first.
        outcome = carry_out(self._books, wire, operation, call)
        return _written_response(outcome)

    def _call(self, route: Route, request: web.Request, body: Any) -> Call:
        query = {name: request.query.getall(name) for name in request.query}
        arguments = path_arguments(self._document, route.item, request.match_info)
        arguments |= query_arguments(self._document, route.operation, query)
        arguments |= body_arguments(self._document, route.operation, body)
        return Call(arguments.pop("customer_id", ""), arguments, datetime.now(UTC))

    def _check_api_key(self, request: web.Request) -> None:
        if self._api_key is None:
            return
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(
            key.strip().encode(), self._api_key.encode()
        ):
            raise Refusal(
                401, "unauthorized", "The API key is missing or wrong. Send Authorization: Bearer <key>."
            )


def operations(built: dict[str, Any]) -> list[Route]:
    """Every operation of the document."""
    return [
        Route(item[method]["operationId"], method.upper(), path, item, item[method])
        for path, item in built["paths"].items()
        for method in document.METHODS
        if method in item
    ]


async def json_body(request: web.Request) -> Any:
    """The JSON value of the body, None where there is none. Raises Refusal (400, 415)."""
    raw = await request.read()
    if not raw.strip():
        return None
    if request.content_type not in ("application/json", "application/octet-stream"):
        raise Refusal(
            415, "unsupported_media_type", "The request body must be JSON (Content-Type: application/json)."
        )
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
        # Half a surrogate pair parses, but cannot be stored as text.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise malformed("The request body is not valid JSON.") from error
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _for_known_customer(operation: Operation) -> Operation:
    def checked(db: sqlite3.Connection, call: Call) -> Answer:
        known = db.execute("SELECT 1 FROM customers WHERE customer_id = ?", (call.customer_id,)).fetchone()
        if call.customer_id and not known:
            raise not_found("Customer", call.customer_id)
        return operation(db, call)

    return checked


def _written_response(outcome: Outcome) -> web.Response:
    headers = {"Idempotent-Replay": "true"} if outcome.replayed else None
    return web.json_response(outcome.answer.body, status=outcome.answer.status, headers=headers)


def _cuts_answer(fault: Fault | None) -> bool:
    return fault is not None and fault.drop == "after"


def _hang_up(request: web.Request) -> web.Response:
    """Reset the connection. The response is never sent; aiohttp only wants one to be returned."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
