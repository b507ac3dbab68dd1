"""The configured model's opinion of operations that the rules have judged."""

import uuid
from collections import deque
from dataclasses import dataclass, field

import structlog
from django.conf import settings

from agents.spending import ledger, limits
from agents.spending.usage import Call
from openapi_import.holding import Held
from openapi_import.judging import model
from openapi_import.judging.endpoint import Endpoint, Judgement
from openapi_import.models import Classification
from openapi_import.rows import endpoint, judgement, take
from openapi_import.waiting import run_until

log = structlog.get_logger(__name__)

USED_UP = "The model did not judge: the budget for the whole deployment is used up, so the rules stand."
BATCH = 200
WRITTEN = ["access_type", "risk", "approval", "agent_group", "customer_params", "confidence", "uncertain", "reason",
           "judged", "judged_by"]  # fmt: skip


@dataclass
class _Counted:
    """How far the model is, and its calls that are in no ledger yet; written by its thread, read by ours."""

    done: int = 0
    calls: deque[Call] = field(default_factory=deque)

    def enter(self) -> None:
        while self.calls:
            ledger.record(self.calls[0])
            self.calls.popleft()


def ask_model(held: Held, job_id: uuid.UUID) -> None:
    """Let the model look at every usable operation. It can only raise a risk; where it fails, the rules' judgement
    stays and the job's `model_note` says why. So it does where the deployment's budget is used up, and no model is
    asked. Raises LeaseLost and Stopped."""
    if refused := _refused():
        log.warning("model_judging_skipped", job_id=str(job_id), why=refused)
        held.write(model_note=refused)
        return
    rows = list(Classification.objects.filter(job_id=job_id, unusable=""))
    endpoints = [endpoint(row) for row in rows]
    before = [judgement(row) for row in rows]
    after, note = _asked(held, endpoints, before)
    changed = [(row, now) for row, was, now in zip(rows, before, after, strict=True) if now != was]
    for start in range(0, len(changed), BATCH):
        batch = changed[start : start + BATCH]
        for row, now in batch:
            take(row, now, "model")
        with held.writing():
            Classification.objects.bulk_update([row for row, _ in batch], WRITTEN)
    held.write(model_note=note[:300])


def _refused() -> str:
    """Why the budget lets no model be asked; "" where it does."""
    if settings.LLM_PROVIDER == "offline":
        return ""
    try:
        limits.check(None)
    except limits.UsageLimitReached as refusal:
        return f"{USED_UP} It begins anew on {str(refusal.extra['resets_at'])[:16].replace('T', ' at ')} UTC."
    return ""


def _asked(held: Held, endpoints: list[Endpoint], before: list[Judgement]) -> tuple[list[Judgement], str]:
    counted = _Counted()

    def on_progress(done: int, *_: int) -> None:
        counted.done = done

    def stop() -> bool:
        counted.enter()
        held.note(counted.done, len(endpoints))
        return held.stop()

    judging = model.judge_batches(endpoints, before, on_progress=on_progress, on_call=counted.calls.append)
    try:
        return run_until(judging, stop)
    finally:
        counted.enter()
