"""Runs a turn that is for one call of a tool: the policy, approvals, executor and log of an agent's call, and no model.
Nothing of it is kept in a checkpoint: what was opened, decided and sent is in the action's row and the log.

A call that the customer would have to agree to is staff's to decide: whoever asks for it is another system, which can
neither speak for the customer nor show them the question.
"""

from typing import Any, Literal

from agents import acting, executor, facts
from agents.context import Call, TurnContext
from agents.direct.calls import CALL_ID, CALLER
from agents.models import ActionStatus


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
