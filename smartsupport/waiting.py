"""What waits, counted for the badges of the sidebar while a page is open."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import path, reverse

from smartsupport import console
from smartsupport.lib.ids import digest


def counts(request: HttpRequest) -> HttpResponse:
    """{"state", "items": [{"link", "count", "badge"}]}: a badge is the theme's own piece of page, "" where nothing
    waits. 204 while it is as `state` in the query says. One statement."""
    offered = [
        ("agents.view_action", "admin:agents_action_changelist", "waiting", "danger"),
        ("chat.view_conversation", "admin:chat_conversation_changelist", "asking", "warning"),
    ]
    numbers = console.badges(request)
    found = [
        (reverse(link), numbers[name], colour)
        for permission, link, name, colour in offered
        if request.user.has_perm(permission)
    ]
    state = digest([[link, count] for link, count, _ in found])[:16]
    if state == request.GET.get("state"):
        return HttpResponse(status=204)
    items = [{"link": link, "count": count, "badge": _badge(count, colour)} for link, count, colour in found]
    return JsonResponse({"state": state, "items": items})


def _badge(count: int, colour: str) -> str:
    item = {"badge": count, "badge_variant": colour}
    return render_to_string("unfold/helpers/app_list_badge.html", {"item": item}).strip()


urlpatterns = [path("admin/waiting/", admin.site.admin_view(counts), name="waiting-counts")]
