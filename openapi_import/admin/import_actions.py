"""What people can do with an import: each opens a dialog first and then calls one service."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action as console_action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from agents.approvals import Decider
from openapi_import import admin_words as words
from openapi_import import difference, jobs
from openapi_import import publish as publish_service
from openapi_import.admin import import_page
from openapi_import.admin.publish_form import PublishForm
from openapi_import.admin.sign_in import RetryForm
from openapi_import.models import ImportJob, ImportStatus
from smartsupport.lib.console import go_to, identified
from smartsupport.lib.errors import ServiceError

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


def page_url(job_id: Any) -> str:
    return reverse("admin:openapi_import_importjob_change", args=[job_id])


def fitting(row: ImportJob) -> set[str]:
    """The names of the actions that an import is ready for."""
    found = {name for name, states in FITTING.items() if row.status in states}
    if "compare_again" in found and not import_page.overtaken(row):
        found.remove("compare_again")
    return found


class ImportActions:
    """The part of the imports' admin that is its actions."""

    log_change: Any

    def has_start_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("openapi_import.add_importjob")

    def has_review_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("openapi_import.change_importjob")

    def has_publish_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("openapi_import.publish_importjob")

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
            "form_cancel_text": "Keep importing",
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
            "description": "Nothing is published by it: what is live stays as it is, and you review what comes of it.",
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
