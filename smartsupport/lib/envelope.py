"""The one form of every JSON answer: `{"success", "data", "error"}`.

`error` is null or `{"code", "message", "fields"?}`; `fields` maps a field's name to its faults. A refusal may add what
the caller needs to go on (who decided first, say). A 500 says nothing about its cause; the log does.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.core.signals import got_request_exception
from django.db import connections
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from smartsupport.lib.errors import ServiceError
from smartsupport.lib.text import storable

CODES = {
    400: "bad_request",
    401: "not_authenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    410: "gone",
    412: "precondition_failed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "rate_limited",
    503: "unavailable",
}
MESSAGES = {
    400: "The request could not be understood.",
    403: "You are not allowed to do this.",
    404: "Not found",
    405: "This method is not allowed here.",
    412: "This has changed since you read it, or is another one than you named.",
    413: "The request is too large.",
    500: "Something went wrong on our side. Please try again later.",
}
MISSING_KEY = "Missing X-API-Key header"
DEEPEST = 200  # levels of a JSON body
NOT_JSON = "The request body is not valid JSON."
NO_FORM = "The request body is not a valid form: send it as multipart/form-data, with its boundary."
TOO_MUCH = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)
"""What Django says of a form that it does not read to the end."""


def success(data: Any) -> dict[str, Any]:
    """The envelope around the data of a good answer."""
    return {"success": True, "data": data, "error": None}


def failure(code: str, message: str, **extra: Any) -> dict[str, Any]:
    """The envelope around a refusal."""
    return {"success": False, "data": None, "error": {"code": code, "message": message, **extra}}


def failure_response(code: int, message: str = "") -> JsonResponse:
    """A whole response with this HTTP status, for answers that no REST view made."""
    named = CODES.get(code, "bad_request" if code < 500 else "server_error")
    return JsonResponse(
        failure(named, message or MESSAGES.get(code, MESSAGES[400 if code < 500 else 500])), status=code
    )


class EnvelopeRenderer(JSONRenderer):
    """Puts what a view returns into the envelope; what `exception_handler` made is in it already."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        response: Response | None = (renderer_context or {}).get("response")
        if response is not None and response.status_code == status.HTTP_204_NO_CONTENT:
            return b""
        if not getattr(response, "is_envelope", False):
            data = success(data)
        try:
            return super().render(data, accepted_media_type, renderer_context)
        except UnicodeEncodeError:  # a refusal repeats what was sent, which may be half of a character
            return super().render(storable(data), accepted_media_type, renderer_context)


class BoundedJSONParser(JSONParser):
    """JSON that is nested more than DEEPEST levels is refused like any other that cannot be read: what may be read is
    checked, stored and shown by functions that call themselves once a level."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise exceptions.ParseError(NOT_JSON) from None
        level = [data]
        for _ in range(DEEPEST):
            level = [inner for item in level for inner in _inside(item)]
            if not level:
                return data
        raise exceptions.ParseError(NOT_JSON)


def _inside(item: Any) -> Iterable[Any]:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list) else ()


class Nobody(BasePermission):
    """The default permission: a view that does not say who may use it is closed."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return False


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's EXCEPTION_HANDLER: every exception becomes an envelope; one that nobody expected becomes a bare 500."""
    _roll_back()
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, TOO_MUCH):
        return _response(413, failure(CODES[413], MESSAGES[413]))
    if isinstance(error, ServiceError):
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after else None
        return _response(error.status, failure(error.code, error.message, **error.extra), headers)
    if isinstance(error, exceptions.APIException):
        return _response(error.status_code, _refusal(error), _headers(error))
    request = context.get("request")
    got_request_exception.send(sender=exception_handler, request=getattr(request, "_request", request))
    return _response(500, failure("server_error", MESSAGES[500]))


def _roll_back() -> None:
    """As rest_framework.views.set_rollback, which cannot be imported from a module that the settings name."""
    for database in connections.all(initialized_only=True):
        if database.settings_dict["ATOMIC_REQUESTS"] and database.in_atomic_block:
            database.set_rollback(True)


def _refusal(error: exceptions.APIException) -> dict[str, Any]:
    code = CODES.get(error.status_code, "server_error" if error.status_code >= 500 else "bad_request")
    if isinstance(error, exceptions.NotAuthenticated):
        return failure(code, MISSING_KEY)
    if isinstance(error, exceptions.ParseError):
        is_form = str(error.detail).startswith("Multipart form parse error")
        return failure("invalid_form", NO_FORM) if is_form else failure("invalid_json", NOT_JSON)
    if isinstance(error, exceptions.ValidationError):
        return _invalid(error)
    if isinstance(error, exceptions.NotFound) and error.detail == exceptions.NotFound.default_detail:
        return failure(code, MESSAGES[404])
    return failure(code, str(error.detail))


def _invalid(error: exceptions.ValidationError) -> dict[str, Any]:
    if isinstance(error.detail, dict):
        fields = {
            str(name): faults if isinstance(faults, list | dict) else [faults]
            for name, faults in error.detail.items()
        }
        # What is wrong with all of it together is what there is to say.
        together = fields.get("non_field_errors") if len(fields) == 1 else None
        message = " ".join(map(str, together)) if together else "Some fields are not valid."
        return failure("invalid", message, fields=fields)
    message = (
        " ".join(str(fault) for fault in error.detail)
        if isinstance(error.detail, list)
        else str(error.detail)
    )
    return failure("invalid", message)


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if auth_header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers


def _response(code: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    response = Response(body, status=code, headers=headers)
    response.is_envelope = True  # type: ignore[attr-defined]
    return response


def is_api(request: HttpRequest) -> bool:
    """Whether the path belongs to the REST API, known route or not."""
    return request.path == "/api" or request.path.startswith("/api/")
