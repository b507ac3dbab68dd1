"""How an operation of the REST API is described: what drf-spectacular reads off the view, and what every one of ours
has in common: who may call, how it refuses, conditional and repeatable requests, and examples in the envelope."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework.parsers import BaseParser, JSONParser, MultiPartParser

from chat.api_keys import KeyExpired
from smartsupport.lib import documented as told
from smartsupport.lib import idempotency
from smartsupport.lib.api_view import WRITES, ApiView, TooLarge
from smartsupport.lib.cursors import InvalidCursor
from smartsupport.lib.envelope import failure, success
from smartsupport.lib.errors import ThreadNotFound
from smartsupport.lib.etags import PreconditionFailed
from smartsupport.lib.rest import InvalidThreadId, Need

Content = dict[str, Any]

KEY_PARAMETER = {
    "in": "header",
    "name": idempotency.HEADER,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    "description": "A key of your own for this request. Sent again within a day, the same request is answered as "
    "before (`Idempotent-Replayed: true`) and not carried out again.",
}
IF_MATCH_PARAMETER = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "The `ETag` of what you read: 412 where it has changed since.",
}
IF_NONE_MATCH_PARAMETER = {
    "in": "header",
    "name": "If-None-Match",
    "schema": {"type": "string"},
    "description": "The `ETag` of what you have: 304 without a body while it is the same.",
}
ETAG = {"ETag": {"schema": {"type": "string"}, "description": "Of these very bytes; see RFC 9110."}}
RETRY_AFTER = {
    "Retry-After": {
        "schema": {"type": "integer", "minimum": 0},
        "description": "Seconds after which asking again makes sense; missing where nobody knows.",
    }
}
REPLAYED = {
    idempotency.REPLAYED: {
        "schema": {"type": "string", "enum": ["true"]},
        "description": "This is the answer of an earlier request with the same `Idempotency-Key`.",
    }
}


class OperationSchema(AutoSchema):
    """DRF's DEFAULT_SCHEMA_CLASS."""

    view: Any

    def get_description(self) -> str:  # type: ignore[override]
        """Of an operation that says nothing else: nothing. What a class says is for whoever reads the code."""
        return ""

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Any:
        """A body has no other fields than those that its serializer names (`read_body`); nor has what is inside it, of
        a serializer with `refuses_unknown`."""
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if direction == "request" and (
            self._is_body(serializer) or getattr(serializer, "refuses_unknown", False)
        ):
            schema["additionalProperties"] = False
        return schema

    def _is_body(self, serializer: Any) -> bool:
        if self.method not in WRITES - {"DELETE"}:
            return False
        asked = self.get_request_serializer()
        return any(
            shape is type(serializer) for shape in (asked.values() if isinstance(asked, dict) else [asked])
        )

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None or not isinstance(self.view, ApiView):
            return operation
        if need := self.view.needs.get(self.method):
            _say_who(operation, need)
        elif self.method in getattr(self.view, "own", ()):
            _say_it_is_the_customers(operation)
        _say_nothing_of_events(operation)
        if len(operation.get("requestBody", {}).get("content", {})) > 1:  # a document, in one way or another
            operation["requestBody"]["required"] = True
        self._add_headers(operation)
        self._add_examples(operation)
        self._add_refusals(operation)
        return operation

    def _add_headers(self, operation: dict[str, Any]) -> None:
        parameters = operation.setdefault("parameters", [])
        good = [response for code, response in operation["responses"].items() if code.startswith("2")]
        if self.method in WRITES:
            parameters.append(KEY_PARAMETER)
            for response in good:
                response.setdefault("headers", {}).update(REPLAYED)
        elif self._is_kept_by_callers(good):
            parameters.append(IF_NONE_MATCH_PARAMETER)
            operation["responses"]["304"] = {"description": "Not changed since.", "headers": ETAG}
            for response in good:
                response.setdefault("headers", {}).update(ETAG)
        if self.method in self.view.matched:
            parameters.append(IF_MATCH_PARAMETER)

    def _is_kept_by_callers(self, good: list[Content]) -> bool:
        return not any("text/event-stream" in response.get("content", {}) for response in good)

    def _add_examples(self, operation: dict[str, Any]) -> None:
        """`answers` of the view: data by method, or by method and status."""
        for code, response in operation["responses"].items():
            content = enveloped(code, response)
            if content is None:
                continue
            value = self.view.answers.get(f"{self.method} {code}", self.view.answers.get(self.method))
            if value is not None:
                content.setdefault("examples", {})["Answer"] = {"value": success(value)}
            for example in content.get("examples", {}).values():
                if "success" not in example["value"]:
                    example["value"] = success(example["value"])

    def _add_refusals(self, operation: dict[str, Any]) -> None:
        found = told.by_status([*self.view.problems.get(self.method, ()), *self._common(operation)])
        for status, codes in found.items():
            operation["responses"][str(status)] = _refused(codes)
            if status in (429, 503) or idempotency.RequestInProgress.code in codes:
                operation["responses"][str(status)]["headers"] = RETRY_AFTER
        operation["responses"] = dict(sorted(operation["responses"].items()))
        operation["x-problem-codes"] = sorted({code for codes in found.values() for code in codes})

    def _common(self, operation: dict[str, Any]) -> list[told.Refusal]:
        """What any such route refuses."""
        found: list[told.Refusal] = [
            told.NO_CREDENTIAL,
            told.FORBIDDEN,
            KeyExpired,
            told.TOO_MANY,
            told.BROKEN,
            # A name in the query string that is not known, if nothing else.
            told.INVALID,
        ]
        named = {parameter["name"]: parameter["in"] for parameter in operation["parameters"]}
        if "cursor" in named:
            found.append(InvalidCursor)
        if "thread_id" in named:
            found += [InvalidThreadId, ThreadNotFound]
        if "application/json" in self._media_types(operation):
            found.append(told.NOT_ACCEPTABLE)
        if self.method in WRITES:
            found += [idempotency.KeyReused, idempotency.RequestInProgress]
            found += [idempotency.AnswerUnreadable, TooLarge]
        if "requestBody" in operation:
            found.append(told.UNSUPPORTED)
            found += [told.INVALID_JSON] if self._reads(JSONParser) else []
            found += [told.INVALID_FORM] if self._reads(MultiPartParser) else []
        if self.method in self.view.matched:
            found.append(PreconditionFailed)
        return found

    def _media_types(self, operation: dict[str, Any]) -> set[str]:
        return {kind for response in operation["responses"].values() for kind in response.get("content", {})}

    def _reads(self, kind: type[BaseParser]) -> bool:
        return any(issubclass(parser, kind) for parser in self.view.parser_classes)


def enveloped(code: str, response: Content) -> Content | None:
    """What a good answer has in the envelope; None where it is a file or a stream, of JSON as well."""
    kinds = response.get("content", {})
    return kinds.get("application/json") if code.startswith("2") and len(kinds) == 1 else None


def _say_who(operation: dict[str, Any], need: Need) -> None:
    staff = [need.permission, *need.also]
    needed = {"apiKey": [need.scope], "staffSession": staff}
    operation["security"] = [
        {name: needed.get(name, [])} for asked in operation.get("security", []) for name in asked
    ]
    words = " and ".join(f"`{one}`" for one in staff)
    permissions = "the permission" if len(staff) == 1 else "the permissions"
    who = f"Needs the scope `{need.scope}`; of a member of staff, {permissions} {words}."
    operation["description"] = "\n\n".join(filter(None, [operation.get("description"), who]))


def _say_it_is_the_customers(operation: dict[str, Any]) -> None:
    operation["security"] = [asked for asked in operation.get("security", []) if "customerToken" in asked]
    operation["description"] = f"{operation['description']}\n\nNeeds the customer's own token."


def _say_nothing_of_events(operation: dict[str, Any]) -> None:
    """OpenAPI 3.1 cannot describe the events of a stream, and a type would be one of the whole of it."""
    for response in operation["responses"].values():
        if stream := response.get("content", {}).get("text/event-stream"):
            stream["schema"] = {"contentMediaType": "text/event-stream"}


def _refused(codes: dict[str, str]) -> Content:
    """A response with one example for each code."""
    examples = {code: {"value": failure(code, message)} for code, message in codes.items()}
    names = ", ".join(f"`{code}`" for code in codes)
    return {
        "description": f"Refused: {names}."
        if "server_error" not in codes
        else "Something broke on our side.",
        "x-problem-codes": list(codes),
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/ErrorEnvelope"},
                "examples": examples,
            }
        },
    }
