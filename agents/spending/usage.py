"""What a model's answer says of its own cost: tokens of each kind, and money where the provider reports it."""

import re
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import structlog

log = structlog.get_logger(__name__)

REPORTED_COST = "reported_cost"
"""Where a streamed answer keeps what its provider reported, in dollars: a key of its `response_metadata`."""
MOST_TOKENS = 2**31 - 1
MOST_DOLLARS = 1_000_000
_WRITTEN = ("cache_creation", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
_DATED = re.compile(r"[-@](?:20\d{2}-\d{2}-\d{2}|20\d{6})$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider reported them; None where it did not. `tokens_cached` and `tokens_cache_write` are part of
    `tokens_in`, `tokens_reasoning` of `tokens_out`. `reported_micros`: the cost as the provider reported it."""

    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    tokens_cache_write: int | None = None
    tokens_reasoning: int | None = None
    reported_micros: int | None = None

    @classmethod
    def of(cls, message: Any) -> "Usage":
        """That of a langchain message; nothing is known of anything else."""
        told = getattr(message, "usage_metadata", None) or {}
        read, made = told.get("input_token_details") or {}, told.get("output_token_details") or {}
        return cls(
            tokens_in=_count(told.get("input_tokens")),
            tokens_out=_count(told.get("output_tokens")),
            tokens_cached=_sum(read, ("cache_read",)),
            tokens_cache_write=_sum(read, _WRITTEN),
            tokens_reasoning=_sum(made, ("reasoning",)),
            reported_micros=reported_micros(getattr(message, "response_metadata", None) or {}),
        )


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model, for the ledger. `purpose` is one of ModelCall.Purpose. `asked` is the model that was asked
    for, where `model`, which answered, has another name; it is told and not kept."""

    purpose: str
    provider: str
    model: str
    usage: Usage = field(default_factory=Usage)
    agent: str = ""
    duration_ms: int | None = None
    asked: str = ""

    @property
    def free(self) -> bool:
        return self.provider == "offline"


def _count(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= MOST_TOKENS else None


def _sum(details: Any, names: tuple[str, ...]) -> int | None:
    """Tokens of a kind, also those that a service tier counts apart (`priority_cache_read`)."""
    if not isinstance(details, dict):
        return None
    found = [
        count
        for key, value in details.items()
        if any(key == name or key.endswith(f"_{name}") for name in names)
        and (count := _count(value)) is not None
    ]
    return _count(sum(found)) if found else None


def reported_micros(metadata: dict[str, Any]) -> int | None:
    """The cost that an answer's metadata reports (`usage.cost` in dollars, as OpenRouter and others send it) in
    micro-dollars; None where there is none, or one that cannot be true, which the log tells."""
    cost = reported_cost(metadata)
    if cost is None:
        return None
    is_number = isinstance(cost, int | float) and not isinstance(cost, bool)
    if not is_number or not 0 <= cost <= MOST_DOLLARS:  # NaN is neither
        log.error("model_call_cost_impossible", reported=_shown(cost))
        return None
    return int((Decimal(repr(cost)) * 1_000_000).to_integral_value(ROUND_HALF_UP))


def _shown(cost: Any) -> str:
    try:
        return repr(cost)[:80]
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a number beyond all bounds"


def reported_cost(metadata: dict[str, Any]) -> Any:
    """What stands in an answer's metadata as its cost, whatever it is; None for nothing."""
    if (cost := metadata.get(REPORTED_COST)) is not None:
        return cost
    usage = metadata.get("token_usage") or metadata.get("usage")
    return usage.get("cost") if isinstance(usage, dict) else None


def undated(model: str) -> str:
    """The model that a dated snapshot is one of: `gpt-5.4-mini-2026-03-17` is a `gpt-5.4-mini`."""
    return _DATED.sub("", model)
