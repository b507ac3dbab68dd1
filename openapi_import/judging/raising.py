"""A second opinion can make a judgement stricter and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from openapi_import.judging.endpoint import Access, Approval, Judgement, Risk

RISKS: tuple[Risk, ...] = ("safe", "reversible", "personal", "destructive", "money")
APPROVALS: tuple[Approval, ...] = ("none", "customer", "staff")
RISKS_OF_READING: tuple[Risk, ...] = ("safe", "personal")
"""From the least to the worst, like the two above it."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Opinion:
    """What somebody else says of an operation."""

    access: Access
    risk: Risk
    approval: Approval
    reason: str = ""


def raised(judgement: Judgement, opinion: Opinion, *, who: str = "The model") -> Judgement:
    """The judgement itself, or a stricter one with the opinion's reason added; `who` has the opinion.

    What the rules call a read and the opinion a write is uncertain: a write until a person has looked, for which staff
    must agree. A read cannot become riskier than "personal" while it is a read.
    """
    if judgement.access == "read" and opinion.access == "read":
        worst = opinion.risk if opinion.risk in RISKS_OF_READING else judgement.risk
        stricter = replace(judgement, risk=_worse(RISKS, judgement.risk, worst))
    elif judgement.access == "read":
        risk = _worse(RISKS, _worse(RISKS, judgement.risk, opinion.risk), "reversible")
        stricter = replace(
            judgement, access="write", uncertain=True, risk=risk, approval="staff", confidence=0.5
        )
    else:
        stricter = replace(
            judgement,
            risk=_worse(RISKS, judgement.risk, opinion.risk),
            approval=_worse(APPROVALS, judgement.approval, opinion.approval),
        )
        if stricter.risk == "money":  # the company's money is not the customer's to agree to
            stricter = replace(stricter, approval="staff")
    if stricter == judgement:
        return judgement
    return replace(
        stricter, reason=f"{judgement.reason} {who} made it stricter: {opinion.reason}".rstrip(" :")
    )


def _worse(order: Sequence[T], one: T, other: T) -> T:
    return max(one, other, key=order.index)
