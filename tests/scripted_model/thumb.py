"""What is answered where no rule fits: rules of thumb, good enough to drive the whole product.

A structured request is filled from its schema, intents by keyword. A request with tools calls the one
whose words fit the customer's message, with arguments read from it. After a tool's result comes a text of
about 40 tokens. Some frameworks' agents hand a conversation over by a tool: what it answers is no result.
"""

import re
from typing import Any

from tests.scripted_model import fill
from tests.scripted_model.asked import Asked
from tests.scripted_model.script import Reply

ANSWER = (
    "Thank you for waiting. I have looked this up in the system for you just now, and everything that you "
    "asked about is shown above. Is there anything else that I can do for you with this today?"
)
NOTHING_TO_DO = (
    "Thank you for your message. I am not sure which of your orders this is about, so please tell me its "
    "number, and I will look it up for you straight away, or do whatever you need done with it today."
)
HANDED_OVER = "Successfully transferred to "
ORDER_OF_WORDS = (  # a stem in a message -> stems in an agent's or a tool's name
    (r"cancel|取消", ("cancel", "actions")),
    (r"coupon|优惠券", ("coupon", "discount")),
    (r"discount|折扣|\d+ ?%", ("discount",)),
    (r"track|parcel|deliver|where is|物流", ("tracking", "order_lookup")),
    (r"status|查询|look ?up", ("status", "order_lookup", "account_lookup")),
    (r"dispute", ("dispute",)),
    (r"transaction|charge|payment", ("transaction",)),
    (r"plan|subscription|upgrade", ("plan", "subscription")),
)


def reply_to(asked: Asked) -> Reply:
    if asked.schema is not None:
        return Reply(json=fill.from_schema(asked.schema, _known(asked.schema, asked)))
    handed_over = asked.tool_result.startswith(HANDED_OVER)
    if (asked.has_tool_result and not handed_over) or not asked.tools:
        return Reply(text=ANSWER)
    tool = _best([item["name"] for item in asked.tools], asked.last_user)
    chosen = next((item for item in asked.tools if item["name"] == tool), None)
    if chosen is None:
        return Reply(text=NOTHING_TO_DO)
    args = _arguments(chosen.get("parameters") or {}, asked)
    if args is None:
        return Reply(text=NOTHING_TO_DO)
    return Reply(tool_calls=[{"name": chosen["name"], "args": args}])


def _known(schema: dict[str, Any], asked: Asked) -> dict[str, Any]:
    agents = _intents(schema, asked)
    person = re.search(r"a (person|human)|somebody real", asked.last_user, re.IGNORECASE) is not None
    return {
        "intents": [{"agent": agent} for agent in agents],
        "confidence": 0.9,
        "wants_person": person,
        "person_reason": "The customer asked for a person." if person else "",
        "question": "" if agents or person else "Could you tell me a little more about what you need?",
        "reason": "The message asks for it.",
        "why": "The message asks for it.",
    }


def _intents(schema: dict[str, Any], asked: Asked) -> list[str]:
    """Agents of the schema's own list that the message asks for, in the order in which it does."""
    agents = fill.enum_named(schema, "agent")
    places: dict[str, int] = {}
    for pattern, stems in ORDER_OF_WORDS:
        found = re.search(pattern, asked.last_user, re.IGNORECASE)
        if not found:
            continue
        for agent in agents:
            if any(stem in agent for stem in stems):
                places.setdefault(agent, found.start())
                break
    return sorted(places, key=lambda agent: places[agent])


def _best(names: list[str], message: str) -> str | None:
    for pattern, stems in ORDER_OF_WORDS:
        if re.search(pattern, message, re.IGNORECASE):
            for name in names:
                if any(stem in name for stem in stems):
                    return name
    return None


def _arguments(schema: dict[str, Any], asked: Asked) -> dict[str, Any] | None:
    """Values for the required parameters, from the newest message that has one; None where one is missing."""
    found: dict[str, Any] = {}
    for name in schema.get("required") or []:
        rule = (schema.get("properties") or {}).get(name, {})
        value = next(
            (got for text in reversed(asked.users) if (got := _value(name, rule, text)) is not None), None
        )
        if value is None:
            return None
        found[name] = value
    return found


def _value(name: str, rule: dict[str, Any], text: str) -> Any:
    numeric = rule.get("type") in ("integer", "number")
    if "percent" in name or name in ("discount", "amount"):
        percent = re.search(r"(\d+) ?%", text)
        return int(percent[1]) if percent else None
    if numeric or name.endswith("id") or "number" in name:
        number = re.search(r"(?<![\d%])\d{2,}(?!\d* ?%)", text)
        return None if not number else int(number[0]) if numeric else number[0]
    return rule["enum"][0] if rule.get("enum") else text
