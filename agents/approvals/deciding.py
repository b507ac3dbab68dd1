"""One decision on a waiting action, by compare-and-set."""

import json
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from agents import facts, policy
from agents.approvals.deciders import Decider, check_decider
from agents.approvals.drifting import drift, reopen
from agents.approvals.ending import expire, locked
from agents.approvals.news import settled
from agents.approvals.opening import frozen
from agents.approvals.questions import ask
from agents.approvals.refusals import (
    NOT_SEEN,
    AlreadyDecided,
    ApprovalExpired,
    ArgumentsChanged,
    InvalidArguments,
    ToolChanged,
    ToolSwitchedOff,
)
from agents.models import Action, ActionStatus
from agents.registry import tool_spec
from smartsupport.lib import audit
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.text import shorten, storable

log = structlog.get_logger(__name__)


def decide(
    *,
    action_id: UUID,
    approved: bool,
    by: Decider,
    reason: str = "",
    arguments: dict[str, Any] | None = None,
    seen: str = "",
) -> Action:
    """Record a decision on a waiting action; the action as it is then: still `awaiting` where a second person has to
    agree. `arguments` are what staff approve instead of what was proposed, whole, checked against the tool's schema.
    `seen` is the `arguments_hash` of what the decider looked at; it may be left out as long as the call is the one that
    was first asked, or they give all of its arguments themselves and its tool has not changed.

    Raises ActionNotFound (also for somebody else's), NotAllowed, AlreadyDecided (naming the winner), ApprovalExpired
    (the action is then marked expired), ArgumentsChanged, InvalidArguments, ToolSwitchedOff, ToolChanged (it is then
    staff's to decide again). Only the booleans True and False decide; anything else is a TypeError.
    """
    if approved is not True and approved is not False:
        raise TypeError("A decision is True or False.")
    refusal: ServiceError | None = None
    with transaction.atomic():
        action = locked(action_id)
        check_decider(action, by, approved=approved, edits=arguments is not None)
        if action.expires_at <= timezone.now():
            expire(action)
            refusal = ApprovalExpired.of(action)
        elif seen and seen != action.arguments_hash:
            raise ArgumentsChanged()
        elif approved and not seen and (action.reopened or (action.edited_by and arguments is None)):
            raise ArgumentsChanged(NOT_SEEN)
        elif approved and (difference := drift(action)):
            if not action.tool.enabled and by.kind == "staff":
                raise ToolSwitchedOff()
            reopen(action, difference)
            refusal = ToolChanged()
        else:
            if approved:
                _edit(action, arguments, by)
            _settle(action, approved=approved, by=by, reason=reason)
    if refusal:
        raise refusal
    return action


def _edit(action: Action, arguments: dict[str, Any] | None, by: Decider) -> None:
    """Put staff's arguments in the place of the proposed ones, in the decision's transaction.

    After the tool has changed, the arguments are checked against its new schema even if nobody edits them."""
    if arguments is None and not action.reopened:
        return
    wanted = action.args if arguments is None else _as_sent(arguments)
    fault, checked = policy.check(tool_spec(action.tool), wanted, json.loads(action.bound_arguments).keys())
    if fault:
        raise InvalidArguments(fault)
    text = frozen(checked)
    if text == action.arguments:
        return
    action.proposed_arguments = action.proposed_arguments or action.arguments
    action.arguments = text
    action.edited_by, action.edited_by_id = by.name[:150], by.id
    action.message = ask(action.tool, checked)
    action.votes = []  # who agreed before agreed to something else
    action.arguments_hash = action.expected_hash()
    edited = [
        "arguments",
        "proposed_arguments",
        "edited_by",
        "edited_by_id",
        "message",
        "votes",
        "arguments_hash",
    ]
    action.save(update_fields=edited)
    log.info("approval_edited", action_id=str(action.pk), by_name=by.name)


def _as_sent(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments, if they can be kept exactly as they are. Raises InvalidArguments."""
    try:
        if storable(arguments) == arguments:
            return arguments
    except RecursionError:
        pass
    raise InvalidArguments(
        "These arguments cannot be kept as they are: they are nested too deeply, or have characters that are none "
        "(NUL, or half of a pair)."
    )


def _settle(action: Action, *, approved: bool, by: Decider, reason: str) -> None:
    if approved and len(action.votes) + 1 < action.approvals_needed:
        _vote(action, by)
        return
    status = ActionStatus.APPROVED if approved else ActionStatus.REJECTED
    reason = shorten(storable(reason), 500)
    won = (
        Action.objects.awaiting()
        .filter(pk=action.pk)
        .update(
            status=status,
            decided_by=by.kind,
            decided_by_name=by.name[:150],
            decided_at=timezone.now(),
            reason=reason,
        )
    )
    if not won:
        action.refresh_from_db()
        raise AlreadyDecided.of(action)
    action.refresh_from_db()
    fact = facts.approval_decided(
        interrupt_id=action.pk,
        action=action.tool_name,
        resolution=action.status,
        by=by.kind,
        by_name=by.name if by.kind == "staff" else "",
        reason=reason,
        attempt=action.reopened,
        params=action.args,
        changed=changes(action),
    )
    settled.send(Action, action=action, fact=fact)
    audit.changed(
        "agents.action",
        action.pk,
        before={"status": ActionStatus.AWAITING},
        after={"status": status, "tool": action.tool_name, "arguments": action.args, "reason": reason},
    )
    log.info(
        "approval_decided", action_id=str(action.pk), resolution=action.status, by=by.kind, by_name=by.name
    )


def _vote(action: Action, by: Decider) -> None:
    """The first of two people agrees. The action goes on waiting."""
    action.votes = [*action.votes, {"id": by.id, "name": by.name, "at": timezone.now().isoformat()}]
    action.save(update_fields=["votes"])
    fact = facts.approval_voted(
        interrupt_id=action.pk,
        action=action.tool_name,
        by_name=by.name,
        votes=len(action.votes),
        needed=action.approvals_needed,
    )
    settled.send(Action, action=action, fact=fact)
    log.info("approval_voted", action_id=str(action.pk), by_name=by.name, votes=len(action.votes))


def changes(action: Action) -> dict[str, list[Any]]:
    """{argument: [as proposed, as approved]} of an action that staff edited."""
    if not action.proposed_arguments:
        return {}
    was, now = json.loads(action.proposed_arguments), action.args
    names = sorted(was.keys() | now.keys())
    return {name: [was.get(name), now.get(name)] for name in names if was.get(name) != now.get(name)}
