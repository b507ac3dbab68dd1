"""The replay's addresses, below a conversation's own. Each asks for `chat.view_conversation`."""

from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path

from chat.models import Conversation
from replay import player, player_news
from replay.player_export import download
from smartsupport.lib.console import identified


def urls(admin: "ModelAdmin[Conversation]") -> list[Any]:
    """Routed by the conversations' admin."""

    def page(request: HttpRequest, object_id: str) -> HttpResponse:
        conversation = _conversation(admin, request, object_id)
        frame = {**admin.admin_site.each_context(request), "opts": admin.opts}
        return TemplateResponse(
            request, "replay/player.html", {**frame, **player.page(request, conversation)}
        )

    def news(request: HttpRequest, object_id: str) -> HttpResponse:
        return player_news.answer(request, _conversation(admin, request, object_id))

    def export(request: HttpRequest, object_id: str) -> HttpResponseBase:
        return download(request, _conversation(admin, request, object_id))

    guarded = admin.admin_site.admin_view
    return [
        path("<path:object_id>/replay/", guarded(page), name="chat_conversation_replay"),
        path("<path:object_id>/replay/news/", guarded(news), name="chat_conversation_replay_news"),
        path("<path:object_id>/replay/replay.json", guarded(export), name="chat_conversation_replay_export"),
    ]


def _conversation(admin: "ModelAdmin[Conversation]", request: HttpRequest, object_id: str) -> Conversation:
    if not admin.has_view_permission(request):
        raise PermissionDenied
    row = identified(Conversation.objects.select_related("customer"), object_id).first()
    if row is None:
        raise Http404("This conversation does not exist.")
    return row
