"""What the import routes look for, and how they read what was sent."""

from collections.abc import Mapping
from copy import copy
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from openapi_import import getting, jobs
from openapi_import.errors import ImportRefused, JobNotFound, SpecInvalid
from openapi_import.models import Classification, ImportJob, Publication, SourceKind, SpecSource
from openapi_import.review import RowNotFound
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.rest import read_body

AROUND_IT = 64 * 1024
MOST_WORDS = 10
SEARCHED = ("path", "method", "operation_id", "summary", "name", "title", "agent_group")


class NotFound(ServiceError):
    code, status = "not_found", 404


def job_of(job_id: str) -> ImportJob:
    """Raises JobNotFound: `Job '{id}' not found`."""
    known = parse_uuid(job_id)
    if known is None:
        raise JobNotFound.of(job_id)
    return jobs.find(known)


def classification_of(job: ImportJob, index: str) -> Classification:
    """Raises RowNotFound: `Classification index {n} out of range`."""
    number = int(index) if index.isascii() and index.isdecimal() and len(index) < 10 else -1
    row = job.classifications.filter(index=number).first()
    if row is None:
        raise RowNotFound.of(index)
    return row


def source_of(source_name: str) -> SpecSource:
    """Raises NotFound."""
    source = SpecSource.objects.filter(name=source_name).first() if "\0" not in source_name else None
    if source is None:
        raise NotFound("Source not found")
    return source


def publication_of(publication_id: str) -> Publication:
    """Raises NotFound."""
    known: UUID | None = parse_uuid(publication_id)
    row = Publication.objects.select_related("source").filter(pk=known).first() if known else None
    if row is None:
        raise NotFound("Publication not found")
    return row


def checked_body(shape: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The request's body, checked. Raises ImportRefused (422, with the fields)."""
    try:
        return read_body(shape, request)
    except ValidationError as error:
        raise ImportRefused("Some fields are not valid.", fields=error.detail) from None


def import_limit() -> int:
    """Bytes of a request with a document. Escapes make JSON text longer than the document that it holds."""
    return 2 * settings.IMPORT_MAX_BYTES + AROUND_IT


def submission(request: Request, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """The arguments of `jobs.submit`, from JSON or a form. Raises ImportRefused (422)."""
    uploaded = request.FILES.get("file")
    if isinstance(request.data, Mapping) and "file" in request.data:
        fields = copy(request.data)  # not deeply: a large upload is an open file
        del fields["file"]
        body = shape(data=fields)
        try:
            body.is_valid(raise_exception=True)
        except ValidationError as error:
            raise ImportRefused("Some fields are not valid.", fields=error.detail) from None
        values: dict[str, Any] = body.validated_data
    else:
        values = checked_body(shape, request)
    text, server = values.pop("text", None), values.pop("mcp_url", None)
    if uploaded is not None and text is not None:
        raise ImportRefused(
            "Send a file or text, not both.", fields={"text": ["Send a file or text, not both."]}
        )
    if server is not None and (values.get("url") or text is not None or uploaded is not None):
        message = "Give the address of an MCP server or a document, not both."
        raise ImportRefused(message, fields={"mcp_url": [message]})
    if server is not None:
        values |= {"url": server, "kind": SourceKind.MCP}
    if uploaded is not None:
        values |= _of_file(uploaded)
    elif text is not None:
        try:
            values["content"] = text.encode()
        except UnicodeEncodeError:
            raise SpecInvalid("The text has characters that cannot be written.") from None
    return values | {"headers": _headers(values)}


def found(job: ImportJob, query: dict[str, Any]) -> "QuerySet[Classification]":
    """The classifications that a checked `ClassificationFilter` names."""
    rows = job.classifications.order_by("index")
    for name in ("access_type", "risk", "approval", "change", "agent_group"):
        if name in query:
            rows = rows.filter(**{name: query[name]})
    for name in ("uncertain", "selected"):
        if name in query:
            rows = rows.filter(**{name: query[name] == "true"})
    if "usable" in query:
        rows = rows.filter(unusable="") if query["usable"] == "true" else rows.exclude(unusable="")
    if "reviewed" in query:
        rows = rows.filter(reviewed_at__isnull=query["reviewed"] == "false")
    for word in query.get("q", "").replace("\0", " ").split()[:MOST_WORDS]:
        rows = rows.filter(_anywhere(word))
    return rows


def _anywhere(word: str) -> Q:
    wanted = Q()
    for name in SEARCHED:
        wanted |= Q(**{f"{name}__icontains": word})
    return wanted


def _of_file(uploaded: Any) -> dict[str, Any]:
    return {
        "content": uploaded.read(settings.IMPORT_MAX_BYTES + 1),
        "filename": uploaded.name or "",
        "content_type": uploaded.content_type or "",
    }


def _headers(values: dict[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = values.pop("headers", None) or {}
    username, password = values.pop("username", None), values.pop("password", None)
    if username is None and password is None:
        return headers
    if username is None or any(name.lower() == "authorization" for name in headers):
        message = "Give a user name and a password, or an Authorization header, not both."
        raise ImportRefused(message, fields={"username": [message]})
    return headers | getting.basic(username, password or "")
