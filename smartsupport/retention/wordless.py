"""The payload of an event with everything taken out that somebody said, gave or was given."""

from typing import Any

from smartsupport.retention.registry import ERASED

KEPT = frozenset(
    "tool call_id ok kind action_id happened solved score cut agent agents approver resolution by purpose provider "
    "model status attempt attempts approved turn_id strategy percent confidence version".split()
)
"""Names of fields that say what happened and never what about: what analytics counts is among them."""
DESCENDED = frozenset({"error"})
IDS_OF_CLIENTS = frozenset({"client_message_id"})


def wordless(payload: dict[str, Any]) -> dict[str, Any]:
    """The same fields. Texts become `[erased]`, lists and objects empty, numbers null, but for those in KEPT; yes and
    no stay."""
    return {name: _left(name, value) for name, value in payload.items()}


def _left(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if name in DESCENDED and isinstance(value, dict):
        return wordless(value)
    if name in IDS_OF_CLIENTS:
        return None
    if isinstance(value, str):
        return value if name in KEPT or not value else ERASED
    if isinstance(value, int | float):
        return value if name in KEPT else None
    if isinstance(value, list):
        return value if name in KEPT and all(isinstance(one, str) for one in value) else []
    return {}
