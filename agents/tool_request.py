"""A tool's recipe and arguments become one HTTP request, exactly as the recipe says. Nothing is sent from here."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from agents.models import Tool

FORBIDDEN_HEADERS = frozenset(
    {
        "host",
        "authorization",
        "cookie",
        "content-length",
        "transfer-encoding",
        "connection",
        "idempotency-key",
    }
)


class RecipeError(Exception):
    """The tool's recipe and these arguments make no request. The message may be shown to the model."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, ready to send. `body` is JSON text or None."""

    method: str
    url: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: bytes | None

    def shown(self) -> dict[str, Any]:
        """What staff are shown of it; credentials are never part of it."""
        body = json.loads(self.body) if self.body else None
        return {"method": self.method, "url": self.url, "query": list(map(list, self.query)), "body": body}


def build(
    tool: Tool, arguments: dict[str, Any], bound: dict[str, Any], *, idempotency_key: str = ""
) -> Request:
    """The request that `tool` makes of `arguments`. What is bound wins over anything that a model sent."""
    values = {**arguments, **bound}
    path = tool.path
    query: list[tuple[str, str]] = []
    headers = {"Accept": "application/json"}
    taken = {parameter["name"] for parameter in tool.parameters if parameter["in"] == "query"}
    for parameter in tool.parameters:
        argument, name, place = parameter["argument"], parameter["name"], parameter["in"]
        if values.get(argument) is None:
            if parameter.get("required"):
                raise RecipeError(f"Missing argument: {argument}.")
            continue
        value = values[argument]
        if place == "path":
            path = path.replace("{" + name + "}", _path_segment(argument, value))
        elif place == "query":
            query += _query_pairs(parameter, value, taken)
        elif place == "header" and name.lower() not in FORBIDDEN_HEADERS:
            headers[name] = _header_value(argument, value)
    if "{" in path:
        raise RecipeError("A part of the address is missing.")
    body = _body(tool, values)
    if body is not None:
        headers["Content-Type"] = "application/json"
    if idempotency_key:
        headers["Idempotency-Key"] = idempotency_key
    return Request(tool.method.upper(), tool.server_url.rstrip("/") + path, tuple(query), headers, body)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _path_segment(argument: str, value: Any) -> str:
    text = ",".join(_plain(item) for item in value) if isinstance(value, list) else _plain(value)
    if text in ("", ".", ".."):
        raise RecipeError(f"{argument} cannot be {text!r}.")
    return quote(text, safe="")


def _query_pairs(parameter: dict[str, Any], value: Any, taken: set[str]) -> list[tuple[str, str]]:
    """An object's fields become parameters of their own (`form`) or of its name (`deepObject`: `created[gt]`). One that
    is `taken` is refused: beside the bound `customer_id`, which of two counts would be the business system's choice."""
    name = parameter["name"]
    if isinstance(value, list):
        if parameter.get("explode", True):
            return [(name, _plain(item)) for item in value]
        return [(name, ",".join(_plain(item) for item in value))]
    if isinstance(value, dict):
        if parameter.get("style") == "deepObject":
            return [(f"{name}[{key}]", _plain(item)) for key, item in value.items()]
        if others := (taken - {name}) & value.keys():
            raise RecipeError(f"{parameter['argument']} cannot contain {min(others)}.")
        return [(str(key), _plain(item)) for key, item in value.items()]
    return [(name, _plain(value))]


def _header_value(argument: str, value: Any) -> str:
    text = _plain(value)
    if not text.isprintable() or not text.isascii():
        raise RecipeError(f"{argument} has a character that a header cannot carry.")
    return text


def _body(tool: Tool, values: dict[str, Any]) -> bytes | None:
    recipe = tool.request_body
    if not recipe:
        return None
    if "argument" in recipe:
        content = values.get(recipe["argument"])
        if content is None and not recipe.get("required"):
            return None
    else:
        content = {name: values[key] for key, name in recipe["fields"].items() if values.get(key) is not None}
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
