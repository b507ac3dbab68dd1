"""Runs a turn that is for one call of a tool: the policy, approvals, executor and log of an agent's call, and no model.
Nothing of it is kept in a checkpoint: what was opened, decided and sent is in the action's row and the log.

A call that the customer would have to agree to is staff's to decide: whoever asks for it is another system, which can
neither speak for the customer nor show them the question.
"""

from typing import Any, Literal

from agents import acting, executor, facts
from agents.context import Call, TurnContext
from agents.models import Access, Action, ActionStatus, Tool
from agents.policy import FIND_TOOLS, HAND_OFF
from agents.registry import AgentSpec, Registry, tool_spec

CALLER = "mcp"
"""Whose tool calls these are, where an agent's name would stand."""
CALL_ID = "direct"
"""The id of the one call of such a turn."""
RESERVED = frozenset({FIND_TOOLS, HAND_OFF})
"""What agents have beside the business's tools. Nobody calls it from outside."""


def caller_of(tool: Tool | None) -> AgentSpec:
    """The caller as an agent that has this one tool; none, where there is no such tool any more."""
    tools = (tool_spec(tool),) if tool is not None else ()
    return AgentSpec(CALLER, "", Access.WRITE, "", "", "", (), "", tools)


def registry_of(name: str) -> Registry:
    """What a turn that is for a call of this tool works with. One statement."""
    found = None if name in RESERVED else Tool.objects.filter(name=name, enabled=True).first()
    return Registry((caller_of(found),))


async def run(context: TurnContext, asked: Call) -> Literal["completed", "waiting"]:
    """Make the call, or open its approval and wait. Whoever runs it again goes on where it was. Raises StaleTurn."""
    call: dict[str, Any] = {"name": asked.tool, "args": asked.arguments, "id": CALL_ID}
    # What was opened once is decided on and carried out as it is, whatever became of the tool since.
    known = await context.journal.transact(lambda: (acting.action_of(context, call), []))
    if known is None:
        if not acting.is_write(context, CALLER, call):
            await acting.act_on_read(context, CALLER, call)
            return "completed"
        opened = await context.journal.transact(lambda: _open(context, call))
        return "waiting" if opened else "completed"
    if known.status in acting.EXECUTABLE:
        known = await executor.execute(known.pk, context.journal)
    return "waiting" if known.status == ActionStatus.AWAITING else "completed"


def _open(context: TurnContext, call: dict[str, Any]) -> tuple[bool, list[facts.Fact]]:
    """Open the approval; whether there is one. Where staff changed the tool a moment ago, the log says why not."""
    status, told = acting.open_call(context, CALLER, call)
    if status:
        return True, told
    changed = "This tool was changed or switched off just now. Nothing was done."
    error = {"kind": "validation", "message": changed}
    returned = facts.tool_returned(agent=CALLER, tool=call["name"], call_id=CALL_ID, ok=False, error=error)
    return False, [returned]


def action_of_turn(turn_id: Any) -> Action | None:
    """The action of such a turn, with its tool; None where nothing that has an effect was to be done."""
    return Action.objects.select_related("tool").filter(turn_id=turn_id, tool_call_id=CALL_ID).first()
