"""The numbers of the console's home page, each with the list that it counts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from agents.models import Action, ActionStatus
from agents.spending import ledger, limits
from agents.spending.models import Period
from analytics import drawing, words
from analytics.home_counts import NONE, Count, counted
from analytics.summary import Headline
from chat import happening
from chat.models import Conversation, ConversationStatus
from smartsupport.lib.console import money


@dataclass(frozen=True, slots=True)
class Card:
    """One number of the home page. `number` is what the list behind `link` counts, `shown` how it is written; `since`
    ends the note with how long ago that was."""

    title: str
    number: int
    shown: str
    note: str
    link: str
    icon: str
    since: datetime | None = None
    urgent: bool = False


def now(request: HttpRequest) -> list[Card]:
    """What waits and what happens. One statement for all that is counted, two more for costs."""
    may = request.user.has_perm
    lists: dict[str, tuple[QuerySet[Any], str]] = {}
    if may("agents.view_action"):
        lists["approvals"] = (Action.objects.open_for_staff(), "created_at")
        lists["unknown"] = (Action.objects.filter(status=ActionStatus.UNKNOWN), "created_at")
    if may("chat.view_conversation"):
        rows = Conversation.objects.all()
        lists["waiting"] = (rows.filter(status=ConversationStatus.WAITING), "handoff_at")
        lists["held"] = (rows.filter(status=ConversationStatus.HELD), "held_at")
        lists["live"] = (rows.filter(happening.live_now()), "last_activity_at")
        lists["today"] = (rows.filter(happening.active_today()), "last_activity_at")
        lists["failed"] = (rows.filter(happening.failed_today()), "last_activity_at")
    found = counted(lists)
    cards = _approvals(found) if "approvals" in found else []
    cards += _conversations(found) if "waiting" in found else []
    return cards + ([_costs()] if may("agents.view_modelcall") else [])


def _approvals(found: dict[str, Count]) -> list[Card]:
    link = reverse("admin:agents_action_changelist")
    waiting, unknown = found["approvals"], found["unknown"]
    cards = [
        _card(
            "Approvals waiting for you",
            waiting,
            ("The oldest was asked for", "Nothing waits for a decision."),
            link,
            "gavel",
            urgent=True,
        )
    ]
    if unknown.number:  # nobody saw whether these took place, so somebody has to look
        note = (
            "Sent, and no clear answer came. Check the business system, then say what you found. The oldest:"
        )
        cards.append(
            _card("Outcome unknown", unknown, (note, ""), f"{link}?which=unknown", "help", urgent=True)
        )
    return cards


def _conversations(found: dict[str, Count]) -> list[Card]:
    link = reverse("admin:chat_conversation_changelist")
    minutes = happening.LIVE_MINUTES
    return [
        _card(
            "Waiting for a person",
            found["waiting"],
            ("The first asked", "Nobody has asked for a person."),
            f"{link}?status={ConversationStatus.WAITING}",
            "support_agent",
            urgent=True,
        ),
        _card(
            "With a colleague",
            found["held"],
            ("The first was taken over", "Nobody has taken one over."),
            f"{link}?status={ConversationStatus.HELD}",
            "front_hand",
        ),
        Card(
            "Live now",
            found["live"].number,
            found["live"].shown,
            f"Something was said or done in the last {minutes} minutes.",
            f"{link}?happened=live",
            "bolt",
        ),
        Card(
            "Conversations today",
            found["today"].number,
            found["today"].shown,
            "With anything said since midnight UTC.",
            f"{link}?happened=today",
            "forum",
        ),
        Card(
            "Conversations with a failure today",
            found["failed"].number,
            found["failed"].shown,
            "A message could not be answered." if found["failed"].number else "Every message was answered.",
            f"{link}?happened=failed_today",
            "report",
            urgent=bool(found["failed"].number),
        ),
    ]


def _card(
    title: str, count: Count, notes: tuple[str, str], link: str, icon: str, *, urgent: bool = False
) -> Card:
    """`notes`: where there are any (it ends with since when), and where there is none."""
    some, none = notes
    since = count.since if count != NONE else None
    note = (some if since else "") if count.number else none
    return Card(title, count.number, count.shown, note, link, icon, since, urgent and bool(count.number))


def _costs() -> Card:
    """What models cost today, against what they may."""
    spent = ledger.spent_today()
    today = [one for one in limits.standings() if one.period == Period.DAY]
    note, urgent = "No budget is set for a day.", False
    if today:
        [budget] = today[:1]
        note = f"{budget.percent:.0f} % of the day's budget of {money(budget.limit)}."
        urgent = not budget.exempt and budget.percent >= 80
    link = f"{reverse('admin:agents_modelcall_costs')}?days=1"
    return Card("Cost today", spent, money(spent), note, link, "payments", urgent=urgent)


def of_period(request: HttpRequest, days: int, headline: Headline) -> list[Card]:
    """What came of the conversations of the last days. No statement."""
    links = request.user.has_perm("chat.view_conversation")
    total = headline.total
    resolved, escalated = round(headline.resolution_rate * total), round(headline.escalation_rate * total)
    listed = drawing.list_link if links else lambda days, **narrowed: ""
    p95 = headline.first_response_p95_ms
    return [
        Card("Conversations begun", total, f"{total:,}", "", listed(days), "chat_add_on"),
        Card(
            "Resolved",
            resolved,
            words.percent(headline.resolution_rate) if total else words.NOTHING,
            f"{resolved:,} of them, by agents." if total else "",
            listed(days, outcome="resolved"),
            "task_alt",
        ),
        Card(
            "Needed a person",
            escalated,
            words.percent(headline.escalation_rate) if total else words.NOTHING,
            f"{escalated:,} of them." if total else "",
            listed(days, with_person="1"),
            "escalator_warning",
        ),
        Card(
            "First response, p95",
            p95 or 0,
            words.written(p95, "ms"),
            "95 of 100 customers had an agent's first words within this." if p95 is not None else "",
            f"{reverse('analytics')}?range={days}d",
            "timer",
        ),
    ]
