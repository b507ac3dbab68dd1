"""How things stand in the business system: the reading tool that an action's tool names, asked with the action's own
arguments. Nothing is changed and nothing is recorded."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import structlog

from agents import credentials, policy, tool_http, tool_request
from agents.models import Access, Action, Tool
from agents.registry import tool_spec
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.own_loop import on_own_loop

log = structlog.get_logger(__name__)

LIMIT_SECONDS = 10.0


class NoReadBack(ServiceError):
    """It cannot be looked up from here. The message says why."""

    code, status = "no_read_back", 409


@dataclass(frozen=True, slots=True)
class Standing:
    """What the business system answered. `asked` {"method", "url", "query", "body"}; `message` says what went wrong
    where `ok` is false."""

    tool: str
    ok: bool
    result: Any = None
    message: str = ""
    status: int | None = None
    asked: dict[str, Any] = field(default_factory=dict)


def is_possible(action: Action) -> bool:
    """Whether staff are offered to look."""
    reading = action.tool.read_back
    return reading is not None and reading.enabled and reading.access == Access.READ


def read_back(action: Action) -> Standing:
    """Ask now, for at most ten seconds. Raises NoReadBack. Synchronous."""
    reading = action.tool.read_back
    if reading is None:
        raise NoReadBack("This tool names no reading tool. Look it up in the business system.")
    if not reading.enabled or reading.access != Access.READ:
        raise NoReadBack(
            f"The reading tool {reading.name} is switched off. Look it up in the business system."
        )
    request = _request(action, reading)
    outcome = on_own_loop(_ask(request, credentials.terms_of(reading)))
    log.info("action_read_back", action_id=str(action.pk), tool=reading.name, ok=outcome.ok)
    message = "" if outcome.ok else outcome.message or "The business system did not answer."
    return Standing(reading.title, outcome.ok, outcome.result, message, outcome.status, request.shown())


def _request(action: Action, reading: Tool) -> tool_request.Request:
    """By name: what the reading tool takes and the action has. What names the customer is what the action was bound to,
    or else who the customer is; never a value that a model gave."""
    was_bound: dict[str, Any] = json.loads(action.bound_arguments)
    known = {"customer.id": action.customer.business_id}
    bound = {name: was_bound.get(name) or known.get(binding) for name, binding in reading.bound.items()}
    if missing := sorted(name for name, value in bound.items() if not value):
        raise NoReadBack(f"Who the customer is in the business system is not known: {', '.join(missing)}.")
    takes = reading.input_schema.get("properties", {})
    has = {**action.args, **was_bound}
    wanted = {name: has[name] for name in takes if name in has and name not in bound}
    fault, arguments = policy.check(tool_spec(reading), wanted, bound.keys())
    try:
        if not fault:
            return tool_request.build(reading, arguments, bound)
    except tool_request.RecipeError as refused:
        fault = str(refused)
    raise NoReadBack(f"The reading tool {reading.name} cannot be asked with this action's arguments. {fault}")


async def _ask(request: tool_request.Request, terms: credentials.Terms) -> tool_http.Outcome:
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            return await tool_http.send(request, terms, repeatable=True)
    except TimeoutError:
        late = f"The business system did not answer within {LIMIT_SECONDS:.0f} seconds. Try again."
        return tool_http.Outcome(False, kind="transient", message=late)
