"""What comes while a replay is open: read behind a number, in the filter, and by those who may look."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from agents import facts
from chat.models import Turn
from tests import rows
from tests.replay.test_player import a_turn, long_conversation

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(rows.staff("vera", "chat.view_conversation"))
    return client


def news(client: Client, turn: Turn, query: str) -> Any:
    return client.get(reverse("admin:chat_conversation_replay_news", args=[turn.conversation_id]) + query)


def steps(answer: Any) -> list[int]:
    assert answer.status_code == 200
    return [int(seq) for seq in re.findall(r'data-step="(\d+)"', answer.content.decode())]


def seen(answer: Any) -> int:
    return int(re.findall(r'data-seen="(\d+)"', answer.content.decode())[0])


def test_only_what_came_behind_the_number_is_told(viewer: Client) -> None:
    turn = a_turn()
    last = turn.conversation.events.count()

    assert news(viewer, turn, f"?after={last}").status_code == 204
    rows.happened(turn, facts.replied(agent="bot", content="One more thing.", key="late"))
    answer = news(viewer, turn, f"?after={last}&step={last}")

    assert steps(answer) == [last + 1]
    assert seen(answer) == last + 1
    text = answer.content.decode()
    assert "One more thing." in text
    assert f"{last + 1} in 1 turn" in text
    assert "Turn 1" not in text  # it goes on, and has its heading above
    assert news(viewer, turn, f"?after={last + 1}").status_code == 204


def test_a_turn_that_begins_has_its_heading(viewer: Client) -> None:
    turn = a_turn()
    last = turn.conversation.events.count()
    rows.turn(turn.conversation.customer, turn.conversation.thread_id, "And another?")

    assert "Turn 2" in news(viewer, turn, f"?after={last}").content.decode()


def test_what_does_not_fit_the_filter_is_read_and_not_listed(viewer: Client) -> None:
    turn = a_turn()
    last = turn.conversation.events.count()
    rows.happened(
        turn,
        facts.replied(agent="bot", content="Done.", key="late"),
        facts.note_written(content="Look at this.", by_name="sam", once="", key="note"),
    )

    only = news(viewer, turn, f"?after={last}&kind=people")
    none = news(viewer, turn, f"?after={last}&kind=feedback")

    assert steps(only) == [last + 2]
    assert (steps(none), seen(none)) == ([], last + 2)


def test_many_come_in_pages_without_gaps_and_at_one_price(
    viewer: Client, django_assert_max_num_queries: Any
) -> None:
    turn = long_conversation(180)
    found: list[int] = []
    after, more = 10, True
    while more:
        with django_assert_max_num_queries(10):
            answer = news(viewer, turn, f"?after={after}")
        found += steps(answer)
        after, more = seen(answer), b"data-more" in answer.content

    assert found == list(range(11, 181))


@pytest.mark.parametrize("query", ["?after=-1", "?after=x", "", "?after=9999999999999999999&step=abc"])
def test_a_number_that_is_none_breaks_nothing(viewer: Client, query: str) -> None:
    assert news(viewer, a_turn(), query).status_code == 200


def test_who_may_not_look_is_told_nothing(client: Client) -> None:
    client.force_login(rows.staff("otto"))

    assert news(client, a_turn(), "?after=0").status_code == 403
