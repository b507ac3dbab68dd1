"""What the REST views of every app share: what a view asks of its caller, pages, strict fields. No models."""

from typing import Any, NamedTuple

from rest_framework import serializers
from rest_framework.request import Request

from smartsupport.lib.cursors import CountedSerializer as CountedSerializer
from smartsupport.lib.cursors import PageQuery as PageQuery
from smartsupport.lib.cursors import one_page as one_page
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import is_thread_id


class Need(NamedTuple):
    """What a caller needs: a scope for an API key, Django permissions (`also`: and these) for a member of staff."""

    scope: str
    permission: str
    also: tuple[str, ...] = ()


class InvalidThreadId(ServiceError):
    code, status, message = "invalid_thread_id", 400, "Invalid thread_id format"


class StrictBooleanField(serializers.BooleanField):
    """JSON `true` or `false`. `"true"`, 1 and null are refused: a decision is never guessed."""

    default_error_messages = {"invalid": "Must be true or false.", "null": "Must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if data is not True and data is not False:
            self.fail("invalid")
        return bool(data)


class StrictCharField(serializers.CharField):
    """A JSON string; numbers are not taken for text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


def read_query(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The query string, checked. Raises ValidationError (400, with the fields)."""
    query = serializer(data=request.query_params)
    query.is_valid(raise_exception=True)
    values: dict[str, Any] = query.validated_data
    return values


def read_body(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The request's body, checked. Raises ValidationError (400, with the fields)."""
    body = serializer(data=request.data)
    body.is_valid(raise_exception=True)
    values: dict[str, Any] = body.validated_data
    return values


def decider_id(caller: Any) -> str:
    """Who calls, as it is recorded and compared: `user:<pk>` for staff, an API key's own id."""
    own: str = getattr(caller, "decider_id", "") or f"user:{caller.pk}"
    return own


def checked_thread_id(value: str) -> str:
    """The thread id of a path. Raises InvalidThreadId (400)."""
    if not is_thread_id(value):
        raise InvalidThreadId()
    return value
