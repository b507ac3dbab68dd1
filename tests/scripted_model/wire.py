"""Replies in the bytes of OpenAI's chat completions: whole objects, and the pieces of a stream."""

import itertools
import json
import re
import time
from functools import lru_cache
from typing import Any

from tests.scripted_model.asked import Asked
from tests.scripted_model.script import Reply

DONE = b"data: [DONE]\n\n"
_numbers = itertools.count(1)
_started = int(time.time())


def completion(asked: Asked, reply: Reply) -> dict[str, Any]:
    """A whole `chat.completion` object."""
    text = _text(reply)
    calls = _calls(reply)
    message: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": None}
    if calls:
        message["tool_calls"] = calls
    return {
        "id": f"chatcmpl-{next(_numbers)}",
        "object": "chat.completion",
        "created": _started,
        "model": asked.model,
        "choices": [{"index": 0, "message": message, "finish_reason": _finish(reply), "logprobs": None}],
        "usage": usage(asked, reply),
    }


def pieces(asked: Asked, reply: Reply) -> list[bytes]:
    """The stream of `reply`, piece by piece, from the role to the usage, without the closing [DONE]."""
    if not reply.tool_calls and not reply.chunks:
        encoded = list(_text_pieces(asked.model, _text(reply), _finish(reply)))
    else:
        encoded = [_piece(asked.model, delta) for delta in _deltas(reply)]
        encoded.append(_piece(asked.model, {}, _finish(reply)))
    if asked.wants_usage and reply.send_usage:
        encoded.append(_event({**_envelope(asked.model), "choices": [], "usage": usage(asked, reply)}))
    return encoded


def usage(asked: Asked, reply: Reply) -> dict[str, Any]:
    if reply.usage is not None:
        return reply.usage
    answered = len(words(_text(reply))) + sum(
        8 + len(call["function"]["arguments"]) // 4 for call in _calls(reply)
    )
    return {
        "prompt_tokens": asked.prompt_tokens,
        "completion_tokens": answered,
        "total_tokens": asked.prompt_tokens + answered,
        "prompt_tokens_details": {"cached_tokens": asked.cached_tokens},
    }


def words(text: str) -> list[str]:
    """`text` in tokens: a word with the space before it. Joined they are the text."""
    return re.findall(r"\s*\S+|\s+$", text)


@lru_cache(maxsize=512)
def _text_pieces(model: str, text: str, finish: str) -> tuple[bytes, ...]:
    """Encoded once: under load the same answers are sent again and again."""
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": ""},
        *({"content": word} for word in words(text)),
    ]
    return (*(_piece(model, delta) for delta in deltas), _piece(model, {}, finish))


def _deltas(reply: Reply) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if reply.chunks:
        deltas += [chunk if isinstance(chunk, dict) else {"content": chunk} for chunk in reply.chunks]
    else:
        deltas += [{"content": word} for word in words(_text(reply))]
    for index, call in enumerate(_calls(reply)):
        opening = {**call, "index": index, "function": {"name": call["function"]["name"], "arguments": ""}}
        if index == 0 and reply.together and reply.text:
            deltas[-1]["tool_calls"] = [opening]
        else:
            deltas.append({"tool_calls": [opening]})
        arguments = call["function"]["arguments"]
        size = max(1, -(-len(arguments) // 3))
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": arguments[at : at + size]}}]}
            for at in range(0, len(arguments), size)
        ]
    return deltas


def _calls(reply: Reply) -> list[dict[str, Any]]:
    found = []
    for position, call in enumerate(reply.tool_calls):
        args = call.get("args", {})
        identity = call.get("id")
        if not identity:
            identity = call["id"] = f"call_{next(_numbers)}_{position}"
        arguments = args if isinstance(args, str) else json.dumps(args, ensure_ascii=False)
        found.append(
            {"id": identity, "type": "function", "function": {"name": call["name"], "arguments": arguments}}
        )
    return found


def _text(reply: Reply) -> str:
    return json.dumps(reply.json, ensure_ascii=False) if reply.json is not None else reply.text


def _finish(reply: Reply) -> str:
    return reply.finish_reason or ("tool_calls" if reply.tool_calls else "stop")


def _envelope(model: str) -> dict[str, Any]:
    return {"id": "chatcmpl-stream", "object": "chat.completion.chunk", "created": _started, "model": model}


def _piece(model: str, delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return _event({**_envelope(model), "choices": [choice]})


def _event(content: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
