"""Runs one trial. What happens is told as it happens; nothing is recorded but what the model cost."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import structlog
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphRecursionError

from agents import facts
from agents.facts import Fact
from agents.playground.graph import build
from agents.playground.journal import TrialJournal
from agents.playground.telling import step_of
from agents.playground.trial import LIMIT_SECONDS, Step, Trial, TrialContext
from agents.playground.watching import Watcher
from agents.providers import as_outage, close_models
from smartsupport.lib.errors import ServiceError

log = structlog.get_logger(__name__)

RECURSION_LIMIT = 80
CHOSEN = "You asked this agent directly."


async def run(trial: Trial, tell: Callable[[Step], None], *, seconds: float = LIMIT_SECONDS) -> None:
    """Carry the trial out and tell every step, the last one of kind `end`. What goes wrong is a step too. Cancelled, it
    stops asking the model at once. Its event loop's models are closed afterwards: give it a loop of its own."""
    started = time.monotonic()
    told: list[Fact] = []

    def hear(fact: Fact) -> None:
        told.append(fact)
        if step := step_of(fact):
            tell(step)

    try:
        async with asyncio.timeout(seconds) as limit:
            await _run(trial, hear, tell)
    except TimeoutError as error:
        late = f"It took longer than {seconds:.0f} seconds and was stopped."
        tell(_outage(error) if not limit.expired() else Step("fault", "Stopped", text=late))
    except GraphRecursionError:
        tell(Step("fault", "Stopped", text="It took too many steps without coming to an end."))
    except Exception as error:
        tell(_outage(error))
    finally:
        await close_models()
    tell(_end(trial, told, started))


async def _run(trial: Trial, hear: Callable[[Fact], None], tell: Callable[[Step], None]) -> None:
    if not trial.registry.agents:
        tell(
            Step(
                "fault", "Nobody answers", text="There is no agent that is on. Switch one on, or try a draft."
            )
        )
        return
    journal = TrialJournal(
        hear, recorded=tuple(_chosen(trial, hear)), used=trial.used, succeeded=trial.succeeded
    )
    context = TrialContext(
        turn_id=uuid4(),
        conversation_id=uuid4(),
        customer_id=uuid4(),
        bindings=dict(trial.bindings),
        message=trial.message,
        history=trial.history,
        live_agent=trial.live_agent,
        fresh=True,
        registry=trial.registry,
        journal=journal,
        trial=trial,
    )
    graph = build().compile()
    config = RunnableConfig(recursion_limit=RECURSION_LIMIT, callbacks=[Watcher(tell)])
    given: Any = {"messages": []}
    await graph.ainvoke(given, config, context=context)


def _chosen(trial: Trial, hear: Callable[[Fact], None]) -> Iterator[Fact]:
    """Where staff chose the agent, that is taken as routed already."""
    if trial.agent:
        fact = facts.routed(
            agents=[trial.agent], reason=CHOSEN, by="staff", usage=facts.Usage(), duration_ms=None
        )
        hear(fact)
        yield fact


def _outage(error: BaseException) -> Step:
    if isinstance(error, ServiceError) and (outage := as_outage(error)) is None:
        return Step("fault", "The model cannot be asked", text=error.message)
    outage = as_outage(error)
    if outage is not None:
        return Step("fault", "The model did not answer", text=outage.detail)
    log.error("trial_failed", exc_info=error)
    return Step(
        "fault",
        "It broke off",
        text="Something went wrong on our side. The log of the web process has the details.",
    )


def _end(trial: Trial, told: list[Fact], started: float) -> Step:
    """`said`: what this message adds to the conversation; `live_agent` who goes on with it; `used` and `succeeded` as
    the next trial wants them."""
    said = [{"role": "customer", "text": trial.message}]
    live, used, succeeded = trial.live_agent, list(trial.used), set(trial.succeeded)
    for fact in told:
        payload = fact.payload
        if fact.kind == "routed":
            live = payload["agents"][0] if len(payload["agents"]) == 1 else ""
        elif fact.kind in ("replied", "question_asked"):
            said.append({"role": "agent", "text": payload.get("content") or payload["message"]})
        elif fact.kind == "call_simulated":
            used.append(payload["tool"])
            if payload["outcome"] == "done":
                succeeded.add(payload["tool"])
                said.append(
                    {"role": "record", "text": f"{payload['tool']} was carried out (simulated in a trial)."}
                )
            elif payload["outcome"] == "declined":
                said.append(
                    {"role": "record", "text": f"{payload['tool']} was declined. Nothing was changed."}
                )
        elif fact.kind == "tool_returned" and payload["ok"]:
            used.append(payload["tool"])
            succeeded.add(payload["tool"])
    seconds = time.monotonic() - started
    memory = {
        "said": said,
        "live_agent": live,
        "used": list(dict.fromkeys(used)),
        "succeeded": sorted(succeeded),
    }
    return Step("end", f"Finished after {seconds:.1f} s", payload=memory)
