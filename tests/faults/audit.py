"""What must be true when everything is over, whatever was killed: the log, the turn, the actions and the business's own
journal agree with one another and with what people asked for. Looks; changes nothing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.scenarios import Scenario, Write

Row = dict[str, Any]
END = ("turn_completed", "turn_failed", "turn_stopped")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be: `lost`, `duplicate`, or `untrue` (it says what is not so)."""

    kind: str
    what: str


@dataclass
class Record:
    """Everything that is left of one conversation with one message. `events`, `turns`, `actions` are rows of the
    database, `journal` is the business's, `checkpoints` counts LangGraph's rows; `seen` and `history` are frames: what
    the customer's socket got, and what a new one gets. `in_doubt` names the tools of which nobody can know what came of
    them: their request was out when somebody died or the business hung up, and may not be sent again."""

    events: list[Row]
    turns: list[Row]
    actions: list[Row]
    journal: list[Row]
    last_seq: int
    checkpoints: int = 0
    seen: list[Row] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    in_doubt: frozenset[str] = frozenset()


def audit(record: Record, scenario: Scenario) -> list[Finding]:
    """Everything that is wrong; nothing where all is well."""
    parts = (_log, _message, _turn, _tools, _actions, _effects, _words, _frames)
    return [finding for part in parts for finding in part(record, scenario)]


def _times(found: int, wanted: int, what: str) -> Iterator[Finding]:
    if found != wanted:
        kind = "lost" if found < wanted else "duplicate"
        yield Finding(kind, f"{what}: {found} instead of {wanted}")


def _of(record: Record, *kinds: str) -> list[Row]:
    return [event for event in record.events if event["kind"] in kinds]


def _log(record: Record, scenario: Scenario) -> Iterator[Finding]:
    numbers = [event["seq"] for event in record.events]
    for number in sorted(set(range(1, record.last_seq + 1)) - set(numbers)):
        yield Finding("lost", f"event number {number} is missing")
    for number, times in Counter(numbers).items():
        if times > 1:
            yield Finding("duplicate", f"event number {number} is there {times} times")
        if number > record.last_seq:
            yield Finding(
                "untrue", f"event number {number} is beyond the conversation's last, {record.last_seq}"
            )
    keys = Counter((event["turn_id"], event["key"]) for event in record.events if event["key"])
    for (_, key), times in keys.items():
        if times > 1:
            yield Finding("duplicate", f"the key {key} is there {times} times in one turn")


def _message(record: Record, scenario: Scenario) -> Iterator[Finding]:
    said = _of(record, "message_received")
    yield from _times(len(said), 1, "the customer's message")
    for event in said:
        if event["payload"]["content"] != scenario.message:
            yield Finding("untrue", f"the log has other words: {event['payload']['content']!r}")
    yield from _times(len(_of(record, "routed")), 1, "routing")


def _turn(record: Record, scenario: Scenario) -> Iterator[Finding]:
    yield from _times(len(record.turns), 1, "turns of the message")
    for turn in record.turns:
        ends = [event["kind"] for event in _of(record, *END) if event["turn_id"] == turn["id"]]
        yield from _times(len(ends), 1 + turn["retries"], "ends of the turn")
        yield from _times(len(_of(record, "turn_retried")), turn["retries"], "turn_retried")
        if any(end != "turn_failed" for end in ends[:-1]):
            yield Finding("untrue", f"the turn went on after {ends}")
        if turn["status"] != "completed":
            yield Finding("untrue", f"the turn is {turn['status']}: {turn['error'][:300]}")
        if turn["sealed_at"] is None or turn["lease_until"] is not None:
            yield Finding("untrue", "the turn is not sealed")
        if ends and ends[-1] != f"turn_{turn['status']}":
            yield Finding("untrue", f"the turn is {turn['status']}, its last event says {ends[-1]}")
    if record.events and record.events[-1]["kind"] not in END:
        yield Finding("untrue", f"the log ends with {record.events[-1]['kind']}")
    if record.checkpoints:
        yield Finding("untrue", f"{record.checkpoints} rows of checkpoints are left of a sealed turn")


def _tools(record: Record, scenario: Scenario) -> Iterator[Finding]:
    called = Counter(event["payload"]["call_id"] for event in _of(record, "tool_called"))
    returned = Counter(event["payload"]["call_id"] for event in _of(record, "tool_returned"))
    for call_id in called | returned:
        yield from _times(called[call_id], 1, f"tool_called of {call_id}")
        yield from _times(returned[call_id], 1, f"tool_returned of {call_id}")
    tools = Counter(event["payload"]["tool"] for event in _of(record, "tool_called"))
    wanted = Counter(write.tool for write in scenario.writes if write.approved)
    if not scenario.writes:
        wanted["get_order_status"] = 1
    for tool in tools | wanted:
        yield from _times(tools[tool], wanted[tool], f"calls of {tool}")


def _actions(record: Record, scenario: Scenario) -> Iterator[Finding]:
    for write in scenario.writes:
        mine = [action for action in record.actions if action["tool_name"] == write.tool]
        yield from _times(len(mine), 1, f"actions of {write.tool}")
        for action in mine:
            yield from _action(record, write, action)
    for action in record.actions:
        if action["tool_name"] not in {write.tool for write in scenario.writes}:
            yield Finding("duplicate", f"nobody asked for {action['tool_name']}")


def _action(record: Record, write: Write, action: Row) -> Iterator[Finding]:
    status = action["status"]
    true = "rejected" if not write.approved else "unknown" if write.tool in record.in_doubt else "succeeded"
    if status != true:
        yield Finding("untrue", f"{write.tool} is {status}, where only {true} is true")
    for kind in ("approval_opened", "approval_decided"):
        told = [e for e in _of(record, kind) if e["payload"]["interrupt_id"] == str(action["id"])]
        yield from _times(len(told), 1, f"{kind} of {write.tool}")
        resolution = "approved" if write.approved else "rejected"
        if kind == "approval_decided" and any(e["payload"]["resolution"] != resolution for e in told):
            yield Finding("untrue", f"the log says otherwise than {resolution} of {write.tool}")
    for event in _of(record, "tool_returned"):
        if event["payload"].get("action_id") == str(action["id"]):
            if event["payload"]["ok"] is not (status == "succeeded"):
                yield Finding("untrue", f"{write.tool} is {status}, and its result says otherwise")


def _effects(record: Record, scenario: Scenario) -> Iterator[Finding]:
    """Exactly once what was approved; of what is in doubt, at most once; and nothing else."""
    left = list(record.journal)
    for write in scenario.writes:
        mine = [
            entry
            for entry in left
            if entry["operation"] == write.tool and f"/orders/{write.order}/" in entry["path"]
        ]
        left = [entry for entry in left if entry not in mine]
        status = next((row["status"] for row in record.actions if row["tool_name"] == write.tool), "missing")
        if status != "unknown" or len(mine) > 1:
            yield from _times(len(mine), int(write.approved), f"effects of {write.tool} in the business")
        keys = {str(row["id"]) for row in record.actions if row["tool_name"] == write.tool}
        if any(entry["idempotency_key"] not in keys for entry in mine):
            yield Finding("untrue", f"an effect of {write.tool} has the key of no action")
    for entry in left:
        yield Finding("duplicate", f"nobody asked for {entry['operation']} {entry['path']} in the business")


def _words(record: Record, scenario: Scenario) -> Iterator[Finding]:
    """The customer was told what has become of each thing, in these words, once."""
    said = Counter(event["payload"]["content"] for event in _of(record, "replied"))
    statuses = {row["tool_name"]: row["status"] for row in record.actions}
    wanted = Counter(write.said(statuses.get(write.tool, "")) for write in scenario.writes)
    if not scenario.writes:
        wanted[scenario.reply] = 1
    for words in said | wanted:
        yield from _times(said[words], wanted[words], f"the reply {words!r}")


def _frames(record: Record, scenario: Scenario) -> Iterator[Finding]:
    """The socket saw what the log has, in its order; a new page is shown the same."""
    live = [(frame["seq"], frame["type"]) for frame in record.seen if frame["type"] != "user_message"]
    whole = [(frame["seq"], frame["type"]) for frame in record.history if frame["type"] != "user_message"]
    for place, times in Counter(live).items():
        if times > 1:
            yield Finding("duplicate", f"the customer was sent frame {place} {times} times")
    for place in whole:
        if place not in live:
            yield Finding("lost", f"the customer was never sent frame {place}")
    if live != sorted(live, key=lambda place: place[0]):
        yield Finding("untrue", f"the customer was sent frames out of order: {live}")
    if [frame["seq"] for frame in record.history if frame["type"] == "user_message"] != [1]:
        yield Finding("lost", "a new page is not shown the customer's message first, once")


def totals(findings: Sequence[Finding]) -> dict[str, int]:
    """How many there are of each kind."""
    return {kind: sum(found.kind == kind for found in findings) for kind in ("duplicate", "lost", "untrue")}
