"""Agents: what each is for, how it speaks, which tools it may use."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from unfold.admin import TabularInline
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm, PaginationInlineFormSet
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from agents import agents_yaml, registry
from agents.admin.fields import LinesField
from agents.api.views import yaml_download
from agents.models import Access, Agent, AgentTool
from smartsupport.lib.console import HistoryAdmin, go_to
from smartsupport.lib.errors import ServiceError

NAMES_TOLD = 20


class AgentForm(forms.ModelForm):
    keywords = LinesField(required=False, help_text="Words that point to this agent, one per line.")

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


class ToolsOfAgent(PaginationInlineFormSet):
    """Refuses a tool that writes under an agent that only reads."""

    def clean(self) -> None:
        BaseInlineFormSet.clean(self)
        if self.instance.permission != Access.READ:
            return
        chosen = [form.cleaned_data for form in self.forms if getattr(form, "cleaned_data", None)]
        writing = [
            row["tool"].name
            for row in chosen
            if not row.get("DELETE") and row.get("tool") and row["tool"].access == Access.WRITE
        ]
        here = [row["id"].pk for row in chosen if row.get("id")]
        others = AgentTool.objects.filter(agent_id=self.instance.pk, tool__access=Access.WRITE)
        writing += others.exclude(pk__in=here).values_list("tool__name", flat=True)[:NAMES_TOLD]
        if writing:
            shown = ", ".join(writing[:NAMES_TOLD]) + (" and others" if len(writing) > NAMES_TOLD else "")
            raise forms.ValidationError(
                f"This agent only reads, so it cannot have tools that write: {shown}. "
                "Remove them, or set the agent's permission to “Writes”."
            )


class AgentToolInline(TabularInline):
    model = AgentTool
    formset = ToolsOfAgent
    fields = ("tool", "position")
    autocomplete_fields = ("tool",)
    ordering_field = "position"
    hide_ordering_field = True
    extra = 0
    per_page = 50  # an agent of an imported API may have thousands, and a form has at most a thousand fields
    verbose_name = "tool"
    verbose_name_plural = "Tools, in the order in which the agent sees them"


class TemplateForm(BaseDialogForm):
    template = forms.ChoiceField(label="Template", widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["template"].choices = [(name, name) for name in registry.available_templates()]


class YamlForm(BaseDialogForm):
    yaml = forms.CharField(
        label="Agents YAML",
        strip=False,
        max_length=256 * 1024,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 14}),
    )

    def clean_yaml(self) -> str:
        text: str = self.cleaned_data["yaml"]
        try:
            agents_yaml.entries_of(text)
        except ServiceError as refusal:
            raise forms.ValidationError(refusal.message.split("\n")) from refusal
        return text


@admin.register(Agent)
class AgentAdmin(HistoryAdmin):
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
    actions_list = ("use_template", "import_yaml", "export_yaml")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        return super().get_queryset(request).annotate(tool_total=Count("tool_links"))

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

    @action(
        description="Load a template",
        url_path="use-template",
        permissions=["change", "add", "delete"],
        icon="auto_awesome_motion",
        dialog={
            "title": "Load a template?",
            "description": "All agents are replaced by the template's. Export them first, to have them back.",
            "form_class": TemplateForm,
            "form_submit_text": "Replace all agents",
        },
    )
    def use_template(self, request: HttpRequest, form: TemplateForm) -> HttpResponse:
        name = form.cleaned_data["template"]
        return self._replaced(request, lambda: registry.load_template(name), f"Loaded the template {name}.")

    @action(
        description="Import YAML",
        url_path="import-yaml",
        permissions=["change", "add", "delete"],
        icon="upload",
        dialog={
            "title": "Import agents?",
            "description": "All agents are replaced by the file's, or nothing changes if it has a fault.",
            "form_class": YamlForm,
            "form_submit_text": "Replace all agents",
        },
    )
    def import_yaml(self, request: HttpRequest, form: YamlForm) -> HttpResponse:
        text = form.cleaned_data["yaml"]
        return self._replaced(request, lambda: agents_yaml.import_agents(text), "Imported the agents.")

    @action(
        description="Export YAML",
        url_path="export-yaml",
        permissions=["view"],
        icon="download",
        dialog={
            "title": "Export all agents?",
            "description": "You get the file agents.yaml, which can be edited and imported again.",
            "form_class": None,
            "form_submit_text": "Download agents.yaml",
        },
    )
    def export_yaml(self, request: HttpRequest, form: BaseDialogForm) -> HttpResponse:
        return go_to(request, reverse("admin:agents_agent_download"))

    def get_urls(self) -> list[Any]:
        download = path(
            "agents.yaml", self.admin_site.admin_view(self.download), name="agents_agent_download"
        )
        return [download, *super().get_urls()]

    def download(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return yaml_download(agents_yaml.export_agents())

    def _replaced(self, request: HttpRequest, service: Any, done: str) -> HttpResponse:
        try:
            agents = service()
        except ServiceError as refusal:
            messages.error(request, refusal.message)
        else:
            for agent in agents:
                self.log_change(request, agent, done)
            messages.success(request, f"{done} There are {len(agents)} agents now.")
        return go_to(request, reverse("admin:agents_agent_changelist"))
