"""Agents from a template or a YAML file: what that would change is shown first, and nothing happens before a yes."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from agents import agents_plan, agents_yaml, registry
from agents.admin import history_words as words
from agents.admin.fields import as_written
from agents.admin.history_words import Row
from agents.agents_plan import AgentPlan, FilePlan
from agents.agents_yaml_reading import MAX_BYTES, AgentsYamlInvalid
from agents.api.views import yaml_download
from smartsupport.lib.errors import ServiceError

BADGES = {
    "added": ("Added", "success"),
    "changed": ("Changed", "warning"),
    "removed": ("Removed", "danger"),
    "same": ("As it is", ""),
}


class FileForm(forms.Form):
    """`text` is the agents file that was meant, `source` what it is in words."""

    template = forms.ChoiceField(label="A template", required=False, widget=UnfoldAdminSelectWidget)
    file = forms.FileField(label="A file", required=False)
    yaml = forms.CharField(
        label="Or its text",
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 12, "spellcheck": "false"}),
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = registry.available_templates()
        self.fields["template"].choices = [("", "None"), *((name, name) for name in names)]  # type: ignore[attr-defined]
        self.text, self.source = "", ""

    def clean_file(self) -> str:
        upload: UploadedFile | None = self.cleaned_data["file"]
        if upload is None:
            return ""
        if upload.size and upload.size > MAX_BYTES:
            raise forms.ValidationError(f"The file is larger than {MAX_BYTES // 1024} KiB.")
        try:
            return upload.read().decode("utf-8-sig")
        except UnicodeDecodeError as fault:
            raise forms.ValidationError("This is no text in UTF-8. Save the file as UTF-8.") from fault

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if self.errors:
            return values
        given = [name for name in ("template", "file", "yaml") if values.get(name)]
        if not given:
            raise forms.ValidationError("Choose a template or a file, or paste the text of one.")
        if len(given) > 1:
            raise forms.ValidationError(
                "Give one of them: a template, a file, or text. It was not clear which."
            )
        if given == ["template"]:
            self.text, self.source = (
                registry.template_text(values["template"]),
                f"the template {values['template']}",
            )
        else:
            self.text, self.source = values[given[0]], "the file"
        self.text = as_written(self.text)  # a browser sends it back, and what was shown is told by its digest
        return values


class FilePages:
    """Mixed into the agents' admin. Importing needs all three permissions: agents are added, changed and removed."""

    admin_site: Any
    opts: Any
    has_view_permission: Any
    has_add_permission: Any
    has_change_permission: Any
    has_delete_permission: Any

    def file_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("file/", wrap(self.file), name="agents_agent_file"),
            path("agents.yaml", wrap(self.download), name="agents_agent_download"),
        ]

    def may_import(self, request: HttpRequest) -> bool:
        allowed = (self.has_add_permission, self.has_change_permission, self.has_delete_permission)
        return all(one(request) for one in allowed)

    def file(self, request: HttpRequest) -> HttpResponse:
        """Choose, look, and only then replace the agents."""
        if not self.may_import(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._file_page(request, FileForm())
        form = FileForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._file_page(request, form, status=422)
        try:
            plan = agents_plan.plan(form.text)
            if form.cleaned_data["seen"]:
                return self._carry_out(request, form)
        except AgentsYamlInvalid as refusal:
            return self._file_page(request, form, faults=refusal.extra["faults"], status=422)
        except ServiceError as refusal:
            messages.warning(request, refusal.message)
        return self._file_page(request, form, plan=plan)

    file.allowed_permissions = ("add", "change", "delete")  # type: ignore[attr-defined]

    def _carry_out(self, request: HttpRequest, form: FileForm) -> HttpResponse:
        agents = agents_plan.carry_out(
            form.text,
            seen=form.cleaned_data["seen"],
            by=request.user.get_username(),
            why=f"Imported from {form.source}.",
        )
        count = "There is 1 agent now." if len(agents) == 1 else f"There are {len(agents)} agents now."
        messages.success(request, f"The agents are those of {form.source}. {count}")
        return HttpResponseRedirect(reverse("admin:agents_agent_changelist"))

    def _file_page(
        self,
        request: HttpRequest,
        form: FileForm,
        *,
        faults: list[dict[str, Any]] | None = None,
        plan: FilePlan | None = None,
        status: int = 200,
    ) -> HttpResponse:
        lines = form.text.splitlines()
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Agents from a file or template",
            "form": form,
            "faults": [{**one, "text": _line(lines, one["line"])} for one in faults or ()],
            "plan": plan,
            "agents": [(one, *BADGES[one.what], _rows(one)) for one in plan.agents] if plan else (),
            "counts": _counts(plan) if plan else "",
        }
        return TemplateResponse(request, "agents/console/file.html", context, status=status)

    def download(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return yaml_download(agents_yaml.export_agents())


def _line(lines: list[str], number: int) -> str:
    return lines[number - 1].strip()[:200] if 0 < number <= len(lines) else ""


def _rows(one: AgentPlan) -> list[Row]:
    rows = words.rows(one.fields, {}, {})
    if one.given:
        rows.append(("Tools given", "", ", ".join(one.given)))
    if one.taken:
        rows.append(("Tools taken away", ", ".join(one.taken), ""))
    if one.reordered:
        rows.append(("Order of its tools", "As it is", "Another one"))
    if one.moved and one.what == "changed":
        rows.append(("Place among the agents", "As it is", "Another one"))
    return rows


def _counts(plan: FilePlan) -> str:
    parts = [
        f"{plan.count(what):,} {words}"
        for what, words in (
            ("added", "added"),
            ("changed", "changed"),
            ("removed", "removed"),
            ("same", "as they are"),
        )
        if plan.count(what)
    ]
    return ", ".join(parts)
