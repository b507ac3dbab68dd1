"""What the REST views of every app share: what a view asks of its caller, pages, strict fields. No models."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request

from smartsupport.lib.cursors import CountedSerializer as CountedSerializer
from smartsupport.lib.cursors import PageQuery as PageQuery
from smartsupport.lib.cursors import one_page as one_page
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import THREAD_ID, is_thread_id

THREAD_PATTERN = f"^{THREAD_ID.pattern}$"


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


class TextFilter(serializers.CharField):
    """A text of the query string that rows are compared with. Left out or empty: all rows."""

    def __init__(self, **wanted: Any) -> None:
        super().__init__(required=False, allow_blank=True, **{"max_length": 200, **wanted})


class MomentFilter(serializers.DateTimeField):
    """A moment of the query string: ISO 8601, in UTC where it names no zone."""

    def __init__(self, help_text: str) -> None:
        super().__init__(required=False, help_text=f"{help_text} ISO 8601; UTC where it names no zone.")


def between(column: str, query: dict[str, Any], since: str = "since", until: str = "until") -> dict[str, Any]:
    """Lookups for the rows whose `column` is at or after the one and before the other moment."""
    bounds = {f"{column}__gte": query.get(since), f"{column}__lt": query.get(until)}
    return {name: moment for name, moment in bounds.items() if moment is not None}


def read_query(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The query string, checked; of a name that is there twice, the last. What is empty is not left out: no number is
    an empty one. Raises ValidationError (400, with the fields)."""
    query = serializer(data=request.query_params.dict())
    query.is_valid(raise_exception=True)
    values: dict[str, Any] = query.validated_data
    return values


def read_body(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The request's body, checked. A field that is not known is refused: left out, it would mean something else than
    the caller does. Raises ValidationError (400, with the fields)."""
    if not isinstance(request.data, dict):
        raise serializers.ValidationError({"non_field_errors": ["The body has to be a JSON object."]})
    body = serializer(data=request.data)
    unknown = unknown_fields(serializer, request.data)
    if not body.is_valid() or unknown:
        raise serializers.ValidationError({**body.errors, **unknown})
    values: dict[str, Any] = body.validated_data
    return values


def unknown_fields(
    serializer: type[serializers.Serializer[Any]], body: Mapping[str, Any]
) -> dict[str, list[str]]:
    """What to say of each field that such a body does not have; nothing is said of what is inside another one."""
    known = serializer().fields
    unknown = sorted(set(body) - set(known))
    return {name: [f"This field is not known here. Known are: {', '.join(known)}."] for name in unknown}


def held_to(caller: Any) -> UUID | None:
    """The one customer whom the caller may name: an API key that is held to them, a customer with their own token.
    None: anybody."""
    own: UUID | None = getattr(caller, "customer_id", None)
    return own


def decider_id(caller: Any) -> str:
    """Who calls, as it is recorded and compared: `user:<pk>` for staff, an API key's own id."""
    own: str = getattr(caller, "decider_id", "") or f"user:{caller.pk}"
    return own


def checked_thread_id(value: str) -> str:
    """The thread id of a path. Raises InvalidThreadId (400)."""
    if not is_thread_id(value):
        raise InvalidThreadId()
    return value
