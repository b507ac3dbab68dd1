"""The web application: the business's routes, its document, and the controls for whoever runs it."""

from __future__ import annotations

import logging
import re
from typing import Any

from aiohttp import web

from . import document, effects
from .business import OPERATIONS, Business, Handler, json_body
from .errors import Refusal, malformed
from .faults import FaultRules
from .home import HOME_PAGE
from .storage import Books

LARGEST_BODY = 65_536
HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
log = logging.getLogger("smartsupport.demo")


def application(books: Books, *, api_key: str | None) -> web.Application:
    """Everything this program serves. With an `api_key` the business's routes ask for it."""
    faults = FaultRules(frozenset(OPERATIONS), books.seed)
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[errors_as_json])
    app.add_routes(Business(books, faults, api_key=api_key).routes())
    app.add_routes(Controls(books, faults).routes())
    return app


class Controls:
    """Routes that are not the business's own: the document, the journal, faults, reset, health."""

    def __init__(self, books: Books, faults: FaultRules) -> None:
        self._books = books
        self._faults = faults

    def routes(self) -> list[web.RouteDef]:
        """What to add to the web application."""
        return [
            web.get("/", self.home),
            web.get("/openapi.json", self.openapi),
            web.get("/_health", self.health),
            web.get("/_journal", self.journal),
            web.get("/_faults", self.list_faults),
            web.post("/_faults", self.add_fault),
            web.delete("/_faults", self.clear_faults),
            web.post("/_reset", self.reset),
        ]

    async def home(self, request: web.Request) -> web.Response:
        """A page for people who open the address in a browser."""
        return web.Response(text=HOME_PAGE, content_type="text/html")

    async def openapi(self, request: web.Request) -> web.Response:
        """The document, naming the address under which it was asked for."""
        url = f"{request.scheme}://{request.host}" if HOST.fullmatch(request.host) else "/"
        return web.json_response(document.build(url))

    async def health(self, request: web.Request) -> web.Response:
        """200 while the books can be read."""
        with self._books.snapshot() as db:
            customers = db.execute("SELECT count(*) FROM customers").fetchone()[0]
        return web.json_response({"status": "ok", "customers": customers, "seed": self._books.seed})

    async def journal(self, request: web.Request) -> web.Response:
        """Every effect that took place, oldest first."""
        after, operation = request.query.get("after", "0"), request.query.get("operation")
        if not re.fullmatch("[0-9]{1,15}", after):
            raise malformed("after must be a whole number: how many entries to leave out from the start.")
        if operation is not None and operation not in OPERATIONS:
            raise malformed("operation must be an operationId of the document.")
        with self._books.snapshot() as db:
            return web.json_response(effects.journal(db, after=int(after), operation=operation))

    async def list_faults(self, request: web.Request) -> web.Response:
        """The rules in force."""
        return web.json_response(self._faults.listed())

    async def add_fault(self, request: web.Request) -> web.Response:
        """Take a rule."""
        return web.json_response(self._faults.add(await json_body(request)), status=201)

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Forget all rules."""
        return web.json_response({"cleared": self._faults.clear()})

    async def reset(self, request: web.Request) -> web.Response:
        """Back to the first day; journal, remembered answers and fault rules included."""
        self._books.reset()
        self._faults.clear()
        return web.json_response({"status": "reset", "seed": self._books.seed})


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error leaves as `{"error": {"code", "message"}}`; the details of a defect only go to the log."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return _error(refusal)
    except web.HTTPNotFound:
        return _error(Refusal(404, "not_found", "There is nothing at this address. See /openapi.json."))
    except web.HTTPMethodNotAllowed as error:
        wrong_method = Refusal(405, "method_not_allowed", f"{request.method} is not possible here.")
        return _error(wrong_method, {"Allow": ", ".join(sorted(error.allowed_methods))})
    except web.HTTPRequestEntityTooLarge:
        return _error(Refusal(413, "too_large", f"The request body is larger than {LARGEST_BODY} bytes."))
    except web.HTTPException as error:
        return _error(Refusal(error.status, "http_error", error.reason))
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return _error(Refusal(500, "internal_error", "Something went wrong on our side."))


def _error(refusal: Refusal, headers: dict[str, Any] | None = None) -> web.Response:
    return web.json_response(refusal.body, status=refusal.status, headers=headers)
