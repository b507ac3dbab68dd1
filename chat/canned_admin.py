"""The console's pages of canned replies and of tags."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from chat import tagging
from chat.models import CannedReply, Tag
from smartsupport.lib.console import HistoryAdmin, ago
from smartsupport.lib.errors import ServiceError


class ReplyForm(forms.ModelForm):
    """A shortcut is typed behind `/`, so it is in small letters whatever was written."""

    class Meta:
        model = CannedReply
        fields = ("shortcut", "title", "body", "enabled")
        widgets = {"body": UnfoldAdminTextareaWidget(attrs={"rows": 10})}
        help_texts = {
            "body": "Markdown works: **bold**, lists, links. {customer} becomes the customer's name, or “there” where "
            "it is not known.",
            "enabled": "Switched off, it is not offered any more.",
        }

    shortcut = forms.SlugField(
        max_length=40,
        help_text="What is typed after / to find it: refund-time.",
        widget=UnfoldAdminTextInputWidget,
        error_messages={"invalid": "Use letters, digits and hyphens: refund-time."},
    )

    def clean_shortcut(self) -> str:
        shortcut: str = self.cleaned_data["shortcut"].lower()
        taken = CannedReply.objects.filter(shortcut=shortcut).exclude(pk=self.instance.pk)
        if taken.exists():
            raise forms.ValidationError("Another reply has this shortcut.")
        return shortcut


@admin.register(CannedReply)
class CannedReplyAdmin(HistoryAdmin):
    form = ReplyForm
    list_display = ("title", "typed", "begins", "state", "changed")
    list_filter = ("enabled",)
    search_fields = ("shortcut", "title", "body")
    search_help_text = "Shortcut, title or text"
    fields = ("shortcut", "title", "body", "enabled", "changed")
    readonly_fields = ("changed",)
    none_yet = "There are no canned replies yet"
    what_next = "Add one for what your team writes often; it is found by typing / in a conversation."

    def save_model(self, request: HttpRequest, obj: CannedReply, form: Any, change: bool) -> None:
        obj.updated_by = request.user.get_username()[:150]
        super().save_model(request, obj, form, change)

    @display(description="Typed", ordering="shortcut")
    def typed(self, row: CannedReply) -> str:
        return f"/{row.shortcut}"

    @display(description="Text")
    def begins(self, row: CannedReply) -> str:
        return row.body if len(row.body) <= 80 else f"{row.body[:79]}…"

    @display(description="State", ordering="enabled", label={"Offered": "success", "Switched off": ""})
    def state(self, row: CannedReply) -> str:
        return "Offered" if row.enabled else "Switched off"

    @display(description="Changed", ordering="updated_at", empty_value="Not yet")
    def changed(self, row: CannedReply) -> str | None:
        if row._state.adding:
            return None
        return format_html("{} by {}", ago(row.updated_at), row.updated_by or "somebody")


class TagForm(forms.ModelForm):
    class Meta:
        model = Tag
        fields = ("name",)

    name = forms.CharField(max_length=tagging.LONGEST, widget=UnfoldAdminTextInputWidget)

    def clean_name(self) -> str:
        try:
            name = tagging.normal(self.cleaned_data["name"])
        except ServiceError as refusal:
            raise forms.ValidationError(refusal.message) from refusal
        if Tag.objects.filter(name=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("There is a tag of this name.")
        return name


@admin.register(Tag)
class TagAdmin(HistoryAdmin):
    form = TagForm
    list_display = ("name", "found", "made")
    search_fields = ("name",)
    search_help_text = "Part of the name"
    fields = ("name", "found", "made")
    readonly_fields = ("found", "made")
    none_yet = "There are no tags yet"
    what_next = "Open a conversation and add one there: a new tag is made by using it."

    def save_model(self, request: HttpRequest, obj: Tag, form: Any, change: bool) -> None:
        obj.created_by = obj.created_by or request.user.get_username()[:150]
        super().save_model(request, obj, form, change)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[list[Any], Any, set[Any], Any]:
        """Says what is deleted without reading every conversation that has the tag."""
        names = [f"The tag {tag.name}, from all conversations that have it" for tag in objs]
        return names, {"tags": len(names)}, set(), []

    @display(description="Conversations")
    def found(self, row: Tag) -> str:
        if row._state.adding:
            return "None yet"
        url = reverse("admin:chat_conversation_changelist", query={"tag": row.name})
        return format_html('<a class="console-link" href="{}">Show them</a>', url)

    @display(description="Made", ordering="created_at")
    def made(self, row: Tag) -> str:
        if row._state.adding:
            return "Now"
        return format_html("{} by {}", ago(row.created_at), row.created_by or "somebody")
