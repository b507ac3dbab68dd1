"""Begins metrics and traces in the processes that serve: web, turns and jobs. Nothing of them is loaded where no
setting asks for it."""

import os
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from smartsupport.lib import observing

_ends: list[Callable[[], None]] = []
_counting: list[observing.Observer] = []
_begun = False


def connect() -> None:
    """Be told of processes that start and leave, if anything is to be measured."""
    if settings.METRICS_PORT or settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        observing.observe(_told)


def _told(what: str, facts: dict[str, Any]) -> None:
    if what == "process_started":
        begin(facts["name"])
    elif what == "process_leaves":
        end()


def begin(process: str) -> None:
    """Begin in this process, once: as `web`, `turns` or `jobs`. Children of a jobs worker make their own traces."""
    global _begun
    if _begun:
        return
    _begun = True
    if settings.METRICS_PORT:
        from smartsupport.metrics import listening

        if process == "jobs" and listening.use_folder(settings.DATA_DIR):
            _ends.append(listening.remove_folder)
        _counting.append(listening.begin())
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT and process != "jobs":
        begin_traces(process)
    if process == "jobs":
        _measure_jobs()
    _measure_approvals()


def begin_traces(process: str) -> None:
    from smartsupport.tracing.provider import make
    from smartsupport.tracing.spans import Spans

    provider, finish = make(process)
    spans = Spans(provider)
    observing.observe(spans.told, headers=spans.headers if settings.TRACE_TOOL_CALLS else None)
    _ends.append(finish)


def end() -> None:
    """Send what is left. A server that does not answer holds nobody up for long."""
    while _ends:
        _ends.pop()()


def _measure_approvals() -> None:
    from agents.approvals import settled

    settled.connect(_approval_changed, weak=False, dispatch_uid="smartsupport.measuring")


def _approval_changed(action: Any, fact: Any, **_: Any) -> None:
    """A receiver of `agents.approvals.settled`: tell of an approval that has ended, once that is committed."""
    if fact.kind not in ("approval_decided", "approval_expired"):
        return
    told = {
        "turn_id": action.turn_id,
        "approval_id": action.pk,
        "tool": action.tool_name,
        "resolution": fact.payload.get("resolution", "expired"),
        "by": fact.payload.get("by", "nobody"),
        "approver": action.approver,
        "seconds": (timezone.now() - action.created_at).total_seconds(),
    }
    transaction.on_commit(lambda: observing.tell("approval_ended", **told), robust=True)


def _measure_jobs() -> None:
    from celery.signals import (
        heartbeat_sent,
        task_postrun,
        task_prerun,
        worker_process_init,
        worker_process_shutdown,
    )

    from smartsupport.metrics.listening import counts_here, fold_ended

    began: dict[str, float] = {}

    def starts(task_id: str, **_: Any) -> None:
        began[task_id] = time.monotonic()

    def ended(task_id: str, task: Any, state: str = "", **_: Any) -> None:
        if (since := began.pop(task_id, None)) is not None:
            observing.tell("job_ran", job=task.name, ok=state == "SUCCESS", seconds=time.monotonic() - since)

    def child_starts(**_: Any) -> None:
        _ends.clear()  # the parent's
        if _counting and not counts_here():
            observing.forget(_counting.pop())
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
            begin_traces("jobs")

    def child_ends(**_: Any) -> None:
        end()
        if settings.METRICS_PORT:
            from prometheus_client.multiprocess import mark_process_dead

            mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]

    for signal, listener in (
        (task_prerun, starts),
        (task_postrun, ended),
        (worker_process_init, child_starts),
        (worker_process_shutdown, child_ends),
    ):
        signal.connect(listener, weak=False)
    if settings.METRICS_PORT:
        heartbeat_sent.connect(fold_ended, weak=False)
