"""The dialog before publishing: what it would do, in numbers and names."""

from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest
from unfold.forms import BaseDialogForm

from agents.models import Agent
from openapi_import import admin_words as words
from openapi_import.admin.review_rows import NEEDS_A_LOOK, USABLE
from openapi_import.models import Change, ImportJob
from smartsupport.lib.console import identified

CHOSEN = USABLE & Q(selected=True)
UNSEEN = CHOSEN & Q(difference__contains=[{"meaning": True}], reviewed_at=None)
"""Published and switched off: what it does has changed, and nobody has looked."""


class PublishForm(BaseDialogForm):
    form_before_template = "openapi_import/publish_head.html"

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        job = identified(ImportJob.objects.only("name", "title", "status"), object_id).first()
        return {"job": job, **what_publishing_does(job)} if job else {"job": None}


def what_publishing_does(job: ImportJob) -> dict[str, Any]:
    """Counts of tools by what becomes of them, and the agents that get them; new ones are made."""
    counts = job.classifications.aggregate(
        added=Count("pk", filter=CHOSEN & Q(change=Change.ADDED)),
        changed=Count("pk", filter=CHOSEN & Q(change=Change.CHANGED)),
        same=Count("pk", filter=CHOSEN & Q(change=Change.SAME)),
        removed=Count("pk", filter=Q(change=Change.REMOVED)),
        paused=Count("pk", filter=~CHOSEN & Q(change__in=[Change.CHANGED, Change.SAME])),
        unseen=Count("pk", filter=UNSEEN),
        left_out=Count("pk", filter=~CHOSEN & Q(change=Change.ADDED)),
        look=Count("pk", filter=NEEDS_A_LOOK & Q(selected=True, change=Change.ADDED)),
    )
    named = list(
        job.classifications.filter(CHOSEN)
        .exclude(agent_group="")
        .order_by("agent_group")
        .values_list("agent_group", flat=True)
        .distinct()
    )
    known = set(Agent.objects.filter(name__in=named).values_list("name", flat=True))
    return {
        **counts,
        "new_agents": words.some([name for name in named if name not in known]),
        "known_agents": words.some([name for name in named if name in known]),
    }
