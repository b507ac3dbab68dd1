"""What `tools/list` answers: the published tools as a caller may use them, in the order of their names, in pages.

Nothing here is what staff decided alone: descriptions and schemas are those that our own agents' models are given, with
what is bound to the customer already gone from the schema.
"""

import base64
import binascii
import functools
import operator

from django.db.models import Q, QuerySet
from mcp_types import ListToolsResult, ToolAnnotations
from mcp_types import Tool as OfferedTool

from agents.direct.calls import RESERVED
from agents.models import Access, Risk, Tool
from chat.mcp.caller import McpCaller
from chat.mcp.refusals import invalid

PAGE = 100
STATUS = "get_action_status"
WAIT_MOST = 50
APPROVAL = "smartsupport/approval"
"""Who agrees to each call, in a tool's `_meta`: nobody, or staff. Customers are not there to be asked."""

STATUS_TOOL = OfferedTool(
    name=STATUS,
    title="Status of an action",
    description=(
        "What became of a call that waits for a person, or that was still running: awaiting, approved, running, "
        "succeeded (with its result), failed, rejected, expired, cancelled or unknown (it was sent and nobody knows "
        "whether it happened: do not repeat it)."
    ),
    input_schema={
        "type": "object",
        "properties": {
            "interrupt_id": {
                "type": "string",
                "description": "The interrupt_id, or call_id, that the call answered with.",
            },
            "wait_seconds": {
                "type": "integer",
                "minimum": 0,
                "maximum": WAIT_MOST,
                "default": 0,
                "description": "Answer when it is settled, at the latest after so many seconds.",
            },
        },
        "required": ["interrupt_id"],
        "additionalProperties": False,
    },
    annotations=ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True),
)


def visible(caller: McpCaller) -> QuerySet[Tool]:
    """The tools that there are for this caller. Without a customer, only those that bind nothing to one."""
    rows = Tool.objects.filter(enabled=True).exclude(name__in=[*RESERVED, STATUS])
    wanted = caller.filter
    if not caller.subject:
        rows = rows.filter(bound={})
    if wanted.agent:
        rows = rows.filter(agents__name=wanted.agent, agents__enabled=True)
    if wanted.access:
        rows = rows.filter(access=wanted.access)
    if wanted.words:
        rows = rows.filter(functools.reduce(operator.and_, map(_says, wanted.words)))
    return rows


def _says(word: str) -> Q:
    return Q(name__icontains=word) | Q(title__icontains=word) | Q(description__icontains=word)


def find(caller: McpCaller, name: str) -> Tool | None:
    """The tool of this name, if there is one for this caller. One statement."""
    return visible(caller).filter(name=name[:200]).first()


def page(caller: McpCaller, cursor: str | None) -> ListToolsResult:
    """One page. Raises MCPError for a cursor that is not ours. One statement."""
    after = _after(cursor) if cursor is not None else ""
    rows = visible(caller).only(*_FIELDS).order_by("name")
    found = list(rows.filter(name__gt=after)[: PAGE + 1]) if after else list(rows[: PAGE + 1])
    more = len(found) > PAGE
    tools = [of(tool) for tool in found[:PAGE]]
    if not after and caller.may_poll:
        tools.insert(0, STATUS_TOOL)
    return ListToolsResult(tools=tools, next_cursor=_cursor(found[PAGE - 1].name) if more else None)


_FIELDS = ("name", "title", "description", "input_schema", "access", "risk", "method", "approval")


def of(tool: Tool) -> OfferedTool:
    """The tool as it is offered, with what staff declared of its risk as hints."""
    reads = tool.access == Access.READ
    return OfferedTool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.input_schema or {"type": "object"},
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=reads,
            destructive_hint=not reads and tool.risk in (Risk.DESTRUCTIVE, Risk.MONEY),
            idempotent_hint=reads or tool.method in ("PUT", "DELETE"),
            open_world_hint=True,
        ),
        _meta={APPROVAL: "none" if reads else "staff"},
    )


def _cursor(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _after(cursor: str) -> str:
    try:
        name = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        name = ""
    if not name or len(name) > 64 or not name.isprintable():
        raise invalid("This cursor is not one of ours. Begin again without one.", "invalid_cursor")
    return name
