"""A request for a chat completion, read once into what rules look at."""

import json
from functools import cached_property
from typing import Any


class Asked:
    """The body of POST /v1/chat/completions. Text of content blocks is joined."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
        self.messages: list[dict[str, Any]] = body.get("messages") or []
        self.stream = bool(body.get("stream"))
        self.model = str(body.get("model") or "")
        self.cached_tokens = 0
        """How much of the prompt's beginning an earlier request had too: the server's to find out."""
        self.wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))

    @cached_property
    def users(self) -> list[str]:
        return [text_of(message) for message in self.messages if message.get("role") == "user"]

    @property
    def last_user(self) -> str:
        return self.users[-1] if self.users else ""

    @cached_property
    def system(self) -> str:
        return "\n".join(
            text_of(item) for item in self.messages if item.get("role") in ("system", "developer")
        )

    @property
    def has_tool_result(self) -> bool:
        return bool(self.messages) and self.messages[-1].get("role") == "tool"

    @property
    def tool_result(self) -> str:
        return text_of(self.messages[-1]) if self.has_tool_result else ""

    @property
    def tools(self) -> list[dict[str, Any]]:
        """[{"name", "description", "parameters"}] of the functions on offer."""
        return [tool["function"] for tool in self.body.get("tools") or [] if tool.get("type") == "function"]

    @property
    def tool_names(self) -> set[str]:
        return {tool["name"] for tool in self.tools}

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON Schema that the answer must satisfy, or None where free text is wanted."""
        wanted = self.body.get("response_format") or {}
        if wanted.get("type") != "json_schema":
            return None
        schema: dict[str, Any] = wanted["json_schema"]["schema"]
        return schema

    @cached_property
    def prompt_characters(self) -> int:
        """Length of everything that a provider would count: messages, tools and schema, as text."""
        texts = sum(len(text_of(item)) + len(str(item.get("tool_calls") or "")) for item in self.messages)
        return (
            texts + len(str(self.body.get("tools") or "")) + len(str(self.body.get("response_format") or ""))
        )

    @property
    def beginning_first(self) -> str:
        """The prompt in the order in which providers cache it: tools, then messages."""
        return json.dumps([self.body.get("response_format"), self.body.get("tools"), self.messages])

    @property
    def prompt_tokens(self) -> int:
        """Four characters a token: not any provider's count, but the same today and tomorrow."""
        return max(1, self.prompt_characters // 4)


def text_of(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(block.get("text", "") for block in content if isinstance(block, dict))
    return content if isinstance(content, str) else ""
