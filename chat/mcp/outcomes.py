"""What a call has come to, as the result of `tools/call`: an object with a `status`, and the same as text. It is read
from the rows that everybody reads: the action, the log, the turn.

What the business answered is cut as for our own agents: to the parts that staff chose, and to 70,000 characters.
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from mcp_types import CallToolResult, TextContent

from agents.answers import fitted
from agents.direct.calls import action_of_turn
from agents.models import Action, ActionStatus, Tool
from agents.projection import projected
from chat.mcp.offered import STATUS
from chat.models import Event, Turn, TurnStatus

GONE_WRONG = frozenset({"failed", "unknown", "rejected", "expired", "cancelled", "refused"})
OPEN = frozenset({"awaiting", "approved", "running"})
ENDED = {
    ActionStatus.REJECTED: "Our staff declined this. It was not carried out.",
    ActionStatus.EXPIRED: "Nobody decided in time, so this was not carried out.",
    ActionStatus.CANCELLED: "This was stopped before it was carried out.",
}
AWAITING = (
    "This needs the agreement of a member of staff. Nothing was done yet. "
    f"Ask {STATUS} later what became of it; do not call the tool again."
)
EDITED = "Our staff changed the arguments when they approved this: see arguments_used."
TOOL_CHANGED = "Its tool has changed since this was asked, and so have the arguments: see arguments_used."
RUNNING = f"This is still being worked on. Ask {STATUS} later what became of it; do not call the tool again."
BROKE = "This could not be worked on. Nothing is known to have happened."


@dataclass(frozen=True, slots=True)
class Outcome:
    """`content`: {"status", ...}, JSON."""

    content: dict[str, Any]

    @property
    def status(self) -> str:
        return str(self.content["status"])

    def result(self, *, asked: bool = False) -> CallToolResult:
        """`asked`: somebody asked for the status, so that telling a bad one has worked."""
        text = fitted(self.content)
        try:
            content = json.loads(text)
        except ValueError:  # it was cut in the middle of a text
            content = {"status": self.status, "note": "The answer was cut: see the text."}
        error = self.status in GONE_WRONG and not asked
        return CallToolResult(
            content=[TextContent(type="text", text=text)], structured_content=content, is_error=error
        )


def of_turn(turn_id: UUID) -> Outcome:
    """What the turn's call has come to by now. Synchronous; four statements at most."""
    action = action_of_turn(turn_id)
    if action is not None:
        return of_action(action)
    returned = Event.objects.filter(turn_id=turn_id, kind="tool_returned").order_by("seq").last()
    if returned is not None:
        return _of_read(returned.payload)
    status = Turn.objects.filter(pk=turn_id).values_list("status", flat=True).first()
    if status in (TurnStatus.STOPPED, None):
        return Outcome({"status": "cancelled", "message": ENDED[ActionStatus.CANCELLED]})
    if status in (TurnStatus.FAILED, TurnStatus.COMPLETED):
        return Outcome({"status": "failed", "error": {"code": "turn_failed", "message": BROKE}})
    return Outcome({"status": "running", "call_id": str(turn_id), "poll": STATUS, "message": RUNNING})


def _of_read(payload: dict[str, Any]) -> Outcome:
    if not payload["ok"]:
        error = payload["error"]
        return Outcome({"status": "failed", "error": {"code": error["kind"], "message": error["message"]}})
    shown = Tool.objects.filter(name=payload["tool"]).values_list("projection", flat=True).first()
    more = {"note": payload["more"]} if payload.get("more") else {}
    result = projected(payload.get("result"), shown or ())
    return Outcome({"status": "succeeded", **more, "result": result})


def of_action(action: Action) -> Outcome:
    """The state of an approval and of what it was for. Who decided is not told, why is."""
    known: dict[str, Any] = {"status": str(action.status), "interrupt_id": str(action.pk)}
    note = EDITED if action.edited_by else TOOL_CHANGED
    used = {"note": note, "arguments_used": action.args} if action.proposed_arguments else {}
    match action.status:
        case ActionStatus.AWAITING:
            asked = {"question": action.message, "approver": action.approver}
            until = {"expires_at": action.expires_at.isoformat(), "poll": STATUS, "message": AWAITING}
            return Outcome({**known, **asked, **until})
        case ActionStatus.APPROVED:
            return Outcome({**known, "poll": STATUS, "message": RUNNING})
        case ActionStatus.DISPATCHING:
            return Outcome({**known, "status": "running", "poll": STATUS, "message": RUNNING})
        case ActionStatus.SUCCEEDED:
            return Outcome({**known, **used, "result": projected(action.result, action.tool.projection)})
        case ActionStatus.FAILED | ActionStatus.UNKNOWN:
            error = {"code": action.error_kind, "message": action.error_message}
            return Outcome({**known, **used, "error": error})
    reason = {"reason": action.reason} if action.reason else {}
    return Outcome({**known, "message": ENDED[ActionStatus(action.status)], **reason})
