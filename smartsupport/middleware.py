"""The one shape that our middlewares have: look at a finished response and change it, sync or async."""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

Answer = HttpResponseBase | Awaitable[HttpResponseBase]


class ResponseMiddleware:
    """Subclasses define `change`."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Answer]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Answer:
        answer = self.get_response(request)
        if isinstance(answer, HttpResponseBase):
            return self.change(request, answer)
        return self._change_later(request, answer)

    async def _change_later(
        self, request: HttpRequest, answer: Awaitable[HttpResponseBase]
    ) -> HttpResponseBase:
        return self.change(request, await answer)

    def change(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """The response to send instead of this one, or this one."""
        raise NotImplementedError
