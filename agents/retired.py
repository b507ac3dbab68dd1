"""Tools that were deleted or taken back: no agent has them, and only what they once did still names them.

Such a tool is off, and the reason why says that it is retired. Who switches it on again ends that.
"""

from django.db.models import Q

from agents.models import Tool

DELETED = "It was deleted."
TAKEN_BACK = "The import that it came with was rolled back."
REASONS = frozenset({DELETED, TAKEN_BACK})

RETIRED = Q(enabled=False, paused_because__in=REASONS)
NOT_RETIRED = ~RETIRED


def retired(tool: Tool) -> bool:
    return not tool.enabled and tool.paused_because in REASONS
