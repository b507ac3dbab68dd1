"""What is tried out, and what came of it, step by step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.context import Said, TurnContext
from agents.playground.drafts import Rule
from agents.registry import Registry

LIMIT_SECONDS = 120.0
"""A trial that takes longer is stopped."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One message. `agent`: who answers it, "" where it is routed as in a conversation. `bindings` as in TurnContext;
    {} for a visitor whom nobody knows. `reads`: calls that only read are really made. `approves`: what approvers would
    say. `used` and `succeeded` name tools of the messages before."""

    message: str
    registry: Registry
    history: tuple[Said, ...] = ()
    agent: str = ""
    live_agent: str = ""
    bindings: Mapping[str, str] = field(default_factory=dict)
    reads: bool = False
    approves: bool = True
    rules: Mapping[str, Rule] = field(default_factory=dict)
    used: tuple[str, ...] = ()
    succeeded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TrialContext(TurnContext):
    trial: Trial = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Step:
    """`kind`: asked | routed | reply | called | returned | refused | simulated | fault | end. `payload` as the kind has
    it: see `agents.playground.telling`."""

    kind: str
    title: str
    text: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
