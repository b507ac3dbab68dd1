"""The state of a turn's graph: small, because it is stored wherever a turn waits."""

import operator
from typing import Annotated, Literal, TypedDict

from langchain_core.messages import AnyMessage


class State(TypedDict, total=False):
    agents: list[str]  # still to run, in order; the first is at work
    messages: Annotated[list[AnyMessage], operator.add]  # of this turn, after the customer's
    step: int  # model calls so far, routing not counted
    gated: str  # id of the call whose action `act` settles next
    refusal: str  # what `gate` found about that call, where no action was opened for it
    handoff: bool
    gave_up: str  # the agent that handed over because it could not help


Next = Literal["agent", "gate", "act", "finish"]
