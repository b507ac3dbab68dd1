"""A row of the inbox as people read it: how urgent it is, who has agreed, who looks at it, what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from agents.models import Action, ActionStatus, Risk
from smartsupport.lib.console import age
from smartsupport.lib.ids import digest

URGENCY = {"new": "New", "long": "Waits long", "late": "Expires soon", "over": "Time is over"}
RISKY = (Risk.MONEY, Risk.DESTRUCTIVE, Risk.PERSONAL)


@dataclass(frozen=True, slots=True)
class Row:
    """`urgency`: a key of URGENCY; `version` changes whenever the approval does, `state` also with who looks."""

    action: Action
    waits: bool
    urgency: str
    left: str
    agreed: str
    voted: bool
    looking: str
    outcome: str
    version: str
    state: str

    @property
    def urgency_words(self) -> str:
        return URGENCY[self.urgency]

    @property
    def risky(self) -> bool:
        return self.action.tool.risk in RISKY


def row_of(action: Action, looking: Mapping[str, list[str]], own: str) -> Row:
    names = looking.get(str(action.pk), [])
    waits = action.status == ActionStatus.AWAITING
    version = _version(action)
    return Row(
        action=action,
        waits=waits,
        urgency=urgency_of(action),
        left=left_of(action),
        agreed=", ".join(vote["name"] for vote in action.votes) if waits else "",
        voted=any(vote["id"] == own for vote in action.votes),
        looking=looking_words(names),
        outcome="" if waits else outcome_words(action),
        version=version,
        state=digest([version, names])[:16],
    )


def _version(action: Action) -> str:
    told = [str(action.pk), action.status, action.arguments_hash, action.reopened, action.votes]
    return digest([*told, action.decided_by_name, action.message, str(action.expires_at)])[:16]


def urgency_of(action: Action, *, now: datetime | None = None) -> str:
    """By the share of its time that is over: from half on it waits long, in the last fifth it expires soon."""
    whole = timedelta(minutes=settings.INTERRUPT_TTL_MINUTES)
    left = action.expires_at - (now or timezone.now())
    if left <= timedelta(0):
        return "over"
    if left <= whole / 5:
        return "late"
    return "long" if left <= whole / 2 else "new"


def left_of(action: Action, *, now: datetime | None = None) -> str:
    now = now or timezone.now()
    if action.expires_at <= now:
        return "no time left"
    return f"{age(now - (action.expires_at - now), now=now)} left"


def looking_words(names: list[str]) -> str:
    if not names:
        return ""
    if len(names) == 1:
        return f"{names[0]} is looking at this"
    return f"{', '.join(names[:-1])} and {names[-1]} are looking at this"


def outcome_words(action: Action) -> str:
    """What was decided, by whom and why."""
    who = "the customer" if action.decided_by == "customer" else action.decided_by_name or "somebody"
    if action.status == ActionStatus.EXPIRED:
        return "Expired: nobody decided in time. Nothing was carried out."
    if action.status == ActionStatus.CANCELLED:
        return "Cancelled: its conversation was stopped or taken over."
    done = "Declined" if action.status == ActionStatus.REJECTED else "Approved"
    changed = " with changes" if action.proposed_arguments and done == "Approved" else ""
    reason = f": {action.reason}" if action.reason else ""
    return f"{done}{changed} by {who}{reason}"
