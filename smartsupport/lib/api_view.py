"""What every route under /api/v1 is: a view whose writes are carried out once for each `Idempotency-Key`, whose bodies
have a limit, and whose query string has known names alone. Apart from `smartsupport.lib.rest`, because DRF's view
imports what the settings name."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, ClassVar

import structlog
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import Error as DatabaseFault
from django.db import transaction
from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.views import APIView

from smartsupport.lib import audit, etags, idempotency, query_names
from smartsupport.lib.documented import Refusal
from smartsupport.lib.envelope import EnvelopeRenderer
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.rest import Need, decider_id, held_to

log = structlog.get_logger(__name__)

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class TooLarge(ServiceError):
    code, status, message = "too_large", 413, "The request is too large."


class AnsweredBefore(Exception):
    """The same request was answered: it is not carried out again."""

    def __init__(self, answer: idempotency.Answer) -> None:
        self.answer = answer


class ApiView(APIView):
    """`needs` says who may call which method: {"GET": Need(scope, permission)}.

    For the published document: `answers` has an example of the data by method ("GET", or "POST 202" where statuses
    differ), `problems` what the method refuses beside what all of them do, `matched` the methods that heed `If-Match`.
    `narrows`: the methods that answer whoever is held to one customer (`held_to`) with that customer's things alone,
    though no id in their address says whose.

    What a write changes and the answer that is kept for its `Idempotency-Key` are one transaction, but for the methods
    in `outside`: those that reach other systems, or wait for what other processes do.
    """

    needs: ClassVar[dict[str, Need]] = {}
    answers: ClassVar[dict[str, Any]] = {}
    problems: ClassVar[dict[str, Sequence[Refusal]]] = {}
    matched: ClassVar[frozenset[str]] = frozenset()
    narrows: ClassVar[frozenset[str]] = frozenset()
    outside: ClassVar[frozenset[str]] = frozenset()
    claim: idempotency.Claim | None = None
    work: ExitStack

    def body_limit(self) -> int:
        """Bytes that a request's body may have."""
        return settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        # JSON is UTF-8, whatever its charset says (RFC 8259, 8.1 and 11); there are some that take hours to be read.
        if "charset" in request.content_params:
            request.encoding = "utf-8"
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        method = str(request.method)
        if method in WRITES:
            _count_body(request._request)
        super().initial(request, *args, **kwargs)
        handler = getattr(self, method.lower(), None)
        if handler is None:
            return
        if method != "OPTIONS":
            query_names.refuse_unknown(handler, request)
        if method not in WRITES:
            return
        self._refuse_too_large(request)
        text = request.headers.get(idempotency.HEADER)
        if text is None:
            return
        begun = idempotency.begin(
            caller=_caller(request.user),
            key=idempotency.checked_key(text),
            fingerprints=idempotency.fingerprints(_asked(request)),
        )
        if isinstance(begun, idempotency.Answer):
            raise AnsweredBefore(begun)
        self.claim = begun
        if method not in self.outside:
            self.work.enter_context(transaction.atomic())

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            with ExitStack() as self.work:  # `initial` begins one where there is something to keep
                response: Any = super().dispatch(request, *args, **kwargs)
                if self.claim is not None:
                    if hasattr(response, "render"):
                        response.render()
                    self._keep(self.claim, response)
        except idempotency.RequestInProgress as taken_over:
            response = self.finalize_response(self.request, self.handle_exception(taken_over))
        finally:
            self._forget()
        return response

    def handle_exception(self, exc: Exception) -> Any:
        if not isinstance(exc, AnsweredBefore):
            return super().handle_exception(exc)
        audit.note(message="Sent again under the same Idempotency-Key: answered as before, nothing was done.")
        known = exc.answer
        headers = known.headers | {idempotency.REPLAYED: "true"}
        return HttpResponse(known.body, status=known.status, headers=headers)

    def _refuse_too_large(self, request: Request) -> None:
        announced, most = request.META.get("CONTENT_LENGTH") or "0", self.body_limit()
        if not announced.isdecimal() or int(announced) > most:
            raise TooLarge(f"The request is larger than {most:,} bytes.")

    def _keep(self, claim: idempotency.Claim, response: HttpResponseBase) -> None:
        """Keep a good answer, in the transaction of what it tells of: whoever dies before its end has done nothing.
        What broke is undone. Raises RequestInProgress where another process has taken the request over meanwhile."""
        undone = self.request.method not in self.outside
        if not isinstance(response, HttpResponse) or not 200 <= response.status_code < 300:
            if undone and response.status_code >= 500:
                transaction.set_rollback(True)
            return
        try:
            kept = idempotency.keep(claim, _kept(response))
        except DatabaseFault as error:
            if undone:
                raise
            log.error("idempotent_answer_not_kept", error=str(error))
            kept = False
        if undone and not kept:
            raise idempotency.RequestInProgress()
        self.claim = None

    def _forget(self) -> None:
        """What was refused, or broke, has changed nothing that a repeat could not meet again."""
        if self.claim is None:
            return
        claim, self.claim = self.claim, None
        try:
            idempotency.forget(claim)
        except DatabaseFault as error:
            log.error("idempotent_request_not_forgotten", error=str(error))


def require_match(request: Request, *states: Any) -> None:
    """Whether `If-Match` names one of these states: data that a GET answers in the envelope, or the bytes of a file.
    Call it where nobody else can change them any more. Raises PreconditionFailed (412)."""
    if etags.is_conditional(request):
        rendered = (one if isinstance(one, bytes) else EnvelopeRenderer().render(one) for one in states)
        etags.require_match(request, *rendered)


def _caller(user: Any) -> str:
    """Whose an idempotency key is. Keys of one integrator share theirs, but not what was answered about another
    customer."""
    held = held_to(user)
    return f"{decider_id(user)} for {held}" if held else decider_id(user)


def _kept(response: HttpResponse) -> idempotency.Answer:
    headers = {name: response.headers[name] for name in idempotency.KEPT_HEADERS if name in response.headers}
    return idempotency.Answer(response.status_code, headers, response.content)


def _count_body(request: Any) -> None:
    """Say how long a body is that came in chunks. It is all here by now, and whoever reads a body without a length
    reads none: what the caller wrote would be lost without a word."""
    body = getattr(request, "_stream", None)  # of Django's ASGIRequest: a file
    if request.META.get("CONTENT_LENGTH") or body is None or not body.seekable():
        return
    request.META["CONTENT_LENGTH"] = str(body.seek(0, os.SEEK_END))
    body.seek(0)


def _asked(request: Request) -> list[Any]:
    return [request.method, request.path, request.META.get("QUERY_STRING", ""), _body(request)]


def _body(request: Request) -> Any:
    """The body as it was understood: the boundary of a form differs from one sending to the next."""
    data: Any
    try:
        data = request.data
    except UnsupportedMediaType:  # of a route that reads no body, or is about to say so
        data = request._request.body
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    if not isinstance(data, QueryDict):
        return data
    return {name: [_plain(value) for value in values] for name, values in data.lists()}


def _plain(value: Any) -> Any:
    if not isinstance(value, UploadedFile):
        return value
    found = hashlib.sha256()
    for chunk in value.chunks():
        found.update(chunk)
    value.seek(0)
    return [value.name, value.content_type, found.hexdigest()]
