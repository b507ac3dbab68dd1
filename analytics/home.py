"""The console's home page: what waits, what came of the last days, what is being imported, what went wrong, and in a
new house what to do first. Only what a person may look at is counted for them."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from agents.models import Agent, Tool
from analytics import drawing, home_cards, home_failures, ranges, summary
from analytics.home_counts import exist
from chat.models import Conversation
from openapi_import.models import ImportJob, ImportStatus
from smartsupport.lib.ids import digest

CHOICES = {1: "Today", 7: "7 days", 30: "30 days", 90: "90 days"}
DEFAULT = "7d"
UNFINISHED = (
    ImportStatus.PENDING,
    ImportStatus.FETCHING,
    ImportStatus.VALIDATING,
    ImportStatus.PARSING,
    ImportStatus.CLASSIFYING,
)
IMPORTS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do first. `link` is "" where this person may not."""

    title: str
    why: str
    link: str
    done: bool


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The home page's context."""
    return {**context, "title": "Home", **_shown(request)}


def live(request: HttpRequest) -> HttpResponse:
    """What moves of the home page, for an open one that asks every few seconds; 204 while nothing has changed."""
    shown = _shown(request)
    if request.GET.get("state") == shown["state"]:
        return HttpResponse(status=204)
    return TemplateResponse(request, "analytics/home/live.html", shown)


live_page = admin.site.admin_view(live)


def _shown(request: HttpRequest) -> dict[str, Any]:
    days, fault = _range(request)
    may = request.user.has_perm
    headline = summary.headline(days) if may("analytics.view_analytics") else None
    cards = home_cards.now(request)
    period = home_cards.of_period(request, days, headline) if headline else []
    imports = _imports() if may("openapi_import.view_importjob") else []
    failures = home_failures.newest(request)
    steps = _steps(request)
    seen = [
        [[card.title, card.shown, card.note, str(card.since), card.urgent] for card in cards + period],
        [[str(job.pk), job.status, job.stage_done, job.stage_total] for job in imports],
        [[one.link, str(one.at), one.said] for one in failures],
        [[step.title, step.done] for step in steps],
    ]
    return {
        "days": days,
        "fault": fault,
        "choices": [(f"{number}d", label, number == days) for number, label in CHOICES.items()],
        "cards": cards,
        "period_cards": period,
        "headline": headline,
        "rates_chart": drawing.small_rates(headline.days) if headline and headline.total else "",
        "day_rows": drawing.small_rows(headline.days) if headline else [],
        "sees_imports": may("openapi_import.view_importjob"),
        "imports": imports[:IMPORTS_SHOWN],
        "imports_number": len(imports),
        "imports_link": f"{reverse('admin:openapi_import_importjob_changelist')}?status__in={','.join(UNFINISHED)}",
        "failures": failures,
        "sees_failures": any(may(kind.permission) for kind in home_failures.KINDS.values()),
        "steps": steps,
        "nothing": not (cards or period),
        "state": digest(seen)[:16],
        "live_url": reverse("home-live"),
        "chat_url": "/",
    }


def _range(request: HttpRequest) -> tuple[int, str]:
    """The days of `?range=`, and what is wrong with it: then it is the week."""
    try:
        days = ranges.parse(request.GET.get("range", DEFAULT))
    except ranges.InvalidRange as refusal:
        return ranges.parse(DEFAULT), refusal.message
    return (days, "") if days in CHOICES else (ranges.parse(DEFAULT), "Choose one of the ranges below.")


def _imports() -> list[ImportJob]:
    """Those that are not finished, the newest first; without what they carry."""
    rows = ImportJob.objects.filter(status__in=UNFINISHED).order_by("-created_at")
    return list(rows.only("name", "title", "spec_url", "filename", "status", "stage_done", "stage_total"))


def _steps(request: HttpRequest) -> list[Step]:
    """What a new house needs, in order; nothing once it has all that somebody can be answered with."""
    may = request.user.has_perm
    if not may("chat.view_conversation"):
        return []
    there = exist(
        {"tools": Tool.objects.all(), "agents": Agent.objects.all(), "written": Conversation.objects.all()}
    )
    if all(there.values()):
        return []
    add_import = reverse("admin:openapi_import_importjob_add") if may("openapi_import.add_importjob") else ""
    add_agent = reverse("admin:agents_agent_add") if may("agents.add_agent") else ""
    return [
        Step(
            "Import an API",
            "Agents can look up and do what its document describes.",
            add_import,
            there["tools"],
        ),
        Step(
            "Add an agent",
            "It needs a purpose, instructions, and the tools it may use.",
            add_agent,
            there["agents"],
        ),
        Step(
            "Set a model key",
            "LLM_PROVIDER is offline: rules answer in place of a model. Set it and its key, and start again.",
            "",
            settings.LLM_PROVIDER != "offline",
        ),
        Step("Open the chat and write", "The conversation appears here at once.", "/", there["written"]),
    ]
