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

from agents import projection
from agents.admin.credential_rows import STANDING_COLOURS, scheme_rows, standing_of
from agents.admin.fields import LinesField
from agents.admin.filters import ToolStateFilter
from agents.admin.shown import example_body, recipe_rows
from agents.admin.try_out import TryForm, try_out
from agents.models import Access, Approver, Tool
from agents.retired import NOT_RETIRED, retired
from smartsupport.lib.console import HistoryAdmin
from smartsupport.lib.ids import digest

NUMERIC = {"integer", "number"}
MEANWHILE = (
    "Nothing was saved: the tool has been changed or switched off since you opened this page. Open it again and look "
    "at it as it is now."
)

DELETED = (
    "This tool was deleted or taken back, and no agent has it. To have it again, import its document once more and "
    "publish it (Set-up, Imports)."
)


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

    def clean_approval(self) -> str:
        approval: str = self.cleaned_data["approval"]
        if self.instance.access == Access.READ and approval != Approver.NONE:
            raise forms.ValidationError("This tool only reads: it needs nobody's approval.")
        if self.instance.access == Access.WRITE and approval == Approver.NONE:
            raise forms.ValidationError("This tool writes: the customer or staff must approve each call.")
        return approval

    def clean_requires(self) -> list[str]:
        names: list[str] = list(dict.fromkeys(self.cleaned_data["requires"]))
        if self.instance.name in names:
            raise forms.ValidationError("A tool cannot require itself: it could never be used.")
        known = set(Tool.objects.filter(name__in=names).values_list("name", flat=True))
        if unknown := [name for name in names if name not in known]:
            raise forms.ValidationError(f"There is no tool named {', '.join(unknown)}.")
        if circle := _circle(self.instance.name, names):
            raise forms.ValidationError(
                f"They would wait for each other, and none could be used: {' needs '.join(circle)}."
            )
        return names

    def clean_projection(self) -> list[str]:
        paths: list[str] = list(dict.fromkeys(self.cleaned_data["projection"]))
        for path in paths:
            try:
                projection.steps(path)
            except ValueError as fault:
                raise forms.ValidationError(str(fault)) from fault
        return paths

    def clean_approvals_needed(self) -> int:
        needed: int = self.cleaned_data["approvals_needed"]
        if needed > 1 and self.instance.access == Access.READ:
            raise forms.ValidationError("This tool only reads: it needs nobody's approval.")
        return needed

    def clean_enabled(self) -> bool:
        wanted: bool = self.cleaned_data["enabled"]
        if wanted and retired(self.instance):
            raise forms.ValidationError(DELETED)
        return wanted

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("seen") and values["seen"] != self.initial["seen"]:
            raise forms.ValidationError(MEANWHILE)
        argument, amount = values.get("staff_above_argument", ""), values.get("staff_above_amount")
        if bool(argument) != (amount is not None) and "staff_above_amount" not in self.errors:
            missing = "staff_above_amount" if argument else "staff_above_argument"
            self.add_error(
                missing, "Give both the argument and the amount above which staff decide, or neither."
            )
        elif argument and argument not in self._numbers():
            known = ", ".join(self._numbers()) or "none"
            self.add_error(
                "staff_above_argument", f"This is not a number among the tool's arguments. They are: {known}."
            )
        return values

    def _numbers(self) -> list[str]:
        properties = self.instance.input_schema.get("properties", {})
        return [name for name, schema in properties.items() if NUMERIC & _types(schema)]


def _mark(tool: Tool) -> str:
    """What a call of the tool does, and whether it is on: who saves the page has to have seen this."""
    return digest([tool.fingerprint(), tool.enabled, tool.paused_because])


def _circle(own: str, wanted: list[str]) -> list[str]:
    """The way from a tool back to itself through what each requires; empty where there is none."""
    requires = dict(Tool.objects.exclude(requires=[]).values_list("name", "requires"))
    ways = [[own, name] for name in wanted]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        if way[-1] == own:
            return way
        if way[-1] not in seen:
            seen.add(way[-1])
            ways += [[*way, name] for name in requires.get(way[-1], [])]
    return []


def _types(schema: Any) -> set[str]:
    kind = schema.get("type") if isinstance(schema, dict) else None
    return set(kind) if isinstance(kind, list) else {kind} if isinstance(kind, str) else set()


@admin.register(Tool)
class ToolAdmin(HistoryAdmin):
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
