"""What somebody reads when there is no page, they may not open it, their form was refused, or we broke: in the
console's frame where they are signed in to it, plain otherwise. Under /api/ `smartsupport.api_errors` answers."""

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.admin import site
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from structlog.contextvars import get_contextvars

from smartsupport import plain_page
from smartsupport.middleware import Answer, ResponseMiddleware
from smartsupport.plain_page import Trouble

CONSOLE = "/admin/"
HOME = ("Back to the home page", CONSOLE)
CHAT = ("Back to the chat", "/")


def page_refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The project's handler403."""
    if not plain_page.wants_page(request):
        return plain_page.answer(request, Trouble(403, "You may not do this", ("Nothing was changed.",)))
    if not _in_console(request):
        words = "It is not for you, or you are not signed in any more. Nothing was changed."
        return plain_page.answer(request, Trouble(403, "You may not open this", (words,), (CHAT,)))
    return _framed(
        request,
        Trouble(
            403,
            "You may not open this",
            (
                f"You are signed in as {request.user.get_username()}, and your role does not allow it. "
                "Nothing was changed.",
                "If you need it for your work, ask an administrator for a role that has it.",
            ),
            (HOME,),
        ),
    )


def no_such_page(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The project's handler404."""
    if not _in_console(request):
        words = "The address is wrong, or what was there has been removed."
        return plain_page.answer(request, Trouble(404, "There is no such page", (words,), (CHAT,)))
    return _framed(
        request,
        Trouble(
            404,
            "There is no such page",
            (
                "The address is wrong, or what was there has been deleted.",
                "Look for it in the list that it belongs to, in the navigation.",
            ),
            (HOME,),
        ),
    )


def form_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW: a form without the secret that our own pages put into it. `reason` is for developers."""
    trouble = Trouble(
        403,
        "This form could not be sent",
        (
            "Nothing was changed. The page that it stands on was opened before you signed in or out, or your browser "
            "keeps no cookies of this site.",
            "Go back in your browser: what you typed is still there. Copy what is long, reload the page, and send it "
            "again.",
        ),
        (HOME,) if request.path.startswith(CONSOLE) else (CHAT,),
    )
    return _framed(request, trouble) if _in_console(request) else plain_page.answer(request, trouble)


def not_understood(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The project's handler400. The host itself may be what is wrong, so nothing is asked of the request."""
    words = "Your browser has sent something that this server does not take. Nothing was changed."
    return plain_page.answer(
        request, Trouble(400, "This could not be understood", (words, "Go back and try it again."))
    )


def broken(request: HttpRequest) -> HttpResponse:
    """The project's handler500. It asks no database and no template: one of them may be what broke."""
    number = get_contextvars().get("request_id")
    sentences = [
        "It is our fault, and it is in the log. Whether what you sent was taken is not known: look before you send it "
        "again."
    ]
    if number:
        sentences.append(f"If it stays so, tell whoever runs this site the number of the request: {number}")
    home = HOME if request.path.startswith(CONSOLE) else CHAT
    return plain_page.answer(request, Trouble(500, "Something went wrong here", tuple(sentences), (home,)))


class OwnPageMiddleware(ResponseMiddleware):
    """While DEBUG is on Django lists every route to whoever mistypes an address: ours says it in words there, too."""

    def change(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        return no_such_page(request) if _is_djangos(response) else response

    async def _change_later(self, request: HttpRequest, answer: Answer) -> HttpResponseBase:
        response = answer if isinstance(answer, HttpResponseBase) else await answer
        return await sync_to_async(no_such_page)(request) if _is_djangos(response) else response


def _is_djangos(response: HttpResponseBase) -> bool:
    return (
        settings.DEBUG
        and response.status_code == 404
        and isinstance(response, HttpResponse)
        and b"DEBUG = True" in response.content
    )


def _in_console(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    staff = request.path.startswith(CONSOLE) and user is not None and user.is_active and user.is_staff
    return bool(staff and plain_page.wants_page(request))


def _framed(request: HttpRequest, trouble: Trouble) -> HttpResponse:
    shown = {**site.each_context(request), "title": trouble.title, "trouble": trouble}
    return render(request, "admin/trouble.html", shown, status=trouble.status)
