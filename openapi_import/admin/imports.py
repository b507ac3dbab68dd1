"""Imports in the console: handing a document in, watching it being read, reviewing what came of it, publishing."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.decorators import action as console_action
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from agents.approvals import Decider
from openapi_import import admin_words as words
from openapi_import import difference, jobs
from openapi_import import publish as publish_service
from openapi_import.admin import import_page
from openapi_import.admin.import_form import ImportForm
from openapi_import.admin.publish_form import PublishForm
from openapi_import.admin.review_pages import ReviewPages
from openapi_import.admin.sign_in import RetryForm
from openapi_import.models import ImportJob, ImportStatus, SpecSource
from smartsupport.lib.console import ReadOnlyAdmin, age, go_to, identified
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.text import shorten

HEAVY = ("content", "fetch_secret", "faults", "listed", "documents", "security_schemes")
UNFINISHED = (
    ImportStatus.PENDING,
    ImportStatus.FETCHING,
    ImportStatus.VALIDATING,
    ImportStatus.PARSING,
    ImportStatus.CLASSIFYING,
)
FITTING = {
    "cancel": UNFINISHED,
    "retry": (ImportStatus.FAILED, ImportStatus.CANCELLED),
    "publish": (ImportStatus.DONE,),
    "compare_again": (ImportStatus.DONE,),
}
"""The states in which each action is offered."""


@admin.register(ImportJob)
class ImportJobAdmin(ReviewPages, ReadOnlyAdmin):
    list_display = ("called", "state", "origin", "operation_count", "by", "begun")
    list_filter = ("status",)
    search_fields = ("name", "title", "spec_url", "filename")
    search_help_text = "Title, name, address or file"
    list_per_page = 50
    list_before_template = "openapi_import/list_head.html"
    ordering = ("-created_at",)
    fields = ("name",)
    change_form_template = "openapi_import/import.html"
    actions_detail = ("publish", "compare_again", "cancel", "retry")

    class Media:
        css: ClassVar = {"all": ["openapi_import/imports.css"]}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("openapi_import.add_importjob")

    def has_start_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("openapi_import.add_importjob")

    def has_review_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("openapi_import.change_importjob")

    def has_publish_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("openapi_import.publish_importjob")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImportJob]:
        return super().get_queryset(request).defer(*HEAVY)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        row = identified(ImportJob.objects.only(*import_page.STANDING), object_id).first()
        fitting = _fitting(row) if row is not None else set()
        offered = super().get_actions_detail(request, object_id)
        return [one for one in offered if one.method.original_function_name in fitting]

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
        fitting = _fitting(row)
        may_start = self.has_start_permission(request)
        return {
            **import_page.page(row),
            "title": str(row),
            "may_review": self.has_review_permission(request),
            "may_cancel": may_start and "cancel" in fitting and not row.cancel_requested,
            "may_retry": may_start and "retry" in fitting,
            "may_publish": self.has_publish_permission(request) and "publish" in fitting,
            "overtaken": "compare_again" in fitting,
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
        return shorten(words.origin(job), 40)

    @display(description="Operations", ordering="total_endpoints", empty_value="–")
    def operation_count(self, job: ImportJob) -> str | None:
        return f"{job.total_endpoints:,}" if job.total_endpoints else None

    @display(description="Handed in by", ordering="created_by")
    def by(self, job: ImportJob) -> str:
        return job.created_by

    @display(description="Handed in", ordering="created_at")
    def begun(self, job: ImportJob) -> str:
        return f"{age(job.created_at)} ago"

    @console_action(
        description="Cancel",
        permissions=["start"],
        icon="close",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Cancel this import?",
            "description": "Reading stops, and nothing of it is published. You can start it again later.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Cancel the import",
        },
    )
    def cancel(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        by = request.user.get_username()
        return self._do(
            request,
            object_id,
            lambda row: jobs.cancel(row.pk, by),
            "Cancelled.",
            "The import is being cancelled.",
        )

    @console_action(
        description="Try again",
        permissions=["start"],
        icon="replay",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Try this import again?",
            "description": "What it read before is read again. Nothing is published by it.",
            "form_class": RetryForm,
            "form_submit_text": "Try again",
        },
    )
    def retry(self, request: HttpRequest, form: RetryForm, object_id: str) -> HttpResponse:
        by, again = request.user.get_username(), bool(form.cleaned_data.get("fetch_again"))
        return self._do(
            request,
            object_id,
            lambda row: jobs.retry(row.pk, by, headers=form.headers, fetch_again=again),
            "Tried again.",
            "The import has begun again.",
        )

    @console_action(
        description="Compare again",
        url_path="compare-again",
        permissions=["review"],
        icon="difference",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Compare it with what is published now?",
            "description": "What reviewers decided here stays. What differs in another way than when they looked is "
            "open again.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Compare again",
        },
    )
    def compare_again(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._do(
            request,
            object_id,
            lambda row: difference.compare_again(row.pk),
            "Compared again.",
            "It was compared with what is published now.",
        )

    @console_action(
        description="Publish",
        permissions=["publish"],
        icon="publish",
        variant=ActionVariant.SUCCESS,
        dialog={
            "title": "Publish these tools?",
            "description": "All of it happens at once, or nothing does. Agents use it from their next message on.",
            "form_class": PublishForm,
            "form_submit_text": "Publish",
        },
    )
    def publish(self, request: HttpRequest, form: PublishForm, object_id: str) -> HttpResponse:
        row = identified(ImportJob.objects.select_related("source").defer(*HEAVY), object_id).first()
        if row is None:
            return self._gone(request)
        try:
            made = publish_service.publish(row.pk, Decider.of(request.user))
        except ServiceError as refusal:
            messages.error(request, refusal.message)
            return go_to(request, page_url(row.pk))
        self.log_change(request, row, f"Published. {words.changes_of(made)}")
        messages.success(request, f"Published. {words.changes_of(made)}")
        if request.user.has_perm("openapi_import.view_specsource"):
            return go_to(request, reverse("admin:openapi_import_specsource_change", args=[made.source_id]))
        return go_to(request, page_url(row.pk))

    def _do(
        self,
        request: HttpRequest,
        object_id: str,
        work: Callable[[ImportJob], object],
        logged: str,
        told: str,
    ) -> HttpResponse:
        """Call a service, tell what came of it, and go back to the import."""
        row = identified(ImportJob.objects.defer(*HEAVY), object_id).first()
        if row is None:
            return self._gone(request)
        try:
            work(row)
        except ServiceError as refusal:
            messages.error(request, refusal.message)
        else:
            self.log_change(request, row, logged)
            messages.success(request, told)
        return go_to(request, page_url(row.pk))

    def _gone(self, request: HttpRequest) -> HttpResponse:
        messages.error(request, "This import does not exist.")
        return go_to(request, reverse("admin:openapi_import_importjob_changelist"))


def page_url(job_id: Any) -> str:
    return reverse("admin:openapi_import_importjob_change", args=[job_id])


def _fitting(row: ImportJob) -> set[str]:
    """The names of the actions that an import is ready for."""
    found = {name for name, states in FITTING.items() if row.status in states}
    if "compare_again" in found and not import_page.overtaken(row):
        found.remove("compare_again")
    return found
