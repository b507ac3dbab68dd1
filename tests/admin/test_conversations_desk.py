"""What staff do on a conversation's page: notes that nobody else ever sees, tags, canned replies, asking for a person,
and what they are told when a colleague was faster."""

import json
import re
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from agents import facts
from agents.approvals import Decider
from chat import (
    canned,
    events,
    frames,
    history,
    notes,
    staffing,
    summaries,
    tagging,
    takeover,
    transcript,
    webhooks,
)
from chat.models import CannedReply, Conversation, Event, Tag, Turn, WebhookDelivery
from smartsupport.lib import presence
from smartsupport.lib.errors import ServiceError
from tests import rows
from tests.at_once import at_once

pytestmark = pytest.mark.django_db

SAM, NINA = Decider("staff", "sam", id="user:1"), Decider("staff", "nina", id="user:2")
SECRET = "the carrier lost it twice"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def sam(client: Client) -> Client:
    may = ("chat.view_conversation", "chat.change_conversation", "chat.view_cannedreply")
    client.force_login(rows.staff("sam", *may))
    return client


def url(row: Conversation, name: str = "change") -> str:
    return reverse(f"admin:chat_conversation_{name}", args=[row.pk])


def page_of(client: Client, row: Conversation) -> str:
    return client.get(url(row)).content.decode()


def do(client: Client, row: Conversation, name: str, **form: str) -> str:
    answer = client.post(url(row, name), {"_form_submitted": "True", **form})
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


# --- notes -----------------------------------------------------------------------------------------


def test_a_note_is_kept_once_and_only_staff_see_it(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    posted = {"content": f"Called: **{SECRET}**.\r\nReally.", "once": "n-1"}

    first = sam.post(url(row, "note"), posted, headers=HTMX)
    sam.post(url(row, "note"), posted, headers=HTMX)

    event = Event.objects.get(kind="note_written")
    assert event.payload == {"content": f"Called: **{SECRET}**.\nReally.", "by_name": "sam", "once": "n-1"}
    assert first.headers["HX-Trigger"] == "desk-sent-note"
    assert "Only staff read this." in first.content.decode()
    page = page_of(sam, row)
    assert f"<strong>{SECRET}</strong>" in page
    assert "internal note: only staff read this" in page
    assert not Event.objects.filter(kind="staff_wrote").exists()


def test_a_note_changes_nothing_else_of_the_conversation(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    kept = ("status", "held_by", "epoch", "last_line", "last_activity_at", "live_agent", "waiting_since")
    Conversation.objects.update(waiting_since=row.created_at)
    before = Conversation.objects.values(*kept).get()

    do(sam, row, "note", content=SECRET)

    assert Conversation.objects.values(*kept).get() == before


def test_a_note_reaches_no_frame_history_prompt_summary_or_webhook(settings: Any) -> None:
    settings.WEBHOOK_URL = "https://hooks.example.com/x"
    first = rows.turn(rows.customer(name="Ada Stone"), "t-ada", "Where is my parcel?")
    rows.finish(first, "It is on its way.")
    row = first.conversation
    batch = events.insert(row.pk, [_fact()], turn_id=None)
    notes.write(thread_id=row.thread_id, text=f"And {SECRET} again.", by=SAM)
    row.refresh_from_db()
    assert row.events.filter(kind="note_written").count() == 2
    assert batch.frames == []

    told = {
        "the frames that a socket catches up with": events.frames_after(row.pk, row.thread_id, 0)[0],
        "the customer's history": transcript.page(row).answer(),
        "the prompt of the next turn": [one.text for one in history.before(row.pk, row.last_seq + 1)],
        "what is summarised": [line.said.text for line in history.lines_after(row.pk, 0, 2**62, limit=500)],
        "what webhooks tell": webhooks.summary(row.pk),
        "the conversation's last line": row.last_line,
    }
    staffing.escalate(thread_id=row.thread_id, reason="Please call.", by=SAM)
    told["a webhook"] = WebhookDelivery.objects.get().payload

    for where, what in told.items():
        assert what, where
        assert SECRET not in json.dumps(what, default=str), where
    assert "note_written" not in frames._MAKERS
    assert "note_written" not in {*history.SPOKEN, *webhooks.SPEAKERS, *transcript.MESSAGES}
    assert summaries._older(row.pk, 0) == []


def _fact() -> facts.Fact:
    return facts.note_written(content=SECRET, by_name="sam", once="", key="")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("note", "  ", "Write something first."),
        ("note", "x" * 10_001, "Write at most 10000 characters; this is 10001."),
        ("say", "", "Write something first."),
    ],
)
def test_what_cannot_be_kept_stays_in_the_form(sam: Client, name: str, content: str, told: str) -> None:
    row = rows.waiting_for_a_person()
    takeover.take_over(thread_id=row.thread_id, by=SAM)
    before = rows.log_size(row)

    answer = sam.post(url(row, name), {"content": content, "once": "mine"}, headers=HTMX)

    page = answer.content.decode()
    assert told in page
    assert (content in page, 'value="mine"' in page, "HX-Trigger" in answer.headers) == (True, True, False)
    assert rows.log_size(row) == before


def test_the_two_forms_post_to_routes_of_their_own(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    takeover.take_over(thread_id=row.thread_id, by=SAM)

    page = page_of(sam, row)

    forms = dict(re.findall(r'<form id="(reply|note)-form" method="post" action="([^"]+)"', page))
    assert forms == {"reply": url(row, "say"), "note": url(row, "note")}
    note = page[page.index('id="note-form"') :]
    assert "Only staff read this." in note[: note.index("</form>")]
    assert "Only staff read this." not in page[page.index('id="reply-form"') : page.index('id="note-form"')]


# --- answering -------------------------------------------------------------------------------------


def test_what_is_written_below_the_thread_is_sent_once(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    takeover.take_over(thread_id=row.thread_id, by=SAM)

    for _ in range(2):
        answer = sam.post(url(row, "say"), {"content": "Hello\r\nAda", "once": "m-1"}, headers=HTMX)

    [event] = Event.objects.filter(kind="staff_wrote")
    assert event.payload == {"content": "Hello\nAda", "by_name": "sam"}
    assert answer.headers["HX-Trigger"] == "desk-sent-reply"
    assert "Sent. The customer sees it in the chat." in answer.content.decode()


def test_what_was_handed_back_meanwhile_is_not_taken_over_again_by_sending(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    takeover.take_over(thread_id=row.thread_id, by=SAM)
    takeover.hand_back(thread_id=row.thread_id, by=NINA)
    before = rows.log_size(row)

    answer = sam.post(url(row, "say"), {"content": "A long answer", "once": "m-1"}, headers=HTMX)

    page = answer.content.decode()
    row.refresh_from_db()
    assert "It was handed back or resolved meanwhile, so nothing was sent." in page
    assert "A long answer" in page
    assert (row.status, rows.log_size(row)) == ("open", before)


def test_an_open_page_learns_that_the_form_has_changed(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    state = sam.get(url(row)).context["state"]

    takeover.take_over(thread_id=row.thread_id, by=NINA)

    news = sam.get(url(row, "live"), {"state": state, "mode": "free"}).content.decode()
    assert 'id="composer-reply" data-mode="held" hx-swap-oob="true"' in news
    assert "nina has this conversation; the customer hears both of you." in news
    same = sam.get(url(row, "live"), {"state": state, "mode": "held"}).content.decode()
    assert 'id="composer-reply"' not in same


def test_a_preview_sends_nothing(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    before = rows.log_size(row)

    page = sam.post(url(row, "preview"), {"content": "**Hi** <script>x</script>"}).content.decode()

    assert "<strong>Hi</strong>" in page
    assert "<script>" not in page
    assert rows.log_size(row) == before


def test_stopping_the_agents(sam: Client) -> None:
    turn = rows.turn(rows.customer())
    row = turn.conversation
    assert url(row, "stop") in page_of(sam, row)

    told = do(sam, row, "stop")

    turn.refresh_from_db()
    assert (told, turn.status) == ("The agents stop.", "stopped")
    before = rows.log_size(row)
    assert "Nothing is being worked on any more" in do(sam, row, "stop")
    assert rows.log_size(row) == before
    assert url(row, "stop") not in page_of(sam, row)


def test_asking_for_a_person_on_the_customers_behalf(sam: Client, settings: Any) -> None:
    settings.WEBHOOK_URL = "https://hooks.example.com/x"
    turn = rows.turn(rows.customer(name="Ada Stone"))
    rows.finish(turn)
    row = turn.conversation
    dialog = sam.get(url(row, "escalate")).content.decode()
    assert "The customer does not read it." in dialog

    told = do(sam, row, "escalate", reason=f" {SECRET} ")

    row.refresh_from_db()
    event = Event.objects.get(kind="handoff_requested")
    assert told == "It waits for a person now."
    assert (row.status, row.handoff_reason) == ("waiting", SECRET)
    assert (event.payload["by"], event.payload["by_name"], event.payload["reason"]) == (
        "staff",
        "sam",
        SECRET,
    )
    assert WebhookDelivery.objects.get().payload["reason"] == SECRET
    assert "sam asked for a person" in page_of(sam, row)
    [frame] = [one for one in events.frames_after(row.pk, row.thread_id, 0)[0] if one["type"] == "handoff"]
    assert (frame["by"], frame["reason"], frame["ticket"]) == ("staff", "", event.payload["ticket"])


def test_who_asks_too_late_is_told_why(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    assert url(row, "escalate") not in page_of(sam, row)
    before = rows.log_size(row)

    assert do(sam, row, "escalate", reason="x") == "This conversation waits for a person already."
    takeover.take_over(thread_id=row.thread_id, by=NINA)
    held = rows.log_size(row)
    assert do(sam, row, "escalate", reason="x").endswith("nina has this conversation already.")

    assert before < held == rows.log_size(row)
    with pytest.raises(ServiceError, match="Give a reason"):
        staffing.escalate(thread_id=row.thread_id, reason=" ", by=SAM)
    assert rows.log_size(row) == held


# --- tags ------------------------------------------------------------------------------------------


def test_tags_are_added_suggested_and_taken_away(sam: Client) -> None:
    row, other = rows.waiting_for_a_person(), rows.waiting_for_a_person()
    tagging.add(conversation_ids=[other.pk], name="Refund  Late", by=SAM)
    tagging.add(conversation_ids=[other.pk], name="a refund", by=SAM)

    words = sam.get(url(row, "tag_words"), {"q": "REF"}).json()["tags"]
    added = sam.post(url(row, "tags"), {"add": " REFUND late"}, headers=HTMX).content.decode()

    assert words == ["refund late", "a refund"]
    assert "refund late" in added
    assert sam.get(url(row, "tag_words"), {"q": "ref"}).json()["tags"] == ["a refund"]
    assert sorted(Tag.objects.values_list("name", "created_by")) == [
        ("a refund", "sam"),
        ("refund late", "sam"),
    ]
    removed = sam.post(url(row, "tags"), {"remove": "refund late"}, headers=HTMX).content.decode()
    assert "None yet." in removed
    assert (row.tags.count(), other.tags.count()) == (0, 2)


@pytest.mark.parametrize("name", ["", " ", "a,b", "x" * 41, "a\u202eb"])
def test_what_is_no_tag_is_refused_in_words(sam: Client, name: str) -> None:
    row = rows.waiting_for_a_person()

    page = sam.post(url(row, "tags"), {"add": name}, headers=HTMX).content.decode()

    assert "A tag has 1 to 40 characters and no comma." in page
    assert not Tag.objects.exists()


def test_a_conversation_has_at_most_ten_tags(sam: Client) -> None:
    row, other = rows.waiting_for_a_person(), rows.waiting_for_a_person()
    tagging.put(thread_id=row.thread_id, names=[f"t{n}" for n in range(10)], by=SAM)

    page = sam.post(url(row, "tags"), {"add": "one more"}, headers=HTMX).content.decode()

    assert "A conversation has at most 10 tags. Remove one first." in page
    assert row.tags.count() == 10
    assert tagging.add(conversation_ids=[row.pk, other.pk], name="t11", by=SAM) == (1, 1)
    with pytest.raises(tagging.TooManyTags):
        tagging.put(thread_id=other.thread_id, names=[f"t{n}" for n in range(11)], by=SAM)
    assert list(other.tags.values_list("name", flat=True)) == ["t11"]


def test_ticked_conversations_are_tagged_together(sam: Client) -> None:
    one, two, three = (rows.waiting_for_a_person() for _ in range(3))
    posted = {"id": [str(one.pk), str(two.pk), "junk"], "name": "vip", "back": "?status=waiting"}

    done = sam.post(reverse("admin:chat_conversation_tag_many"), posted)

    assert done.headers["Location"] == "/admin/chat/conversation/?status=waiting"
    assert [str(message) for message in get_messages(done.wsgi_request)] == ["2 conversations tagged."]
    assert (one.tags.count(), two.tags.count(), three.tags.count()) == (1, 1, 0)
    elsewhere = sam.post(reverse("admin:chat_conversation_tag_many"), {**posted, "back": "//evil.example"})
    assert elsewhere.headers["Location"] == "/admin/chat/conversation/"


# --- canned replies --------------------------------------------------------------------------------


def test_canned_replies_are_found_and_filled_in(sam: Client) -> None:
    CannedReply.objects.create(
        shortcut="sorry", title="We are sorry", body="Dear {customer}, {order} is late."
    )
    CannedReply.objects.create(shortcut="no-refund", title="No", body="x")
    CannedReply.objects.create(shortcut="refund-time", title="How long", body="**Days**, {customer}.")
    CannedReply.objects.create(shortcut="refund-old", title="Old", body="x", enabled=False)
    ada = rows.waiting_for_a_person()
    nameless = rows.turn(rows.customer()).conversation

    found = sam.get(url(ada, "canned"), {"q": "refund"}).content.decode()

    assert re.findall(r"<code>/([\w-]+)</code>", found) == ["refund-time", "no-refund"]
    assert 'data-text="**Days**, Ada Stone."' in found
    assert "<strong>Days</strong>, Ada Stone." in found
    [sorry] = canned.offered("SORRY", nameless.customer)
    assert sorry.text == "Dear there, {order} is late."
    assert "No canned reply fits “zzz”." in sam.get(url(ada, "canned"), {"q": "zzz"}).content.decode()


def test_managers_write_canned_replies_and_others_only_read_them(client: Client) -> None:
    client.force_login(
        rows.staff("mia", "chat.view_cannedreply", "chat.add_cannedreply", "chat.change_cannedreply")
    )
    add = reverse("admin:chat_cannedreply_add")
    posted = {"shortcut": "Refund-Time", "title": "How long", "body": "Days", "enabled": "on"}

    made = client.post(add, posted)
    again = client.post(add, posted)

    assert made.status_code == 302
    reply = CannedReply.objects.get()
    assert (reply.shortcut, reply.updated_by) == ("refund-time", "mia")
    assert "Another reply has this shortcut." in again.content.decode()
    client.force_login(rows.staff("vic", "chat.view_cannedreply"))
    change = reverse("admin:chat_cannedreply_change", args=[reply.pk])
    assert client.get(change).status_code == 200
    assert client.post(change, {**posted, "body": "Never"}).status_code == 403
    assert client.post(add, {**posted, "shortcut": "other"}).status_code == 403
    assert CannedReply.objects.get().body == "Days"


# --- who may, who is here, what is shown -----------------------------------------------------------


def test_who_may_only_look_can_do_nothing(client: Client) -> None:
    row = rows.waiting_for_a_person()
    tagging.add(conversation_ids=[row.pk], name="vip", by=SAM)
    client.force_login(rows.staff("vic", "chat.view_conversation"))
    before = rows.log_size(row)

    page = page_of(client, row)
    refused = [
        client.post(
            url(row, name), {"content": "x", "add": "x", "reason": "x", "_form_submitted": "True"}
        ).status_code
        for name in ("say", "note", "preview", "canned", "tags", "tag_words", "stop", "escalate")
    ]

    assert 'id="composer"' not in page
    assert 'id="tag-form"' not in page
    assert "vip" in page
    assert set(refused) == {403}
    assert (rows.log_size(row), Tag.objects.count()) == (before, 1)


def test_colleagues_see_who_looks(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    presence.seen("conversation", row.pk, "nina")

    page = page_of(sam, row)

    assert "nina is here, too" in " ".join(page.split())
    assert presence.here("conversation", [row.pk]) == {str(row.pk): ["nina", "sam"]}
    listed = sam.get("/admin/chat/conversation/").content.decode()
    assert "nina is looking" in " ".join(listed.split())


def test_what_customers_thought_and_what_it_cost(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    Conversation.objects.update(score=2, solved=False, cost_micros=123_456)
    given = {"solved": False, "score": 2, "comment": "Too <slow>"}
    events.append(row.pk, [facts.Fact("feedback_given", given)])

    page = page_of(sam, row)

    assert "Not solved, 2 of 5" in page
    assert "Too &lt;slow&gt;" in page
    assert "$0.1235" not in page  # who may not see costs
    sam.force_login(rows.staff("cora", "chat.view_conversation", "agents.view_modelcall"))
    assert "$0.1235" in page_of(sam, row)


def test_what_happened_inside_is_folded_and_what_people_said_is_not(sam: Client) -> None:
    turn = rows.turn(rows.customer())
    rows.happened(
        turn,
        facts.routed(agents=["a"], reason="r", by="model", usage=rows.USAGE, duration_ms=1),
        facts.tool_called(agent="a", tool="t", title="Look up", args={}, call_id="c"),
        facts.tool_returned(agent="a", tool="t", call_id="c", ok=True, result={"state": "ok"}),
    )
    rows.finish(turn, "Here it is.", "a")

    page = " ".join(page_of(sam, turn.conversation).split())

    folded = page[page.index('<details id="steps-2"') : page.index("Here it is.")]
    assert "3 steps: a used “Look up”" in folded
    assert folded.count('id="step-') == 3 + 1  # and the bubble behind it
    assert page.index("Where is my order?") < page.index('<details id="steps-2"')


def test_a_link_to_a_step_opens_its_page(sam: Client) -> None:
    owner = rows.customer()
    for number in range(45):
        rows.finish(rows.turn(owner, "t-long", f"Question {number:02}"))
    row = Conversation.objects.get()
    first = Turn.objects.order_by("message_seq")[3].message_seq

    page = sam.get(url(row), {"at": first}).content.decode()

    assert f'id="step-{first}"' in page
    assert "Question 03" in page
    assert "Question 44" not in page
    assert "Question 44" in sam.get(url(row), {"at": "9999999"}).content.decode()


def test_pages_ask_for_few_statements(sam: Client, django_assert_max_num_queries: Any) -> None:
    rows.staff("root", superuser=True)
    for _ in range(12):
        row = rows.waiting_for_a_person()
        tagging.add(conversation_ids=[row.pk], name="vip", by=SAM)
    Conversation.objects.update(score=1)

    for address in ("/admin/chat/conversation/?tag=vip", "/admin/chat/conversation/?q=person", url(row)):
        with django_assert_max_num_queries(15):
            assert sam.get(address).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_colleagues_at_once() -> None:
    """Eight clicks on one conversation: the same tag is made once, ten stay ten, and a note is kept once."""
    row = rows.waiting_for_a_person()
    tagging.put(thread_id=row.thread_id, names=[f"t{n}" for n in range(8)], by=SAM)

    def tag(name: str) -> Any:
        return lambda: tagging.add(conversation_ids=[row.pk], name=name, by=SAM)

    def note() -> Any:
        return notes.write(thread_id=row.thread_id, text="x", by=SAM, once="same").seq

    def ask() -> Any:
        return staffing.resolve(thread_id=row.thread_id, by=SAM).status

    outcomes = at_once([tag("vip"), tag("vip"), tag("late"), tag("refund"), note, note, note, ask])

    assert sorted(outcomes[:4]) in ([(0, 0), (0, 1), (1, 0), (1, 0)], [(0, 1), (0, 1), (1, 0), (1, 0)])
    assert len(set(outcomes[4:7])) == 1
    assert outcomes[7] == "resolved"
    assert row.tags.count() <= tagging.MOST
    assert row.events.filter(kind="note_written").count() == 1
    assert list(row.events.order_by("seq").values_list("seq", flat=True)) == list(
        range(1, row.events.count() + 1)
    )


def test_keys_of_notes_are_their_writers_own() -> None:
    row = rows.waiting_for_a_person()
    assert tagging.add(conversation_ids=[row.pk], name="vip", by=SAM) == (1, 0)
    assert tagging.add(conversation_ids=[row.pk], name="vip", by=NINA) == (0, 0)
    note = notes.write(thread_id=row.thread_id, text="x", by=SAM, once="same")

    assert notes.write(thread_id=row.thread_id, text="x", by=NINA, once="same").repeated is False
    assert notes.write(thread_id=row.thread_id, text="y", by=SAM, once="same").seq == note.seq
    assert row.events.filter(kind="note_written").count() == 2
