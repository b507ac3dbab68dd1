"""What somebody reads who asks for a page of the console that they may not open."""

from django.contrib.admin import site
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.shortcuts import render


def page_refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The project's handler403: a page for who reads it, one sentence for a script that asked for a piece of a page."""
    if "text/html" not in request.headers.get("Accept", ""):
        return HttpResponseForbidden("You may not do this. Nothing was changed.", content_type="text/plain")
    return render(request, "403.html", site.each_context(request), status=403)
