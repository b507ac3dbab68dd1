"""What routing knows of an agent: plain values, no database."""

from dataclasses import dataclass

FALLBACK = "fallback"


@dataclass(frozen=True)
class ToolCard:
    """A tool as routing sees it: its name (`cancel_order`) and one or two sentences."""

    name: str
    description: str = ""


@dataclass(frozen=True)
class AgentCard:
    """An agent as routing sees it. `permission` is `read` or `write`."""

    name: str
    description: str = ""
    permission: str = "read"
    keywords: tuple[str, ...] = ()
    tools: tuple[ToolCard, ...] = ()
