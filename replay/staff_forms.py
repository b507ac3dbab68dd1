"""The dialogs in which staff write to a customer."""

from typing import Any
from uuid import uuid4

from django import forms
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from chat.submission import CONTENT_LIMIT


class MessageField(forms.CharField):
    """Lines end as they do everywhere else: browsers send two characters, which would count as two."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(value.replace("\r\n", "\n") if isinstance(value, str) else value)


class WriteForm(BaseDialogForm):
    content = MessageField(
        max_length=CONTENT_LIMIT,
        label="Message",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6}),
        help_text="Markdown works: **bold**, lists, links.",
        error_messages={
            "required": "Write something first.",
            "max_length": "Write at most %(limit_value)d characters; this is %(show_value)d.",
        },
    )
    once = forms.CharField(
        initial=lambda: str(uuid4()), max_length=64, required=False, widget=forms.HiddenInput
    )
    """A new one for each dialog: a second click sends nothing again."""
