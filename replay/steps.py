"""Which steps of a conversation the replay lists: the address says what is wanted, and a window of it is read by
number, so that the ten-thousandth step costs as much as the first."""

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.db.models import F, Func, JSONField, Q, QuerySet
from django.http import QueryDict

from chat.models import Conversation, Event

BEFORE, AFTER = 30, 50
"""Steps that a window has before the chosen one, and from it on."""
SHOWN_CHARACTERS = 600
KINDS = {
    "said": ("Messages", ("message_received", "replied", "question_asked", "staff_wrote")),
    "routing": ("Routing", ("routed",)),
    "model": ("Model calls", ("model_called", "summarised")),
    "tools": ("Tool calls", ("call_requested", "tool_called", "tool_returned")),
    "approvals": (
        "Approvals",
        (
            "approval_opened",
            "approval_voted",
            "approval_reopened",
            "approval_decided",
            "approval_expired",
            "action_settled",
            "action_repeated",
        ),
    ),
    "people": (
        "People and notes",
        ("handoff_requested", "taken_over", "handed_back", "conversation_resolved", "note_written", "tagged"),
    ),
    "feedback": ("Feedback", ("feedback_asked", "feedback_given")),
    "turns": ("Ends of turns", ("turn_completed", "turn_failed", "turn_stopped", "turn_retried")),
    "other": ("Other", ()),
}
"""What can be filtered by: {name in the address: (words, kinds of events)}. `other` are all that stand nowhere else."""
_NAMED = [kind for _, kinds in KINDS.values() for kind in kinds]
FAILED = (
    Q(kind__in=("turn_failed", "approval_expired"))
    | Q(kind="tool_returned", payload__ok=False)
    | Q(kind="replied", payload__cut=True)
    | Q(payload__has_key="fault")
)
"""What went wrong: a turn, a tool call, an approval that nobody gave in time, half an answer, useless routing."""


class _Slim(Func):
    """A payload without what is long and not said in a list."""

    template = (
        "CASE WHEN jsonb_typeof(%(expressions)s) = 'object' THEN %(expressions)s - "
        "'{result,request,prompt,params,args,difference,outcomes,tools,details}'::text[] ELSE '{}'::jsonb END"
    )
    output_field: ClassVar = JSONField()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an address asks for. One of `step`, `near` (the next one that fits the filter), `turn`, `after` and `before`
    says where; 0 stands for none."""

    step: int = 0
    near: int = 0
    turn: int = 0
    after: int = 0
    before: int = 0
    kind: tuple[str, ...] = ()
    agent: str = ""
    failed: bool = False

    @classmethod
    def of(cls, asked: QueryDict) -> "Wanted":
        """What is not understood counts as not asked."""
        numbers = {name: _number(asked.get(name, "")) for name in ("step", "near", "turn", "after", "before")}
        return cls(
            **numbers,
            kind=tuple(name for name in KINDS if name in asked.getlist("kind")),
            agent=asked.get("agent", "").replace("\0", "")[:64],
            failed=asked.get("failed") == "1",
        )

    @property
    def narrows(self) -> bool:
        return bool(self.kind or self.agent or self.failed)

    def query(self, **other: Any) -> str:
        """The query of an address with this filter, at another place."""
        one = replace(self, **{"step": 0, "near": 0, "turn": 0, "after": 0, "before": 0, **other})
        said = [(field.name, getattr(one, field.name)) for field in fields(one)]
        pairs = [(name, "1" if value is True else value) for name, value in said if value]
        return f"?{urlencode(pairs, doseq=True)}"

    def rows(self, conversation: Conversation) -> QuerySet[Event]:
        """All steps that fit the filter, without an order."""
        rows = Event.objects.filter(conversation=conversation)
        if self.kind:
            kinds = Q(kind__in=[kind for name in self.kind for kind in KINDS[name][1]])
            rows = rows.filter(kinds | ~Q(kind__in=_NAMED) if "other" in self.kind else kinds)
        if self.agent:
            rows = rows.filter(agent=self.agent)
        return rows.filter(FAILED) if self.failed else rows


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


@dataclass(frozen=True, slots=True)
class Window:
    """Steps in order, with short payloads, and whether there are more that fit on either side. `chosen`: the number of
    the step to show; 0 where nothing fits."""

    rows: list[Event]
    earlier: bool
    later: bool
    chosen: int

    @property
    def chosen_is_listed(self) -> bool:
        return any(row.seq == self.chosen for row in self.rows)

    def beside(self) -> tuple[int, int]:
        """The numbers of the step before and of the step after the chosen one, of those that fit; 0 for none."""
        earlier = [row.seq for row in self.rows if row.seq < self.chosen]
        later = [row.seq for row in self.rows if row.seq > self.chosen]
        return (earlier[-1] if earlier else 0), (later[0] if later else 0)


def window(conversation: Conversation, wanted: Wanted) -> Window:
    """One query, however long the conversation is. A number past the end means the last step."""
    last = conversation.last_seq
    fitting = wanted.rows(conversation)
    if wanted.before:
        found = _read(fitting.filter(seq__lt=wanted.before), None, BEFORE + AFTER)
        rows = found[-(BEFORE + AFTER) :]
        more_later = wanted.before <= last
        return Window(rows, len(found) > len(rows), more_later, rows[-1].seq if rows else 0)
    place = min(wanted.step or wanted.near or (wanted.after + 1 if wanted.after else 1), last)
    found = _read(fitting.filter(seq__lt=place), fitting.filter(seq__gte=place), BEFORE)
    earlier, later = [row for row in found if row.seq < place], [row for row in found if row.seq >= place]
    rows = [*earlier[-BEFORE:], *later[:AFTER]]
    fits = (later or earlier[-1:])[:1]
    chosen = place if wanted.step else fits[0].seq if fits else 0
    return Window(rows, len(earlier) > BEFORE, len(later) > AFTER, chosen)


def after(conversation: Conversation, wanted: Wanted) -> tuple[list[Event], bool]:
    """The steps behind number `wanted.after` that fit, in order, and whether there are more of them. One query."""
    rows = _slim(wanted.rows(conversation).filter(seq__gt=wanted.after)).order_by("seq")[: AFTER + 1]
    found = [_short(row) for row in rows]
    return found[:AFTER], len(found) > AFTER


def _read(earlier: QuerySet[Event], later: QuerySet[Event] | None, most: int) -> list[Event]:
    """The last rows of the one and the first of the other, one more of each than is shown."""
    rows = _slim(earlier).order_by("-seq")[: most + 1]
    if later is not None:
        rows = rows.union(_slim(later).order_by("seq")[: AFTER + 1], all=True)
    return sorted((_short(row) for row in rows), key=lambda row: row.seq)


def _slim(rows: QuerySet[Event]) -> QuerySet[Event]:
    return rows.defer("payload").annotate(slim=_Slim(F("payload")))


def _short(row: Event) -> Event:
    row.payload = _cut(row.slim)  # type: ignore[attr-defined]
    return row


def _cut(value: Any, depth: int = 0) -> Any:
    """The beginning of each text, which is all that a list shows."""
    if isinstance(value, str):
        return value[:SHOWN_CHARACTERS]
    if depth > 3:
        return None
    if isinstance(value, dict):
        return {name: _cut(item, depth + 1) for name, item in list(value.items())[:40]}
    return [_cut(item, depth + 1) for item in value[:20]] if isinstance(value, list) else value
