"""The pages of an agent's or a tool's history: every change, what it changed, and the way back."""

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.widgets import UnfoldAdminTextInputWidget

from agents.admin import history_words as words
from agents.admin.fields import whole_number
from agents.history import restoring
from agents.history.recording import WHY_MOST, recorded_as
from agents.models import Revision
from smartsupport.lib.console import HistoryAdmin
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import parse_uuid

A_PAGE = 20


class WhyForm(forms.Form):
    why = forms.CharField(
        label="Why",
        required=False,
        max_length=WHY_MOST,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Colleagues read it in the history.",
    )
    seen = forms.CharField(widget=forms.HiddenInput)


class RecordedAdmin(HistoryAdmin):
    """Whatever is saved here goes into the history with who did it and why, and can be put back from there."""

    subject: str
    change_form_after_template = "agents/console/why.html"

    def get_urls(self) -> list[Any]:
        wrap, name = self.admin_site.admin_view, f"agents_{self.subject}"
        return [
            path("changes/", wrap(self.changes), name=f"{name}_changes"),
            path("<uuid:object_id>/restore/", wrap(self.restore), name=f"{name}_restore"),
            *super().get_urls(),
        ]

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method != "POST":
            return super().changeform_view(request, *args, **kwargs)
        with recorded_as(request.user.get_username(), request.POST.get("why", "").strip()):
            return super().changeform_view(request, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if request.method != "POST":
            return super().changelist_view(request, extra_context)
        with recorded_as(request.user.get_username()):
            return super().changelist_view(request, extra_context)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method != "POST":
            return super().delete_view(request, *args, **kwargs)
        with recorded_as(request.user.get_username()):
            return super().delete_view(request, *args, **kwargs)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Every change of one of them, newest first, also where it is not there any more."""
        self._may_look(request)
        known = parse_uuid(object_id)
        row = (
            cast(models.QuerySet[Any], self.model._default_manager).filter(pk=known).first()
            if known
            else None
        )
        rows = (
            Revision.objects.filter(subject=self.subject, subject_id=known)
            if known
            else Revision.objects.none()
        )
        newest = rows.first()
        if row is None and newest is None:
            raise Http404
        name = str(row) if row is not None else newest.name if newest else ""
        return self._listed(request, rows, f"History of {name}", original=row, single=True)

    def changes(self, request: HttpRequest) -> HttpResponse:
        """Every change of all of them: also the way back to one that was deleted."""
        self._may_look(request)
        return self._listed(
            request, Revision.objects.filter(subject=self.subject), "All changes", single=False
        )

    def _listed(
        self, request: HttpRequest, rows: models.QuerySet[Revision], title: str, **more: Any
    ) -> HttpResponse:
        before = whole_number(request.GET.get("before"))
        shown = rows if before is None else rows.filter(pk__lt=before)
        page = list(shown.order_by("-pk")[: A_PAGE + 1])
        context = {
            **self._context(request, title),
            "told": words.told(page[:A_PAGE]),
            "next": page[A_PAGE - 1].pk if len(page) > A_PAGE else None,
            "first": before is None,
            "may_change": self.has_change_permission(request),
            **more,
        }
        return TemplateResponse(request, "agents/console/history.html", context)

    def restore(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """What would become different if it were as before a change (`?change=<number>`), and after a confirmation it
        does. Without a number: the history, to choose from."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        if not request.GET.get("change"):
            return self.history_view(request, str(object_id))
        number = whole_number(request.GET["change"])
        try:
            revision = restoring.found(number or 0, self.subject, object_id)
            plan = restoring.plan(revision)
        except restoring.NoSuchRevision as refusal:
            raise Http404 from refusal
        faults, form = plan.faults, WhyForm(initial={"seen": plan.seen})
        if request.method == "POST":
            form = WhyForm(request.POST)
            if not self._may_make(request, revision):
                raise PermissionDenied
            if form.is_valid():
                why = form.cleaned_data["why"] or f"Put back as it was before change {revision.pk}."
                try:
                    restored = restoring.restore(
                        revision.pk,
                        self.subject,
                        object_id,
                        by=request.user.get_username(),
                        why=why,
                        seen=form.cleaned_data["seen"],
                    )
                except ServiceError as refusal:
                    faults = refusal.extra.get("faults") or [refusal.message]
                    plan = restoring.plan(revision)
                    form = WhyForm(initial={"seen": plan.seen, "why": why})
                else:
                    messages.success(request, f"{revision.name} is as it was before.")
                    return HttpResponseRedirect(self._history(restored))
        context = {
            **self._context(request, f"Put {revision.name} back?"),
            "revision": words.told([revision])[0],
            "rows": words.rows(plan.fields, plan.links, words.names_of([*plan.links, *_read_backs(plan)])),
            "plan": plan,
            "faults": faults,
            "form": form,
            "back": self._history(revision.subject_id),
        }
        status = 409 if request.method == "POST" else 200
        return TemplateResponse(request, "agents/console/restore.html", context, status=status)

    restore.allowed_permissions = ("change",)  # type: ignore[attr-defined]

    def _may_make(self, request: HttpRequest, revision: Revision) -> bool:
        """Whoever brings back what was deleted makes it, by whichever of its changes."""
        there = (
            cast(models.QuerySet[Any], self.model._default_manager).filter(pk=revision.subject_id).exists()
        )
        return there or self.has_add_permission(request)

    def _history(self, object_id: Any) -> str:
        return reverse(f"admin:agents_{self.subject}_history", args=[object_id])

    def _may_look(self, request: HttpRequest) -> None:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        names = {"subject": self.subject, "restore_url": f"admin:agents_{self.subject}_restore"}
        names |= {
            "list_url": reverse(f"admin:agents_{self.subject}_changelist"),
            "history_url": f"admin:agents_{self.subject}_history",
        }
        return {**self.admin_site.each_context(request), "opts": self.opts, "title": title, **names}


def _read_backs(plan: restoring.Plan) -> list[str]:
    return [value for value in plan.fields.get("read_back_id", ()) if value]
