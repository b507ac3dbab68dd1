"""The turn's graph with its own way of acting: `route`, `agent` and `finish` are those of a conversation, and whatever
would have an effect is put together, shown, and not sent. No code that could send a write is reached from here."""

from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from agents import acting, approvals, dry_run, facts, policy, tool_choice, tool_request
from agents.graph import agent, finish, route
from agents.models import Approver, Tool
from agents.playground.trial import TrialContext
from agents.registry import ToolSpec
from agents.turn_messages import pending_calls, refused, tool_message
from agents.turn_state import Next, State
from smartsupport.lib.threads import in_thread

SIMULATED = (
    "This is a trial: the request was put together and not sent. Nothing was changed. "
    "Go on as if it had succeeded."
)
DECLINED = "The approver declined this. It was not carried out. Reason given: declined in a trial."
NOT_CALLED = (
    "This is a trial in which reading tools are not called: there is no answer. Say what you would look up."
)
KEY = "[the approval's own id]"


async def gate(state: State, runtime: Runtime[TrialContext]) -> Command[Next]:
    """The next call is a write: nobody is asked, and `act` shows who would be."""
    return Command(update={"gated": pending_calls(state["messages"])[0]["id"]}, goto="act")


async def act(state: State, runtime: Runtime[TrialContext]) -> Command[Next]:
    """Simulate one write, or answer all calls up to the next write."""
    context, name = runtime.context, state["agents"][0]
    calls = pending_calls(state["messages"])
    handoff = False
    if calls[0]["id"] == state.get("gated"):
        results = await _simulate(context, name, calls)
    else:
        later = enumerate(calls[1:], start=1)
        first_write = next((place for place, call in later if _is_write(context, name, call)), len(calls))
        results = [await _answer(context, name, call) for call in calls[:first_write]]
        handoff = any(call["name"] == policy.HAND_OFF for call in calls[:first_write])
    if handoff:
        given_up = {"messages": results, "handoff": True, "gave_up": name, "agents": []}
        return Command(update=given_up, goto="finish")
    return Command(
        update={"messages": results},
        goto=acting.after_calls(context, name, [*state["messages"], *results]),
    )


def _is_write(context: TrialContext, name: str, call: dict[str, Any]) -> bool:
    asked = AIMessage(content="", tool_calls=[{**call, "type": "tool_call"}])
    return acting.after_calls(context, name, [asked]) == "gate"


def _judged(context: TrialContext, name: str, call: dict[str, Any]) -> tuple[ToolSpec | None, policy.Verdict]:
    spec, tool = context.registry.agent(name), context.registry.tool(name, call["name"])
    if spec is None:
        return None, policy.Verdict(fault="This agent is switched off.")
    succeeded = context.journal.succeeded()
    return tool, policy.judge(
        spec, tool, call["args"], context.bindings, name=call["name"], succeeded=succeeded
    )


async def _answer(context: TrialContext, name: str, call: dict[str, Any]) -> ToolMessage:
    """A call without an effect: really made where the trial says so, as in a conversation; refused ones as there."""
    spec = context.registry.agent(name)
    looks_up = spec is not None and call["name"] == policy.FIND_TOOLS and tool_choice.is_large(spec)
    tool, verdict = _judged(context, name, call)
    if context.trial.reads or call["name"] == policy.HAND_OFF or looks_up or verdict.fault or tool is None:
        return await acting.act_on_read(context, name, call)
    request = await in_thread(lambda: _request(tool, verdict, context))
    await context.journal.append(_simulated(name, tool, call, verdict, request, outcome="not_called"))
    return refused(call, "not_called", NOT_CALLED)


async def _simulate(context: TrialContext, name: str, calls: list[dict[str, Any]]) -> list[ToolMessage]:
    """What the first call would send and who would be asked. A declined one skips the calls after it."""
    call = calls[0]
    tool, verdict = _judged(context, name, call)
    if tool is None or verdict.fault:
        return [await acting.act_on_read(context, name, call)]
    request = await in_thread(lambda: _request(tool, verdict, context))
    outcome = "done" if context.trial.approves else "declined"
    await context.journal.append(_simulated(name, tool, call, verdict, request, outcome=outcome))
    if outcome == "declined":
        skipped = "Skipped, because the action before it was not carried out. Nothing was changed."
        return [
            refused(call, "rejected", DECLINED),
            *(refused(rest, "skipped", skipped) for rest in calls[1:]),
        ]
    return [tool_message(call, {"ok": True, "note": SIMULATED, "result": {"simulated": True}})]


def _request(tool: ToolSpec, verdict: policy.Verdict, context: TrialContext) -> dict[str, Any]:
    """The exact request without its secrets, and whom the tool's rule, or the draft's, would ask what."""
    row = Tool.objects.select_related("source").filter(pk=tool.id).first()
    if row is None:
        return {"fault": "This tool was deleted just now."}
    if rule := context.trial.rules.get(tool.name):
        rule.put_on(row)
    asked: dict[str, Any] = {}
    if tool.writes:
        approver = approvals.approver_for(row, verdict.arguments)
        needed = row.approvals_needed if approver == Approver.STAFF else 1
        asked = {"approver": approver, "needed": needed, "question": approvals.ask(row, verdict.arguments)}
    try:
        key = KEY if tool.writes else ""
        request = dry_run.dry_run(row, verdict.arguments, verdict.bound, idempotency_key=key)
    except tool_request.RecipeError as fault:
        return {**asked, "fault": str(fault)}
    return {**asked, "request": request.as_json()}


def _simulated(
    name: str,
    tool: ToolSpec,
    call: dict[str, Any],
    verdict: policy.Verdict,
    request: dict[str, Any],
    *,
    outcome: str,
) -> facts.Fact:
    payload = {
        "tool": tool.name,
        "title": tool.title,
        "args": verdict.arguments,
        "overridden": list(verdict.overridden),
        "outcome": outcome,
        **request,
    }
    return facts.Fact("call_simulated", payload, key=f"simulated:{call['id']}", agent=name)


def build() -> StateGraph[State, TrialContext]:
    graph = StateGraph(State, context_schema=TrialContext)
    for node in (route, agent, gate, act, finish):
        graph.add_node(node.__name__, node)  # type: ignore[call-overload]
    graph.add_edge(START, "route")
    graph.add_edge("finish", END)
    return graph
