"""Staff approve with other values, in a form that is typed by the tool's schema."""

import json
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agents import approvals
from agents.admin.argument_slots import slots_for
from agents.models import Action, Tool
from chat.models import Event
from tests import rows

pytestmark = pytest.mark.django_db

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "minLength": 2, "maxLength": 8, "pattern": "^[0-9]+$"},
        "percent": {"type": "integer", "minimum": 1, "maximum": 100, "description": "Percent off."},
        "amount": {"type": "number", "exclusiveMinimum": 0},
        "until": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "date-time"},
        "reason": {"enum": ["late", "damaged", 3]},
        "notify": {"type": "boolean", "default": True},
        "items": {"type": "array", "items": {"type": "integer"}},
        "address": {"type": "object", "properties": {"city": {"type": "string"}}},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    },
    "required": ["order_id", "percent"],
}
PROPOSED = {"order_id": "1042", "percent": 10, "amount": 10.0, "items": [1, 2], "reason": 3}


@pytest.fixture
def sam(client: Client) -> Client:
    client.force_login(rows.staff("sam", "agents.view_action", "agents.decide_action"))
    return client


def waiting(**fields: Any) -> Action:
    words = {
        "approval": "staff",
        "confirmation": "Give {percent}% off order {order_id}.",
        "input_schema": SCHEMA,
    }
    tool = rows.tool("apply_discount", **{**words, **fields})
    return rows.action(rows.turn(rows.customer(name="Ada Stone")), tool, **PROPOSED)


def url(action: Action, name: str = "approve_with_changes") -> str:
    return reverse(f"admin:agents_action_{name}", args=[action.pk])


def form_of(client: Client, action: Action) -> Any:
    return client.get(url(action)).context["form"]


def posted(form: Any, **changed: str) -> dict[str, str]:
    """What a browser sends that shows this form, after somebody has changed some of its fields."""
    keys = {slot.name: slot.key for slot in form.slots}
    shown = {name: str(form[name].value() or "").replace("\n", "\r\n") for name in form.fields}
    return {
        **shown,
        "_form_submitted": "True",
        **{keys.get(name, name): text for name, text in changed.items()},
    }


def approve(client: Client, action: Action, **changed: str) -> Any:
    return client.post(url(action), posted(form_of(client, action), **changed))


def told(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def faults(answer: Any) -> dict[str, list[str]]:
    """The faults of each argument, by its name; those of the whole form under ""."""
    form = answer.context["form"]
    names = {slot.key: slot.name for slot in form.slots}
    return {
        names.get(key, "" if key == "__all__" else key): list(map(str, found))
        for key, found in form.errors.items()
    }


def test_the_form_has_a_field_for_each_argument_and_none_for_what_is_bound(sam: Client) -> None:
    action = waiting()
    page = sam.get(url(action)).content.decode()
    form = form_of(sam, action)

    names = [slot.name for slot in form.slots]
    assert names[:2] == ["order_id", "percent"]
    assert set(names) == set(SCHEMA["properties"])
    assert "cus_1001" in page  # shown, and fixed
    assert 'type="date"' in page
    assert "Percent off. From 1 to 100." in page
    assert [label for _, label in form.fields[form.slots[names.index("reason")].key].widget.choices] == [
        "Leave it out",
        "late",
        "damaged",
        "3",
    ]


def test_values_come_back_typed(sam: Client) -> None:
    action = waiting()

    answer = approve(
        sam,
        action,
        percent="5",
        amount="2.50",
        until="2026-03-01",
        at="2026-03-01T12:00:00Z",
        reason="1",
        notify="1",
        items="[3]",
        address='{"city": "Bern"}',
        maybe="7",
    )

    action.refresh_from_db()
    assert action.status == "approved", faults(answer)
    assert action.args == {
        "order_id": "1042", "percent": 5, "amount": 2.5, "until": "2026-03-01", "at": "2026-03-01T12:00:00Z",
        "reason": "damaged", "notify": False, "items": [3], "address": {"city": "Bern"}, "maybe": 7,
    }  # fmt: skip
    assert json.loads(action.proposed_arguments) == PROPOSED
    assert told(answer) == "Approved with changes: Give 5% off order 1042."
    changed = Event.objects.get(kind="approval_decided").payload["changed"]
    assert changed["percent"] == [10, 5]
    page = sam.get(url(action, "change")).content.decode()
    assert "Changed by sam" in page


def test_what_nobody_touched_stays_exactly_what_it_was(sam: Client) -> None:
    action = waiting()
    Tool.objects.update(
        input_schema={**SCHEMA, "properties": {**SCHEMA["properties"], "notify": {"type": "boolean"}}}
    )
    action = rows.action(rows.turn(rows.customer()), Tool.objects.get(), **PROPOSED)
    before = action.arguments

    approve(sam, action)

    action.refresh_from_db()
    assert (action.status, action.arguments, action.proposed_arguments) == ("approved", before, "")


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("percent", "much", "Write a whole number, such as 10."),
        ("percent", "5.5", "Write a whole number, such as 10."),
        ("percent", "٣", "Write a whole number, such as 10."),
        ("percent", "", "This is required."),
        ("percent", "500", "Invalid argument percent: 500 is greater than the maximum of 100."),
        ("amount", "NaN", "Write a number with a point, such as 10.50."),
        ("amount", "1e999", "Write a number with a point, such as 10.50."),
        ("amount", "1,5", "Write a number with a point, such as 10.50."),
        ("amount", "0", "Invalid argument amount: 0 is less than or equal to the minimum of 0."),
        ("until", "1 March", "Write a date as year-month-day, such as 2026-03-01."),
        ("until", "2026-02-30", "Write a date as year-month-day, such as 2026-03-01."),
        ("at", "2026-03-01 12:00", "Write date, time and zone, such as 2026-03-01T12:00:00Z."),
        ("reason", "7", "Choose one of the options."),
        ("items", "[1,", "This is not JSON: line 1, column 4: Expecting value."),
        ("items", "[NaN]", "This is not JSON: NaN is no number there."),
        ("items", '["x"]', "Invalid argument items.0: 'x' is not of type 'integer'."),
        ("order_id", "12345678901", "Invalid argument order_id: '12345678901' is too long."),
        ("order_id", "abc", "Invalid argument order_id: 'abc' does not match '^[0-9]+$'."),
    ],
)
def test_what_the_tool_does_not_take_is_said_at_its_field(
    sam: Client, name: str, text: str, fault: str
) -> None:
    action = waiting()
    size = rows.log_size(action.turn.conversation)

    answer = approve(sam, action, **{name: text})

    action.refresh_from_db()
    assert faults(answer) == {name: [fault]}
    assert fault.replace("'", "&#x27;") in answer.content.decode()
    assert (action.status, action.args, rows.log_size(action.turn.conversation)) == (
        "awaiting",
        PROPOSED,
        size,
    )


def test_a_fault_of_the_tools_own_words_is_said_too(sam: Client) -> None:
    percent = {"type": "integer", "maximum": 100, "x-error-message": "Invalid discount: {value}%."}
    schema = {**SCHEMA, "properties": {**SCHEMA["properties"], "percent": percent}}
    action = waiting(input_schema=schema)

    answer = approve(sam, action, percent="500")

    assert faults(answer) == {"": ["Invalid discount: 500%."]}
    assert "Invalid discount: 500%." in answer.content.decode()


def test_what_is_bound_is_not_taken_from_a_form(sam: Client) -> None:
    action = waiting()
    form = posted(form_of(sam, action), percent="5")

    sam.post(url(action), {**form, "customer_id": "cus_1002", "arg_99": "cus_1002"})

    action.refresh_from_db()
    assert "customer_id" not in action.args
    assert json.loads(action.bound_arguments) == {"customer_id": "cus_1001"}


@pytest.mark.parametrize("name", ["approve", "approve_with_changes"])
def test_nobody_approves_what_they_did_not_see(sam: Client, name: str) -> None:
    action = waiting(approvals_needed=2)
    shown = posted(form_of(sam, action)) if name == "approve_with_changes" else {}
    stale = {"_form_submitted": "True", **shown, "seen": action.arguments_hash}
    nina = approvals.Decider("staff", "nina", id="user:0")
    approvals.decide(action_id=action.pk, approved=True, by=nina, arguments={**PROPOSED, "percent": 90})

    for sent in (stale, {**stale, "seen": ""}):
        answer = sam.post(url(action, name), sent)

        page = answer.content.decode()
        action.refresh_from_db()
        assert [vote["name"] for vote in action.votes] == ["nina"]
        assert "The arguments were changed while you looked at them." in page
        assert "Give 90% off order 1042." in page
        assert answer.context["form"]["seen"].value() == action.arguments_hash

    again = {**stale, "seen": answer.context["form"]["seen"].value()}
    sam.post(url(action, "approve"), again)
    action.refresh_from_db()
    assert (action.status, action.args["percent"]) == ("approved", 90)


def test_a_change_between_the_look_and_the_decision_is_refused(
    sam: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = waiting()
    decide = approvals.decide

    def late(**words: Any) -> Action:
        Action.objects.filter(pk=action.pk).update(arguments_hash="0" * 64)
        return decide(**words)

    form = posted(form_of(sam, action), percent="5")
    monkeypatch.setattr(approvals, "decide", late)
    answer = sam.post(url(action), form)

    action.refresh_from_db()
    assert (action.status, action.args) == ("awaiting", PROPOSED)
    assert "changed while you looked" in told(answer)
    assert answer["Location"] == url(action, "change")


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=40)
VALUES = {
    "string": TEXTS,
    "integer": st.integers(),
    "number": st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    "boolean": st.booleans(),
    "array": st.lists(st.one_of(st.integers(), TEXTS, st.none(), st.booleans()), max_size=4),
    "object": st.dictionaries(TEXTS, st.one_of(st.integers(), TEXTS), max_size=3),
}


@st.composite
def schemas_with_values(draw: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A schema, arguments that fit it, and others that do."""
    kinds = draw(
        st.dictionaries(st.text(min_size=1, max_size=12), st.sampled_from(sorted(VALUES)), max_size=5)
    )
    schema = {"type": "object", "properties": {name: {"type": kind} for name, kind in kinds.items()}}
    one, other = ({name: draw(VALUES[kind]) for name, kind in kinds.items()} for _ in range(2))
    return schema, one, other


@given(schemas_with_values())
@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_whatever_a_field_shows_reads_back_as_the_value_that_it_shows(drawn: Any) -> None:
    schema, one, other = drawn
    first, second = slots_for(schema, one), slots_for(schema, other)

    for before, after in zip(first, second, strict=True):
        assert before.untouched(before.text.replace("\n", "\r\n"))
        if after.text.strip():
            value = before.value(after.text.replace("\n", "\r\n"))
            wanted = other[after.name]
            assert value == wanted
            assert type(value) is type(wanted) or {type(value), type(wanted)} <= {int, float}
