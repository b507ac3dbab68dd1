"""The forms in which staff write to a customer or for each other, take a conversation over, and ask for a person."""

from typing import Any
from uuid import uuid4

from django import forms
from django.http import HttpRequest
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from agents.models import Action
from chat.models import Conversation, ConversationStatus, Turn
from chat.staffing import REASON_LIMIT
from chat.stopping import UNFINISHED
from chat.submission import CONTENT_LIMIT
from smartsupport.lib.console import identified


class MessageField(forms.CharField):
    """Lines end as they do everywhere else: browsers send two characters, which would count as two."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(value.replace("\r\n", "\n") if isinstance(value, str) else value)


class TakeOverForm(BaseDialogForm):
    """Says what taking over ends."""

    form_before_template = "replay/taking_over.html"

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        conversation = identified(Conversation.objects.all(), object_id).first()
        if conversation is None:
            return {}
        unfinished = Turn.objects.filter(conversation=conversation, status__in=UNFINISHED)
        waiting = Action.objects.awaiting().filter(turn__conversation=conversation)
        return {
            "free": conversation.status != ConversationStatus.HELD,
            "held_by": conversation.held_by,
            "yours": conversation.held_by == request.user.get_username(),
            "working": unfinished.exists(),
            "approvals": list(waiting.order_by("created_at").values_list("message", flat=True)),
        }


ERRORS = {
    "required": "Write something first.",
    "max_length": "Write at most %(limit_value)d characters; this is %(show_value)d.",
}


class WriteForm(TakeOverForm):
    content = MessageField(
        max_length=CONTENT_LIMIT,
        label="Message",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6}),
        help_text="Markdown works: **bold**, lists, links.",
        error_messages=ERRORS,
    )
    once = forms.CharField(
        initial=lambda: str(uuid4()), max_length=64, required=False, widget=forms.HiddenInput
    )
    """A new one for each dialog: a second click sends nothing again."""

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        return {**super().get_before_template_context(request, object_id), "writing": True}


class TextForm(forms.Form):
    """What is written on the page itself: a message, or a note. Which of them, its route says."""

    content = MessageField(max_length=CONTENT_LIMIT, error_messages=ERRORS)
    once = forms.CharField(max_length=64, required=False)


class EscalateForm(BaseDialogForm):
    reason = MessageField(
        max_length=REASON_LIMIT,
        label="Why",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="For your colleagues, and for the systems that are told. The customer does not read it.",
        error_messages={**ERRORS, "required": "Say why a person is needed."},
    )
