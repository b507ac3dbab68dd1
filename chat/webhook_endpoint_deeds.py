"""What staff do to a webhook endpoint in the console. Each deed asks first."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from agents.approvals import Decider
from chat import webhook_deeds, webhook_forms
from chat.models import WebhookEndpoint
from chat.webhook_deeds import Deed
from smartsupport.lib.console import HistoryAdmin, go_to, identified
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import parse_uuid

PERMITTED_BY = {
    "chat.change_webhookendpoint": "change",
    "chat.change_webhookdelivery": "resend",
    "chat.delete_webhookendpoint": "remove",
}
"""By methods (`has_…_permission`): the theme looks the name of a permission up in the database, before there are any
tables."""
SHOWN_ONCE = "Its secret is <code>{}</code>. Copy it now: it is not shown again."


def offered(
    name: str,
    deed: Deed,
    question: str,
    icon: str,
    *,
    form: type[BaseDialogForm] = BaseDialogForm,
    variant: ActionVariant = ActionVariant.DEFAULT,
) -> Any:
    """The action `name` of an endpoint's page, with the dialog that asks before it."""

    def carry_out(self: "EndpointDeeds", request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.carry_out(request, object_id, deed, form)

    carry_out.__name__ = name
    dialog = {"title": question, "description": deed.does, "form_class": form, "form_submit_text": deed.title}
    permissions = [PERMITTED_BY[one] for one in deed.permissions]
    wanted = action(
        description=deed.title, permissions=permissions, icon=icon, variant=variant, dialog=dialog
    )
    return wanted(carry_out)


class EndpointDeeds(HistoryAdmin):
    """The actions of an endpoint's page."""

    actions_detail = ("test", "send_failed_again", "rotate", "pause", "resume", "remove")

    test = offered("test", webhook_deeds.TEST, "Send a test now?", "send", variant=ActionVariant.PRIMARY)
    send_failed_again = offered(
        "send_failed_again",
        webhook_deeds.REDELIVER,
        "Send again what was given up?",
        "replay",
        form=webhook_forms.AgainForm,
    )
    rotate = offered(
        "rotate", webhook_deeds.ROTATE, "Make a new secret?", "autorenew", form=webhook_forms.RotateForm
    )
    pause = offered(
        "pause", webhook_deeds.PAUSE, "Pause this endpoint?", "pause", form=webhook_forms.PauseForm
    )
    resume = offered(
        "resume",
        webhook_deeds.RESUME,
        "Resume this endpoint?",
        "play_arrow",
        form=webhook_forms.ResumeForm,
        variant=ActionVariant.PRIMARY,
    )
    remove = offered(
        "remove", webhook_deeds.DELETE, "Delete this endpoint?", "delete", variant=ActionVariant.DANGER
    )

    def has_remove_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("chat.delete_webhookendpoint")

    def has_resend_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("chat.change_webhookdelivery")

    def carry_out(self, request: HttpRequest, object_id: str, deed: Deed, form: Any) -> HttpResponse:
        """Do it and tell what came of it, or why it was refused."""
        row = identified(WebhookEndpoint.objects.all(), object_id).first()
        asked = {name: value for name, value in form.cleaned_data.items() if not name.startswith("_")}
        try:
            said = deed.said(deed.carry_out(parse_uuid(object_id), by=Decider.of(request.user), **asked))
        except ServiceError as refusal:
            messages.error(request, refusal.message)
        else:
            if said.secret:
                messages.warning(request, format_html(SHOWN_ONCE, said.secret))
            (messages.success if said.good else messages.error)(request, said.text)
            if row is not None:
                self.log_change(request, row, f"{deed.title}: {said.text}")
        if not identified(self.get_queryset(request), object_id).exists():
            return go_to(request, reverse("admin:chat_webhookendpoint_changelist"))
        return go_to(request, reverse("admin:chat_webhookendpoint_change", args=[object_id]))
