"""What the REST views of every app share: what a view asks of its caller, pages, strict fields. No models."""

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from rest_framework import serializers
from rest_framework.request import Request

from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import is_thread_id

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet

MAX_PAGE = 10_000
Row = TypeVar("Row", bound="Model")


class Need(NamedTuple):
    """What a caller needs: a scope for an API key, Django permissions (`also`: and these) for a member of staff."""

    scope: str
    permission: str
    also: tuple[str, ...] = ()


class InvalidThreadId(ServiceError):
    code, status, message = "invalid_thread_id", 400, "Invalid thread_id format"


class PageQuery(serializers.Serializer[Any]):
    page = serializers.IntegerField(min_value=1, max_value=MAX_PAGE, default=1, help_text="Starts at 1.")
    per_page = serializers.IntegerField(min_value=1, max_value=100, default=20)


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


def one_page(rows: "QuerySet[Row]", query: dict[str, Any]) -> tuple[list[Row], dict[str, int]]:
    """The rows of the page and {"total", "page", "per_page"}. Two queries; past the end a page is empty."""
    page, per_page = query["page"], query["per_page"]
    start = (page - 1) * per_page
    counts = {"total": rows.order_by().count(), "page": page, "per_page": per_page}
    return list(rows[start : start + per_page]), counts


def decider_id(caller: Any) -> str:
    """Who calls, as it is recorded and compared: `user:<pk>` for staff, an API key's own id."""
    own: str = getattr(caller, "decider_id", "") or f"user:{caller.pk}"
    return own


def checked_thread_id(value: str) -> str:
    """The thread id of a path. Raises InvalidThreadId (400)."""
    if not is_thread_id(value):
        raise InvalidThreadId()
    return value
