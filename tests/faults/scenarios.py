"""What a customer asks for in a cell: the message, what the model answers, what people decide, what comes of it."""

from dataclasses import dataclass
from typing import Any

from tests.agents.graph_script import Rule, call, routed

UNKNOWN = "I cannot tell whether {thing} has happened. A colleague will look."


@dataclass(frozen=True, slots=True)
class Write:
    """A call with an effect: what the model asks for, who decides how, and what the agent says afterwards."""

    agent: str
    tool: str
    arguments: dict[str, Any]
    thing: str
    approver: str = "customer"
    approved: bool = True

    @property
    def order(self) -> int:
        order: int = self.arguments["order_id"]
        return order

    def said(self, status: str) -> str:
        """The agent's words for what became of it."""
        if status == "unknown":
            return UNKNOWN.format(thing=self.thing)
        return f"Done: {self.thing}." if status == "succeeded" else f"As you wish: no {self.thing}."


@dataclass(frozen=True, slots=True)
class Scenario:
    """One message. `repeatable` tells whether the tools of its writes are declared safe to repeat."""

    name: str
    title: str
    message: str
    agents: tuple[str, ...]
    writes: tuple[Write, ...] = ()
    reply: str = ""
    repeatable: bool = True

    def rules(self, *, token_delay_ms: int = 0) -> list[Rule]:
        """What the model answers, as often as it is asked: what a process that died was told, the next one is too."""
        rules = [routed(*self.agents)]
        for write in self.writes:
            who = {"system_contains": f"You are {write.agent},", "structured": False}
            told: list[tuple[dict[str, Any], str]] = [
                ({"tool_result_contains": "nobody knows"}, "unknown"),
                ({"tool_result_contains": '"ok": true'}, "succeeded"),
                ({"has_tool_result": True}, "rejected"),
            ]
            for match, status in told:
                reply = {"text": write.said(status), "token_delay_ms": token_delay_ms}
                rules.append({"match": {**who, **match}, "reply": reply})
            asked = {"tool_calls": [call(write.tool, write.arguments)]}
            rules.append({"match": {**who, "has_tool_result": False}, "reply": asked})
        if not self.writes:
            reads = {"tool_calls": [call("get_order_status", {"order_id": 1042})]}
            rules.append({"match": {"structured": False, "has_tool_result": False}, "reply": reads})
            told_reply = {"text": self.reply, "token_delay_ms": token_delay_ms}
            rules.append({"match": {"structured": False, "has_tool_result": True}, "reply": told_reply})
        return rules


CANCEL = Write("order_actions", "cancel_order", {"order_id": 1042}, "cancelling order 1042")
REJECTED = Write("order_actions", "cancel_order", {"order_id": 1042}, "cancelling order 1042", approved=False)
DISCOUNT = Write(
    "discount",
    "apply_discount",
    {"order_id": 1043, "percent": 10},
    "a discount on order 1043",
    approver="staff",
)

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "read",
            "A read",
            "What is the status of order 1042?",
            ("order_lookup",),
            reply="Order 1042 is being packed.",
        ),
        Scenario("write", "An approved write", "Cancel order 1042", ("order_actions",), (CANCEL,)),
        Scenario(
            "once",
            "An approved write, not safe to repeat",
            "Cancel order 1042",
            ("order_actions",),
            (CANCEL,),
            repeatable=False,
        ),
        Scenario(
            "two",
            "Two approved writes",
            "Cancel order 1042, and give me a discount on 1043",
            ("order_actions", "discount"),
            (CANCEL, DISCOUNT),
        ),
        Scenario("rejected", "A rejected write", "Cancel order 1042", ("order_actions",), (REJECTED,)),
    )
}
