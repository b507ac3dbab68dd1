"""The judge that always answers: what an operation does, what is at stake and who must agree, from its words alone."""

from openapi_import.judging.access import Verdict, access_of
from openapi_import.judging.belonging import customer_params_of, group_of
from openapi_import.judging.endpoint import Approval, Endpoint, Judgement, Risk
from openapi_import.judging.matters import approval_of, risk_of
from openapi_import.judging.names import name_of

MINE = frozenset({"me", "my", "self", "mine"})
"""Segments of a path that stand for whoever is signed in."""


def judge(endpoint: Endpoint) -> Judgement:
    """Judge one operation. Pure, deterministic, never raises; some 30 microseconds."""
    name = name_of(endpoint)
    verdict = access_of(endpoint, name)
    risk, stake = risk_of(endpoint, name, verdict)
    bound = customer_params_of(endpoint)
    approval, own = approval_of(endpoint, name, verdict, risk, bool(bound))
    return Judgement(
        access=verdict.access,
        uncertain=verdict.uncertain,
        risk=risk,
        approval=approval,
        agent_group=group_of(endpoint),
        customer_params=bound,
        confidence=verdict.confidence,
        reason=" ".join(
            sentence
            for sentence in (
                verdict.reason,
                _who(verdict, risk, stake, approval, own),
                _anybodys(endpoint, verdict, bound),
            )
            if sentence
        ),
    )


def _who(verdict: Verdict, risk: Risk, stake: str, approval: Approval, own: str) -> str:
    """The second sentence of a reason: what follows from it."""
    if verdict.access == "read":
        return f'"{stake}" may be personal data.' if stake else ""
    if verdict.uncertain:
        return "It counts as a write until somebody has looked."
    if approval == "customer":
        return f'The customer may agree to it: "{own}" is their own matter.'
    because = {
        "money": "is about money",
        "destructive": "cannot simply be undone",
        "personal": "may be personal data",
    }
    return f'Staff must agree: "{stake}" {because[risk]}.' if stake else "Staff must agree."


def _anybodys(endpoint: Endpoint, verdict: Verdict, bound: dict[str, str]) -> str:
    """A warning where a customer could have another one's things read, by their number."""
    if (
        verdict.access != "read"
        or bound
        or "{" not in endpoint.path
        or MINE.intersection(endpoint.path.split("/"))
    ):
        return ""
    return "Nothing in it names the customer: it reads whatever its arguments name, also other customers' things."
