"""What the replay shows of a tool call and of an approval: the request as it was sent, what came back, who decided."""

from typing import Any

from django.db.models import Q
from django.urls import reverse

from agents.models import Action
from agents.policy import FIND_TOOLS, HAND_OFF
from chat.models import Event
from replay import step_blocks as blocks
from replay.redaction import redacted
from replay.step_blocks import Block
from replay.timeline import Step, shown_payload, step
from replay.told_turns import overridden
from replay.words import mapping_of, text_of
from smartsupport.lib.ids import parse_uuid

NO_REQUEST = "Nothing was sent: the call was refused before a request was made of it."
OLD_REQUEST = "The request of this call was not kept: it is older than the keeping of requests."
NOT_SENT_YET = "Nothing was sent, or not yet."
NO_ANSWER = "No answer is recorded. The turn may still be at it, or was ended before the answer came."
UNANSWERED = "Nobody saw the answer: it may have happened. What staff found out stands in later steps."
PLATFORM = (FIND_TOOLS, HAND_OFF)


def tool_call(event: Event, payload: dict[str, Any], *, sees_approvals: bool) -> list[Block]:
    """The call and its answer, from whichever of the two steps. Two queries."""
    call_id = text_of(payload, "call_id")
    both = _of_call(event, call_id)
    called = payload if event.kind == "tool_called" else _payload(both, "tool_called")
    newest = _newest(both) if event.kind == "tool_called" else event
    answer = shown_payload(newest) if newest else {}
    action = _action(text_of(payload, "action_id"))
    found = [
        blocks.facts(
            "Tool",
            [
                ("Tool", text_of(payload, "tool")),
                ("Title", text_of(called, "title")),
                ("Note", overridden(called) if isinstance(called.get("overridden"), list) else None),
            ],
        ),
        blocks.code("Arguments", mapping_of(called, "args")),
        *_request(answer, action),
        *_response(answer, newest),
    ]
    return [*found, *_links(event, both, action, sees_approvals)]


def _of_call(event: Event, call_id: str) -> list[Event]:
    """The steps of the same call, in order."""
    if not call_id or event.turn_id is None:
        return []
    same = Q(key=f"call:{call_id}") | Q(key=f"tool:{call_id}") | Q(key__startswith=f"tool:{call_id}:")
    return list(
        Event.objects.filter(same, turn=event.turn_id, conversation=event.conversation_id).order_by("seq")[
            :50
        ]
    )


def _payload(events: list[Event], kind: str) -> dict[str, Any]:
    return next((shown_payload(one) for one in events if one.kind == kind), {})


def _newest(events: list[Event]) -> Event | None:
    return next((one for one in reversed(events) if one.kind == "tool_returned"), None)


def _action(text: str) -> Action | None:
    known = parse_uuid(text)
    return Action.objects.filter(pk=known).first() if known else None


def _request(answer: dict[str, Any], action: Action | None) -> list[Block]:
    kept = redacted(action.sent) if action and action.sent else mapping_of(answer, "request")
    if not kept:
        if action:
            return [blocks.note(NOT_SENT_YET)]
        if not answer:
            return []
        status, kind = answer.get("status"), mapping_of(answer, "error").get("kind")
        if text_of(answer, "tool") in PLATFORM:
            return []
        return [blocks.note(NO_REQUEST if kind == "validation" and status is None else OLD_REQUEST)]
    query, headers, body = kept.get("query"), kept.get("headers"), kept.get("body")
    pairs = (
        [pair for pair in query if isinstance(pair, list) and len(pair) == 2]
        if isinstance(query, list)
        else []
    )
    line = f"{text_of(kept, 'method')} {text_of(kept, 'url')}".strip()
    found = [Block("code", "Request", text=blocks.visible(blocks.cut(line)))]
    if pairs:
        rows = [
            (blocks.visible(blocks.written(name)), blocks.visible(blocks.written(value)))
            for name, value in pairs
        ]
        found.append(Block("table", "Query", head=("Parameter", "Value"), rows=rows))
    if isinstance(headers, dict) and headers:
        found.append(blocks.facts("Headers", [(str(name), value) for name, value in headers.items()]))
    if body is not None:
        found.append(blocks.code("Body", body))
    found.append(
        blocks.note("Credentials are added when it is sent. They are never kept, so they are not here.")
    )
    return found


def _response(answer: dict[str, Any], event: Event | None) -> list[Block]:
    if event is None:
        return [blocks.note(NO_ANSWER)]
    ok, error = answer.get("ok") is True, mapping_of(answer, "error")
    known = blocks.facts(
        "Response",
        [
            (
                "Outcome",
                "It worked"
                if ok
                else "Nobody knows"
                if error.get("kind") == "unknown"
                else "It did not work",
            ),
            ("HTTP status", answer.get("status")),
            ("Time", None if event.duration_ms is None else f"{event.duration_ms:,} ms"),
            ("Kind of fault", error.get("kind")),
            ("Fault", error.get("message")),
            ("More", answer.get("more")),
        ],
    )
    found = [known, *([blocks.code("Result", answer.get("result"))] if ok else [])]
    return [*found, *([blocks.note(UNANSWERED)] if error.get("kind") == "unknown" else [])]


def approval(event: Event, payload: dict[str, Any], told: Step, *, sees_approvals: bool) -> list[Block]:
    """The step, and how the approval that it belongs to stands now. Two queries."""
    action = _action(text_of(payload, "interrupt_id"))
    found = [blocks.text("", told.text)] if told.text else []
    found.append(
        blocks.facts(
            "This step",
            [
                ("Action", text_of(payload, "action")),
                (
                    "Who is asked",
                    {"customer": "The customer", "staff": "Staff"}.get(text_of(payload, "approver")),
                ),
                ("Decision", text_of(payload, "resolution")),
                ("By", text_of(payload, "by_name") or text_of(payload, "by")),
                ("Reason", text_of(payload, "reason")),
                ("Votes", _votes(payload)),
                ("Expires", text_of(payload, "expires_at")),
            ],
        )
    )
    if arguments := mapping_of(payload, "params"):
        found.append(blocks.code("Arguments", arguments))
    if changed := mapping_of(payload, "changed"):
        rows = [_changed(name, pair) for name, pair in changed.items()]
        found.append(Block("table", "What was changed", head=("Argument", "Proposed", "Approved"), rows=rows))
    if difference := payload.get("difference"):
        found.append(blocks.code("What had changed in the tool", difference))
    if action:
        found += _stands(action)
    return [*found, *_links(event, _of_action(event, action), action, sees_approvals)]


def _votes(payload: dict[str, Any]) -> str | None:
    votes, needed = payload.get("votes"), payload.get("needed")
    return f"{votes} of {needed}" if isinstance(votes, int) and isinstance(needed, int) else None


def _changed(name: str, pair: Any) -> tuple[str, str, str]:
    was, now = pair if isinstance(pair, list) and len(pair) == 2 else (None, pair)
    return (blocks.visible(name), blocks.visible(blocks.written(was)), blocks.visible(blocks.written(now)))


def _stands(action: Action) -> list[Block]:
    moment = "{:%Y-%m-%d %H:%M:%S} UTC".format
    agreed = ", ".join(str(vote.get("name", "?")) for vote in action.votes if isinstance(vote, dict))
    known = blocks.facts(
        "How the approval stands now",
        [
            ("Asked", redacted(action.message)),
            ("Status", action.get_status_display()),
            ("Approvals needed", action.approvals_needed if action.approvals_needed > 1 else None),
            ("Agreed so far", agreed),
            ("Decided by", action.decided_by_name or action.decided_by),
            ("Decided at", moment(action.decided_at) if action.decided_at else None),
            ("Reason", redacted(action.reason)),
            ("Changed by", action.edited_by),
            ("Expired at" if action.status == "expired" else "Expires at", moment(action.expires_at)),
            (
                "Came back because the tool had changed",
                f"{action.reopened} times" if action.reopened else None,
            ),
            ("Sent at", moment(action.dispatched_at) if action.dispatched_at else None),
            ("Sent how often", action.attempts if action.attempts > 1 else None),
            ("Sent again after nobody knew", action.repeats or None),
            ("HTTP status", action.http_status),
            ("Fault", redacted(action.error_message)),
        ],
    )
    return [
        known,
        *(
            [blocks.code("What had changed in the tool", redacted(action.difference))]
            if action.difference
            else []
        ),
    ]


def _of_action(event: Event, action: Action | None) -> list[Event]:
    """The other steps of the same approval, in order."""
    if action is None or event.turn_id is None:
        return []
    same = Q(payload__interrupt_id=str(action.pk)) | Q(payload__action_id=str(action.pk))
    return list(
        Event.objects.filter(same, turn=event.turn_id, conversation=event.conversation_id).order_by("seq")[
            :50
        ]
    )


def _links(event: Event, others: list[Event], action: Action | None, sees_approvals: bool) -> list[Block]:
    links = [
        (f"?step={one.seq}", f"Step {one.seq}: {step(one).title}") for one in others if one.seq != event.seq
    ]
    if action and sees_approvals:
        links.append((reverse("admin:agents_action_change", args=[action.pk]), "Open the approval"))
    return (
        [Block("links", "Belongs to it", links=[(to, blocks.visible(words)) for to, words in links])]
        if links
        else []
    )
