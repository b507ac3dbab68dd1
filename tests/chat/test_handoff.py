"""Handing over: when people are there, the rules that ask for them, and what the customer is told."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import LazySettings
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from agents import facts
from agents.approvals import Decider
from agents.context import Desk
from agents.facts import Fact
from agents.handoff_words import told
from agents.lexical_mood import is_angry
from chat import business_hours, frames, handoff, staffing, takeover, turns
from chat.models import Conversation, Event, Turn, TurnStatus
from tests import factories, rows

db = pytest.mark.django_db
SAM = Decider(kind="staff", name="sam", id="user:1")
WEEK = "Mon-Fri 09:00-17:00, Sat 10:00-14:00"


def opens(text: str, zone: str, *moment: int) -> str | None:
    at = business_hours.opens_at(
        datetime(*moment, tzinfo=ZoneInfo(zone)).astimezone(UTC),  # type: ignore[arg-type,misc]
        hours=text,
        timezone=zone,
    )
    return at and f"{at:%a %d %b %H:%M %z}"


# --- when somebody is there ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "wanted"),
    [
        ((2026, 11, 20, 12, 0), None),  # a Friday
        ((2026, 11, 20, 9, 0), None),
        ((2026, 11, 20, 16, 59), None),
        ((2026, 11, 20, 8, 59), "Fri 20 Nov 09:00 +0100"),
        ((2026, 11, 20, 17, 0), "Sat 21 Nov 10:00 +0100"),
        ((2026, 11, 21, 13, 59), None),
        ((2026, 11, 21, 14, 0), "Mon 23 Nov 09:00 +0100"),
        ((2026, 11, 22, 23, 59), "Mon 23 Nov 09:00 +0100"),
        ((2026, 3, 28, 20, 0), "Mon 30 Mar 09:00 +0200"),  # clocks are set in the night between
        ((2026, 10, 24, 20, 0), "Mon 26 Oct 09:00 +0100"),
    ],
)
def test_when_somebody_is_there(moment: tuple[int, ...], wanted: str | None) -> None:
    assert opens(WEEK, "Europe/Berlin", *moment) == wanted


def test_an_empty_text_is_always() -> None:
    assert opens("", "UTC", 2026, 12, 25, 3, 0) is None
    assert opens("  ", "UTC", 2026, 12, 25, 3, 0) is None


def test_days_may_go_over_the_end_of_the_week_and_hours_to_midnight() -> None:
    assert opens("Sat-Mon 00:00-24:00", "UTC", 2026, 11, 22, 23, 59) is None
    assert opens("sat-mon 00:00-24:00", "UTC", 2026, 11, 24, 0, 0) == "Sat 28 Nov 00:00 +0000"
    assert opens("Wed 10:00-11:00", "UTC", 2026, 11, 25, 11, 0) == "Wed 02 Dec 10:00 +0000"


@pytest.mark.parametrize(
    "text",
    [
        "always", "Mon", "Mon-Fri", "9-17", "Mon 9:00-17:00", "Mon 09:00-09:00", "Mon 17:00-09:00",
        "Mon 09:00-24:01", "Mon 09:60-10:00", "Mon 25:00-26:00", "Moon 09:00-17:00", "Mon-Foo 09:00-17:00",
        "Mon 09:00-17:00,", "Mon 09:00-17:00; Tue 09:00-17:00", "Mon ０９:00-17:00",
    ],
)  # fmt: skip
def test_hours_that_cannot_be_read_are_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must ") as refusal:
        business_hours.parse(text)

    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["Berlin", "", "../etc/passwd", "Europe/", "UTC+25"])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^must be the name of a time zone"):
        business_hours.zone(name)


zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe"])


@given(
    moment=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    zone=zones,
    spans=st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 1438), st.integers(1, 1440)).filter(
            lambda span: span[1] < span[2]
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_what_is_promised_is_open_and_nothing_before_it_is(
    moment: datetime, zone: str, spans: list[tuple[int, int, int]]
) -> None:
    text = ", ".join(
        f"{business_hours.DAYS[day].title()} {start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
        for day, start, end in spans
    )

    at = business_hours.opens_at(moment, hours=text, timezone=zone)

    if at is None:
        here = moment.astimezone(ZoneInfo(zone))
        near = {(here.weekday() + shift) % 7 for shift in (-1, 0, 1)}
        assert any(day in near for day, _, _ in spans)
        return
    assert at > moment
    assert (at - moment).total_seconds() <= 8 * 24 * 3600
    assert business_hours.opens_at(at.astimezone(UTC), hours=text, timezone=zone) is None


# --- what the customer is told ---------------------------------------------------------------------


def test_what_is_said_while_somebody_is_there() -> None:
    assert told("en", Desk("T-1")) == "I have asked a colleague to take over. They will answer you here."
    assert told("zh", Desk("T-1")) == "我已请同事接手。他们会在这里回复您。"
    assert told("en", Desk("T-1"), own="Over to Sam.") == "Over to Sam."
    assert told("en", Desk(asked=True), own="Over to Sam.").startswith("A colleague has been asked to take")
    assert told("en", Desk(), gave_up=True).startswith("I could not solve this, so I have asked a colleague")


def test_what_is_said_while_nobody_is_there() -> None:
    at = datetime(2026, 11, 23, 9, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    desk = Desk("T-1A2B3C4D-5E6F", at)

    assert told("en", desk) == (
        "I have asked a colleague to take over. Nobody is here at the moment; somebody will be from Monday, "
        "23 November, 09:00 (CET) and will answer you here. Your reference is T-1A2B3C4D-5E6F."
    )
    assert told("zh", desk) == (
        "我已请同事接手。目前没有同事在线，11月23日（星期一）09:00 (CET) 起会有人在这里回复您。"
        "您的参考编号是 T-1A2B3C4D-5E6F。"
    )
    assert told("en", desk, own="Over to Sam.").startswith("Over to Sam. Nobody is here at the moment;")
    kathmandu = Desk("T-1", datetime(2026, 11, 23, 9, 0, tzinfo=ZoneInfo("Asia/Kathmandu")))
    assert "09:00 (UTC+05:45)" in told("en", kathmandu)


# --- who is angry ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        "I am furious.", "I'm so angry right now", "I AM REALLY FED UP", "This is the third time I've asked!",
        "this is the 5th time i am asking", "I will sue you", "You'll hear from my lawyer", "see you in court",
        "I'll call my lawyer", "Worst service ever", "you are the worst company", "fuck you", "You people are idiots",
        "you're all crooks", "fucking useless bot", "This is unacceptable and pathetic", "This is ridiculous!!!",
        "THIS IS USELESS, HELP ME NOW", "I'm sick and tired of waiting", "Ich bin stinksauer",
        "Das ist eine Unverschämtheit", "Je suis furieux", "J'en ai marre", "Estoy muy enfadada", "Sono furioso",
        "Estou com raiva", "我很生气", "垃圾客服", "我要投诉你们", "你们这群骗子", "忍无可忍",
    ],
)  # fmt: skip
def test_somebody_who_has_had_enough_is_angry(message: str) -> None:
    assert is_angry(message)


@pytest.mark.parametrize(
    "message",
    [
        "Cancel order 1042", "Please CANCEL my order #1042!!!", "WHERE IS MY ORDER 1042", "cancel it now!!!",
        "I am not angry, just asking", "I'm not furious", "This is not acceptable", "that was terrible weather",
        "The lamp arrived broken, what a horrible surprise", "I have a scam transaction txn_1, dispute it",
        "My lawyer's invoice has the wrong address", "this is the third time I order here, love it",
        "The worst thing about the lamp is its colour", "My son wrote \"you are all idiots\" on the wall",
        "Your shop is a joke shop, right?", "hmm", "", "I want to talk to a person", "useless box, can I return it?",
        "取消订单 1042", "我不生气", "垃圾桶什么时候发货？", "Wo ist meine Bestellung?", "Où est ma commande?",
        "I'd like to file a complaint", "damn it, I forgot my password", "What is your complaints procedure?",
    ],
)  # fmt: skip
def test_somebody_who_only_wants_something_is_not(message: str) -> None:
    assert not is_angry(message)


@given(st.text(max_size=300))
def test_any_text_has_an_answer(message: str) -> None:
    assert is_angry(message) in (True, False)


# --- the log, the frame and the reference ----------------------------------------------------------


def closed(settings: LazySettings) -> None:
    """Nobody is there but for one minute of the day before yesterday's weekday."""
    day = business_hours.DAYS[(datetime.now(UTC).weekday() + 4) % 7].title()
    settings.BUSINESS_HOURS, settings.BUSINESS_TIMEZONE = f"{day} 03:00-03:01", "UTC"


@db
def test_a_hand_over_has_a_reference_and_outside_hours_says_when(settings: LazySettings) -> None:
    there = rows.waiting_for_a_person()
    closed(settings)
    later = rows.waiting_for_a_person()

    payloads = {
        event.conversation_id: event.payload for event in Event.objects.filter(kind="handoff_requested")
    }
    assert "available_at" not in payloads[there.pk]
    assert payloads[there.pk]["ticket"] == handoff.ticket_of(there.pk) == f"T-{str(there.pk)[:13].upper()}"
    at = datetime.fromisoformat(payloads[later.pk]["available_at"])
    assert at > datetime.now(UTC)
    assert (at.hour, at.minute) == (3, 0)
    event = Event.objects.get(conversation=later, kind="handoff_requested")
    [frame] = frames.of_event(
        frames.Shown(
            later.thread_id, event.seq, event.kind, event.turn_id, "", event.payload, event.created_at
        )
    )
    assert (frame["type"], frame["ticket"], frame["available_at"]) == (
        "handoff", handoff.ticket_of(later.pk), payloads[later.pk]["available_at"],
    )  # fmt: skip
    desk = handoff.desk(later.pk, later.status)
    assert (desk.asked, desk.opens_at) == (True, at)


@db
def test_staff_find_a_conversation_by_its_reference(client: Client) -> None:
    wanted, other = rows.waiting_for_a_person(), rows.waiting_for_a_person()
    client.force_login(rows.staff("sam", "chat.view_conversation"))

    for text in (handoff.ticket_of(wanted.pk), f" {handoff.ticket_of(wanted.pk).lower()} "):
        listed = client.get("/admin/chat/conversation/", {"q": text}).content.decode()
        assert str(wanted.pk) in listed
        assert str(other.pk) not in listed
    assert handoff.with_ticket("T-1234") is None
    assert handoff.with_ticket("T-00000000-0000%") is None


# --- by rule ---------------------------------------------------------------------------------------


def attempt(
    row: Conversation | None = None,
    *results: dict[str, Any],
    fails: bool = False,
    message: str = "Where is it?",
) -> Turn:
    """One turn: its message, what its tool calls came to, and its end as the worker seals it."""
    asked = (
        rows.turn(row.customer, row.thread_id, message)
        if row
        else rows.turn(rows.customer(), content=message)
    )
    claim = factories.claim()
    assert claim.turn_id == asked.pk
    for number, result in enumerate(results):
        returned = facts.tool_returned(agent="a", tool="get_order", call_id=f"c{number}", **result)
        rows.happened(asked, returned)
    if fails:
        end = Fact("turn_failed", {"code": "turn_failed", "message": "x", "detail": "x"}, key=claim.end_key)
        assert turns.seal(claim, TurnStatus.FAILED, [end])
    else:
        assert turns.seal(claim, TurnStatus.COMPLETED, [Fact("turn_completed", key=claim.end_key)])
    return asked


WORKED: dict[str, Any] = {"ok": True, "result": {}}
BROKE: dict[str, Any] = {"ok": False, "error": {"kind": "transient", "message": "No answer."}, "status": 503}
REFUSED: dict[str, Any] = {"ok": False, "error": {"kind": "auth", "message": "No."}, "status": 401}


def asked_for(row: Conversation) -> list[tuple[str, str]]:
    return [
        (event.payload["by"], event.payload["reason"])
        for event in Event.objects.filter(conversation=row, kind="handoff_requested").order_by("seq")
    ]


@db
def test_three_turns_that_fail_in_a_row_ask_for_a_person_and_the_customer_is_told() -> None:
    row = attempt(fails=True).conversation
    attempt(row, fails=True)
    assert asked_for(row) == []

    attempt(row, fails=True)

    assert asked_for(row) == [("rule", "3 attempts in a row to help the customer failed.")]
    kinds = list(Event.objects.filter(conversation=row).order_by("seq").values_list("kind", flat=True))
    assert kinds[-4:] == ["message_received", "handoff_requested", "replied", "turn_failed"]
    row.refresh_from_db()
    assert row.status == "waiting"
    said = Event.objects.get(conversation=row, kind="replied").payload
    assert said["content"].startswith("I could not solve this, so I have asked a colleague to take over.")


@db
def test_a_turn_of_which_no_tool_call_worked_has_failed_too() -> None:
    row = attempt(None, BROKE).conversation
    attempt(row, fails=True)
    attempt(row, BROKE, BROKE, message="它在哪里？")

    assert asked_for(row) == [("rule", "3 attempts in a row to help the customer failed.")]
    assert Event.objects.get(conversation=row, kind="replied").payload["content"].startswith("我没能解决")


@db
@pytest.mark.parametrize("between", [[], [WORKED], [BROKE, WORKED]])
def test_one_that_works_begins_the_count_again(between: list[dict[str, Any]]) -> None:
    row = attempt(fails=True).conversation
    attempt(row, fails=True)
    attempt(row, *between)
    attempt(row, fails=True)
    attempt(row, fails=True)

    assert asked_for(row) == []
    row.refresh_from_db()
    assert row.status == "open"


@db
def test_what_a_customer_tries_again_counts_each_time() -> None:
    asked = attempt(fails=True)
    row = asked.conversation
    for _ in range(2):
        turns.retry(customer_id=row.customer_id, thread_id=row.thread_id)
        claim = factories.claim()
        end = Fact("turn_failed", {"code": "turn_failed", "message": "x", "detail": "x"}, key=claim.end_key)
        turns.seal(claim, TurnStatus.FAILED, [end])

    assert asked_for(row) == [("rule", "3 attempts in a row to help the customer failed.")]


@db
def test_a_stop_neither_counts_nor_begins_the_count_again() -> None:
    row = attempt(fails=True).conversation
    attempt(row, fails=True)
    rows.turn(row.customer, row.thread_id)
    claim = factories.claim()
    turns.seal(claim, TurnStatus.STOPPED, [Fact("turn_stopped", key="end")])
    assert asked_for(row) == []

    attempt(row, fails=True)

    assert len(asked_for(row)) == 1


@db
def test_refused_access_asks_for_a_person_at_once() -> None:
    row = attempt(None, WORKED, REFUSED).conversation

    assert asked_for(row) == [("rule", "Our access to the business system was refused (get_order).")]
    row.refresh_from_db()
    assert (row.status, row.handoff_reason) == ("waiting", asked_for(row)[0][1])


@db
def test_who_waits_or_has_somebody_is_not_escalated_again() -> None:
    row = attempt(None, REFUSED).conversation
    for _ in range(4):
        attempt(row, REFUSED, fails=True)

    assert len(asked_for(row)) == 1


@db
def test_after_a_hand_back_it_takes_as_many_failures_again() -> None:
    row = attempt(None, REFUSED).conversation
    takeover.take_over(thread_id=row.thread_id, by=SAM)
    takeover.hand_back(thread_id=row.thread_id, by=SAM)
    attempt(row, fails=True)
    attempt(row, fails=True)
    assert len(asked_for(row)) == 1

    attempt(row, fails=True)

    assert len(asked_for(row)) == 2


@db
def test_after_it_was_resolved_it_takes_as_many_failures_again() -> None:
    row = attempt(None, REFUSED).conversation
    staffing.resolve(thread_id=row.thread_id, by=SAM)
    attempt(row, fails=True)
    attempt(row, fails=True)

    assert len(asked_for(row)) == 1


@db
@pytest.mark.parametrize(("limit", "wanted"), [(0, 0), (1, 1), (2, 1)])
def test_how_many_is_a_setting_and_0_is_never(settings: LazySettings, limit: int, wanted: int) -> None:
    settings.HANDOFF_AFTER_FAILURES = limit
    row = attempt(fails=True).conversation
    for _ in range(3):
        attempt(row, fails=True)

    assert len(asked_for(row)) == wanted


@db
def test_what_is_said_by_rule_seals_no_text_that_was_streamed(settings: LazySettings) -> None:
    settings.HANDOFF_AFTER_FAILURES = 1
    asked = rows.turn(rows.customer())
    claim = factories.claim()
    cut = facts.replied(agent="a", content="half", key="reply:cut:0", cut=True)
    cut.payload.update(offset=0, end=4)
    end = Fact("turn_failed", {"code": "turn_failed", "message": "x", "detail": "x"}, key="end")

    turns.seal(claim, TurnStatus.FAILED, [cut, end])

    said = [event.payload for event in Event.objects.filter(turn=asked, kind="replied").order_by("seq")]
    assert [(one["offset"], one["end"]) for one in said] == [(0, 4), (4, 4)]
