"""Opening, deciding and expiring actions. A status changes here, in `agents.executor` and in
`agents.settlement` alone, by compare-and-set.

Locks are always taken in the order turn, action, conversation. `settled` is sent inside the transaction, so that the
log and the turn change together with the action or not at all; its receivers publish after commit.
"""

import json
import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog
from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from agents import facts, policy
from agents.models import Action, ActionStatus, Approver, Tool
from agents.registry import tool_spec
from smartsupport.lib import audit
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import canonical_json
from smartsupport.lib.rest import decider_id
from smartsupport.lib.text import readable, shorten, storable

log = structlog.get_logger(__name__)

settled = Signal()
"""An action was decided, has expired, was given up by its worker, or was settled by staff. Arguments: `action`
(Action), `fact` (what the log has to say). Sent in the transaction."""


class ActionNotFound(ServiceError):
    code, status, message = "not_found", 404, "This approval does not exist."


class NotAllowed(ServiceError):
    code, status, message = "not_allowed", 403, "Not allowed to decide"


class AlreadyDecided(ServiceError):
    code, status, message = "already_decided", 409, "Already decided"

    @classmethod
    def of(cls, action: Action) -> "AlreadyDecided":
        """Tells what was decided and by whom. An approved action stays `approved` whatever became of it later."""
        resolution = action.status if action.status in ("rejected", "cancelled") else "approved"
        return cls(resolution=resolution, by=action.decided_by, by_name=action.decided_by_name)


class ApprovalExpired(ServiceError):
    code, status = "approval_expired", 410

    @classmethod
    def of(cls, action: Action) -> "ApprovalExpired":
        return cls(expiry_message(action), interrupt_id=str(action.pk), action=action.tool_name)


class ArgumentsChanged(ServiceError):
    code, status = "arguments_changed", 409
    message = "The arguments were changed while you looked at them. Read them again, then decide."


NOT_SEEN = "This is not what was first asked. Read it as it is now, and send the arguments_hash of what you have read."


class InvalidArguments(ServiceError):
    code, status = "invalid_arguments", 400


class ToolChanged(ServiceError):
    code, status = "tool_changed", 409
    message = "The tool has changed since this was asked. Nothing was sent: staff have to look at it again."


class ToolSwitchedOff(ServiceError):
    code, status = "tool_switched_off", 409
    message = "The tool is switched off. Switch it on first, or decline."


@dataclass(frozen=True, slots=True)
class Decider:
    """Who decides: the customer whose action it is (`customer_id`), or a member of staff. `id` (`user:5`, `key:<uuid>`)
    tells two people of the same name apart; `answers_for` are ids of others whose wishes are not theirs to approve: who
    made an API key."""

    kind: str  # customer | staff
    name: str
    customer_id: UUID | None = None
    id: str = ""
    answers_for: tuple[str, ...] = ()

    @classmethod
    def of(cls, caller: Any) -> "Decider":
        """The member of staff, or the integrator, who calls."""
        others = tuple(getattr(caller, "answers_for", ()))
        return cls(kind="staff", name=caller.get_username(), id=decider_id(caller), answers_for=others)


def expiry_message(action: Action) -> str:
    waited = action.expires_at - action.created_at
    # One that came back was asked for again, with the whole time.
    minutes = settings.INTERRUPT_TTL_MINUTES if action.reopened else round(waited.total_seconds() / 60)
    expired = f"The approval request for '{action.tool_name}' has expired after {minutes} minutes."
    return f"{expired} Would you like to try again?"


def approver_for(tool: Tool, arguments: dict[str, Any]) -> str:
    """Who decides on this call. An amount above the tool's limit, or one that cannot be read, goes to staff."""
    if not tool.staff_above_argument or tool.staff_above_amount is None:
        return tool.approval
    amount = arguments.get(tool.staff_above_argument)
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not math.isfinite(amount):
        return Approver.STAFF
    # As decimals: what is written 100.01 is not a binary fraction beside it.
    return Approver.STAFF if Decimal(repr(amount)) > tool.staff_above_amount else tool.approval


def ask(tool: Tool, arguments: dict[str, Any]) -> str:
    """The question to the approver, in the tool's own words. Arguments go in as plain text, never as a format."""
    if not tool.confirmation:
        listed = ", ".join(f"{name} {_written(value)}" for name, value in arguments.items())
        return shorten(f"{tool.title}: {listed}" if listed else tool.title, 500)

    # In one pass: a value that looks like a place of its own is not filled in again.
    def shown(place: re.Match[str]) -> str:
        return _written(arguments.get(place[1], place[0]))

    return shorten(re.sub(r"\{([^{}]+)\}", shown, tool.confirmation), 500)


def _written(value: Any) -> str:
    """Without what would turn the rest of the question around; the values themselves are shown beside it, marked."""
    return readable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def frozen(arguments: dict[str, Any]) -> str:
    """Arguments as they are stored and hashed."""
    return canonical_json(arguments)


def open_action(
    *,
    turn_id: UUID,
    customer_id: UUID,
    tool: Tool,
    tool_call_id: str,
    agent: str,
    arguments: dict[str, Any],
    bound: dict[str, Any],
    overridden: tuple[str, ...] = (),
    staff_only: bool = False,
) -> tuple[Action, bool]:
    """The action of this tool call, and whether it was opened just now. Call it in a transaction.

    `overridden` names bound arguments that the model tried to fill in itself; that is logged. `staff_only`: the
    customer is not there to be asked, so what they would decide on is for staff to decide."""
    if overridden:
        log.warning("bound_arguments_overridden", tool=tool.name, arguments=list(overridden))
    action = Action(
        turn_id=turn_id,
        customer_id=customer_id,
        tool=tool,
        tool_name=tool.name,
        tool_fingerprint=tool.fingerprint(),
        tool_snapshot=tool.snapshot(),
        tool_call_id=tool_call_id,
        agent=agent,
        arguments=frozen(arguments),
        bound_arguments=frozen(bound),
        message=ask(tool, arguments),
        approver=approver_for(tool, arguments),
        expires_at=_deadline(),
    )
    # What may have happened already is not the customer's to risk.
    if staff_only or _in_doubt(action):
        action.approver = Approver.STAFF
    action.approvals_needed = tool.approvals_needed if action.approver == Approver.STAFF else 1
    action.arguments_hash = action.expected_hash()
    existing = Action.objects.filter(turn_id=turn_id, tool_call_id=tool_call_id).first()
    if existing is not None:
        return existing, False
    action.save(force_insert=True)
    log.info("approval_opened", action_id=str(action.pk), tool=tool.name, approver=action.approver)
    return action, True


def _in_doubt(action: Action) -> bool:
    """Whether nobody knows of the very same call, made earlier for this customer, whether it took place."""
    same = Action.objects.filter(
        customer_id=action.customer_id, tool_id=action.tool_id, status=ActionStatus.UNKNOWN
    )
    return bool(same.filter(arguments=action.arguments, bound_arguments=action.bound_arguments).exists())


def _deadline() -> datetime:
    return timezone.now() + timedelta(minutes=settings.INTERRUPT_TTL_MINUTES)


def opened_fact(action: Action, overridden: tuple[str, ...] = ()) -> facts.Fact:
    return facts.approval_opened(
        interrupt_id=action.pk,
        agent=action.agent,
        action=action.tool_name,
        params=action.args,
        message=action.message,
        approver=action.approver,
        expires_at=action.expires_at,
        overridden=overridden,
    )


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
    was first asked.

    Raises ActionNotFound (also for somebody else's), NotAllowed, AlreadyDecided (naming the winner), ApprovalExpired
    (the action is then marked expired), ArgumentsChanged, InvalidArguments, ToolSwitchedOff, ToolChanged (it is then
    staff's to decide again). Only the booleans True and False decide; anything else is a TypeError.
    """
    if approved is not True and approved is not False:
        raise TypeError("A decision is True or False.")
    refusal: ServiceError | None = None
    with transaction.atomic():
        action = locked(action_id)
        _check_decider(action, by, approved=approved, edits=arguments is not None)
        if action.expires_at <= timezone.now():
            _expire(action)
            refusal = ApprovalExpired.of(action)
        elif seen and seen != action.arguments_hash:
            raise ArgumentsChanged()
        elif approved and not seen and arguments is None and (action.edited_by or action.reopened):
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


def _check_decider(action: Action, by: Decider, *, approved: bool, edits: bool) -> None:
    if by.kind == "customer" and action.customer_id != by.customer_id:
        raise ActionNotFound()
    if action.status == ActionStatus.EXPIRED:
        raise ApprovalExpired.of(action)
    if action.status != ActionStatus.AWAITING:
        raise AlreadyDecided.of(action)
    if by.kind != action.approver:
        raise NotAllowed()
    if edits and (by.kind != "staff" or not approved):
        raise InvalidArguments("Only staff can change arguments, and only when they approve.")
    if approved and has_asked(action, by.id, *by.answers_for):
        raise NotAllowed("You asked for this yourself. Somebody else has to approve it.")
    if approved and action.approvals_needed > 1 and not by.id.startswith("user:"):
        # Whose key it is, is not known: one person with a login and a key would be two.
        raise NotAllowed("Two people have to agree on this, each of them signed in to the console.")
    if approved and any(vote["id"] == by.id for vote in action.votes):
        raise NotAllowed("You have approved this already. A second person has to agree.")


def has_asked(action: Action, *deciders: str) -> bool:
    """Whether one of the deciders (their ids) wrote for the customer, for this turn or an earlier one: what one message
    asks for is often carried out after the next one, a bare "yes". So is what was written while a person had the
    conversation, which belongs to no turn."""
    known = [decider for decider in deciders if decider]
    if not known:
        return False
    conversation_id, until = action.turn.conversation_id, action.turn.message_seq
    turns = apps.get_model("chat.Turn").objects.filter(conversation=conversation_id, message_seq__lte=until)
    if turns.filter(asked_by__in=known).exists():
        return True
    written = apps.get_model("chat.Event").objects.filter(conversation=conversation_id, seq__lte=until)
    apart = written.filter(turn=None, kind="message_received", payload__asked_by__in=known)
    return bool(apart.exists())


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
    action.bound_arguments = frozen(_bound_now(action))
    action.message = ask(tool, action.args)
    action.difference, action.reopened = difference, action.reopened + 1
    action.decided_by = action.decided_by_name = action.reason = ""
    action.decided_at, action.expires_at = None, _deadline()
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


def _bound_now(action: Action) -> dict[str, Any]:
    """What the tool of today binds to the customer. Without an id of theirs nothing is bound, and nothing can be sent:
    the recipe misses a value."""
    known = {"customer.id": action.customer.business_id}
    return {name: known[binding] for name, binding in action.tool.bound.items() if known.get(binding)}


def locked(action_id: UUID) -> Action:
    """The action, with its turn and itself locked in that order. Raises ActionNotFound."""
    turn_id = Action.objects.filter(pk=action_id).values_list("turn_id", flat=True).first()
    if turn_id is None:
        raise ActionNotFound()
    apps.get_model("chat.Turn").objects.select_for_update(no_key=True).only("pk").get(pk=turn_id)
    rows = Action.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("turn", "tool", "customer").get(pk=action_id)


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


def _expire(action: Action) -> bool:
    # Overdue still: since somebody looked, it may have come back with a new deadline.
    overdue = Action.objects.overdue().filter(pk=action.pk)
    won = overdue.update(status=ActionStatus.EXPIRED, decided_at=timezone.now())
    if won:
        action.refresh_from_db()
        fact = facts.approval_expired(
            interrupt_id=action.pk,
            action=action.tool_name,
            message=expiry_message(action),
            attempt=action.reopened,
        )
        settled.send(Action, action=action, fact=fact)
        log.info("approval_expired", action_id=str(action.pk), tool=action.tool_name)
    return bool(won)


def expire_overdue(*, limit: int = 500) -> int:
    """Mark what has waited too long, one transaction each; one that fails is logged and tried again by the next sweep.
    Returns how many expired."""
    expired = 0
    for action_id in Action.objects.overdue().order_by("expires_at").values_list("pk", flat=True)[:limit]:
        try:
            with transaction.atomic():
                expired += _expire(locked(action_id))
        except Exception:
            log.exception("approval_not_expired", action_id=str(action_id))
    return expired


def cancel_open(*, turn_id: UUID) -> list[Action]:
    """Cancel what a stopped turn has not dispatched. Call it in a transaction that holds the turn's lock."""
    waiting = [ActionStatus.AWAITING, ActionStatus.APPROVED]
    cancelled = list(
        Action.objects.select_for_update(no_key=True).filter(turn_id=turn_id, status__in=waiting)
    )
    for action in cancelled:
        action.status = ActionStatus.CANCELLED
        action.finished_at = timezone.now()
        action.save(update_fields=["status", "finished_at"])
    return cancelled
