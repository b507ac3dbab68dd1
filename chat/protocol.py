"""The client's frames, checked in the order of docs/chat-socket.md. What a frame may do is decided elsewhere."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from chat import transcript
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import is_thread_id

FRAME_LIMIT_BYTES = 32_768
CLIENT_ID_LIMIT = 200
TYPES = frozenset({"message", "interrupt_response", "resume", "history", "stop", "retry", "feedback", "ping"})


class BadFrame(ServiceError):
    code = "invalid_frame"


@dataclass(frozen=True, slots=True)
class ClientFrame:
    """A frame whose type is known and whose thread id has the right form (empty for `ping`)."""

    type: str
    thread_id: str
    fields: dict[str, Any] = field(default_factory=dict)


def parse(text: str | None, binary: bytes | None) -> ClientFrame:
    """Raises BadFrame with the message of the first rule that fails."""
    size = len(binary) if binary is not None else len((text or "").encode("utf-8", "surrogatepass"))
    if size > FRAME_LIMIT_BYTES:
        raise BadFrame("Message too large", code="message_too_large")
    if text is None:
        raise BadFrame("Invalid JSON", code="invalid_json")
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BadFrame("Invalid JSON", code="invalid_json") from None
    if not isinstance(value, dict):
        raise BadFrame("Invalid JSON: expected object", code="invalid_json")
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise BadFrame("Unknown message type", code="unknown_type")
    if kind == "ping":
        return ClientFrame("ping", "")
    return ClientFrame(kind, _thread_id(value), value)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _thread_id(value: dict[str, Any]) -> str:
    thread_id = value.get("thread_id")
    if thread_id is None or thread_id == "":
        raise BadFrame("Missing thread_id", code="missing_thread_id")
    if not is_thread_id(thread_id):
        raise BadFrame("Invalid thread_id format", code="invalid_thread_id")
    return str(thread_id)


def client_message_id(frame: ClientFrame) -> str | None:
    """What the client's own id of its message is known as; None when it gave none, or something that cannot be one.

    A number is taken as its digits. A string that is too long for a column, or not printable, is known by its hash:
    its repeat is still recognised.
    """
    value = frame.fields.get("client_message_id")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        return None
    if len(value) <= CLIENT_ID_LIMIT and value.isprintable():
        return value
    return "sha256:" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def resume_after(frame: ClientFrame) -> int:
    """The last `seq` that the client has; 0 when it says nothing. Raises BadFrame for anything but a count."""
    value = frame.fields.get("after", 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise BadFrame("Invalid resume position", code="invalid_resume")
    return value


def history_wanted(frame: ClientFrame) -> tuple[int | None, int]:
    """Before which `seq` (None: the newest), and how many messages. Raises BadFrame for anything but counts from 1."""
    before, limit = frame.fields.get("before"), frame.fields.get("limit", transcript.LIMIT)
    for value, most in ((before, 2**63 - 1), (limit, transcript.MOST)):
        is_count = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most
        if value is not None and not is_count:
            raise BadFrame("Invalid history position", code="invalid_history")
    return before, transcript.LIMIT if limit is None else limit
