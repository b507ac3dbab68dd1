"""The control's agent: `create_agent` with LangGraph's Postgres saver and tools that call the demo business over HTTP.

Two styles, as they are written in practice.

`common`  `interrupt_before=["tools"]`; the tools just send their request; nothing is configured.
`careful` what LangChain's own pages advise: HumanInTheLoopMiddleware for the writes, `durability="sync"`, and an
          idempotency key with every write, made of the tool call's id.
"""

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, HumanInTheLoopMiddleware, ModelRequest, ModelResponse
from langchain_core.tools import BaseTool, InjectedToolCallId, tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

CUSTOMER = "cus_1001"
COMMON, CAREFUL = "common", "careful"
WRITES = ("cancel_order", "apply_discount", "generate_coupon")


@dataclass(frozen=True)
class Setting:
    """Where everything is, and when to die: at the `nth` crossing of `point`; nowhere where it is empty."""

    database_url: str
    business_url: str
    model_url: str
    style: str
    trace: Path
    point: str = ""
    nth: int = 0
    keyed: bool = True  # whether the business honours idempotency keys; where it does not, none is sent


class Points:
    """The moments at which this process may be killed. Each crossing is written down first."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._crossed: Counter[str] = Counter()

    def reach(self, point: str) -> None:
        self._crossed[point] += 1
        with self._setting.trace.open("a") as trace:
            trace.write(f"{point}\n")
        if (point, self._crossed[point]) == (self._setting.point, self._setting.nth):
            os.kill(os.getpid(), signal.SIGKILL)


class WatchedSaver(AsyncPostgresSaver):
    """The saver as it is; what it has written is a point."""

    points: Points

    async def aput(self, *args: Any, **kwargs: Any) -> Any:
        written = await super().aput(*args, **kwargs)
        self.points.reach("after a checkpoint was written")
        return written

    async def aput_writes(self, *args: Any, **kwargs: Any) -> None:
        await super().aput_writes(*args, **kwargs)
        self.points.reach("after a step's writes were saved")


class WatchedModel(AgentMiddleware):
    """The model as it is; its calls are points."""

    def __init__(self, points: Points) -> None:
        super().__init__()
        self._points = points

    async def awrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], Awaitable[ModelResponse]]
    ) -> ModelResponse:
        self._points.reach("before the model is asked")
        answer = await handler(request)
        self._points.reach("after the model answered")
        return answer


def build(setting: Setting, points: Points, saver: WatchedSaver) -> Any:
    """The agent, compiled."""
    model = ChatOpenAI(model="scripted", base_url=setting.model_url, api_key="none")  # type: ignore[arg-type]
    tools = _tools(setting, points)
    watched = WatchedModel(points)
    prompt = "You are a customer-support agent. Use the tools."
    if setting.style == COMMON:
        return create_agent(
            model,
            tools,
            system_prompt=prompt,
            middleware=[watched],
            checkpointer=saver,
            interrupt_before=["tools"],
        )
    asked = {name: {"allowed_decisions": ["approve", "reject"]} for name in WRITES}
    person = HumanInTheLoopMiddleware(interrupt_on=asked)  # type: ignore[arg-type]
    return create_agent(model, tools, system_prompt=prompt, middleware=[watched, person], checkpointer=saver)


def _tools(setting: Setting, points: Points) -> Sequence[BaseTool]:
    customer = f"{setting.business_url}/shop/customers/{CUSTOMER}"

    async def answered(response: httpx.Response) -> None:
        if response.request.method == "POST":
            points.reach("after the business acted, before its answer is read")

    async def post(path: str, body: dict[str, Any], tool_call_id: str) -> str:
        headers = {"Idempotency-Key": tool_call_id} if setting.style == CAREFUL and setting.keyed else {}
        async with httpx.AsyncClient(
            trust_env=False, timeout=60, event_hooks={"response": [answered]}
        ) as client:
            points.reach("before the effect is sent")
            response = await client.post(customer + path, json=body, headers=headers)
            points.reach("after the effect returned")
            return response.text

    @tool
    async def get_order_status(order_id: int) -> str:
        """Look up an order."""
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            points.reach("before a read is sent")
            response = await client.get(f"{customer}/orders/{order_id}")
            points.reach("after a read returned")
            return response.text

    @tool
    async def cancel_order(order_id: int, tool_call_id: Annotated[str, InjectedToolCallId]) -> str:
        """Cancel an order."""
        return await post(f"/orders/{order_id}/cancellation", {}, tool_call_id)

    @tool
    async def apply_discount(
        order_id: int, percent: int, tool_call_id: Annotated[str, InjectedToolCallId]
    ) -> str:
        """Apply a discount to an order."""
        return await post(f"/orders/{order_id}/discount", {"percent": percent}, tool_call_id)

    @tool
    async def generate_coupon(
        discount_percent: int, expiry_days: int, tool_call_id: Annotated[str, InjectedToolCallId]
    ) -> str:
        """Issue a coupon."""
        body = {"discount_percent": discount_percent, "expiry_days": expiry_days}
        return await post("/coupons", body, tool_call_id)

    return [get_order_status, cancel_order, apply_discount, generate_coupon]
