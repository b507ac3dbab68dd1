"""What API keys may do: the scopes that routes ask for, and four names that stand for several of them."""

from collections.abc import Iterable

SCOPES = {
    "conversations:read": "Read conversations, their events and replays",
    "conversations:write": "Write messages for customers and to them, stop turns, resolve conversations",
    "interrupts:read": "Read approvals",
    "interrupts:decide": "Approve and decline what waits for staff",
    "tools:call": "Call the published tools over MCP, for any customer (or the one that the key is held to)",
    "agents:read": "Read agents and export them",
    "agents:write": "Import agents",
    "imports:read": "Read imports of APIs, what was judged of their operations, and what was published",
    "imports:write": "Start, review, cancel and retry imports",
    "imports:publish": "Publish imports as live tools, pause, roll back and delete them",
    "webhooks:read": "Read webhook endpoints and what was sent to them",
    "webhooks:write": "Add, change, pause and test webhook endpoints, and send again",
    "audit:read": "Read who did what",
    "analytics:read": "Read analytics and export them",
    "usage:read": "Read what models cost, by customer, and budgets",
    "usage:write": "Grant, reset and exempt budgets",
    "admin": "Everything",
}
GROUPS = {
    "read": (
        "conversations:read",
        "interrupts:read",
        "agents:read",
        "imports:read",
        "webhooks:read",
        "analytics:read",
        "usage:read",
    ),
    "chat": ("conversations:read", "conversations:write"),
    "approve": ("interrupts:read", "interrupts:decide"),
    "manage": (
        "agents:read",
        "agents:write",
        "imports:read",
        "imports:write",
        "imports:publish",
        "webhooks:read",
        "webhooks:write",
        "usage:read",
        "usage:write",
    ),
}
"""`read` is everything that is read but the audit: that tells what staff did and from where. A key keeps the name, so
it gets what is added to its group later."""
PERMISSIONS = {
    "conversations:read": ("chat.view_conversation",),
    "conversations:write": ("chat.change_conversation",),
    "interrupts:read": ("agents.view_action",),
    "interrupts:decide": ("agents.decide_action",),
    "tools:call": ("chat.change_conversation",),
    "agents:read": ("agents.view_agent",),
    "agents:write": ("agents.change_agent",),
    "imports:read": ("openapi_import.view_importjob", "openapi_import.view_specsource"),
    "imports:write": ("openapi_import.add_importjob", "openapi_import.change_importjob"),
    "imports:publish": ("openapi_import.publish_importjob",),
    "webhooks:read": ("chat.view_webhookendpoint", "chat.view_webhookdelivery"),
    "webhooks:write": (
        "chat.add_webhookendpoint",
        "chat.change_webhookendpoint",
        "chat.delete_webhookendpoint",
        "chat.change_webhookdelivery",
    ),
    "audit:read": ("smartsupport.view_auditentry",),
    "analytics:read": ("analytics.view_analytics",),
    "usage:read": ("agents.view_modelcall",),
    "usage:write": ("agents.change_budget",),
    "admin": ("chat.view_apikey", "chat.add_apikey", "chat.change_apikey"),
}
"""What a member of staff has to be allowed to do themselves before they give a key the scope."""
GROUP_WORDS = {
    "read": "Everything that can be read, without the audit",
    "chat": "Read and write conversations",
    "approve": "Read and decide approvals",
    "manage": "Agents, imports, webhooks and budgets",
}
NAMES = (*GROUPS, *SCOPES)


class UnknownScope(ValueError):
    pass


def checked(wanted: Iterable[str]) -> list[str]:
    """The names in order, each once. Raises UnknownScope, also for none."""
    names = sorted(set(wanted))
    unknown = [name for name in names if name not in NAMES]
    if unknown or not names:
        raise UnknownScope(f"Unknown scope {unknown[0]}." if unknown else "A key needs at least one scope.")
    return names


def granted(names: Iterable[str]) -> frozenset[str]:
    """The scopes that these names stand for; all of them for `admin`."""
    given = set(names)
    if "admin" in given:
        return frozenset(SCOPES)
    inside = {scope for name in given for scope in GROUPS.get(name, ())}
    return frozenset(inside | (given & SCOPES.keys()))
