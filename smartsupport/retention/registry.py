"""Every table that leads to a customer, and what becomes of its rows. A test walks all models: whatever has a path to
a customer or a conversation and is not here fails it.

A rule says which rows are those of some conversations (`where`, over `%(conversations)s` and `%(turns)s`, arrays of
ids), and what becomes of them when the conversations are deleted, or only emptied of words and of the person.
"""

from dataclasses import dataclass

ERASED = "[erased]"
"""Stands where words were."""
OF_TURNS = "turn_id = ANY(%(turns)s)"
OF_CONVERSATIONS = "conversation_id = ANY(%(conversations)s)"
OF_BUDGETS = """kind = 'budget.alert' AND conversation_id IS NULL AND (
    note -> 'customer' ->> 'id' = ANY(%(customers)s::text[])
    OR payload -> 'customer' ->> 'id' IN (SELECT subject FROM chat_customer WHERE id = ANY(%(customers)s)))"""
"""Deliveries about a customer's budget belong to no conversation: they name the customer, to an endpoint by our id, and
to WEBHOOK_URL by the subject."""
LOGGED = "content_type_id = (SELECT id FROM django_content_type WHERE app_label = '{}' AND model = '{}')"


@dataclass(frozen=True, slots=True)
class Rule:
    """`deleted`: what sets columns where rows are kept although the conversation goes; "" deletes the rows.
    `emptied`: what sets columns when the conversation is only emptied; "" changes nothing, None deletes the rows. Both
    are SQL, over `%(nobody)s`, the customer without a name who is put in the place of the one who wrote."""

    model: str
    where: str
    deleted: str = ""
    emptied: str | None = None


CONVERSATIONS = (
    # The console's own log calls a row by what it was about: the question of an action, a conversation's thread.
    Rule(
        "admin.LogEntry",
        f"{LOGGED.format('agents', 'action')} "  # noqa: S608
        f"AND object_id IN (SELECT id::text FROM agents_action WHERE {OF_TURNS})",
    ),
    Rule(
        "admin.LogEntry",
        f"{LOGGED.format('chat', 'conversation')} AND object_id = ANY(%(conversations)s::text[])",
    ),
    Rule(
        "agents.ApprovalLink",
        f"action_id IN (SELECT id FROM agents_action WHERE {OF_TURNS})",  # noqa: S608
    ),
    Rule(
        "agents.DirectCall",
        OF_TURNS,
        emptied="arguments = '{}', submission = NULL, asked_by_name = '[erased]'",
    ),
    # Money stays countable: a call costs what it cost, and leads to nobody.
    Rule(
        "agents.ModelCall",
        OF_CONVERSATIONS,
        deleted="conversation_id = NULL, turn_id = NULL, customer_id = NULL, event_seq = NULL",
        emptied="customer_id = %(nobody)s",
    ),
    Rule(
        "agents.Action",
        OF_TURNS,
        emptied="""customer_id = %(nobody)s, arguments = '{}', bound_arguments = '{}', proposed_arguments = '',
            arguments_hash = '', message = '[erased]', reason = '', sent = NULL, result = NULL, error_message = '',
            decided_by_name = CASE decided_by WHEN 'customer' THEN '' ELSE decided_by_name END""",
    ),
    Rule(
        "chat.WebhookAttempt",
        f"delivery_id IN (SELECT id FROM chat_webhookdelivery WHERE {OF_CONVERSATIONS})",  # noqa: S608
    ),
    Rule("chat.WebhookDelivery", OF_CONVERSATIONS),
    Rule("chat.PromptPart", OF_CONVERSATIONS),
    # The payloads of what is only emptied are `smartsupport.retention.wordless`.
    Rule("chat.Event", OF_CONVERSATIONS, emptied=""),
    Rule("chat.Turn", "id = ANY(%(turns)s)", emptied="content = '[erased]', error = ''"),
    Rule("chat.Conversation_tags", OF_CONVERSATIONS, emptied=""),
    # Numbers without an owner are kept in analytics.KeptFact before this (`analytics.rollups.keep`).
    Rule("analytics.ConversationFact", OF_CONVERSATIONS, emptied="customer_id = %(nobody)s"),
    Rule(
        "chat.Conversation",
        "id = ANY(%(conversations)s)",
        emptied="""customer_id = %(nobody)s, thread_id = 'erased-' || replace(gen_random_uuid()::text, '-', ''),
            handoff_reason = '', last_line = '', emptied_at = STATEMENT_TIMESTAMP()""",
    ),
)
"""In the order in which rows can go."""

CUSTOMERS = (
    Rule(
        "chat.WebhookAttempt",
        f"delivery_id IN (SELECT id FROM chat_webhookdelivery WHERE {OF_BUDGETS})",  # noqa: S608
    ),
    Rule("chat.WebhookDelivery", OF_BUDGETS),
    Rule("agents.BudgetAlert", "customer_id = ANY(%(customers)s)"),
    Rule("agents.BudgetChange", "customer_id = ANY(%(customers)s)"),
    Rule("agents.Budget", "customer_id = ANY(%(customers)s)"),
    Rule("agents.ModelCall", "customer_id = ANY(%(customers)s)", deleted="customer_id = NULL"),
    Rule("chat.ApiKey", "customer_id = ANY(%(customers)s)"),
    Rule("chat.Customer", "id = ANY(%(customers)s)"),
)
"""What is left of customers without a conversation, in the order in which rows can go."""

WITHOUT_MODEL = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
"""LangGraph's memory of turns in flight: `thread_id` is the turn's id."""

KEPT_AS_THEY_ARE = {
    "agents.Agent": "set up by staff",
    "agents.AgentTool": "set up by staff",
    "agents.Credential": "of the business system",
    "agents.ModelPrice": "a price",
    "agents.Revision": "who changed an agent or a tool: staff",
    "agents.SpendSlice": "sums",
    "agents.SpendTotal": "sums",
    "agents.Tool": "set up by staff",
    "analytics.Day": "sums",
    "analytics.DayAgent": "sums",
    "analytics.DayTool": "sums",
    "analytics.KeptFact": "numbers of deleted conversations, without any id",
    "analytics.Month": "sums",
    "analytics.MonthTool": "sums",
    "analytics.Progress": "a moment",
    "chat.CannedReply": "written by staff for everybody",
    "chat.Tag": "a word that staff sort by",
    "chat.WebhookEndpoint": "of another system",
    "openapi_import.Classification": "of a document",
    "openapi_import.ImportJob": "of a document",
    "openapi_import.Publication": "of a document",
    "openapi_import.SpecSource": "of a document",
    "smartsupport.AuditEntry": "what staff and keys did; cannot be changed, and is proof because of it",
    "smartsupport.Backup": "that a backup was made",
    "smartsupport.IdempotentRequest": "sealed, and deleted after 24 hours by itself",
    "smartsupport.Role": "of staff",
}
"""Models of ours that no rule is about, and why."""
