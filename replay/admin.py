"""Conversations in the console: the list, and each one's page. Never edited: staff write into them."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.decorators import action as console_action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from agents.approvals import Decider
from chat import staffing, stopping, takeover, turns
from chat.models import Conversation
from replay import player_urls
from replay.conversation_page import seen_state, shown
from replay.desk_views import DeskViews
from replay.list_page import ListPage
from replay.staff_forms import EscalateForm, TakeOverForm, WriteForm
from smartsupport.lib.console import ReadOnlyAdmin, go_to, identified
from smartsupport.lib.errors import ServiceError


class NothingToStop(ServiceError):
    code, status = "nothing_to_stop", 409
    message = "Nothing is being worked on any more, so there is nothing to stop."


@admin.register(Conversation)
class ConversationAdmin(ListPage, DeskViews, ReadOnlyAdmin):
    search_fields = ("thread_id",)  # of the theme's own search; the list's is `chat.search`
    actions_detail = ("take_over", "write", "hand_back", "retry", "stop", "escalate", "resolve")

    def has_answer_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        # By a method: the theme looks a permission's name up in the database, before there are any tables.
        return request.user.has_perm("chat.change_conversation")

    def get_urls(self) -> list[Any]:
        live = path(
            "<path:object_id>/live/", self.admin_site.admin_view(self.live), name="chat_conversation_live"
        )
        return [live, *self.desk_urls(), *player_urls.urls(self), *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self._row(request, object_id)
        if request.method != "GET":  # nothing of it is edited
            raise PermissionDenied
        if row is None:
            messages.warning(request, "This conversation does not exist. Perhaps it was deleted.")
            return go_to(request, reverse("admin:chat_conversation_changelist"))
        frame = self.admin_site.each_context(request)
        context = {**frame, **shown(request, row), "opts": self.opts, "original": row}
        return TemplateResponse(request, "replay/conversation.html", {**context, **(extra_context or {})})

    def live(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The timeline, for an open page that asks every few seconds; 204 when it has not changed."""
        row = self._row(request, object_id)
        if row is None:
            raise Http404
        if request.GET.get("state") == seen_state(request, row)[0]:
            return HttpResponse(status=204)
        context = shown(request, row)
        context["other_mode"] = request.GET.get("mode", context["mode"]) != context["mode"]
        return TemplateResponse(request, "replay/live.html", context)

    def _row(self, request: HttpRequest, object_id: str) -> Conversation | None:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = Conversation.objects.select_related("customer").prefetch_related("tags")
        return identified(rows, object_id).first()

    @console_action(
        description="Take over",
        url_path="take-over",
        permissions=["answer"],
        icon="front_hand",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Take this conversation over?",
            "description": "The customer is told that a colleague answers now.",
            "form_class": TakeOverForm,
            "form_submit_text": "Take over",
        },
    )
    def take_over(self, request: HttpRequest, form: TakeOverForm, object_id: str) -> HttpResponse:
        by = Decider.of(request.user)
        return self._do(
            request,
            object_id,
            lambda thread_id: takeover.take_over(thread_id=thread_id, by=by),
            logged="Took over.",
            told="You have this conversation now. The agents say nothing until you give it back.",
        )

    @console_action(
        description="Hand back",
        url_path="hand-back",
        permissions=["answer"],
        icon="smart_toy",
        variant=ActionVariant.DEFAULT,
        dialog={
            "title": "Give this conversation back to the agents?",
            "description": "They answer what the customer writes next, and know what was said. What the customer has "
            "written up to now is not answered by them.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Hand back",
        },
    )
    def hand_back(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        by = Decider.of(request.user)
        return self._do(
            request,
            object_id,
            lambda thread_id: takeover.hand_back(thread_id=thread_id, by=by),
            logged="Handed back.",
            told="Given back. The agents answer the customer's next message.",
        )

    @console_action(
        description="Try again",
        permissions=["answer"],
        icon="replay",
        variant=ActionVariant.DEFAULT,
        dialog={
            "title": "Try the last message again?",
            "description": "The agents go on where it broke. What was done already is not done again.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Try again",
        },
    )
    def retry(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._do(
            request,
            object_id,
            lambda thread_id: turns.retry(customer_id=None, thread_id=thread_id),
            logged="Had it tried again.",
            told="The agents try again.",
        )

    @console_action(
        description="Write to the customer",
        permissions=["answer"],
        icon="edit",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Write to the customer?",
            "description": "The customer sees it at once, from “Our team” and without your name.",
            "form_class": WriteForm,
            "form_submit_text": "Send",
        },
    )
    def write(self, request: HttpRequest, form: WriteForm, object_id: str) -> HttpResponse:
        text, once = form.cleaned_data["content"], form.cleaned_data["once"]
        by = Decider.of(request.user)
        return self._do(
            request,
            object_id,
            lambda thread_id: staffing.write(thread_id=thread_id, text=text, by=by, once=once),
            logged="Wrote to the customer.",
            told="Sent. The customer sees it in the chat.",
        )

    @console_action(
        description="Mark as resolved",
        permissions=["answer"],
        icon="task_alt",
        variant=ActionVariant.SUCCESS,
        dialog={
            "title": "Mark this conversation as resolved?",
            "description": "It no longer waits for a person, and nobody has it. The customer is not told; when they "
            "write again, it is open again, and the agents answer.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Mark as resolved",
        },
    )
    def resolve(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        by = Decider.of(request.user)
        return self._do(
            request,
            object_id,
            lambda thread_id: staffing.resolve(thread_id=thread_id, by=by),
            logged="Marked as resolved.",
            told="Marked as resolved.",
        )

    @console_action(
        description="Stop the agents",
        permissions=["answer"],
        icon="stop_circle",
        variant=ActionVariant.DEFAULT,
        dialog={
            "title": "Stop what the agents are at?",
            "description": "The answer ends where it is, and what waits for approval is cancelled. What was sent "
            "to the business system already is finished and recorded. The agents answer the next message.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Stop the agents",
        },
    )
    def stop(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        def stop(thread_id: str) -> None:
            if not stopping.stop(customer_id=None, thread_id=thread_id):
                raise NothingToStop()

        return self._do(request, object_id, stop, logged="Stopped the agents.", told="The agents stop.")

    @console_action(
        description="Ask for a person",
        permissions=["answer"],
        icon="support_agent",
        variant=ActionVariant.DEFAULT,
        dialog={
            "title": "Ask for a person for this customer?",
            "description": "The conversation waits for a person until a colleague takes it over. The customer is told "
            "that a colleague was asked to join, and the agents go on answering until then.",
            "form_class": EscalateForm,
            "form_submit_text": "Ask for a person",
        },
    )
    def escalate(self, request: HttpRequest, form: EscalateForm, object_id: str) -> HttpResponse:
        by, reason = Decider.of(request.user), form.cleaned_data["reason"]
        return self._do(
            request,
            object_id,
            lambda thread_id: staffing.escalate(thread_id=thread_id, reason=reason, by=by),
            logged="Asked for a person.",
            told="It waits for a person now.",
        )

    def _do(
        self,
        request: HttpRequest,
        object_id: str,
        work: Callable[[str], object],
        *,
        logged: str,
        told: str,
    ) -> HttpResponse:
        """Call a service with the thread's id, tell what came of it, and go back to the conversation."""
        row = identified(Conversation.objects.all(), object_id).first()
        if row is None:
            messages.error(request, "This conversation does not exist.")
            return go_to(request, reverse("admin:chat_conversation_changelist"))
        try:
            work(row.thread_id)
        except ServiceError as refusal:
            messages.error(request, refusal.message)
        else:
            self.log_change(request, row, logged)
            messages.success(request, told)
        return go_to(request, reverse("admin:chat_conversation_change", args=[row.pk]))
