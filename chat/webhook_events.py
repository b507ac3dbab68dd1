"""What webhooks tell of. The triggers of migration 0011 write a delivery whenever one of these happens, whoever causes
it; `budget.alert` is written by `chat.webhooks`."""

ESCALATED = "conversation.escalated"
BUDGET_ALERT = "budget.alert"
PING = "test.ping"
"""Sent by hand, to try an endpoint out. Nobody subscribes to it."""

EVENTS = {
    "conversation.started": "A customer wrote the first message of a conversation",
    "conversation.completed": "Staff resolved a conversation, or its customer said that their question is solved",
    ESCALATED: "A conversation waits for a person",
    "conversation.handed_back": "A person gave a conversation back to the agents",
    "action.awaiting": "An action waits for somebody's approval",
    "action.decided": "An action was approved or declined, has expired, or was cancelled",
    "action.executed": "An action was carried out, or could not be",
    "action.unknown": "Nobody knows whether an action was carried out",
    "import.done": "An API document was read and waits for its review",
    "import.failed": "An API document could not be imported",
    BUDGET_ALERT: "A budget has reached 80 or 100 percent",
}
"""{event: when it is told}."""
OF_WEBHOOK_URL = (ESCALATED, BUDGET_ALERT)
"""What WEBHOOK_URL of the environment is told."""
