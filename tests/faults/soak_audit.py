"""The audit: what the log says, what the business did and what each customer was told, compared line by line.

`audit` is given rows and returns sentences; it finds nothing where nothing was lost, doubled, reordered or made up.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.faults.soak_transcript import Frame, differences

Row = dict[str, Any]
ENDS = {"turn_completed": "completed", "turn_failed": "failed", "turn_stopped": "stopped"}
ANSWERS = {"replied", "question_asked", "handoff_requested"}
OF_AGENTS = {"replied", "question_asked", "routed", "tool_called", "approval_opened", "model_called"}
SETTLED = {"succeeded", "failed", "unknown", "rejected", "expired", "cancelled"}
SEEN_BY_CUSTOMERS = {
    "message_received",
    "routed",
    "tool_called",
    "tool_returned",
    "approval_opened",
    "approval_decided",
    "approval_expired",
    "replied",
    "question_asked",
    "handoff_requested",
    "staff_wrote",
    *ENDS,
}


@dataclass
class Sent:
    """A message as its customer knows it. `alone_on` is the only socket that it was sent on; 0 for several."""

    thread_id: str
    client_message_id: str
    content: str
    state: str  # sent, accepted or refused
    seq: int = 0
    alone_on: int = 0


@dataclass
class Told:
    """What one tab was told of a conversation, and what a new tab is told: {seq: {type: frame}}."""

    thread_id: str
    tab: dict[int, dict[str, Frame]]
    replay: dict[int, dict[str, Frame]]


@dataclass
class Evidence:
    """Rows of the database, entries of the journal, and what the customers and the staff know.

    `conversations`: id, thread_id, status, last_seq. `events`: conversation_id, seq, kind, key, turn_id, payload.
    `turns`: id, conversation_id, status, sealed_at. `actions`: id, turn_id, subject, tool_name, arguments,
    bound_arguments (JSON text), status. `asked`: {(subject, tool, canonical arguments): how often a customer asked}.
    `decisions`: {approval: the booleans that somebody sent}.
    """

    conversations: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    turns: list[Row] = field(default_factory=list)
    actions: list[Row] = field(default_factory=list)
    journal: list[Row] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    asked: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    decisions: dict[str, set[bool]] = field(default_factory=dict)
    refused_histories: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)  # what the simulated customers noticed themselves


def audit(evidence: Evidence) -> list[str]:
    """Everything that is wrong, one sentence each."""
    return [
        *_numbers(evidence),
        *_messages(evidence),
        *_order(evidence),
        *_effects(evidence),
        *_turns(evidence),
        *_takeovers(evidence),
        *_transcripts(evidence),
        *(f"a model was shown an impossible history: {why}" for why in evidence.refused_histories),
        *evidence.faults,
    ]


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _by_thread(evidence: Evidence) -> dict[str, list[Row]]:
    """The events of each conversation in order, by thread."""
    threads = {row["id"]: row["thread_id"] for row in evidence.conversations}
    found: dict[str, list[Row]] = {thread: [] for thread in threads.values()}
    for event in sorted(evidence.events, key=lambda row: row["seq"]):
        found[threads[event["conversation_id"]]].append(event)
    return found


def _numbers(evidence: Evidence) -> Iterator[str]:
    events = _by_thread(evidence)
    for row in evidence.conversations:
        numbers = [event["seq"] for event in events[row["thread_id"]]]
        if numbers != list(range(1, row["last_seq"] + 1)):
            yield f"{row['thread_id']}: the log's numbers are not 1 to {row['last_seq']}: {numbers}"


def _messages(evidence: Evidence) -> Iterator[str]:
    received: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for thread_id, events in _by_thread(evidence).items():
        for event in events:
            if event["kind"] == "message_received":
                received[(thread_id, str(event["payload"].get("client_message_id")))].append(event)
    for message in evidence.sent:
        found = received.pop((message.thread_id, message.client_message_id), [])
        name = f"message {message.client_message_id} ({message.state})"
        if message.state == "accepted" and not found:
            yield f"LOST: {name} is not in the log"
        if message.state == "refused" and found:
            yield f"{name} is in the log though it was refused"
        if message.state == "sent":
            yield f"{name} was never answered"
        if len(found) > 1:
            yield f"DOUBLED: {name} is in the log {len(found)} times"
        for event in found[:1]:
            if event["payload"]["content"] != message.content:
                yield f"{name} says something else in the log: {event['payload']['content']!r}"
            if message.state == "accepted" and event["seq"] != message.seq:
                yield f"{name} was accepted as {message.seq} and is in the log as {event['seq']}"
    for thread_id, client_message_id in received:
        yield f"{thread_id}: message {client_message_id} is in the log, and nobody sent it"


def _order(evidence: Evidence) -> Iterator[str]:
    """Messages of one socket are in the log in the order in which they were sent."""
    newest: dict[tuple[str, int], Sent] = {}
    for message in evidence.sent:
        if message.state != "accepted" or not message.alone_on:
            continue
        place = (message.thread_id, message.alone_on)
        before = newest.get(place)
        if before is not None and before.seq > message.seq:
            yield f"REORDERED: {message.client_message_id} stands before {before.client_message_id} in the log"
        newest[place] = message


def _effects(evidence: Evidence) -> Iterator[str]:
    actions = {str(row["id"]): row for row in evidence.actions}
    effects: dict[str, list[Row]] = defaultdict(list)
    of_arguments: Counter[tuple[str, str, str]] = Counter()
    for entry in evidence.journal:
        effects[str(entry["idempotency_key"])].append(entry)
    for key, entries in effects.items():
        action = actions.get(key)
        if len(entries) > 1:
            yield f"DOUBLED: action {key} had {len(entries)} effects"
        if action is None:
            yield f"an effect without an action: {entries[0]}"
            continue
        if action["status"] not in ("succeeded", "unknown"):
            yield f"action {key} is {action['status']} and had an effect"
        if True not in evidence.decisions.get(key, set()):
            yield f"action {key} had an effect, and nobody approved it"
        yield from _differing(action, entries[0])
        of_arguments[_meaning(action)] += len(entries)
    for key, action in actions.items():
        if action["status"] == "succeeded" and key not in effects:
            yield f"LOST: action {key} succeeded and had no effect"
        if action["status"] not in SETTLED:
            yield f"action {key} was left {action['status']}"
    for meaning, times in of_arguments.items():
        if times > evidence.asked[meaning]:
            yield f"DOUBLED: {meaning} was asked for {evidence.asked[meaning]} times and done {times} times"


def _meaning(action: Row) -> tuple[str, str, str]:
    return action["subject"], action["tool_name"], canonical(json.loads(action["arguments"]))


def _differing(action: Row, effect: Row) -> Iterator[str]:
    """Every argument arrived as it was approved, in the body or in the path, and nothing else did."""
    arguments = json.loads(action["arguments"]) | json.loads(action["bound_arguments"])
    body = effect["body"] if isinstance(effect["body"], dict) else {}
    in_path = effect["path"].split("/")
    if effect["operation"] != action["tool_name"]:
        yield f"action {action['id']} is a {action['tool_name']} and did a {effect['operation']}"
    for name, value in arguments.items():
        arrived = body[name] == value if name in body else str(value) in in_path
        if not arrived:
            yield f"action {action['id']}: {name} was approved as {value!r}; sent: {effect['path']} {body}"
    for name in body.keys() - arguments.keys():
        yield f"action {action['id']}: {name} was sent and never approved"
    if action["subject"] not in in_path:
        yield f"action {action['id']} of {action['subject']} reached another customer: {effect['path']}"


def _turns(evidence: Evidence) -> Iterator[str]:
    of_turn: dict[str, list[Row]] = defaultdict(list)
    for event in sorted(evidence.events, key=lambda row: row["seq"]):
        of_turn[str(event["turn_id"])].append(event)
    open_actions = {str(row["turn_id"]) for row in evidence.actions if row["status"] not in SETTLED}
    for turn in evidence.turns:
        name, kinds = f"turn {turn['id']}", [event["kind"] for event in of_turn[str(turn["id"])]]
        ends = [ENDS[kind] for kind in kinds if kind in ENDS]
        if turn["status"] not in ENDS.values():
            yield f"{name} was left {turn['status']}"
            continue
        if len(ends) != 1 + kinds.count("turn_retried"):
            yield f"{name} ended {len(ends)} times and was retried {kinds.count('turn_retried')} times"
        if ends[-1:] != [turn["status"]]:
            yield f"{name} is {turn['status']}, and its log ends with {ends[-1:]}"
        if turn["sealed_at"] is None:
            yield f"{name} is {turn['status']} and was never sealed"
        if turn["status"] == "completed" and not ANSWERS & set(kinds):
            yield f"LOST: {name} is completed without an answer"
        if str(turn["id"]) in open_actions:
            yield f"{name} is {turn['status']} and has an action that is not settled"
        after_end = kinds[_last_end(kinds) + 1 :]
        if OF_AGENTS & set(after_end):
            yield f"{name} went on after its end: {after_end}"
        if "message_received" not in kinds:
            yield f"{name} has no message"


def _last_end(kinds: list[str]) -> int:
    return max((place for place, kind in enumerate(kinds) if kind in ENDS), default=len(kinds))


def _takeovers(evidence: Evidence) -> Iterator[str]:
    """While a person has the conversation no agent speaks or acts, and only then messages make no turn."""
    for thread_id, events in _by_thread(evidence).items():
        held = False
        for event in events:
            if event["kind"] in ("taken_over", "handed_back"):
                held = event["kind"] == "taken_over"
            elif held and event["kind"] in OF_AGENTS:
                yield f"{thread_id}: {event['kind']} (seq {event['seq']}) while a person had the conversation"
            elif event["kind"] == "message_received" and event["turn_id"] is None and not held:
                yield f"LOST: {thread_id}: message {event['seq']} made no turn, and nobody had the conversation"


def _transcripts(evidence: Evidence) -> Iterator[str]:
    logs = _by_thread(evidence)
    for told in evidence.told:
        for difference in differences(told.tab, told.replay):
            yield f"{told.thread_id}: {difference}"
        visible = {
            event["seq"]: event
            for event in logs.get(told.thread_id, [])
            if event["kind"] in SEEN_BY_CUSTOMERS
        }
        for seq, event in visible.items():
            if seq not in told.replay:
                yield f"{told.thread_id}: {event['kind']} with seq {seq} is in the log and not in the replay"
        for seq, frames in told.replay.items():
            content = next((frame["content"] for frame in frames.values() if "content" in frame), None)
            if content is not None and seq in visible and visible[seq]["payload"].get("content") != content:
                yield f"{told.thread_id}: seq {seq} was told with other words than the log has"
