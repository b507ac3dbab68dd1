"""Tools: how they read, who must agree, and (to look at only) what they send."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from unfold.decorators import action as console_action
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from agents import agent_faults, tool_faults
from agents.admin.credential_rows import STANDING_COLOURS, scheme_rows, standing_of
from agents.admin.fields import LinesField, as_written
from agents.admin.filters import ToolStateFilter
from agents.admin.history import RecordedAdmin
from agents.admin.previews import ToolPreviewPage
from agents.admin.shown import example_body, recipe_rows
from agents.admin.try_out import TryForm, try_out
from agents.models import Access, Approver, Tool
from agents.retired import NOT_RETIRED, retired
from smartsupport.lib.ids import digest

MEANWHILE = (
    "Nothing was saved: the tool has been changed or switched off since you opened this page. Open it again and look "
    "at it as it is now."
)

DELETED = (
    "This tool was deleted or taken back, and no agent has it. To have it again, import its document once more and "
    "publish it (Set-up, Imports)."
)

NOT_READING = "This tool writes or was deleted. How things stand is looked up with a tool that reads."


class ToolForm(forms.ModelForm):
    requires = LinesField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        label="What must have succeeded before",
        help_text="Names of tools, one per line: verify_identity. Each must have worked earlier in the same "
        "conversation, or this one is refused and the agent is told why.",
    )

    projection = LinesField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        label="What the agent is shown of an answer",
        help_text="Parts, one per line: items[].id shows the id of each item, total the field total. Names with a dot "
        'in quotes: "@odata.count". Empty: all of it. The log keeps the whole answer.',
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reading: Any = self.fields.get("read_back")  # absent for who may only look
        if reading is not None:
            reading.queryset = Tool.objects.filter(NOT_RETIRED, access=Access.READ).order_by("name")
            reading.error_messages["invalid_choice"] = NOT_READING
        self.initial["seen"] = _mark(self.instance)

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Tool
        fields = (
            "title",
            "description",
            "enabled",
            "approval",
            "staff_above_argument",
            "staff_above_amount",
            "confirmation",
            "approvals_needed",
            "requires",
            "read_back",
            "repeat_safe",
            "projection",
        )
        labels: ClassVar = {
            "approval": "Who approves",
            "staff_above_argument": "Staff decide when this argument",
            "staff_above_amount": "is above",
            "confirmation": "Question to the approver",
            "approvals_needed": "How many must approve",
            "read_back": "How it stands",
            "repeat_safe": "Safe to send again",
        }
        widgets: ClassVar = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 4})}

    def clean_title(self) -> str:
        return _readable(self.cleaned_data["title"])

    def clean_description(self) -> str:
        return _readable(self.cleaned_data["description"])

    def clean_confirmation(self) -> str:
        question = _readable(self.cleaned_data["confirmation"])
        _refuse(tool_faults.of_confirmation(self.instance, question))
        return question

    def clean_approval(self) -> str:
        approval: str = self.cleaned_data["approval"]
        _refuse(tool_faults.of_approval(self.instance.access, approval))
        return approval

    def clean_approvals_needed(self) -> int:
        needed: int = self.cleaned_data["approvals_needed"]
        if self.instance.access == Access.READ:
            _refuse(tool_faults.of_approval(Access.READ, Approver.NONE, needed))
        return needed

    def clean_requires(self) -> list[str]:
        names: list[str] = list(dict.fromkeys(self.cleaned_data["requires"]))
        _refuse(tool_faults.of_requires(self.instance.name, names))
        return names

    def clean_projection(self) -> list[str]:
        paths: list[str] = list(dict.fromkeys(self.cleaned_data["projection"]))
        _refuse(tool_faults.of_projection(paths))
        return paths

    def clean_read_back(self) -> Tool | None:
        reading: Tool | None = self.cleaned_data["read_back"]
        _refuse(tool_faults.of_read_back(self.instance, reading))
        return reading

    def clean_enabled(self) -> bool:
        wanted: bool = self.cleaned_data["enabled"]
        if wanted and retired(self.instance):
            raise forms.ValidationError(DELETED)
        return wanted

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("seen") and values["seen"] != self.initial["seen"]:
            raise forms.ValidationError(MEANWHILE)
        if {"staff_above_argument", "staff_above_amount"} & set(self.errors):
            return values
        argument, amount = values.get("staff_above_argument", ""), values.get("staff_above_amount")
        if fault := tool_faults.of_limit(self.instance, argument, amount):
            lacking = argument and amount is None
            self.add_error("staff_above_amount" if lacking else "staff_above_argument", fault)
        return values


def _refuse(fault: str) -> None:
    if fault:
        raise forms.ValidationError(fault)


def _readable(text: str) -> str:
    _refuse(agent_faults.of_text(as_written(text)))
    return as_written(text)


def _mark(tool: Tool) -> str:
    """What a call of the tool does, and what people decide about it: who saves the page has to have seen this."""
    decided = [str(getattr(tool, name)) for name in (*ToolForm.Meta.fields, "paused_because")]
    return digest([tool.fingerprint(), decided])


@admin.register(Tool)
class ToolAdmin(ToolPreviewPage, RecordedAdmin):
    subject = "tool"
    list_before_template = "agents/console/tools_head.html"
    change_form_outer_before_template = "agents/console/tool_head.html"
    form = ToolForm
    list_display = ("title", "may", "approval", "state", "signs_in", "agent_count", "name")
    list_display_links = ("title", "name")
    list_filter = (ToolStateFilter, "access", "approval", "risk", "source")
    search_fields = ("name", "title", "description", "operation_id")
    ordering = ("name",)
    readonly_fields = (
        "name",
        "access",
        "risk",
        "source",
        "operation_id",
        "off_because",
        "sends",
        "signs_in_with",
        "input_schema",
    )
    actions_detail = ("try_out",)
    none_yet = "There are no tools yet"
    what_next = "They come from the documents of your systems: import one (Set-up, Imports) and publish it."
    fieldsets = (
        (None, {"fields": ("title", "description", "enabled")}),
        (
            "Approval",
            {
                "fields": (
                    "approval",
                    ("staff_above_argument", "staff_above_amount"),
                    "approvals_needed",
                    "confirmation",
                ),
                "description": "A change counts for what is asked from now on. What was approved before it and is not "
                "sent yet comes back to staff, with the difference.",
            },
        ),
        ("Before it", {"fields": ("requires",)}),
        (
            "When nobody knows what came of it",
            {
                "fields": ("repeat_safe", "read_back"),
                "description": "Where a call was sent and no clear answer came, Smart Support sends it again with the "
                "same key if that is safe, and staff can look up how it stands.",
            },
        ),
        ("What it sends", {"fields": ("sends", "signs_in_with")}),
        ("What comes back", {"fields": ("projection",)}),
        (
            "From the API document",
            {"fields": ("name", "access", "risk", "source", "operation_id", "input_schema")},
        ),
    )
    warn_unsaved_form = True

    def get_fieldsets(self, request: HttpRequest, obj: Tool | None = None) -> Any:
        (heading, first), *others = super().get_fieldsets(request, obj)
        fields = first["fields"]
        if obj is not None and not obj.enabled and obj.paused_because:
            fields = (*fields, "off_because")
        if self.has_change_permission(request, obj):
            fields = (*fields, "seen")
        return [(heading, {**first, "fields": fields}), *others]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tool]:
        rows = super().get_queryset(request).select_related("source").prefetch_related("source__credentials")
        return rows.annotate(agent_total=Count("agent_links"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Tool], search_term: str
    ) -> tuple[QuerySet[Tool], bool]:
        found, doubled = super().get_search_results(request, queryset, search_term)
        choosing = request.resolver_match is not None and request.resolver_match.url_name == "autocomplete"
        return (found.filter(NOT_RETIRED) if choosing else found), doubled

    def save_model(self, request: HttpRequest, obj: Tool, form: Any, change: bool) -> None:
        """Only what was edited: what was published meanwhile stays. Who switches a tool on or off decides that, and
        ends the reason that it was off for."""
        edited = set(form.changed_data) - {"seen"}
        if "enabled" in edited:
            obj.paused_because = ""
            edited.add("paused_because")
        obj.save(update_fields=[*sorted(edited), "updated_at"])

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # tools come from API documents

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # actions and past conversations name them: switch one off instead

    @display(description="May", label={"Reads": "info", "Writes": "warning"}, ordering="access")
    def may(self, tool: Tool) -> str:
        return tool.get_access_display()

    @display(description="Agents", ordering="agent_total")
    def agent_count(self, tool: Tool) -> int:
        return tool.agent_total  # type: ignore[attr-defined]

    @display(description="Credentials", label=STANDING_COLOURS)
    def signs_in(self, tool: Tool) -> str:
        return standing_of(tool)

    @display(description="How it proves who we are")
    def signs_in_with(self, tool: Tool) -> str:
        return render_to_string("agents/console/signs_in.html", {"tool": tool, "rows": scheme_rows(tool)})

    @display(
        description="State",
        label={"Enabled": "success", "Disabled": "danger", "Deleted": "danger"},
        ordering="enabled",
    )
    def state(self, tool: Tool) -> str:
        if retired(tool):
            return "Deleted"
        return "Enabled" if tool.enabled else "Disabled"

    @display(description="Why it is off")
    def off_because(self, tool: Tool) -> str:
        if retired(tool):
            return f"{tool.paused_because} {DELETED}"
        return f"{tool.paused_because} “Enabled” switches it on again."

    @console_action(
        description="Test",
        url_path="test",
        permissions=["change"],
        icon="science",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Test this tool?",
            "description": "Shows the exact request that a call with these values makes. Secrets are hidden.",
            "form_class": TryForm,
            "form_submit_text": "Test",
        },
    )
    def try_out(self, request: HttpRequest, form: TryForm, object_id: str) -> HttpResponse:
        assert form.tool is not None
        really = bool(form.cleaned_data.get("really"))
        form.tried = try_out(form.tool, form.arguments, form.bound, really=really)
        if form.tried.called:
            self.log_change(request, form.tool, "Tested with a real call.")
        shown = {"dialog": type(self).try_out.dialog, "form": form, "form_submit_text": "Test again"}
        return render(request, "unfold/helpers/dialog.html", shown)

    @display(description="Each call")
    def sends(self, tool: Tool) -> str:
        shown = {"tool": tool, "rows": recipe_rows(tool), "body": example_body(tool)}
        return render_to_string("agents/console/recipe.html", shown)
