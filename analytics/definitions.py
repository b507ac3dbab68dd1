"""What the numbers of analytics mean. Each has its formula in its docstring; the console shows these texts beside
the numbers, and docs/analytics.md is written from them.

Three things hold for all of them. A conversation belongs to the UTC day on which it began, with everything that
happened in it later: rates never divide the events of one period by the conversations of another, so each lies
between 0 and 1. Each conversation has exactly one outcome. What happens later (a late event, the 24 hours being
over, the customer coming back) corrects the day on which the conversation began.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from django.db import models

from analytics import histogram
from analytics.histogram import Histogram

RULES = 2
"""The version of the rules. A conversation that was counted by older ones is counted again."""
QUIET = timedelta(hours=24)
"""How long after the last words a conversation settles, and a customer who begins another one counts as come back."""


class Outcome(models.TextChoices):
    """In the order in which they are asked: the first that fits is the conversation's outcome."""

    CONFIRMED = "confirmed", "Confirmed by the customer"
    EVIDENCE = "evidence", "Resolved by evidence"
    CONTAINED = "contained", "Contained"
    ESCALATED = "escalated", "Escalated"
    UNRESOLVED = "unresolved", "Unresolved"
    OPEN = "open", "Still open"


RESOLVED = (Outcome.CONFIRMED, Outcome.EVIDENCE, Outcome.CONTAINED)


@dataclass(frozen=True, slots=True)
class Signs:
    """What a conversation's log says of how it went. Places are the `seq` of the newest such event; 0: there is
    none."""

    solved: bool | None = None
    """The customer's newest answer to whether it is solved."""
    effect: int = 0
    """An action took place: its call succeeded, or staff found that it happened."""
    read: int = 0
    """A tool that reads has answered, and an agent the customer after it. Looking for tools is not reading."""
    failure: int = 0
    """A turn failed, a call brought nothing, or staff found that an action did not happen."""
    person: int = 0
    """A person was asked for, took over, or wrote."""
    answered: bool = False
    """The last words are an agent's whole answer; a clarifying question is none."""
    under_way: bool = False
    """A turn has not ended, and the last words are less than 24 hours old."""
    came_back: bool = False
    """The customer began another conversation after this one, at most 24 hours after its last words."""
    quiet: bool = False
    """The last words are 24 hours old."""

    @property
    def failed(self) -> bool:
        return self.failure > max(self.effect, self.read)


def confirmed(signs: Signs) -> bool:
    """The customer was asked whether it is solved, and their newest answer is yes."""
    return signs.solved is True


def by_evidence(signs: Signs) -> bool:
    """Something in the log shows that it was done: an action took place (it succeeded, or staff found that it
    happened), or a reading tool answered, an agent told the customer after it, and they did not come back within 24
    hours. Nothing failed after that, no person was asked for or came in after that, no turn is under way, and the
    customer did not say no."""
    shown = max(signs.effect, 0 if signs.came_back else signs.read)
    later = max(signs.failure, signs.person)
    return signs.solved is not False and not signs.under_way and shown > later


def contained(signs: Signs) -> bool:
    """No evidence, but no sign of the contrary either: an agent had the last word 24 hours ago, no person was ever
    asked for or came in, no failure was left as it was, and the customer neither said no nor came back within 24
    hours."""
    contrary = signs.solved is False or signs.came_back or signs.failed or bool(signs.person)
    return signs.quiet and signs.answered and not contrary


def escalated(signs: Signs) -> bool:
    """None of these, and a person was asked for, took over or wrote, at any time."""
    return bool(signs.person)


def unresolved(signs: Signs) -> bool:
    """None of these, and it is over: the customer said no, came back within 24 hours, the newest attempt failed, or
    24 hours have passed without an answer."""
    over = signs.came_back or signs.failed or signs.quiet
    return signs.solved is False or (over and not signs.under_way)


def still_open(signs: Signs) -> bool:
    """None of these yet: it is younger than 24 hours, counted from its last words, and may still become any of them."""
    return True


PARTITION: dict[Outcome, Callable[[Signs], bool]] = {
    Outcome.CONFIRMED: confirmed,
    Outcome.EVIDENCE: by_evidence,
    Outcome.CONTAINED: contained,
    Outcome.ESCALATED: escalated,
    Outcome.UNRESOLVED: unresolved,
    Outcome.OPEN: still_open,
}


def outcome(signs: Signs) -> Outcome:
    """The first of the partition that fits. There is always one, and only one, so the shares add up to 100 %."""
    return next(name for name, fits in PARTITION.items() if fits(signs))


@dataclass(slots=True)
class Totals:
    """Sums over conversations, which metrics are made of: of a day, an agent's, a year's. Histograms are of
    milliseconds."""

    total: int = 0
    confirmed: int = 0
    evidence: int = 0
    contained: int = 0
    escalated: int = 0
    unresolved: int = 0
    open: int = 0
    with_person: int = 0
    without_person: int = 0
    turns: int = 0
    cost_micros: int = 0
    unpriced_calls: int = 0
    approved: int = 0
    rejected: int = 0
    expired: int = 0
    cancelled: int = 0
    awaiting: int = 0
    asked: int = 0
    answered: int = 0
    scored: int = 0
    good: int = 0
    scores: int = 0
    first_answers: Histogram = field(default_factory=dict)
    person_answers: Histogram = field(default_factory=dict)
    resolutions: Histogram = field(default_factory=dict)
    approval_waits: Histogram = field(default_factory=dict)

    def add(self, other: Any) -> None:
        """Add other totals, or a row of `models.Day`."""
        for name in NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in HISTOGRAMS:
            setattr(self, name, histogram.added([getattr(self, name), getattr(other, name)]))

    @property
    def resolved(self) -> int:
        return self.confirmed + self.evidence + self.contained

    @property
    def approvals(self) -> int:
        return self.approved + self.rejected + self.expired + self.cancelled + self.awaiting


HISTOGRAMS = ("first_answers", "person_answers", "resolutions", "approval_waits")
NUMBERS = tuple(one.name for one in fields(Totals) if one.name not in HISTOGRAMS)


@dataclass(frozen=True, slots=True)
class Metric:
    """A number with its words. `unit`: count, share (0 to 1), number, micros (micro-dollars), ms, score."""

    name: str
    title: str
    unit: str
    of: Callable[[Totals], Any]

    @property
    def meaning(self) -> str:
        return _plain(self.of).partition(" Formula: ")[0]

    @property
    def formula(self) -> str:
        return _plain(self.of).partition(" Formula: ")[2]


def _plain(documented: Any) -> str:
    return " ".join((documented.__doc__ or "").split())


def meaning_of(one: Outcome) -> str:
    """The text of an outcome's rule."""
    return _plain(PARTITION[one])


METRICS: dict[str, Metric] = {}
Measure = Callable[[Totals], Any]


def _metric(title: str, unit: str) -> Callable[[Measure], Measure]:
    def register(of: Measure) -> Measure:
        name: str = getattr(of, "__name__", "")
        METRICS[name] = Metric(name, title, unit, of)
        return of

    return register


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


@_metric("Conversations", "count")
def total_conversations(totals: Totals) -> int:
    """Conversations that began in the period, whoever answered. Formula: count of conversations by the UTC day on
    which they began."""
    return totals.total


@_metric("Resolution rate", "share")
def resolution_rate(totals: Totals) -> float:
    """How many were resolved: confirmed by the customer (also where a colleague helped), by evidence, or contained. A
    customer who comes back within 24 hours is not counted as resolved twice: then only a yes of theirs, or an action
    that took place, resolves the first conversation. Formula: (confirmed + by evidence + contained) / conversations."""
    return _share(totals.resolved, totals.total)


@_metric("Escalation rate", "share")
def escalation_rate(totals: Totals) -> float:
    """How many needed a person: one was asked for (by the customer, the agent, a rule or staff), took over or wrote.
    Those that an agent resolved afterwards are among them, so this is at least the share of the outcome Escalated.
    Deciding on an approval is not an escalation. Formula: conversations with a person / conversations."""
    return _share(totals.with_person, totals.total)


@_metric("Containment rate", "share")
def containment_rate(totals: Totals) -> float:
    """How many the agents answered alone, whether or not it helped. Formula: conversations with an agent's answer and
    without a person / conversations."""
    return _share(totals.without_person, totals.total)


@_metric("First response of an agent, median", "ms")
def first_response_median(totals: Totals) -> int | None:
    """How long customers waited for the first words of an agent, an answer or a clarifying question. Conversations
    in which a colleague wrote first are left out. Formula: 50th percentile of (first answer of an agent - first
    message)."""
    return histogram.percentile(totals.first_answers, 50)


@_metric("First response of an agent, p95", "ms")
def first_response_p95(totals: Totals) -> int | None:
    """The same wait for the slow ones: 95 of 100 customers waited no longer. Formula: 95th percentile of (first
    answer of an agent - first message)."""
    return histogram.percentile(totals.first_answers, 95)


@_metric("First response of a person, median", "ms")
def person_response_median(totals: Totals) -> int | None:
    """How long customers waited for a colleague's first words. What agents write meanwhile does not end this wait,
    and is not counted in it. It begins when a person was first asked for; where nobody had asked, with the
    customer's newest message before. Formula: 50th percentile of (first words of a person - when one was asked for)."""
    return histogram.percentile(totals.person_answers, 50)


@_metric("First response of a person, p95", "ms")
def person_response_p95(totals: Totals) -> int | None:
    """The same wait for the slow ones. Formula: 95th percentile of (first words of a person - when one was asked
    for)."""
    return histogram.percentile(totals.person_answers, 95)


@_metric("Time to resolution, median", "ms")
def resolution_time_median(totals: Totals) -> int | None:
    """Only of resolved conversations: from the customer's first message to the last answer of an agent or a person,
    or to the last one before the customer said yes. Formula: 50th percentile of (last answer - first message)."""
    return histogram.percentile(totals.resolutions, 50)


@_metric("Time to resolution, p95", "ms")
def resolution_time_p95(totals: Totals) -> int | None:
    """The same for the slow ones. Formula: 95th percentile of (last answer - first message) of resolved
    conversations."""
    return histogram.percentile(totals.resolutions, 95)


@_metric("Turns per conversation", "number")
def avg_turns(totals: Totals) -> float:
    """How often agents went to work. Messages that are answered together are one turn, and what a customer writes to
    a colleague starts none. Formula: turns / conversations."""
    return _share(totals.turns, totals.total)


@_metric("Cost per conversation", "micros")
def cost_per_conversation(totals: Totals) -> float:
    """What models cost, from the ledger of model calls. Calls whose cost nobody knows count as nothing; how many
    they are is said beside it. Formula: cost of all model calls / conversations."""
    return _share(totals.cost_micros, totals.total)


@_metric("Cost per resolution", "micros")
def cost_per_resolution(totals: Totals) -> float | None:
    """What one resolved conversation costs when those that were not resolved are paid for too. Formula: cost of all
    model calls / resolved conversations."""
    return totals.cost_micros / totals.resolved if totals.resolved else None


@_metric("Approvals", "count")
def approvals(totals: Totals) -> int:
    """Actions that somebody was asked to approve, customers and staff. Formula: approved + declined + expired +
    cancelled + waiting."""
    return totals.approvals


@_metric("Approvals: approved", "count")
def approvals_approved(totals: Totals) -> int:
    """Somebody said yes, whatever became of the action afterwards, unless it was cancelled before it was sent.
    Formula: count of actions that were approved."""
    return totals.approved


@_metric("Approvals: median wait", "ms")
def approval_wait_median(totals: Totals) -> int | None:
    """How long a decision took. What expired or was cancelled was not decided and is left out. Formula: 50th
    percentile of (decided - asked) of approved and declined actions."""
    return histogram.percentile(totals.approval_waits, 50)


@_metric("Satisfied customers", "share")
def satisfaction(totals: Totals) -> float | None:
    """CSAT: how many of those who gave a score gave 4 or 5. A customer's newest score in a conversation counts.
    Formula: conversations with a score of 4 or 5 / conversations with a score."""
    return totals.good / totals.scored if totals.scored else None


@_metric("Average score", "score")
def average_score(totals: Totals) -> float | None:
    """From 1 to 5. Formula: sum of scores / conversations with a score."""
    return totals.scores / totals.scored if totals.scored else None


@_metric("Response rate of the question", "share")
def feedback_response_rate(totals: Totals) -> float | None:
    """How many customers answered when they were asked how it went. Formula: conversations that were asked and
    answered / conversations that were asked."""
    return totals.answered / totals.asked if totals.asked else None


def agent_share(conversations: int, totals: Totals) -> float:
    """In how many conversations an agent wrote an answer, called a tool or asked for an approval. Several agents may
    have worked in one, so these may add up to more than 100 %. Formula: its conversations / conversations."""
    return _share(conversations, totals.total)


def tool_failure_rate(failures: int, calls: int) -> float:
    """A call counts once it was sent to the business system, with its newest result; calls that were refused before
    are none, and looking for tools is none. It failed where that result is an error, or nobody saw one. Formula:
    failed calls / calls."""
    return _share(failures, calls)


def tool_p95(durations: Histogram) -> int | None:
    """95 of 100 answers of the tool came at least as fast. Formula: 95th percentile of the time between sending and
    answer."""
    return histogram.percentile(durations, 95)
