"""Opening the approval of a tool call."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.utils import timezone

from agents import facts
from agents.approvals.questions import approver_for, ask
from agents.models import Action, ActionStatus, Approver, Tool
from smartsupport.lib.ids import canonical_json

log = structlog.get_logger(__name__)


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
        expires_at=deadline(),
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


def deadline() -> datetime:
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
