"""The support desk that tutorials build: langgraph-supervisor over ReAct agents, with the tools of our shop.

It runs in an environment of its own and knows nothing of Smart Support. Its agents, and what is said of them, are those
of the e-commerce template; the tool that the load uses really asks the demo business.
"""

import os

import httpx
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph.state import StateGraph
from langgraph.prebuilt import create_react_agent
from langgraph_supervisor import create_supervisor

BUSINESS = f"http://127.0.0.1:{os.environ['DEMO_PORT']}"
SHOP = f"{BUSINESS}/shop/customers/cus_1001"
client = httpx.AsyncClient()


@tool
async def get_order_status(order_id: str) -> str:
    """Get the status of one of the customer's orders: what was ordered, what it costs, how far it has got."""
    return (await client.get(f"{SHOP}/orders/{order_id}")).text


@tool
async def get_tracking_info(order_id: str) -> str:
    """Get where the parcel of an order is, or when it is expected to leave."""
    return (await client.get(f"{SHOP}/orders/{order_id}/tracking")).text


@tool
async def cancel_order(order_id: str) -> str:
    """Cancel an order that has not been shipped."""
    return (await client.post(f"{SHOP}/orders/{order_id}/cancellation", json={})).text


@tool
async def apply_discount(order_id: str, percent: int) -> str:
    """Give a discount on an order."""
    return (await client.post(f"{SHOP}/orders/{order_id}/discount", json={"percent": percent})).text


@tool
async def fallback_respond(question: str) -> str:
    """Look a general question up in the help centre."""
    return (await client.get(f"{BUSINESS}/help-centre/articles", params={"q": question})).text


AGENTS = {
    "order_lookup": (
        [get_order_status, get_tracking_info],
        "You look up the customer's orders: their status, what was ordered, when it arrives. You change nothing.",
    ),
    "order_actions": ([cancel_order], "You cancel the customer's orders. Name the order before it happens."),
    "discount": ([apply_discount], "You give discounts on orders. Never promise one before it was approved."),
    "fallback": (
        [fallback_respond],
        "You answer general questions that no specialist covers, from the help centre.",
    ),
}
PROMPT = (
    "You are a supervisor of a customer-support team: order_lookup looks up orders, order_actions cancels orders, "
    "discount gives discounts, fallback answers general questions. Assign work to one agent at a time. "
    "Do not do any work yourself."
)


def desk() -> StateGraph:
    """The graph, not compiled: whoever serves it says where its checkpoints go."""
    model = ChatOpenAI(model="scripted", streaming=True, stream_usage=True)
    agents = [
        create_react_agent(model, tools, prompt=prompt, name=name) for name, (tools, prompt) in AGENTS.items()
    ]
    return create_supervisor(agents, model=model, prompt=PROMPT)
