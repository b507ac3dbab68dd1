"""Conversations for the tests, written down as what happened when:

    write("a1", customer="ada", start=moment("01 10:00"), script="0s m, 2s read.ok/120, 3s r, 3s end, 4s $900")

Each step is `<seconds|minutes|hours after the start> <what>`, in order:

| m, m+, mh | a message: begins a turn, joins it, is written while a person has the conversation |
| r, r.cut, q | an agent's answer, one that was cut off, a clarifying question |
| end, fail, stop, retry | what becomes of the turn |
| read.ok/120, read.no/300, read.refused | a reading tool answered after 120 ms, failed after 300, was never called |
| act.ok/450, act.no/500, act.unknown | the same of an action; the outcome that nobody saw has no duration |
| again.ok/90 | a newer result of the action's call: it was sent again, or its answer was seen after all |
| settled.yes, settled.no | staff found that the action of unknown outcome happened, or not |
| find | tools were looked for, which asks nothing of the business |
| handoff, take, staff, back, resolved | a person is asked for, takes over, writes, hands back, marks as resolved |
| asked, yes, no, score4, yes5, no1 | how the customer was asked, and what they answered |
| approved/60, rejected/5, expired, cancelled, awaiting | an approval, and after how many seconds it was decided |
| $900, $? | a model call that cost 900 micro-dollars, or nobody knows how much |

`@name` before a step changes the agent, `!name` the tool.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone

from agents.models import Action, ModelCall, Tool
from chat.models import Conversation, Customer, Event, Turn
from tests import rows

SECONDS = {"s": 1, "m": 60, "h": 3600}
PLAIN = {
    "r": "replied",
    "r.cut": "replied",
    "q": "question_asked",
    "end": "turn_completed",
    "fail": "turn_failed",
    "stop": "turn_stopped",
    "retry": "turn_retried",
    "handoff": "handoff_requested",
    "take": "taken_over",
    "staff": "staff_wrote",
    "back": "handed_back",
    "resolved": "conversation_resolved",
    "asked": "feedback_asked",
}
STATUSES = ("approved", "rejected", "expired", "cancelled", "awaiting")


def moment(text: str) -> datetime:
    """`03 10:15` of November 2026, UTC."""
    return datetime.strptime(f"2026-11-{text} +0000", "%Y-%m-%d %H:%M %z").astimezone(UTC)


def write(name: str, *, customer: str, start: datetime, script: str) -> Conversation:
    owner, _ = Customer.objects.get_or_create(subject=customer)
    made = Conversation.objects.create(thread_id=name, customer=owner)
    Conversation.objects.filter(pk=made.pk).update(created_at=start)
    made.created_at = start
    go_on(made, script)
    return made


class _Writer:
    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.turn = conversation.turns.order_by("message_seq").last()
        self.agent, self.tool = "order_lookup", "get_order_status"
        self.seq: int = conversation.last_seq
        self.call = 0

    def step(self, at: datetime, what: str) -> None:
        if what.startswith("$"):
            self._cost(at, what[1:])
            return
        name, _, number = what.partition("/")
        if name in STATUSES:
            self._approval(at, name, int(number or 0))
            self._event(at, "approval_opened", {"action": self.tool})
        elif name in ("m", "m+", "mh"):
            if name == "m":
                self.turn = Turn.objects.create(
                    conversation=self.conversation, content="?", message_seq=self.seq + 1
                )
            self._event(at, "message_received", {"content": "?"}, turn=None if name == "mh" else self.turn)
        elif name in PLAIN:
            self._event(at, PLAIN[name], {"cut": True} if name == "r.cut" else {"by_name": "sam"})
        elif name.startswith("settled."):
            self._event(at, "action_settled", {"happened": name == "settled.yes"})
        elif name.startswith(("read", "act", "again")) or name == "find":
            self._result(at, *(name.split(".") if name != "find" else ("find", "ok")), number)
        else:
            self._feedback(at, name)

    def _event(self, at: datetime, kind: str, payload: dict[str, Any], **more: Any) -> None:
        self.seq += 1
        turn = more.pop("turn", self.turn)
        of_agent = kind in ("replied", "tool_called", "tool_returned", "approval_opened", "question_asked")
        Event.objects.create(
            conversation=self.conversation,
            seq=self.seq,
            turn=turn,
            kind=kind,
            payload=payload,
            agent=self.agent if of_agent else "",
            created_at=at,
            **more,
        )

    def _result(self, at: datetime, kind: str, how: str, number: str) -> None:
        if kind != "again":
            self.call = self.seq + 1
        payload: dict[str, Any] = {"tool": "find_tools" if kind == "find" else self.tool}
        payload |= {"call_id": f"call_{self.call}", "ok": how == "ok"}
        if kind in ("act", "again"):
            payload["action_id"] = str(uuid4())
        if how != "ok":
            payload["error"] = {"kind": "unknown" if how == "unknown" else "validation", "message": "No."}
        self._event(at, "tool_called", {key: payload[key] for key in ("tool", "call_id")})
        self._event(at, "tool_returned", payload, duration_ms=int(number) if number else None)

    def _feedback(self, at: datetime, name: str) -> None:
        found = re.fullmatch(r"(yes|no|score)?([1-5])?", name)
        assert found is not None, name
        solved = {"yes": True, "no": False}.get(found[1] or "")
        payload = {"solved": solved, "score": int(found[2]) if found[2] else None, "comment": ""}
        self._event(at, "feedback_given", payload, turn=None)

    def _approval(self, at: datetime, status: str, seconds: int) -> None:
        decided = at + timedelta(seconds=seconds) if status in ("approved", "rejected", "expired") else None
        made = Action.objects.create(
            turn=self.turn,
            customer=self.conversation.customer,
            tool=Tool.objects.filter(name="cancel_order").first() or rows.tool(),
            tool_name="cancel_order",
            tool_fingerprint="x",
            tool_call_id=f"approval_{self.seq}",
            agent=self.agent,
            arguments="{}",
            arguments_hash="x",
            message="Cancel it?",
            approver="staff",
            status={"approved": "succeeded"}.get(status, status),
            expires_at=at + timedelta(minutes=30),
            decided_at=decided,
        )
        Action.objects.filter(pk=made.pk).update(created_at=at)

    def _cost(self, at: datetime, micros: str) -> None:
        known = None if micros == "?" else int(micros)
        ModelCall.objects.create(
            at=at,
            conversation=self.conversation,
            agent=self.agent,
            purpose="answer",
            provider="openai",
            model="gpt",
            cost_micros=known,
            cost_source="unknown" if known is None else "price",
        )


def go_on(conversation: Conversation, script: str) -> None:
    """Append more to the log, later. Each step's time counts from the conversation's start."""
    conversation.refresh_from_db()
    writer = _Writer(conversation)
    for step in filter(None, (part.strip() for part in script.split(","))):
        after, *changes, what = step.split()
        for change in changes:
            setattr(writer, {"@": "agent", "!": "tool"}[change[0]], change[1:])
        at = conversation.created_at + timedelta(seconds=float(after[:-1]) * SECONDS[after[-1]])
        writer.step(at, what)
    Conversation.objects.filter(pk=conversation.pk).update(
        last_seq=writer.seq, last_activity_at=timezone.now()
    )


def outcome_of(conversation_id: UUID) -> str:
    return str(Conversation.objects.get(pk=conversation_id).fact.outcome)
