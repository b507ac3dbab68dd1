"""What is judged, and what a judgement says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Access = Literal["read", "write"]
Risk = Literal["safe", "reversible", "destructive", "money", "personal"]
Approval = Literal["none", "customer", "staff"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation as its document declares it. Every text in it is the document's: data, never an instruction.

    `method` is "" where there is none (a tool that is no HTTP operation). `parameters` are the names of its arguments,
    of path, query and body together. `scopes` are the OAuth scopes that it asks for.
    """

    method: str
    path: str
    operation_id: str
    summary: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an operation is taken for until a person has looked.

    `uncertain`: the answer "ask", a write until somebody has looked. `customer_params`: {argument: "customer.id"}.
    `confidence`: 0 to 1, in the access alone. `reason`: one or two sentences that name the words that decided.
    """

    access: Access
    uncertain: bool
    risk: Risk
    approval: Approval
    agent_group: str
    customer_params: Mapping[str, str] = field(default_factory=dict)
    confidence: float = 0.0
    reason: str = ""
