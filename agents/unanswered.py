"""Calls of models that failed before anything of an answer came: told to whoever measures, for nothing else keeps them.

What had begun to answer and broke off is a fact with its call (`facts.broke_off`). An answer that cannot be used is an
answer.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.conf import settings

from agents.providers import answered_by, as_outage
from agents.spending.usage import Call
from smartsupport.lib import observing

STOPPED, OTHER = "stopped", "other"
"""Why a call has no answer, where its provider is not to blame."""


@contextmanager
def told(purpose: str, *, turn_id: UUID | None = None) -> Iterator[None]:
    """Around one call of the deployment's model, for a purpose of ModelCall.Purpose."""
    began = time.monotonic()
    try:
        yield
    except BaseException as error:
        tell(purpose, error, began, turn_id=turn_id)
        raise


def tell(
    purpose: str,
    error: BaseException,
    began: float,
    *,
    agent: str = "",
    model: str = "",
    turn_id: UUID | None = None,
) -> None:
    """`began` is of the monotonic clock; `model` the agent's own, "" for the deployment's."""
    if not observing.anybody():
        return
    took = round((time.monotonic() - began) * 1000)
    call = Call(purpose, settings.LLM_PROVIDER, answered_by(None, model), agent=agent, duration_ms=took)
    observing.tell("model_failed", call=call, why=_why(error), turn_id=turn_id)


def _why(error: BaseException) -> str:
    """One of a few words, `agents.providers.outages.Kind` among them."""
    if isinstance(error, asyncio.CancelledError):
        return STOPPED
    outage = as_outage(error)
    return outage.kind if outage else OTHER
