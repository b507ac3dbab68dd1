"""Staff take a conversation over from its page, and give it back."""

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from agents.approvals import Decider
from agents.models import Action
from chat import submission, takeover
from chat.models import Conversation, Event, Turn
from tests import rows

pytestmark = pytest.mark.django_db
LIST = "/admin/chat/conversation/"
NINA = Decider("staff", "nina", id="user:0")


@pytest.fixture
def sam(client: Client) -> Client:
    client.force_login(rows.staff("sam", "chat.view_conversation", "chat.change_conversation"))
    return client


def url(row: Conversation, name: str = "change") -> str:
    return reverse(f"admin:chat_conversation_{name}", args=[row.pk])


def page_of(client: Client, row: Conversation) -> str:
    return client.get(url(row)).content.decode()


def do(client: Client, row: Conversation, name: str, **form: str) -> str:
    answer = client.post(url(row, name), {"_form_submitted": "True", **form})
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def offered(client: Client, row: Conversation) -> list[str]:
    page = page_of(client, row)
    names = ("take_over", "write", "hand_back", "retry", "resolve")
    return [name for name in names if f'hx-get="{url(row, name)}"' in page]


def listed(client: Client, query: str) -> list[Any]:
    return [row.pk for row in client.get(f"{LIST}{query}").context["cl"].result_list]


def test_taking_over_and_giving_back(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    assert offered(sam, row) == ["take_over", "write", "resolve"]
    assert "The agents go on answering until somebody takes over." in page_of(sam, row)

    told = do(sam, row, "take_over")

    row.refresh_from_db()
    page = page_of(sam, row)
    assert (row.status, row.held_by, row.epoch) == ("held", "sam", 1)
    assert told == "You have this conversation now. The agents say nothing until you give it back."
    assert "sam took the conversation over" in page
    assert "With sam" in page
    assert "by you," in page
    assert "Asked for a person: The parcel is damaged." in page
    assert offered(sam, row) == ["hand_back", "resolve"]  # it is written below the timeline
    assert 'id="composer-fields"' in page

    told = do(sam, row, "hand_back")

    row.refresh_from_db()
    page = page_of(sam, row)
    assert (row.status, row.held_by) == ("open", "")
    assert told == "Given back. The agents answer the customer's next message."
    assert "sam gave the conversation back to the agents" in page
    assert 'id="composer-fields"' not in page


def test_the_dialog_says_what_taking_over_ends(sam: Client) -> None:
    action = rows.waiting_for_staff(order_id="1042", percent=10)
    row = action.turn.conversation

    dialogs = [sam.get(url(row, name)).content.decode() for name in ("take_over", "write")]

    for dialog in dialogs:
        assert "This waits for a decision and is cancelled: Give 10% off order 1042." in dialog
        assert "An agent is at work in it." in dialog
    assert "by writing, you take it over" in dialogs[1]
    do(sam, row, "take_over")
    assert Action.objects.get().status == "cancelled"
    assert Turn.objects.get().status == "stopped"


def test_writing_takes_over_and_the_second_message_does_not_again(sam: Client) -> None:
    row = rows.waiting_for_a_person()

    do(sam, row, "write", content="Hello", once="1")
    do(sam, row, "write", content="Are you there?", once="2")

    kinds = list(Event.objects.filter(turn=None).order_by("seq").values_list("kind", flat=True))
    assert kinds == ["taken_over", "staff_wrote", "staff_wrote"]


def test_who_was_second_is_told_who_has_it(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    takeover.take_over(thread_id=row.thread_id, by=NINA)
    before = rows.log_size(row)

    told, page = do(sam, row, "take_over"), page_of(sam, row)

    row.refresh_from_db()
    assert told == "nina has taken over already."
    assert (row.held_by, rows.log_size(row)) == ("nina", before)
    assert "With nina" in page
    assert "nina has this conversation; the customer hears both of you." in page
    assert (
        "nina has this conversation. The customer hears both of you"
        in sam.get(url(row, "write")).content.decode()
    )


def test_what_nobody_has_is_not_given_back(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    before = rows.log_size(row)

    assert do(sam, row, "hand_back") == "Nobody has taken over this conversation: the agents answer."

    row.refresh_from_db()
    assert (row.status, rows.log_size(row)) == ("waiting", before)


def test_what_the_customer_writes_while_a_colleague_has_it_shows_live(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    do(sam, row, "take_over")
    state = sam.get(url(row)).context["state"]
    assert sam.get(url(row, "live"), {"state": state}).status_code == 204

    submission.submit(
        customer_id=row.customer_id,
        thread_id=row.thread_id,
        content="Is somebody there?",
        client_message_id=None,
    )

    news = sam.get(url(row, "live"), {"state": state}).content.decode()
    assert "Is somebody there?" in news
    assert Turn.objects.filter(status="queued").count() == 0
    assert 'id="conversation-buttons" class="desk-buttons" hx-swap-oob="true"' in news
    assert listed(sam, "?happened=unanswered") == [row.pk]
    do(sam, row, "write", content="Yes.")
    assert listed(sam, "?happened=unanswered") == []


def test_the_list_shows_who_has_what(sam: Client) -> None:
    mine, hers, waiting = (rows.waiting_for_a_person() for _ in range(3))
    do(sam, mine, "take_over")
    takeover.take_over(thread_id=hers.thread_id, by=NINA)

    page = sam.get(LIST).content.decode()

    assert "With nina" in page
    assert "With sam" in page
    assert set(listed(sam, "?status__exact=held")) == {mine.pk, hers.pk}
    assert listed(sam, "?status__exact=waiting") == [waiting.pk]
    assert listed(sam, "?happened=mine") == [mine.pk]


def test_what_failed_is_tried_again(sam: Client) -> None:
    row = rows.turn(rows.customer()).conversation
    Turn.objects.update(status="failed")
    assert offered(sam, row) == ["take_over", "write", "retry", "resolve"]

    told = do(sam, row, "retry")

    assert told == "The agents try again."
    assert Turn.objects.get().status == "queued"
    assert "Staff had it tried again" in page_of(sam, row)
    assert offered(sam, row) == ["take_over", "write", "resolve"]
    assert do(sam, row, "retry") == "There is nothing to try again. Please send your message again."


def test_who_may_only_look_is_offered_nothing(client: Client) -> None:
    client.force_login(rows.staff("nina", "chat.view_conversation"))
    row = rows.waiting_for_a_person()
    before = rows.log_size(row)

    for name in ("take_over", "hand_back", "retry"):
        assert client.post(url(row, name), {"_form_submitted": "True"}).status_code == 403

    assert offered(client, row) == []
    assert rows.log_size(row) == before


def test_what_a_customer_sees_and_what_only_staff_read_are_told_apart(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    do(sam, row, "write", content="We are on it.")

    page = page_of(sam, row)

    assert "What happened: only staff read this" in page
    assert "the customer sees it as “Our team”" in page
