"""Imports in the console: handing a document in, watching it being read, reviewing what came of it, publishing."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.decorators import display

from openapi_import import admin_words as words
from openapi_import import jobs
from openapi_import.admin import import_page
from openapi_import.admin.import_actions import HEAVY, ImportActions, fitting, page_url
from openapi_import.admin.import_form import ImportForm
from openapi_import.admin.review_pages import ReviewPages
from openapi_import.models import ImportJob, SpecSource
from smartsupport.lib.console import ReadOnlyAdmin, age, identified
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.text import shorten


@admin.register(ImportJob)
class ImportJobAdmin(ImportActions, ReviewPages, ReadOnlyAdmin):
    list_display = ("called", "state", "origin", "operation_count", "by", "begun")
    list_filter = ("status",)
    search_fields = ("name", "title", "spec_url", "filename")
    search_help_text = "Title, name, address or file"
    list_per_page = 50
    list_before_template = "openapi_import/list_head.html"
    none_yet = "No document was imported yet"
    what_next = (
        "Hand in the OpenAPI document of one of your systems, review what it would become, and publish it."
    )
    ordering = ("-created_at",)
    fields = ("name",)
    change_form_template = "openapi_import/import.html"
    actions_detail = ("publish", "compare_again", "cancel", "retry")

    class Media:
        css: ClassVar = {"all": ["openapi_import/imports.css"]}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("openapi_import.add_importjob")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImportJob]:
        return super().get_queryset(request).defer(*HEAVY)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        row = identified(ImportJob.objects.only(*import_page.STANDING), object_id).first()
        fits = fitting(row) if row is not None else set()
        offered = super().get_actions_detail(request, object_id)
        return [one for one in offered if one.method.original_function_name in fits]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:object_id>/progress/", view(self.progress), name="openapi_import_importjob_progress"),
            path("<uuid:object_id>/faults/", view(self.faults), name="openapi_import_importjob_faults"),
            *self.review_urls(),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = {"may_import": self.has_add_permission(request), "title": "Imports"}
        return super().changelist_view(request, {**(extra_context or {}), **shown})

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Hand a document in. The request only notes it; the jobs process reads it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ImportForm(initial=import_page.again(request.GET.get("source", "")))
        if request.method == "POST":
            form = ImportForm(request.POST, request.FILES)
            if form.is_valid() and (answer := self._submitted(request, form)):
                return answer
        shown = {
            **self.admin_site.each_context(request),
            "title": "Import an API",
            "opts": self.opts,
            "form": form,
            "names": SpecSource.objects.order_by("name").values_list("name", flat=True)[:200],
        }
        return TemplateResponse(request, "openapi_import/new.html", shown)

    def _submitted(self, request: HttpRequest, form: ImportForm) -> HttpResponse | None:
        try:
            job = jobs.submit(by=request.user.get_username(), **form.submission)
        except ServiceError as refusal:
            form.refuse(refusal)
            return None
        self.log_addition(request, job, "Handed in.")
        if not self.has_view_permission(request):
            messages.success(request, "The document is being read.")
            return HttpResponseRedirect(reverse("admin:index"))
        return HttpResponseRedirect(page_url(job.pk))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self._row(request, object_id)
        shown = self._shown(request, row) if row else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})

    def progress(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """How far an import is, for an open page that asks every second; 204 when nothing has moved. Once it has
        ended, the page is told to load anew: its buttons are others then."""
        row = self._row(request, object_id)
        if row is None:
            raise Http404
        state = import_page.live_state(row)
        if request.GET.get("state") == state:
            return HttpResponse(status=204)
        answer = TemplateResponse(request, "openapi_import/progress.html", import_page.progress(row))
        if not row.unfinished and request.headers.get("HX-Request"):
            answer["HX-Refresh"] = "true"
        return answer

    def faults(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """The faults of a document, filtered: a piece of its page, or a page of its own without scripts."""
        row = self._row(request, object_id)
        if row is None:
            raise Http404
        shown = import_page.faults(row, request.GET)
        if request.headers.get("HX-Request"):
            return TemplateResponse(request, "openapi_import/faults.html", shown)
        shown |= {**self.admin_site.each_context(request), "opts": self.opts, "original": row}
        shown["title"] = f"Faults in {row}"
        return TemplateResponse(request, "openapi_import/faults_page.html", shown)

    def _row(self, request: HttpRequest, object_id: Any) -> ImportJob | None:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = ImportJob.objects.select_related("source").defer("content", "fetch_secret")
        return identified(rows, object_id).first()

    def _shown(self, request: HttpRequest, row: ImportJob) -> dict[str, Any]:
        fits = fitting(row)
        may_start = self.has_start_permission(request)
        return {
            **import_page.page(row),
            "title": str(row),
            "may_review": self.has_review_permission(request),
            "may_cancel": may_start and "cancel" in fits and not row.cancel_requested,
            "may_retry": may_start and "retry" in fits,
            "may_publish": self.has_publish_permission(request) and "publish" in fits,
            "overtaken": "compare_again" in fits,
            "sees_sources": request.user.has_perm("openapi_import.view_specsource"),
        }

    @display(description="API", ordering="title")
    def called(self, job: ImportJob) -> str:
        return str(job)

    @display(
        description="State",
        ordering="status",
        label={str(status.label): colour for status, colour in words.STATUS_BADGES.items()},
    )
    def state(self, job: ImportJob) -> str:
        return job.get_status_display()

    @display(description="From", ordering="spec_url")
    def origin(self, job: ImportJob) -> str:
        return shorten(words.origin(job).removeprefix("https://"), 36)

    @display(description="Operations", ordering="total_endpoints", empty_value="–")
    def operation_count(self, job: ImportJob) -> str | None:
        return f"{job.total_endpoints:,}" if job.total_endpoints else None

    @display(description="Handed in by", ordering="created_by")
    def by(self, job: ImportJob) -> str:
        return job.created_by

    @display(description="Handed in", ordering="created_at")
    def begun(self, job: ImportJob) -> str:
        return f"{age(job.created_at)} ago"
