"""What staff do on a conversation's page without a dialog: write, note, tag, look up canned replies.

A message to the customer and a note have a route, a form and a template each, so that neither can become the other.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import escape

from agents.approvals import Decider
from chat import canned, notes, staffing, tagging
from chat.markdown import to_html
from chat.models import Conversation
from chat.submission import CONTENT_LIMIT
from replay.staff_forms import TextForm
from smartsupport.lib.console import identified
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import parse_uuid

MOST_AT_ONCE = 50
SENT = "Sent. The customer sees it in the chat."
NOTED = "The note is kept. Only staff read it."


class DeskViews:
    """Views for the admin of conversations. Each asks for its permission before it says whether there is such a row."""

    def desk_urls(self) -> list[Any]:
        def one(name: str, address: str, view: Callable[..., HttpResponse]) -> Any:
            wrapped = self.admin_site.admin_view(view)  # type: ignore[attr-defined]
            return path(address, wrapped, name=f"chat_conversation_{name}")

        return [
            one("tag_many", "tag/", self.tag_many),
            one("say", "<path:object_id>/say/", self.say),
            one("note", "<path:object_id>/note/", self.note),
            one("preview", "<path:object_id>/preview/", self.preview),
            one("canned", "<path:object_id>/canned/", self.canned),
            one("tags", "<path:object_id>/tags/", self.tags),
            one("tag_words", "<path:object_id>/tag-words/", self.tag_words),
        ]

    def _answered(self, request: HttpRequest, object_id: str) -> Conversation:
        """The conversation of a request from somebody who may answer in it. Raises PermissionDenied, Http404."""
        if not request.user.has_perm("chat.change_conversation"):
            raise PermissionDenied
        row = identified(Conversation.objects.select_related("customer"), object_id).first()
        if row is None:
            raise Http404
        return row

    def say(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Write to the customer of a conversation that somebody has; elsewhere, the dialog of `write` is the way."""
        row = self._answered(request, object_id)

        def send(text: str, once: str) -> None:
            staffing.write(
                thread_id=row.thread_id, text=text, by=Decider.of(request.user), once=once, takes_over=False
            )

        return _written(request, row, "replay/reply_form.html", "reply", send, SENT)

    def note(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Write a note for colleagues."""
        row = self._answered(request, object_id)

        def keep(text: str, once: str) -> None:
            notes.write(thread_id=row.thread_id, text=text, by=Decider.of(request.user), once=once)

        return _written(request, row, "replay/note_form.html", "note", keep, NOTED)

    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A message as the customer would see it; nothing is sent."""
        row = self._answered(request, object_id)
        if request.method != "POST":
            return _back(row)
        text = request.POST.get("content", "").replace("\r\n", "\n")[:CONTENT_LIMIT]
        context = {"html": to_html(text) if text.strip() else ""}
        return TemplateResponse(request, "replay/preview.html", context)

    def canned(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Canned replies that fit `q`, filled in for this customer, as options of a list box."""
        row = self._answered(request, object_id)
        if not request.user.has_perm("chat.view_cannedreply"):
            raise PermissionDenied
        typed = request.GET.get("q", "")[:80]
        context = {"offered": canned.offered(typed, row.customer), "typed": typed}
        return TemplateResponse(request, "replay/canned.html", context)

    def tags(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Add (`add`) or take away (`remove`) one tag; answers with the tags as they are then."""
        row = self._answered(request, object_id)
        if request.method != "POST":
            return _back(row)
        fault, by = "", Decider.of(request.user)
        try:
            if "remove" in request.POST:
                tagging.remove(conversation_id=row.pk, name=request.POST["remove"], by=by)
            else:
                _, full = tagging.add(conversation_ids=[row.pk], name=request.POST.get("add"), by=by)
                fault = tagging.TooManyTags.message if full else ""
        except ServiceError as refusal:
            fault = refusal.message
        if not request.headers.get("HX-Request"):
            if fault:
                messages.error(request, fault)
            return _back(row)
        tags = [tag.name for tag in row.tags.all()]
        context = {"conversation": row, "tags": tags, "may_answer": True, "tag_fault": fault}
        return TemplateResponse(request, "replay/tags.html", context)

    def tag_words(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Tags that fit `q` and are not on the conversation: {"tags": [...]}."""
        row = self._answered(request, object_id)
        has = [tag.name for tag in row.tags.all()]
        return JsonResponse({"tags": tagging.suggestions(request.GET.get("q", ""), but=has)})

    def tag_many(self, request: HttpRequest) -> HttpResponse:
        """Give the ticked conversations of the list a tag, and go back to the list."""
        if not request.user.has_perm("chat.change_conversation"):
            raise PermissionDenied
        back = request.POST.get("back", "")
        home = reverse("admin:chat_conversation_changelist")
        answer = HttpResponseRedirect(home + back if back.startswith("?") else home)
        if request.method != "POST":
            return answer
        ids = [pk for text in request.POST.getlist("id")[:MOST_AT_ONCE] if (pk := parse_uuid(text))]
        try:
            given, full = tagging.add(
                conversation_ids=ids, name=request.POST.get("name"), by=Decider.of(request.user)
            )
        except ServiceError as refusal:
            messages.error(request, refusal.message)
            return answer
        if given:
            messages.success(request, f"{given} conversation{'' if given == 1 else 's'} tagged.")
        elif not full:
            messages.info(
                request, "They have this tag already." if ids else "Tick at least one conversation."
            )
        if full:
            messages.error(request, f"{full} of them had {tagging.MOST} tags already.")
        return answer


def _back(row: Conversation) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:chat_conversation_change", args=[row.pk]))


def _written(
    request: HttpRequest,
    row: Conversation,
    template: str,
    kind: str,
    work: Callable[[str, str], None],
    told: str,
) -> HttpResponse:
    """Do `work` with what was written. To a script: the form again, empty or with what is wrong and the text in it."""
    if request.method != "POST":
        return _back(row)
    form = TextForm(request.POST)
    fault = (
        ""
        if form.is_valid()
        else str(form.errors["content"][0])
        if "content" in form.errors
        else "Reload the page."
    )
    if not fault:
        try:
            work(form.cleaned_data["content"], form.cleaned_data["once"])
        except ServiceError as refusal:
            fault = refusal.message
    if not request.headers.get("HX-Request"):
        messages.error(request, fault) if fault else messages.success(request, told)
        return _back(row)
    text = request.POST.get("content", "") if fault else ""
    once = request.POST.get("once", "")[:64] if fault else str(uuid4())
    context = {"conversation": row, "text": text, "once": once, "fault": fault, "told": "" if fault else told}
    answer = TemplateResponse(request, template, context)
    if not fault:
        answer.headers["HX-Trigger"] = f"desk-sent-{escape(kind)}"
    return answer
