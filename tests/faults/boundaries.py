"""Where a process may die. The product has no hook for this: its own functions are wrapped by name in the processes
that are to be killed, and a name that is gone ends the run.

`before` is crossed when a function is called. `after` is crossed when it has returned and what it wrote is committed,
however many transactions it was called in.
"""

import asyncio
import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from tests.faults.orders import Passage

PRODUCT = ("agents", "chat", "openapi_import", "analytics", "replay", "smartsupport")
EVENT = "event "
Function = Callable[..., Any]
Crossing = tuple[str, str]  # a boundary's name and its side

_calls_a_tool: ContextVar[bool] = ContextVar("calls_a_tool", default=False)


class Gone(Exception):
    """A function that a boundary wraps is not there any more. The message says which, and what to change."""


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A function of the product, what is crossed when it is called, and what when it has returned. `targets` are
    "module:function" or "module:Class.method", the first that is there counts."""

    targets: str
    entry: Crossing | None
    exit: Crossing | None
    wrapping: "Wrapping"


Wrapping = Callable[[Function, Wrapped, Passage], Function]


def at_call(original: Function, wrapped: Wrapped, passage: Passage) -> Function:
    """Crossed by every call."""
    if not inspect.iscoroutinefunction(original):
        return _at_sync_call(original, wrapped, passage)

    @functools.wraps(original)
    async def crossing(*args: Any, **kwargs: Any) -> Any:
        await _cross(passage, wrapped.entry)
        result = await original(*args, **kwargs)
        await _cross(passage, wrapped.exit)
        return result

    return crossing


async def _cross(passage: Passage, crossing: Crossing | None) -> None:
    """Cross; held in another thread, so that only the caller waits."""
    if crossing and passage.crossed(*crossing):
        await asyncio.to_thread(passage.wait_for_release)


def _at_sync_call(original: Function, wrapped: Wrapped, passage: Passage) -> Function:
    @functools.wraps(original)
    def crossing(*args: Any, **kwargs: Any) -> Any:
        if wrapped.entry:
            passage(*wrapped.entry)
        result = original(*args, **kwargs)
        if wrapped.exit:
            _after_commit(passage, wrapped.exit)
        return result

    return crossing


def _after_commit(passage: Passage, crossing: Crossing) -> None:
    from django.db import transaction

    transaction.on_commit(lambda: passage(*crossing))


def by_kind(original: Function, wrapped: Wrapped, passage: Passage) -> Function:
    """`chat.events.insert`: one boundary for each kind of event. Facts of one batch are one write."""

    @functools.wraps(original)
    def crossing(conversation_id: Any, facts: Any, **kwargs: Any) -> Any:
        names = [EVENT + fact.kind for fact in facts]
        for name in names:
            passage(name, "before")
        result = original(conversation_id, facts, **kwargs)
        for name in names:
            _after_commit(passage, (name, "after"))
        return result

    return crossing


def when_claimable(original: Function, wrapped: Wrapped, passage: Passage) -> Function:
    """`claim` is called by the clock, mostly for nothing: only calls that can win something are crossings."""

    @functools.wraps(original)
    def crossing(*args: Any, **kwargs: Any) -> Any:
        if not passage.armed("claim"):
            return original(*args, **kwargs)
        if not _claimable():
            return None  # whoever queues a turn now wakes this worker again
        passage("claim", "before")
        claim = original(*args, **kwargs)
        if claim is not None:
            _after_commit(passage, ("claim", "after"))
        return claim

    return crossing


def _claimable() -> bool:
    from django.db.models import Q
    from django.utils import timezone

    from chat.models import Turn, TurnStatus

    lapsed = Q(status=TurnStatus.RUNNING, lease_until__lt=timezone.now())
    return Turn.objects.filter(Q(status=TurnStatus.QUEUED) | lapsed).exists()


def around_tool(original: Function, wrapped: Wrapped, passage: Passage) -> Function:
    """A request to the business, until its answer is there. What is sent inside of it is a tool's."""
    crossed = at_call(original, wrapped, passage)

    @functools.wraps(original)
    async def crossing(*args: Any, **kwargs: Any) -> Any:
        token = _calls_a_tool.set(True)
        try:
            return await crossed(*args, **kwargs)
        finally:
            _calls_a_tool.reset(token)

    return crossing


def when_tool(original: Function, wrapped: Wrapped, passage: Passage) -> Function:
    """The HTTP library's own side of the socket, where it is a tool's request and not a model's."""
    crossed = at_call(original, wrapped, passage)

    @functools.wraps(original)
    async def crossing(*args: Any, **kwargs: Any) -> Any:
        return await (crossed if _calls_a_tool.get() else original)(*args, **kwargs)

    return crossing


def _both(name: str, targets: str, wrapping: Wrapping = at_call) -> Wrapped:
    return Wrapped(targets, (name, "before"), (name, "after"), wrapping)


_SOCKET = "httpcore._async.http11:AsyncHTTP11Connection"
WRAPPED = (
    _both("message accepted", "chat.submission:submit chat.turns:submit"),
    _both("claim", "chat.turns:claim", when_claimable),
    _both("router asked", "agents.routing:decide"),
    _both("model asked", "agents.graph:_ask_model"),
    _both("text shown", "chat.live:show"),
    _both(EVENT, "chat.events:insert", by_kind),
    _both("interrupt opened", "agents.approvals:open_action"),
    _both("checkpoint", "agents.runner:TurnSaver.keep"),
    _both("parked", "chat.turns:park"),
    _both("decision", "agents.approvals:decide"),
    _both("tool step", "agents.graph:act"),
    _both("dispatch recorded", "agents.executor:_dispatch"),
    Wrapped(
        "agents.tool_http:_send_once",
        ("dispatch sent", "before"),
        ("response received", "after"),
        around_tool,
    ),
    Wrapped(f"{_SOCKET}._send_request_body", None, ("dispatch sent", "after"), when_tool),
    Wrapped(f"{_SOCKET}._receive_response_headers", None, ("response received", "before"), when_tool),
    _both("settled", "agents.executor:_record"),
    _both("sealed", "chat.turns:seal"),
    _both("cleaned up", "agents.runner:Runner.forget"),
    _both("live frame sent", "chat.following:Following.live_came"),
)


def install(passage: Passage) -> None:
    """Wrap every boundary in this process. Import the product first: names that other modules imported are replaced
    too. Raises Gone."""
    for wrapped in WRAPPED:
        holder, attribute = _found(wrapped)
        original = getattr(holder, attribute)
        crossing = wrapped.wrapping(original, wrapped, passage)
        setattr(holder, attribute, crossing)
        for name, module in list(sys.modules.items()):
            if name.split(".")[0] in PRODUCT:
                for known, value in list(vars(module).items()):
                    if value is original:
                        setattr(module, known, crossing)


def _found(wrapped: Wrapped) -> tuple[Any, str]:
    """The module or class that has the function, and its name there."""
    for target in wrapped.targets.split():
        module_name, _, path = target.partition(":")
        try:
            holder: Any = importlib.import_module(module_name)
        except ModuleNotFoundError:
            continue
        *outer, attribute = path.split(".")
        for part in outer:
            holder = getattr(holder, part, None)
        if hasattr(holder, attribute):
            return holder, attribute
    raise Gone(
        f"A boundary wraps {wrapped.targets}, which is not there. "
        "Say in tests/faults/boundaries.py which function does this now."
    )
