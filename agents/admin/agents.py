"""Agents: what each is for, how it speaks, which tools it may use."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import UnfoldAdminTextareaWidget

from agents import agent_faults
from agents.admin.agent_files import FilePages
from agents.admin.fields import LinesField, as_written
from agents.admin.history import RecordedAdmin
from agents.admin.playground import PlaygroundPages
from agents.admin.previews import AgentPreviewPage
from agents.models import Access, Agent, AgentTool
from smartsupport.lib.ids import digest

NAMES_TOLD = 20
MEANWHILE = (
    "Nothing was saved: the agent has been changed since you opened this page. Open it again and look at it as it is "
    "now."
)
NO_TOOLS = (
    "An agent that is on needs a tool that is on: without one it can only talk. "
    "Add a tool, or switch the agent off."
)


class AgentForm(forms.ModelForm):
    keywords = LinesField(required=False, help_text="Words that point to this agent, one per line.")
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["seen"] = digest([str(getattr(self.instance, name)) for name in AgentForm.Meta.fields])

    class Meta:
        model = Agent
        fields = (
            "name",
            "description",
            "permission",
            "enabled",
            "tone",
            "greeting",
            "escalation_message",
            "keywords",
            "model",
        )
        widgets: ClassVar = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 4})}

    def clean_keywords(self) -> list[str]:
        return agent_faults.keywords(self.cleaned_data["keywords"])

    def clean_model(self) -> str:
        return agent_faults.model_name(self.cleaned_data["model"])

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("seen") and values["seen"] != self.initial["seen"]:
            raise forms.ValidationError(MEANWHILE)
        for name in {"description", "tone", "greeting", "escalation_message"} & values.keys():
            most = agent_faults.DESCRIPTION_MOST if name == "description" else None
            values[name] = as_written(values[name] or "")
            if fault := agent_faults.of_text(values[name], most):
                self.add_error(name, fault)
        return values


class ToolsOfAgent(PaginationInlineFormSet):
    """Names each tool that the agent cannot have at its own row, and says where there is none at all."""

    def add_fields(self, form: Any, index: Any) -> None:
        """The chosen tool is known with its row: the theme's field would ask the database for it, row by row."""
        super().add_fields(form, index)
        wrapped = form.fields["tool"].widget if "tool" in form.fields else None
        choice: Any = getattr(wrapped, "widget", wrapped)
        if choice is None or form.is_bound or not form.instance.pk:
            return
        tool = form.instance.tool

        def optgroups(name: str, value: Any, attrs: Any = None) -> list[Any]:
            option = choice.create_option(name, str(tool.pk), str(tool), True, 0, attrs=attrs)
            return [(None, [option], 0)]

        choice.optgroups = optgroups

    def clean(self) -> None:
        BaseInlineFormSet.clean(self)
        chosen = [form for form in self.forms if getattr(form, "cleaned_data", None)]
        kept = [
            form for form in chosen if not form.cleaned_data.get("DELETE") and form.cleaned_data.get("tool")
        ]
        here = [form.instance.pk for form in chosen if form.instance.pk]
        others = AgentTool.objects.filter(agent_id=self.instance.pk).exclude(pk__in=here)
        writing = self._refused_rows(kept)
        if self.instance.permission == Access.READ:
            elsewhere = others.filter(tool__access=Access.WRITE).values_list("tool__name", flat=True)
            writing += elsewhere[: NAMES_TOLD + 1]
        if writing:
            shown = ", ".join(writing[:NAMES_TOLD]) + (" and others" if len(writing) > NAMES_TOLD else "")
            raise forms.ValidationError(
                f"This agent only reads, so it cannot have tools that write: {shown}. "
                "Remove them, or set the agent's permission to “Writes”."
            )
        usable = any(form.cleaned_data["tool"].enabled for form in kept)
        if self.instance.enabled and not usable and not others.filter(tool__enabled=True).exists():
            raise forms.ValidationError(NO_TOOLS)

    def _refused_rows(self, kept: list[Any]) -> list[str]:
        """Say at each row what is wrong with its tool; the names of those that write and may not."""
        writing = []
        for form in kept:
            tool, had = form.cleaned_data["tool"], form.instance.pk and "tool" not in form.changed_data
            fault = agent_faults.of_tool(tool, self.instance.permission, had=bool(had))
            if fault:
                form.add_error("tool", fault)
            if fault and self.instance.permission == Access.READ and tool.access == Access.WRITE:
                writing.append(tool.name)
        return writing


class AgentToolInline(TabularInline):
    model = AgentTool
    formset = ToolsOfAgent
    fields = ("tool", "position")
    autocomplete_fields = ("tool",)
    ordering_field = "position"
    hide_ordering_field = True
    extra = 0
    hide_title = True
    per_page = 50  # an agent of an imported API may have thousands, and a form has at most a thousand fields
    verbose_name = "tool"

    verbose_name_plural = "Tools, in the order in which the agent sees them"

    def get_queryset(self, request: HttpRequest) -> QuerySet[AgentTool]:
        return super().get_queryset(request).select_related("tool")


@admin.register(Agent)
class AgentAdmin(PlaygroundPages, FilePages, AgentPreviewPage, RecordedAdmin):
    subject = "agent"
    list_before_template = "agents/console/agents_head.html"
    change_form_outer_before_template = "agents/console/agent_head.html"
    form = AgentForm
    list_display = ("name", "description", "may", "tool_count", "state")
    none_yet = "There are no agents yet"
    what_next = "Load a template, add one, or publish an import: its groups of tools become agents."
    list_filter = ("permission", "enabled")
    search_fields = ("name", "description")
    fieldsets = (
        (None, {"fields": ("name", "description", "permission", "enabled")}),
        ("How it speaks", {"fields": ("tone", "greeting", "escalation_message")}),
        ("Choosing it", {"fields": ("keywords", "model")}),
    )
    inlines = (AgentToolInline,)
    ordering_field = "position"
    hide_ordering_field = True
    warn_unsaved_form = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        return super().get_queryset(request).annotate(tool_total=Count("tool_links"))

    def get_fieldsets(self, request: HttpRequest, obj: Agent | None = None) -> Any:
        (heading, first), *others = super().get_fieldsets(request, obj)
        if obj is not None and self.has_change_permission(request, obj):
            first = {**first, "fields": (*first["fields"], "seen")}
        return [(heading, first), *others]

    def get_readonly_fields(self, request: HttpRequest, obj: Agent | None = None) -> tuple[str, ...]:
        # Past conversations name their agents.
        return ("name",) if obj else ()

    @display(description="May", label={"Reads": "info", "Writes": "warning"}, ordering="permission")
    def may(self, agent: Agent) -> str:
        return agent.get_permission_display()

    @display(description="Tools", ordering="tool_total")
    def tool_count(self, agent: Agent) -> int:
        return agent.tool_total  # type: ignore[attr-defined]

    @display(description="State", label={"Enabled": "success", "Disabled": "danger"}, ordering="enabled")
    def state(self, agent: Agent) -> str:
        return "Enabled" if agent.enabled else "Disabled"

    def get_urls(self) -> list[Any]:
        return [*self.playground_urls(), *self.file_urls(), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        offered = {"may_try": self.has_change_permission(request), "may_import": self.may_import(request)}
        return super().changelist_view(request, {**(extra_context or {}), **offered})
