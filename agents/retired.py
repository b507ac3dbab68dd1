"""Tools that were deleted or taken back: no agent has them, and only what they once did still names them.

Such a tool is off, and the reason why says that it is retired. Who switches it on again ends that.
"""

from typing import Protocol

from django.db.models import Q

DELETED = "It was deleted."
TAKEN_BACK = "The import that it came with was rolled back."
REASONS = frozenset({DELETED, TAKEN_BACK})

RETIRED = Q(enabled=False, paused_because__in=REASONS)
NOT_RETIRED = ~RETIRED


class Switched(Protocol):
    """A tool, or what was read of one."""

    @property
    def enabled(self) -> bool: ...

    @property
    def paused_because(self) -> str: ...


def retired(tool: Switched) -> bool:
    return not tool.enabled and tool.paused_because in REASONS
