"""A tool's recipe and arguments become one HTTP request, exactly as the recipe says. Nothing is sent from here.

How values are written is in `agents.tool_values` and `agents.tool_bodies`; what must hold for the request as a whole is
here: what is bound cannot be replaced, a value stays in its place, and nobody sets the headers that are ours.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from agents import tool_bodies
from agents.models import Tool
from agents.tool_bodies import Body
from agents.tool_values import (
    ValueRefused,
    climbs,
    given,
    in_cookie,
    in_header,
    in_path,
    in_query,
    plain,
    serialised,
    stands_for,
)
from smartsupport.lib.own_headers import is_own, names_person

MAX_ADDRESS = 16_000
MAX_HEADERS = 32_768
METHOD_OVERRIDE = "_method"
"""With this among the parameters, Rails, Laravel and others take a POST for another method."""
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_SECRET_HEADERS = re.compile(r"auth|token|secret|password|cookie|api-?key", re.I)


class RecipeError(Exception):
    """The tool's recipe and these arguments make no request. The message may be shown to the model."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, ready to send: `method`, `address`, `headers`, `body`.

    query: the pairs as they are meant; some may be added or taken out. `written`: how a pair is written where its style
    asks for more than percent-encoding. `shown_body`: the body for people.
    """

    method: str
    url: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: bytes | None
    written: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)
    shown_body: Any = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """The whole URL, query included, as it goes out."""
        texts = [
            self.written.get(pair) or f"{quote(pair[0], safe='')}={quote(pair[1], safe='')}"
            for pair in self.query
        ]
        if not texts:
            return self.url
        return self.url + ("&" if "?" in self.url else "?") + "&".join(texts)

    def shown(self) -> dict[str, Any]:
        """What staff are shown of it; credentials are never part of it, and files are shown by their size."""
        headers = {
            name: "(hidden)" if _SECRET_HEADERS.search(name) and name != "Cookie" else value
            for name, value in self.headers.items()
        }
        return {
            "method": self.method,
            "url": self.url,
            "query": list(map(list, self.query)),
            "headers": headers,
            "body": self.shown_body,
        }


def build(
    tool: Tool, arguments: dict[str, Any], bound: dict[str, Any], *, idempotency_key: str = ""
) -> Request:
    """The request that `tool` makes of `arguments`. What is bound wins over anything that a model sent. Raises
    RecipeError, with a sentence for the model, where these arguments cannot be sent exactly as they are meant."""
    if not tool.server_url:
        raise RecipeError("The address of this tool is not known yet. Staff have to give it first.")
    try:
        return _Builder(tool, {**arguments, **bound}).build(idempotency_key)
    except UnicodeEncodeError:
        raise RecipeError("The arguments contain a character that cannot be sent.") from None


class _Builder:
    def __init__(self, tool: Tool, values: dict[str, Any]) -> None:
        self.tool = tool
        self.values = values
        self.segments: dict[str, str] = {}
        self.query: list[tuple[str, str]] = []
        self.written: dict[tuple[str, str], str] = {}
        self.cookies: list[str] = []
        self.headers = {"Accept": _accepted(tool)}

    def build(self, idempotency_key: str) -> Request:
        for parameter in self.tool.parameters:
            self.add(parameter)
        url = self.tool.server_url.rstrip("/") + self.path()
        body = self.body()
        if self.cookies:
            self.headers["Cookie"] = "; ".join(self.cookies)
        if body is not None:
            self.headers["Content-Type"] = body.content_type
        if idempotency_key:
            self.headers["Idempotency-Key"] = idempotency_key
        made = Request(
            self.tool.method.upper(),
            url,
            tuple(self.query),
            self.headers,
            body.content if body else None,
            self.written,
            body.shown if body else None,
        )
        if len(made.address) > MAX_ADDRESS or sum(map(len, self.headers.values())) > MAX_HEADERS:
            raise RecipeError("The arguments are too long for an address. Send less at once.")
        return made

    def add(self, parameter: dict[str, Any]) -> None:
        """Write one parameter where it belongs."""
        argument, name, place = parameter["argument"], parameter["name"], parameter["in"]
        if place == "header" and (is_own(name) or self.is_strangers(argument, name)):
            return
        value = self.values.get(argument)
        if not parameter.get("content_type"):
            value = given(value)
        if value is None:
            if parameter.get("required"):
                empty = self.values.get(argument) is not None
                raise RecipeError(
                    f"{argument} cannot be empty." if empty else f"Missing argument: {argument}."
                )
            return
        try:
            if place == "path":
                self.segments[name] = self.segment(argument, parameter, value)
            elif place == "query":
                self.add_pairs(parameter, in_query(parameter, value))
            elif place == "querystring":
                self.refuse_bound(argument, value)
                text = serialised(parameter.get("content_type") or tool_bodies.FORM, value)
                form = "form-urlencoded" in (parameter.get("content_type") or "form-urlencoded")
                self.query.append(("", text))
                self.written["", text] = text if form else quote(text, safe="")
            elif place == "header":
                self.headers[name] = in_header(parameter, value)
            elif place == "cookie":
                self.add_cookies(parameter, in_cookie(parameter, value))
        except ValueRefused as refused:
            raise RecipeError(f"{argument} {refused.args[0]}.") from None

    def is_strangers(self, argument: str, name: str) -> bool:
        """Whether a header says whose request it is, and nothing but the model would fill it in."""
        return names_person(name) and argument not in (self.tool.bound or ())

    def segment(self, argument: str, parameter: dict[str, Any], value: Any) -> str:
        """A part of the path. What would lead somewhere else in it is refused."""
        for item in _texts(value):
            if climbs(item):
                raise RecipeError(f"{argument} cannot be {item[:80]!r}.")
        text = in_path(parameter, value)
        if text in ("", "."):
            raise RecipeError(f"{argument} cannot be {plain(value)[:80]!r}.")
        return text

    def path(self) -> str:
        template = self.tool.path.partition("#")[0]
        path = _PLACEHOLDER.sub(lambda found: self.segments.get(found[1], found[0]), template)
        if "{" in path:
            raise RecipeError("A part of the address is missing.")
        fixed = template.split("/")
        steps = path.partition("?")[0].split("/")
        if any(unquote(step) in (".", "..") and step not in fixed for step in steps):
            raise RecipeError("A part of the address cannot be . or ..")
        return path

    def add_pairs(self, parameter: dict[str, Any], pairs: list[tuple[tuple[str, str], str]]) -> None:
        """An object's fields may become parameters of their own. One that is another's is refused: beside the bound
        `customer_id`, which of two counts would be the business system's choice."""
        taken = self.taken("query", parameter["name"])
        for pair, written in pairs:
            self.refuse_taken(parameter, pair[0], taken)
            self.query.append(pair)
            self.written[pair] = written

    def add_cookies(self, parameter: dict[str, Any], pairs: list[tuple[tuple[str, str], str]]) -> None:
        taken = self.taken("cookie", parameter["name"])
        for (name, _), written in pairs:
            self.refuse_taken(parameter, name, taken)
            if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", written.partition("=")[0]):
                raise RecipeError(f"{parameter['argument']} has a name that a cookie cannot have.")
            self.cookies.append(written)

    def taken(self, place: str, own: str) -> set[str]:
        """The names of the other parameters and of the credentials there, and of what is bound anywhere: some servers
        read a name wherever it stands."""
        names = {other["name"] for other in self.tool.parameters if other["in"] == place} - {own}
        names |= self.bound_names().keys() - {own} | {METHOD_OVERRIDE}
        for alternative in self.tool.security or []:
            names |= {
                one["name"]
                for one in alternative.values()
                if one.get("kind") == "apiKey" and one["in"] == place
            }
        return names

    def bound_names(self) -> dict[str, Any]:
        """{name on the wire: its value} of what the server fills in."""
        fields = (self.tool.request_body or {}).get("fields", {})
        named = {one["argument"]: one["name"] for one in self.tool.parameters} | fields
        return {
            named.get(argument, argument): self.values.get(argument) for argument in self.tool.bound or ()
        }

    def refuse_bound(self, argument: str, value: Any) -> None:
        """An object that is sent whole must not name another customer than the bound one beside it."""
        if not isinstance(value, dict):
            return
        bound = self.bound_names()
        for name, item in value.items():
            if stands_for(name, "", bound) and item not in bound.values():
                raise RecipeError(f"{argument} cannot contain {name[:80]}.")

    def refuse_taken(self, parameter: dict[str, Any], name: str, taken: set[str]) -> None:
        if stands_for(name, parameter["name"], taken):
            raise RecipeError(f"{parameter['argument']} cannot contain {name[:80]}.")

    def body(self) -> Body | None:
        recipe = self.tool.request_body
        if not recipe:
            return None
        kind = recipe.get("content_type") or "application/json"
        encoding = recipe.get("encoding") or {}
        whole = recipe.get("argument", "")
        content = self.whole(whole, recipe) if whole else self.fields(recipe)
        parts = {whole: content} if whole else {} if content is tool_bodies.MISSING else content
        for name, part in parts.items():
            if whole or encoding.get(name, {}).get("style"):
                self.refuse_bound(name, part)
        if content is tool_bodies.MISSING:
            return None
        try:
            return _written(kind, whole, content, encoding)
        except ValueRefused as refused:
            named = {name: argument for argument, name in recipe.get("fields", {}).items()}
            about = (
                named.get(refused.args[1], refused.args[1]) if len(refused.args) > 1 else whole or "The body"
            )
            raise RecipeError(f"{about} {refused.args[0]}.") from None

    def whole(self, argument: str, recipe: dict[str, Any]) -> Any:
        value = self.values.get(argument)
        if value is not None or (argument in self.values and self.takes_null(argument)):
            return value
        if recipe.get("required"):
            raise RecipeError(f"Missing argument: {argument}.")
        return tool_bodies.MISSING

    def fields(self, recipe: dict[str, Any]) -> Any:
        found = {}
        for argument, name in recipe["fields"].items():
            value = self.values.get(argument)
            if value is not None or (argument in self.values and self.takes_null(argument)):
                found[name] = value
        return found if found or recipe.get("required") else tool_bodies.MISSING

    def takes_null(self, argument: str) -> bool:
        """Whether null is a value of this argument, and not only the lack of one."""
        schema = self.tool.input_schema.get("properties", {}).get(argument, {})
        kinds = schema.get("type")
        return (
            {"type": "null"} in schema.get("anyOf", [])
            or kinds == "null"
            or (isinstance(kinds, list) and "null" in kinds)
        )


def _written(kind: str, whole: str, content: Any, encoding: dict[str, Any]) -> Body:
    plain_kind = kind.partition(";")[0].strip().lower()
    if plain_kind == tool_bodies.FORM or plain_kind.startswith("multipart/"):
        if not isinstance(content, dict):
            raise ValueRefused("has to be an object")
        if plain_kind == tool_bodies.FORM:
            return tool_bodies.form_body(content, encoding)
        return tool_bodies.multipart_body(kind, content, encoding)
    if whole and encoding.get(whole, {}).get("binary"):
        return tool_bodies.binary_body(kind, whole, content)
    if whole and encoding.get(whole, {}).get("text"):
        return tool_bodies.text_body(kind, content)
    return tool_bodies.json_body(kind, content)


def _accepted(tool: Tool) -> str:
    """JSON, unless the operation answers with something else only."""
    kinds = [
        kind
        for kind in (tool.response or {}).get("content_types", [])
        if re.fullmatch(r"[\w.*+-]+/[\w.*+-]+", kind)
    ]
    if not kinds or any("json" in kind.lower() or kind.startswith("*") for kind in kinds):
        return "application/json"
    return ", ".join([*kinds[:5], "*/*;q=0.1"])


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return [plain(part) for pair in value.items() for part in pair]
    return [plain(value)]
