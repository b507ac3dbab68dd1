"""`tools/call`: judged as an agent's call would be, queued as a turn, and answered when that is done or waits for a
person. The built-in `get_action_status` tells what became of it later, to whoever asked for it and to nobody else."""

import time
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from mcp_types import CallToolResult

from agents import policy
from agents.direct.calls import caller_of
from agents.models import Action, DirectCall, Tool
from agents.registry import tool_spec
from chat import direct_calls
from chat.direct_calls import Accepted
from chat.mcp import offered, outcomes, waiting
from chat.mcp.caller import POLL, McpCaller, idempotency_key
from chat.mcp.outcomes import Outcome
from chat.mcp.refusals import Refused, ScopeMissing, invalid, told
from chat.models import Turn, TurnStatus
from smartsupport.lib import audit
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import canonical_json, parse_uuid
from smartsupport.lib.text import storable
from smartsupport.lib.threads import in_thread

log = structlog.get_logger(__name__)

GRACE_SECONDS = 5
"""How much longer than a tool may take a call waits for its turn."""
META_KEY = "idempotencyKey"


class NotFound(ServiceError):
    code, status, message = "not_found", 404, "There is no such action of yours."


class Invalid(ServiceError):
    code = "validation"


async def call(caller: McpCaller, name: str, arguments: Any, meta: Any) -> CallToolResult:
    """What the tool of this name answers, or what the call waits for. Raises MCPError for a tool that does not exist
    here; every other refusal is a result with `isError`."""
    started = time.monotonic()
    try:
        if name == offered.STATUS:
            outcome = await _status(caller, arguments)
            return outcome.result(asked=True)
        key = _key(caller, meta)
        accepted = await in_thread(lambda: _submitted(caller, name, arguments, key))
    except ServiceError as refusal:
        log.info("mcp_call_refused", tool=name[:64], code=refusal.code, by_name=caller.asker.name)
        return Outcome(told(refusal)).result()
    seconds = settings.TOOL_TIMEOUT_SECONDS + GRACE_SECONDS
    await waiting.until(lambda: _rests(accepted.turn_id), accepted.conversation_id, seconds)
    outcome = await in_thread(lambda: outcomes.of_turn(accepted.turn_id))
    log.info(
        "mcp_call",
        tool=name[:64],
        status=outcome.status,
        by_name=caller.asker.name,
        turn_id=str(accepted.turn_id),
        repeated=accepted.repeated,
        duration_ms=round((time.monotonic() - started) * 1000),
    )
    return outcome.result()


def _key(caller: McpCaller, meta: Any) -> str:
    try:
        given = idempotency_key(meta.get(META_KEY)) if isinstance(meta, dict) else ""
    except Refused as refused:
        raise invalid(refused.message, refused.code) from None
    return given or caller.key


def _submitted(caller: McpCaller, name: str, arguments: Any, key: str) -> Accepted:
    """Check the call and queue it. Raises MCPError, ServiceError; then nothing was written."""
    tool = offered.find(caller, name)
    if tool is None:
        raise invalid(f"There is no tool named {name[:64]} here.", "unknown_tool")
    given = storable(arguments or {})
    try:
        canonical_json(given)
    except (ValueError, RecursionError):
        raise Invalid("The arguments are not valid JSON: NaN and infinity are no numbers.") from None
    bindings = {"customer.id": caller.subject} if caller.subject else {}
    # What has to have succeeded before is known to the turn.
    verdict = policy.judge(
        caller_of(tool), tool_spec(tool), given, bindings, name=tool.name, succeeded=tool.requires
    )
    if verdict.fault:
        raise Invalid(verdict.fault)
    if tool.access == "read":
        return _queued(caller, tool, given, key)
    return _recorded(caller, tool, given, key)


def _queued(caller: McpCaller, tool: Tool, arguments: dict[str, Any], key: str) -> Accepted:
    return direct_calls.submit(
        caller=caller.asker,
        customer_id=caller.customer(),
        tool=tool,
        arguments=arguments,
        key=key,
        lane=caller.lane,
    )


def _recorded(caller: McpCaller, tool: Tool, arguments: dict[str, Any], key: str) -> Accepted:
    """The same, in the audit: a program asks for a change."""
    of = audit.Recording(caller.actor, caller.place, "call", "agents.tool", str(tool.pk), tool.name)
    of.begun_id = audit.begin(of)
    try:
        accepted = _queued(caller, tool, arguments, key)
    except ServiceError as refusal:
        of.messages.append(refusal.message)
        audit.end(of, audit.REFUSED, status=refusal.status)
        raise
    of.after = {"turn": str(accepted.turn_id), "arguments": arguments, "repeated": accepted.repeated}
    audit.end(of, audit.DONE)
    return accepted


def _rests(turn_id: UUID) -> bool:
    """Whether the turn has ended or waits for a person. A turn that has just asked one still runs for a moment."""
    status = Turn.objects.filter(pk=turn_id).values_list("status", flat=True).first()
    if status not in (TurnStatus.QUEUED, TurnStatus.RUNNING):
        return True
    return Action.objects.awaiting().filter(turn_id=turn_id).exists()


async def _status(caller: McpCaller, arguments: Any) -> Outcome:
    """What became of one of this caller's own calls, for the customer whom it acts for. Raises ServiceError."""
    if not caller.may_poll:
        raise ScopeMissing(f"This API key lacks the scope {POLL}.")
    given = arguments if isinstance(arguments, dict) else {}
    sought, seconds = parse_uuid(given.get("interrupt_id")), given.get("wait_seconds", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds <= offered.WAIT_MOST:
        raise Invalid(f"wait_seconds must be a whole number from 0 to {offered.WAIT_MOST}.")
    if sought is None:
        raise Invalid("interrupt_id must be the id that the call answered with.")
    known = await in_thread(lambda: _own(caller, sought))
    if known is None:
        raise NotFound()
    if seconds:
        await waiting.until(lambda: _is_settled(known.turn_id), known.turn.conversation_id, seconds)
    return await in_thread(lambda: outcomes.of_turn(known.turn_id))


def _own(caller: McpCaller, sought: UUID) -> DirectCall | None:
    """The caller's call with this action or turn. Somebody else's does not exist, nor one for another customer."""
    turn_id = Action.objects.filter(pk=sought).values_list("turn_id", flat=True).first() or sought
    mine = DirectCall.objects.select_related("turn").filter(turn_id=turn_id, asked_by=caller.asker.id)
    customer_id = caller.known_customer()
    return mine.filter(turn__conversation__customer_id=customer_id).first() if customer_id else None


def _is_settled(turn_id: UUID) -> bool:
    return outcomes.of_turn(turn_id).status not in outcomes.OPEN
