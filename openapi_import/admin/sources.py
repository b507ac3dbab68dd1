"""API documents in the console: what is live of each, who changed that and when, and how to take it back."""

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.decorators import action as console_action
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from agents.approvals import Decider
from openapi_import import admin_words as words
from openapi_import import publications, roll_back, tool_state
from openapi_import.admin import source_page
from openapi_import.admin.source_forms import DeleteForm, LimitForm, PauseForm, RollBackForm
from openapi_import.models import Publication, SpecSource
from smartsupport.lib.console import ReadOnlyAdmin, ago, go_to, identified
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import parse_uuid

LIVE = Q(tools__enabled=True)
THERE = ~Q(tools__enabled=False, tools__paused_because__in=tool_state.RETIRED) & Q(tools__isnull=False)


@admin.register(SpecSource)
class SpecSourceAdmin(ReadOnlyAdmin):
    list_display = ("called", "address", "tool_count", "version", "fetched")
    search_fields = ("name", "title", "url")
    list_before_template = "openapi_import/list_head.html"
    none_yet = "No API is published yet"
    what_next = "Import its document, review it, and publish it: then its tools and its history are here."
    fields = ("name",)
    change_form_template = "openapi_import/source.html"
    actions_detail = ("pause_tools", "resume_tools", "take_back", "limit_calls", "delete_tools")

    class Media:
        css: ClassVar = {"all": ["openapi_import/imports.css"]}

    def has_publish_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("openapi_import.publish_importjob")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SpecSource]:
        live, there = Count("tools", filter=LIVE), Count("tools", filter=THERE)
        return super().get_queryset(request).annotate(live=live, there=there).order_by("name")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        fitting = getattr(request, "fitting_actions", None)  # where the page has looked already
        if fitting is None:
            source = identified(self.get_queryset(request), object_id).first()
            fitting = source_page.fitting(source) if source else set()
        offered = super().get_actions_detail(request, object_id)
        return [one for one in offered if one.method.original_function_name in fitting]

    def get_urls(self) -> list[Any]:
        publication = path(
            "<uuid:object_id>/publications/<int:number>/",
            self.admin_site.admin_view(self.publication),
            name="openapi_import_specsource_publication",
        )
        return [publication, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = {"may_import": request.user.has_perm("openapi_import.add_importjob")}
        return super().changelist_view(request, {**(extra_context or {}), **shown})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        source = self._source(request, object_id)
        shown = source_page.page(source, request.GET.get("page")) if source else {}
        if source:
            fitting = source_page.fitting(source)
            request.fitting_actions = fitting  # type: ignore[attr-defined]
            shown |= {
                "title": str(source),
                "fitting": fitting if self.has_publish_permission(request) else set(),
                "may_import": request.user.has_perm("openapi_import.add_importjob"),
                "sees_imports": request.user.has_perm("openapi_import.view_importjob"),
                "may_sign_in": request.user.has_perm("agents.add_credential"),
                "sees_tools": request.user.has_perm("agents.view_tool"),
            }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})

    def publication(self, request: HttpRequest, object_id: Any, number: int) -> HttpResponse:
        """What one publication changed, tool by tool."""
        source = self._source(request, object_id)
        made = Publication.objects.filter(source=source, number=number).first() if source else None
        if made is None:
            raise Http404
        shown = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": source,
            "title": f"{made.get_kind_display()} {made.at:%d %b %Y}",
            **source_page.publication(made, request.GET.get("page")),
        }
        return TemplateResponse(request, "openapi_import/publication.html", shown)

    def _source(self, request: HttpRequest, object_id: Any) -> SpecSource | None:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return identified(self.get_queryset(request), object_id).first()

    @display(description="API", ordering="name")
    def called(self, source: SpecSource) -> str:
        return source.title or source.name

    @display(description="Address", ordering="url", empty_value="None: text, or a file")
    def address(self, source: SpecSource) -> str | None:
        return source.url or None

    @display(description="Read", ordering="fetched_at")
    def fetched(self, source: SpecSource) -> str:
        return ago(source.fetched_at)

    @display(description="Tools that are live", ordering="live")
    def tool_count(self, source: SpecSource) -> str:
        live, there = source.live, source.there  # type: ignore[attr-defined]
        return f"{live:,}" if live == there else f"{live:,} of {there:,}"

    @console_action(
        description="Pause",
        permissions=["publish"],
        icon="pause",
        variant=ActionVariant.WARNING,
        dialog={
            "title": "Pause all tools of this API?",
            "description": "No agent can use them until they are resumed. What waits for a decision cannot be "
            "approved meanwhile.",
            "form_class": PauseForm,
            "form_submit_text": "Pause them",
        },
    )
    def pause_tools(self, request: HttpRequest, form: PauseForm, object_id: str) -> HttpResponse:
        reason = form.cleaned_data["reason"]
        return self._do(
            request, object_id, lambda source, by: publications.pause(source, by, reason=reason), "Paused."
        )

    @console_action(
        description="Resume",
        permissions=["publish"],
        icon="play_arrow",
        variant=ActionVariant.SUCCESS,
        dialog={
            "title": "Resume the tools of this API?",
            "description": "Those that were paused are live again at the next message. What staff or a publication "
            "had switched off stays off.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Resume them",
        },
    )
    def resume_tools(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._do(request, object_id, publications.resume, "Resumed.")

    @console_action(
        description="Roll back",
        permissions=["publish"],
        icon="undo",
        variant=ActionVariant.WARNING,
        dialog={
            "title": "Roll the newest change back?",
            "description": "Its tools become what they were before it. What staff have changed since stays. To go back "
            "further, do it again.",
            "form_class": RollBackForm,
            "form_submit_text": "Roll it back",
        },
    )
    def take_back(self, request: HttpRequest, form: RollBackForm, object_id: str) -> HttpResponse:
        undone: UUID = form.cleaned_data["publication"]
        return self._do(request, object_id, lambda _, by: roll_back.roll_back(undone, by), "Rolled back.")

    @console_action(
        description="Limit calls",
        permissions=["publish"],
        icon="speed",
        dialog={
            "title": "How many calls may its tools make?",
            "description": "All of them together. Calls above it wait or are refused, and the agent is told.",
            "form_class": LimitForm,
            "form_submit_text": "Save",
        },
    )
    def limit_calls(self, request: HttpRequest, form: LimitForm, object_id: str) -> HttpResponse:
        limit: int | None = form.cleaned_data["calls_per_minute"]
        identified(SpecSource.objects.all(), object_id).update(calls_per_minute=limit)
        source = identified(SpecSource.objects.all(), object_id).first()
        if source is None:
            return self._gone(request)
        said = f"At most {limit:,} calls a minute." if limit else "No limit of ours any more."
        self.log_change(request, source, said)
        messages.success(request, said)
        return go_to(request, _url(source.pk))

    @console_action(
        description="Delete",
        permissions=["publish"],
        icon="delete",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Delete the tools of this API?",
            "description": "No agent has them any more, its credentials are forgotten, and what waits for a decision "
            "on one of them is declined. What they did stays in the conversations.",
            "form_class": DeleteForm,
            "form_submit_text": "Delete them",
        },
    )
    def delete_tools(self, request: HttpRequest, form: DeleteForm, object_id: str) -> HttpResponse:
        return self._do(request, object_id, publications.delete, "Deleted.")

    def _do(
        self,
        request: HttpRequest,
        object_id: str,
        work: Callable[[UUID, Decider], Publication],
        done: str,
    ) -> HttpResponse:
        """Call a service, tell what came of it, and go back to the document."""
        source_id = parse_uuid(object_id)
        if source_id is None or not SpecSource.objects.filter(pk=source_id).exists():
            return self._gone(request)
        try:
            made = work(source_id, Decider.of(request.user))
        except ServiceError as refusal:
            messages.error(request, refusal.message)
        else:
            said = f"{done} {words.changes_of(made)}"
            self.log_change(request, made.source, said)
            messages.success(request, said)
        return go_to(request, _url(source_id))

    def _gone(self, request: HttpRequest) -> HttpResponse:
        messages.error(request, publications.SourceNotFound.message)
        return go_to(request, reverse("admin:openapi_import_specsource_changelist"))


def _url(source_id: Any) -> str:
    return reverse("admin:openapi_import_specsource_change", args=[source_id])
