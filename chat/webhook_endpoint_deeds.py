"""What staff do to a webhook endpoint in the console. Each deed asks first, and is a call of a service."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action
from unfold.enums import ActionVariant

from agents.approvals import Decider
from chat import webhook_endpoints, webhook_forms, webhook_trials
from chat.models import WebhookEndpoint
from smartsupport.lib.console import HistoryAdmin, go_to, identified
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.text import shorten

SHOWN_ONCE = "Its secret is <code>{}</code>. Copy it now: it is not shown again."


class EndpointDeeds(HistoryAdmin):
    """The actions of an endpoint's page."""

    actions_detail = ("test", "send_failed_again", "rotate", "pause", "resume", "remove")

    def has_remove_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("chat.delete_webhookendpoint")

    @action(
        description="Send a test",
        permissions=["change"],
        icon="send",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Send a test now?",
            "description": "A test.ping is posted at once, also where the endpoint is paused; you see what it answers.",
            "form_submit_text": "Send the test",
        },
    )
    def test(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        def tried(endpoint_id: Any, by: Decider) -> str:
            trial = webhook_trials.test(endpoint_id, by=by)
            said = f" It said: {shorten(trial.body_head, 300)}" if trial.body_head else ""
            if trial.delivered:
                return f"It answered HTTP {trial.status} after {trial.duration_ms} ms.{said}"
            answered = f"HTTP {trial.status}" if trial.status else "nothing"
            raise ServiceError(f"It answered {answered} after {trial.duration_ms} ms. {trial.error}{said}")

        return self._done(request, object_id, "Sent a test.", tried)

    @action(
        description="Send again what was given up",
        permissions=["change"],
        icon="replay",
        dialog={
            "title": "Send again what was given up?",
            "description": f"With the same ids, the oldest first, at most {webhook_endpoints.MOST_AGAIN:,} at once.",
            "form_class": webhook_forms.AgainForm,
            "form_submit_text": "Send again",
        },
    )
    def send_failed_again(
        self, request: HttpRequest, form: webhook_forms.AgainForm, object_id: str
    ) -> HttpResponse:
        def sent(endpoint_id: Any, by: Decider) -> str:
            count, more = webhook_endpoints.send_failed_again(endpoint_id, by=by, since=form.since())
            left = " There are more: do it once more when these are sent." if more else ""
            return f"{_counted(count)} sent again.{left}"

        return self._done(request, object_id, "Sent again what was given up.", sent)

    @action(
        description="New secret",
        permissions=["change"],
        icon="autorenew",
        dialog={
            "title": "Make a new secret?",
            "description": "It is shown once. The old one signs beside it for as long as you say, and then ends.",
            "form_class": webhook_forms.RotateForm,
            "form_submit_text": "Make the new secret",
        },
    )
    def rotate(self, request: HttpRequest, form: webhook_forms.RotateForm, object_id: str) -> HttpResponse:
        def rotated(endpoint_id: Any, by: Decider) -> str:
            hours = int(form.cleaned_data["overlap_hours"])
            secret = webhook_endpoints.rotate(endpoint_id, by=by, overlap_hours=hours)
            messages.warning(request, format_html(SHOWN_ONCE, secret))
            return "The new secret signs from now on."

        return self._done(request, object_id, "Made a new secret.", rotated)

    @action(
        description="Pause",
        permissions=["change"],
        icon="pause",
        dialog={
            "title": "Pause this endpoint?",
            "description": "Nothing more is sent to it. What happens meanwhile waits until you resume it, for as "
            "long as deliveries are kept.",
            "form_class": webhook_forms.PauseForm,
            "form_submit_text": "Pause",
        },
    )
    def pause(self, request: HttpRequest, form: webhook_forms.PauseForm, object_id: str) -> HttpResponse:
        def paused(endpoint_id: Any, by: Decider) -> str:
            webhook_endpoints.pause(endpoint_id, by=by, reason=form.cleaned_data["reason"])
            return "It is paused. What happens meanwhile waits."

        return self._done(request, object_id, "Paused.", paused)

    @action(
        description="Resume",
        permissions=["change"],
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Resume this endpoint?",
            "description": "It is told again of what happens. Send a test first if it was paused because it failed.",
            "form_class": webhook_forms.ResumeForm,
            "form_submit_text": "Resume",
        },
    )
    def resume(self, request: HttpRequest, form: webhook_forms.ResumeForm, object_id: str) -> HttpResponse:
        def resumed(endpoint_id: Any, by: Decider) -> str:
            skip = form.cleaned_data["waited"] == "skip"
            waited = webhook_endpoints.resume(endpoint_id, by=by, skip=skip)
            if not waited:
                return "It is live again. Nothing waited."
            return f"It is live again. What waited is {'skipped' if skip else 'sent now'}: {waited:,}."

        return self._done(request, object_id, "Resumed.", resumed)

    @action(
        description="Delete",
        permissions=["remove"],
        icon="delete",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Delete this endpoint?",
            "description": "It is told of nothing more, and what was sent to it is forgotten. What waits is not sent.",
            "form_submit_text": "Delete",
        },
    )
    def remove(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        def removed(endpoint_id: Any, by: Decider) -> str:
            webhook_endpoints.delete(endpoint_id, by=by)
            return "The endpoint is deleted."

        return self._done(request, object_id, "Deleted.", removed)

    def _done(self, request: HttpRequest, object_id: str, what: str, deed: Any) -> HttpResponse:
        """Carry out `deed` and tell what it says, or why it was refused."""
        row = identified(WebhookEndpoint.objects.all(), object_id).first()
        try:
            said = deed(parse_uuid(object_id), Decider.of(request.user))
        except ServiceError as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(request, said)
            if row is not None:
                self.log_change(request, row, what)
        if not identified(self.get_queryset(request), object_id).exists():
            return go_to(request, reverse("admin:chat_webhookendpoint_changelist"))
        return go_to(request, reverse("admin:chat_webhookendpoint_change", args=[object_id]))


def _counted(deliveries: int) -> str:
    return "1 delivery is" if deliveries == 1 else f"{deliveries:,} deliveries are"
