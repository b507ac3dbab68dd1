"""Records what staff and programs do, by default: every request of theirs that may change something, every export and
every refusal. Customers' requests and ordinary looks cost nothing here."""

from collections.abc import Awaitable, Callable

import structlog
from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.db import Error as DatabaseFault
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from smartsupport.audit import requests
from smartsupport.lib import audit, audit_repeats

Answer = HttpResponseBase | Awaitable[HttpResponseBase]
log = structlog.get_logger(__name__)


class AuditMiddleware:
    """Stands behind the middlewares that know the user and the messages.

    What changes something is recorded before it begins (nothing is done that could not be recorded) and again with its
    outcome. An outcome that cannot be written is logged: the beginning tells that there is more to know.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Answer]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Answer:
        if self.is_async:
            return self._later(request)
        if not requests.is_watched(request):
            return self.get_response(request)
        if not requests.may_change(request):
            return self._looked(request, self._answer(request))
        of = self._begin(request)
        with audit.recording(of):
            response = self._answer(request)
            self._end(of, request, response)
        return response

    async def _later(self, request: HttpRequest) -> HttpResponseBase:
        if not requests.is_watched(request):
            return await self._awaited(request)
        if not requests.may_change(request):
            response = await self._awaited(request)
            if not requests.is_worth_a_line(request, response):
                return response
            return await sync_to_async(self._looked, thread_sensitive=True)(request, response)
        of = await sync_to_async(self._begin, thread_sensitive=True)(request)
        with audit.recording(of):
            response = await self._awaited(request)
            await sync_to_async(self._end, thread_sensitive=True)(of, request, response)
        return response

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        assert isinstance(response, HttpResponseBase)
        return response

    async def _awaited(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        assert not isinstance(response, HttpResponseBase)
        return await response

    def _begin(self, request: HttpRequest) -> audit.Recording:
        of = requests.recording_of(request)
        if of.actor.kind in ("staff", "key"):
            of.begun_id = audit.begin(of)
        return of

    def _end(self, of: audit.Recording, request: HttpRequest, response: HttpResponseBase) -> None:
        requests.add_outcome(of, request, response)
        if of.begun_id is None and not requests.is_recorded_unasked(of, request, response):
            return
        self._write(of, response)

    def _looked(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """A request that changes nothing: only an export, or what was refused, leaves a line."""
        if requests.is_worth_a_line(request, response):
            of = requests.recording_of(request)
            is_export = requests.is_export(request, response)
            if of.actor.kind in ("staff", "key") and (
                is_export or audit_repeats.is_news(of, response.status_code)
            ):
                requests.add_outcome(of, request, response)
                of.verb = "export" if is_export else of.verb
                self._write(of, response)
        return response

    def _write(self, of: audit.Recording, response: HttpResponseBase) -> None:
        try:
            audit.end(of, requests.outcome_of(of, response), status=response.status_code)
        except DatabaseFault as error:
            log.error(
                "audit_outcome_not_written",
                begun=of.begun_id,
                verb=of.verb,
                object=of.object_type,
                error=str(error),
            )
