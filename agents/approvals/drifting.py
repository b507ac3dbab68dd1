"""A tool that has changed since its call was approved: the call comes back to staff."""

from collections.abc import Collection
from typing import Any

import structlog

from agents import facts, policy
from agents.approvals.news import settled
from agents.approvals.opening import deadline, frozen
from agents.approvals.questions import ask
from agents.models import Action, ActionStatus, Approver, Tool
from agents.registry import tool_spec

log = structlog.get_logger(__name__)


def drift(action: Action) -> list[dict[str, Any]]:
    """What has changed about the action's tool since its approver saw it: [{"field", "was", "now"}]. Nothing is said of
    an action that is not what was hashed: nobody is asked for that again, the executor refuses it."""
    tool: Tool = action.tool
    if action.arguments_hash != action.expected_hash():
        return []
    changed = [] if tool.enabled else [{"field": "enabled", "was": True, "now": False}]
    if tool.fingerprint() != action.tool_fingerprint:
        was, now = action.tool_snapshot, tool.snapshot()
        changed += [
            {"field": field, "was": was.get(field), "now": value}
            for field, value in now.items()
            if was.get(field) != value
        ]
    return changed


def reopen(action: Action, difference: list[dict[str, Any]]) -> None:
    """Ask staff again, with the tool as it is now. Call it in a transaction that holds the action's lock."""
    tool: Tool = action.tool
    action.status, action.approver = ActionStatus.AWAITING, Approver.STAFF
    action.approvals_needed, action.votes = tool.approvals_needed, []
    action.tool_fingerprint, action.tool_snapshot = tool.fingerprint(), tool.snapshot()
    bound = _bound_now(action)
    action.bound_arguments = frozen(bound)
    _fit(action, bound)
    action.message = ask(tool, action.args)
    action.difference, action.reopened = difference, action.reopened + 1
    action.decided_by = action.decided_by_name = action.reason = ""
    action.decided_at, action.expires_at = None, deadline()
    action.arguments_hash = action.expected_hash()
    action.save()
    fact = facts.approval_reopened(
        interrupt_id=action.pk,
        agent=action.agent,
        action=action.tool_name,
        params=action.args,
        message=action.message,
        approver=action.approver,
        expires_at=action.expires_at,
        difference=difference,
        attempt=action.reopened,
    )
    settled.send(Action, action=action, fact=fact)
    changed = [change["field"] for change in difference]
    log.warning("approval_reopened", action_id=str(action.pk), tool=action.tool_name, changed=changed)


def _fit(action: Action, bound: Collection[str]) -> None:
    """Write out what the tool of today fills in by itself, and leave out what it binds, so that what is asked is what
    is sent. Arguments that it does not take stay as they are: they cannot be approved, only edited or declined."""
    fault, fitting = policy.check(tool_spec(action.tool), action.args, bound)
    if fault or (text := frozen(fitting)) == action.arguments:
        return
    action.proposed_arguments = action.proposed_arguments or action.arguments
    action.arguments = text


def _bound_now(action: Action) -> dict[str, Any]:
    """What the tool of today binds to the customer. Without an id of theirs nothing is bound, and nothing can be sent:
    the recipe misses a value."""
    known = {"customer.id": action.customer.business_id}
    return {name: known[binding] for name, binding in action.tool.bound.items() if known.get(binding)}
