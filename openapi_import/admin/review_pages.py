"""The review: a table of operations, each as the tool that it would be, and how people correct it."""

import json
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import path, reverse

from agents.approvals import Decider
from openapi_import import admin_words as words
from openapi_import import review
from openapi_import.admin import review_rows
from openapi_import.admin.operation_page import operation_context
from openapi_import.admin.review_forms import BulkForm, EditForm
from openapi_import.models import Classification, ImportJob, ImportStatus
from smartsupport.lib.console import identified
from smartsupport.lib.errors import ServiceError

NOTHING_CHOSEN = "Tick the operations first that this is for."
NOTHING_TO_CHANGE = "Choose first what is to change."


class ReviewPages:
    """The part of the imports' admin that is the review."""

    admin_site: Any
    opts: Any
    has_view_permission: Any
    has_review_permission: Any
    has_publish_permission: Any

    def review_urls(self) -> list[Any]:
        view, name = self.admin_site.admin_view, "openapi_import_importjob_{}".format
        operation = "<uuid:object_id>/review/<int:index>/"
        return [
            path("<uuid:object_id>/review/", view(self.review), name=name("review")),
            path("<uuid:object_id>/review/edit/", view(self.edit_many), name=name("edit_many")),
            path(operation, view(self.operation), name=name("operation")),
            path(f"{operation}edit/", view(self.edit), name=name("edit")),
        ]

    def review(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """The table, filtered by what its address says."""
        job = self._job(request, object_id)
        if not words.finished(job):
            messages.warning(request, "There is nothing to review yet: the document was not read to its end.")
            return HttpResponseRedirect(reverse("admin:openapi_import_importjob_change", args=[job.pk]))
        return self._table(request, job)

    def operation(self, request: HttpRequest, object_id: Any, index: int) -> HttpResponse:
        """All about one operation: a row that opens, or a page of its own without scripts."""
        job = self._job(request, object_id)
        shown = operation_context(self._operation(job, index))
        if request.headers.get("HX-Request"):
            return TemplateResponse(request, "openapi_import/operation.html", shown)
        shown |= {**self.admin_site.each_context(request), "opts": self.opts, "original": job}
        shown["title"] = str(shown["row"])
        shown["back"] = _review_url(job) + review_rows.Wanted.of(request.GET).query()
        return TemplateResponse(request, "openapi_import/operation_page.html", shown)

    def edit(self, request: HttpRequest, object_id: Any, index: int) -> HttpResponse:
        """The dialog in which one operation is corrected."""
        job = self._job(request, object_id, to_change=True)
        row = self._operation(job, index)
        form = EditForm(request, row, data=request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            by, seen = Decider.of(request.user), form.cleaned_data["seen"]
            try:
                if form.changes:
                    review.edit(job.pk, index, form.changes, by=by, seen=seen)
                else:
                    review.look(job.pk, [index], by)
            except ServiceError as refusal:
                form.look_again(self._operation(job, index))
                _blame(form, refusal)
            else:
                return self._table(request, job, told=f"Saved: {row}.", saved=index)
        dialog = {"title": "Change this operation?", "description": "It counts when you publish."}
        shown = {"dialog": dialog, "form": form, "form_submit_text": "Save"}
        return render(request, "unfold/helpers/dialog.html", shown)

    def edit_many(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Change all operations that are ticked, or all that the filter lists."""
        job = self._job(request, object_id, to_change=True)
        if request.method != "POST":
            return HttpResponseRedirect(_review_url(job))
        form = BulkForm(request.POST)
        indexes = _chosen(request, job)
        looked = request.POST.get("do") == "look"
        if not indexes:
            return self._table(request, job, fault=NOTHING_CHOSEN, bulk=form)
        if not looked and (not form.is_valid() or not form.changes):
            fault = " ".join(str(one) for faults in form.errors.values() for one in faults)
            return self._table(request, job, fault=fault or NOTHING_TO_CHANGE, bulk=form)
        try:
            done = self._change(request, job, indexes, {} if looked else form.changes)
        except ServiceError as refusal:
            return self._table(request, job, fault=refusal.message, bulk=form)
        return self._table(request, job, told=done)

    def _change(
        self, request: HttpRequest, job: ImportJob, indexes: list[int], changes: dict[str, Any]
    ) -> str:
        by = Decider.of(request.user)
        if changes:
            review.edit_many(job.pk, indexes, changes, by)
        else:
            review.look(job.pk, indexes, by)
        many = "1 operation" if len(indexes) == 1 else f"{len(indexes):,} operations"
        return f"Changed {many}." if changes else f"Marked {many} as looked at."

    def _job(self, request: HttpRequest, object_id: Any, *, to_change: bool = False) -> ImportJob:
        if not (self.has_view_permission(request) and (not to_change or self.has_review_permission(request))):
            raise PermissionDenied
        jobs = ImportJob.objects.defer("content", "fetch_secret", "faults", "listed", "documents")
        job = identified(jobs.select_related("source"), object_id).first()
        if job is None:
            raise Http404
        return job

    def _operation(self, job: ImportJob, index: int) -> Classification:
        row = Classification.objects.filter(job=job, index=index).first()
        if row is None:
            raise Http404
        return row

    def _table(
        self,
        request: HttpRequest,
        job: ImportJob,
        *,
        told: str = "",
        fault: str = "",
        saved: int | None = None,
        bulk: BulkForm | None = None,
    ) -> HttpResponse:
        """The table as the address wants it, with what has just come of a change. Scripts put it in place of the old
        one; without them, a change leads back to it."""
        wanted = review_rows.Wanted.of(request.GET)
        scripted = bool(request.headers.get("HX-Request"))
        if request.method == "POST" and not scripted:
            (messages.error if fault else messages.success)(request, fault or told)
            return HttpResponseRedirect(_review_url(job) + wanted.query(page=wanted.page))
        counted = review_rows.counts(job)
        page = wanted.page_of(job)
        shown = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": job,
            "title": f"Review {job}",
            "job": job,
            "wanted": wanted,
            "address": wanted.query(page=wanted.page),
            "page": page,
            "earlier": wanted.query(page=page.number - 1),
            "later": wanted.query(page=page.number + 1),
            "first_import": counted["added"] == counted["all"],
            "counts": counted,
            "chips": review_rows.chips(wanted, counted),
            "groups": review_rows.groups(job),
            "told": told,
            "fault": fault,
            "saved": saved,
            "bulk": bulk or BulkForm(),
            "may_review": self.has_review_permission(request) and job.status == ImportStatus.DONE,
            "may_publish": self.has_publish_permission(request) and job.status == ImportStatus.DONE,
        }
        answer = TemplateResponse(request, "openapi_import/review.html", shown)
        if request.method == "POST":
            answer["HX-Retarget"] = answer["HX-Reselect"] = "#review"
            answer["HX-Reswap"] = "outerHTML"
            if not fault:
                answer["HX-Trigger-After-Settle"] = json.dumps({"review-saved": {"index": saved}})
        return answer


def _chosen(request: HttpRequest, job: ImportJob) -> list[int]:
    """The operations that a change is for."""
    if request.POST.get("all") == "1":
        matching = review_rows.Wanted.of(request.GET).rows(job).filter(review_rows.USABLE)
        return list(matching.values_list("index", flat=True))
    given = request.POST.getlist("index")
    return [int(one) for one in given if one.isascii() and one.isdigit() and len(one) < 7]


def _blame(form: EditForm, refusal: ServiceError) -> None:
    named: dict[str, list[str]] = refusal.extra.get("fields") or {}
    known = {name: faults for name, faults in named.items() if name in form.fields}
    for name, faults in known.items():
        form.add_error(name, faults)
    if not known:
        form.add_error(None, refusal.message)


def _review_url(job: ImportJob) -> str:
    return reverse("admin:openapi_import_importjob_review", args=[job.pk])
