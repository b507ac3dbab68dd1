"""What the page of one import shows."""

from collections.abc import Mapping
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Q

from openapi_import import admin_words as words
from openapi_import.admin.review_rows import NEEDS_A_LOOK, USABLE
from openapi_import.models import ImportJob, ImportStatus, Publication, SourceKind, SpecSource

STANDING = ("status", "name", "created_at", "finished_at")
"""What `overtaken` and the offers look at."""
FAULTS_A_PAGE = 10


def again(name: str) -> dict[str, str]:
    """What the form begins with when a document is imported once more."""
    source = SpecSource.objects.filter(name=name).first() if name else None
    if source is None:
        return {}
    return {"name": source.name, "mcp_url" if source.kind == SourceKind.MCP else "url": source.url}


def page(job: ImportJob) -> dict[str, Any]:
    """Everything about an import. Counts of what was judged come from one query."""
    listed = [one for one in job.listed if isinstance(one, dict)]
    return {
        "job": job,
        **progress(job),
        **faults(job, {}),
        "counts": _counts(job) if words.finished(job) else {},
        "webhooks": [one for one in listed if one.get("kind") == "webhook"],
        "callbacks": [one for one in listed if one.get("kind") != "webhook"],
        "documents": job.documents,
        "export_url": f"/api/v1/openapi/jobs/{job.pk}/export",
        "schemes": sorted((name, _scheme(scheme)) for name, scheme in job.security_schemes.items()),
        "newest_publication": job.publications.defer("changes", "agents").order_by("-at").first(),
    }


def progress(job: ImportJob) -> dict[str, Any]:
    return {
        "job": job,
        "badge": words.STATUS_BADGES[ImportStatus(job.status)],
        "sentence": words.sentence(job),
        "stages": words.stages(job),
        "origin": words.origin(job),
        "state": live_state(job),
    }


def live_state(job: ImportJob) -> str:
    """Changes whenever what `progress` shows does."""
    moving = (
        job.status,
        job.stage_done,
        job.stage_total,
        int(job.cancel_requested),
        len(words.sentence(job)),
    )
    return ".".join(str(part) for part in moving)


def overtaken(job: ImportJob) -> Publication | None:
    """What else of the same API was published, rolled back or deleted since this import was compared with it."""
    since = job.finished_at or job.created_at
    newer = Publication.objects.filter(source__name=job.name, at__gt=since)
    kinds = (Publication.Kind.PAUSE, Publication.Kind.RESUME)
    return newer.exclude(kind__in=kinds).defer("changes", "agents").order_by("-number").first()


def faults(job: ImportJob, asked: Mapping[str, str]) -> dict[str, Any]:
    """The faults of a document that a filter leaves, a page of them, the errors first."""
    wanted, severity = asked.get("q", "").strip(), asked.get("severity", "")
    found = [one for one in job.faults if isinstance(one, dict)]
    if severity in ("error", "warning"):
        found = [one for one in found if one.get("severity", "error") == severity]
    if wanted:
        lowered = wanted.lower()
        found = [one for one in found if lowered in f"{one.get('pointer')} {one.get('message')}".lower()]
    found.sort(key=lambda one: one.get("severity", "error") != "error")
    shown = Paginator(found, FAULTS_A_PAGE).get_page(asked.get("page"))
    return {
        "job": job,
        "faults": shown,
        "fault_query": wanted,
        "fault_severity": severity,
        "unlisted": max(0, job.faults_total - len(job.faults)),
    }


def _counts(job: ImportJob) -> dict[str, int]:
    return job.classifications.aggregate(
        look=Count("pk", filter=NEEDS_A_LOOK),
        reads=Count("pk", filter=USABLE & Q(access_type="read")),
        writes=Count("pk", filter=USABLE & Q(access_type="write")),
        unusable=Count("pk", filter=~USABLE & ~Q(change="removed")),
        added=Count("pk", filter=Q(change="added")),
        changed=Count("pk", filter=Q(change="changed")),
        removed=Count("pk", filter=Q(change="removed")),
    )


def _scheme(scheme: Any) -> str:
    """A security scheme in words."""
    if not isinstance(scheme, dict):
        return "Not understood"
    match scheme.get("kind"):
        case "apiKey":
            return f"API key in the {scheme.get('in') or 'header'} “{scheme.get('name') or '?'}”"
        case "http":
            return {"basic": "User name and password", "bearer": "Bearer token"}.get(
                str(scheme.get("scheme", "")).lower(), f"HTTP {scheme.get('scheme', '')}"
            )
        case "oauth2":
            flows = scheme.get("flows")
            return f"OAuth 2 ({', '.join(flows)})" if isinstance(flows, dict) and flows else "OAuth 2"
        case "openIdConnect":
            return "OpenID Connect"
        case "mutualTLS":
            return "Client certificate"
    return "Not understood"
