"""Messages that come while an earlier one is worked on: merged, refused or put first; none is lost, none runs twice."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from agents import approvals
from agents.facts import Fact
from chat import submission, takeover, turns
from chat.models import Conversation, Customer, Event, Turn, TurnStatus
from chat.submission import BETWEEN_MESSAGES, Busy, QueueFull, RateLimited, Submitted, UnknownStrategy
from chat.turns import Claim
from smartsupport.lib.errors import ServiceError
from tests import rows
from tests.at_once import at_once
from tests.factories import claim

pytestmark = pytest.mark.django_db(transaction=True)
SAM = approvals.Decider("staff", "sam", id="user:1")


def send(
    owner: Customer, text: str = "And now?", client_id: str | None = None, thread_id: str = "t-1", **how: Any
) -> Submitted:
    """A message, as from somebody who does not write too fast."""
    Customer.objects.filter(pk=owner.pk).update(accepted_at=[])
    return submission.submit(
        customer_id=owner.pk, thread_id=thread_id, content=text, client_message_id=client_id, **how
    )


def sealed(held: Claim, status: TurnStatus = TurnStatus.COMPLETED) -> None:
    payload = (
        {"code": "model_unavailable", "message": "", "detail": ""} if status == TurnStatus.FAILED else {}
    )
    assert turns.seal(held, status, [Fact(f"turn_{status.value}", payload, key=held.end_key)])


def everything() -> list[Any]:
    """All that a message may change."""
    tables = [Customer, Conversation, Turn, Event]
    return [list(table.objects.order_by("pk").values()) for table in tables]  # type: ignore[attr-defined]


def refused(error: type[ServiceError], message: Callable[[], object]) -> None:
    before = everything()
    with pytest.raises(error):
        message()
    assert everything() == before


def test_what_comes_while_a_turn_runs_is_one_next_turn() -> None:
    owner = rows.customer()
    first = send(owner, "One")
    held = claim()

    later = [send(owner, text) for text in ("Two", "Three\n\nand a half", "四")]

    assert [one.position for one in (first, *later)] == [0, 1, 2, 3]
    [joined] = {one.turn_id for one in later}
    row = Turn.objects.get(pk=joined)
    assert (row.content, row.messages, row.message_seq) == (
        "Two\n\nThree\n\nand a half\n\n四",
        3,
        later[0].seq,
    )
    told = Event.objects.filter(turn=joined).order_by("seq")
    assert [(event.seq, event.key) for event in told] == [
        (one.seq, f"message:{place}") for place, one in enumerate(later, start=1)
    ]
    sealed(held)
    assert claim().content == row.content


def test_a_turn_that_has_begun_takes_no_more_messages_however_it_came_back_into_the_queue() -> None:
    owner = rows.customer()
    send(owner)
    turns.release(claim())

    later = send(owner, "Two")

    assert (later.position, Turn.objects.count()) == (1, 2)
    assert Turn.objects.get(pk=later.turn_id).content == "Two"


def test_messages_of_different_senders_keep_their_order() -> None:
    """What an integrator sends for the customer is a turn of its own: who asked may not approve."""
    owner = rows.customer()
    sent = [send(owner, text, asked_by=by) for text, by in (("a", ""), ("b", "key:1"), ("c", ""), ("d", ""))]

    assert [one.position for one in sent] == [0, 1, 2, 3]
    assert list(Turn.objects.order_by("message_seq").values_list("content", "asked_by")) == [
        ("a", ""),
        ("b", "key:1"),
        ("c\n\nd", ""),
    ]
    repeats = [send(owner, "x", "id", asked_by="key:1"), send(owner, "x", "id")]
    assert [one.position for one in repeats] == [4, 4]


def test_the_eleventh_is_refused_whoever_sends_it() -> None:
    owner = rows.customer()
    send(owner)
    claim()
    for number in range(10):
        assert send(owner, asked_by="key:1" if number % 3 else "").position == number + 1
    Customer.objects.filter(pk=owner.pk).update(accepted_at=[])

    for asked_by in ("", "key:1", "user:2"):
        refused(QueueFull, lambda asked_by=asked_by: submission.submit(
            customer_id=owner.pk, thread_id="t-1", content="x", client_message_id=None, asked_by=asked_by
        ))  # fmt: skip
    assert Event.objects.filter(kind="message_received").count() == 11


def test_of_many_at_once_exactly_ten_are_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = rows.customer()
    send(owner)
    claim()
    monkeypatch.setattr(submission, "RATE_LIMIT", 1_000)  # it comes before the queue
    outcomes = at_once([
        lambda number=number: submission.submit(
            customer_id=owner.pk, thread_id="t-1", content=str(number), client_message_id=None,
            asked_by="key:1" if number % 2 else "",
        )
        for number in range(16)
    ])  # fmt: skip

    accepted = [one for one in outcomes if isinstance(one, Submitted)]
    assert sorted(one.position for one in accepted) == list(range(1, 11))
    assert sum(isinstance(one, QueueFull) for one in outcomes) == 6
    assert Event.objects.filter(kind="message_received").count() == 11


@pytest.mark.parametrize("state", ["queued", "running", "decided"])
def test_where_refusing_is_asked_for_nothing_is_queued(state: str) -> None:
    owner = rows.customer()
    first = send(owner)
    if state == "running":
        claim()
    if state == "decided":
        claim()
        Turn.objects.filter(pk=first.turn_id).update(status=TurnStatus.QUEUED)
    Customer.objects.filter(pk=owner.pk).update(accepted_at=[])

    refused(Busy, lambda: submission.submit(
        customer_id=owner.pk, thread_id="t-1", content="x", client_message_id=None, strategy="reject"
    ))  # fmt: skip


@pytest.mark.parametrize("state", ["nothing", "waiting", "about to wait", "completed"])
def test_nothing_is_refused_while_nothing_is_worked_on(state: str) -> None:
    owner = rows.customer()
    if state != "nothing":
        first = send(owner)
        held = claim()
        if state == "completed":
            sealed(held)
        else:
            turn = Turn.objects.select_related("conversation").get(pk=first.turn_id)
            rows.action(turn, rows.tool())
            if state == "about to wait":
                Turn.objects.filter(pk=turn.pk).update(status=TurnStatus.RUNNING)

    assert send(owner, strategy="reject").position == 0


def test_interrupting_stops_what_runs_and_keeps_what_was_queued() -> None:
    owner = rows.customer()
    first = send(owner, "One")
    held = claim()
    second = send(owner, "Two")

    third = send(owner, "Stop, three", strategy="interrupt")

    assert (third.turn_id, third.position) == (second.turn_id, 2)
    assert turns.renew({held.turn_id: held.fence})[held.turn_id].stop is True
    sealed(held, TurnStatus.STOPPED)
    assert claim().content == "Two\n\nStop, three"
    assert Turn.objects.get(pk=first.turn_id).status == "stopped"


def test_interrupting_ends_what_was_decided_and_not_yet_done() -> None:
    owner = rows.customer()
    turn = Turn.objects.select_related("conversation").get(pk=send(owner).turn_id)
    claim()
    action = rows.action(turn, rows.tool())
    approvals.decide(
        action_id=action.pk, approved=True, by=approvals.Decider("customer", "the customer", owner.pk)
    )

    later = send(owner, "No, wait", strategy="interrupt")

    turn.refresh_from_db()
    action.refresh_from_db()
    assert (turn.status, action.status, later.position) == ("stopped", "cancelled", 0)
    assert claim().turn_id == later.turn_id


def test_a_waiting_approval_survives_an_interruption() -> None:
    owner = rows.customer()
    turn = Turn.objects.select_related("conversation").get(pk=send(owner).turn_id)
    action = rows.action(turn, rows.tool())

    send(owner, "And another thing", strategy="interrupt")

    turn.refresh_from_db()
    action.refresh_from_db()
    assert (turn.status, action.status) == ("waiting", "awaiting")


@pytest.mark.parametrize("strategy", ["", "Enqueue", "rollback", 1, ["reject"], {"a": 1}, True])
def test_a_strategy_that_there_is_not_is_refused(strategy: object) -> None:
    owner = rows.customer()
    refused(UnknownStrategy, lambda: submission.submit(
        customer_id=owner.pk, thread_id="t-1", content="x", client_message_id=None, strategy=strategy
    ))  # fmt: skip


def test_the_deployments_strategy_holds_where_none_is_named(settings: Any) -> None:
    settings.MULTITASK_STRATEGY = "reject"
    owner = rows.customer()
    send(owner)
    Customer.objects.filter(pk=owner.pk).update(accepted_at=[])

    refused(Busy, lambda: submission.submit(
        customer_id=owner.pk, thread_id="t-1", content="x", client_message_id=None
    ))  # fmt: skip
    assert send(owner, strategy="enqueue").position == 1


STATES = ["queued", "merged", "running", "waiting", "completed", "failed", "stopped", "retried", "held"]


@pytest.mark.parametrize("state", STATES)
def test_a_repeat_is_acknowledged_and_changes_nothing(state: str) -> None:
    owner = rows.customer()
    if state == "held":
        send(owner)
        takeover.take_over(thread_id="t-1", by=SAM)
    elif state == "merged":
        send(owner)
        claim()
        send(owner)
    first = send(owner, "Hello", "m-1")
    if state in ("running", "completed", "failed", "stopped", "retried"):
        held = claim()
        if state != "running":
            sealed(held, TurnStatus.FAILED if state == "retried" else TurnStatus(state))
    if state == "waiting":
        rows.action(Turn.objects.select_related("conversation").get(pk=first.turn_id), rows.tool())
    if state == "retried":
        turns.retry(customer_id=owner.pk, thread_id="t-1")
    before = everything()

    for how in ({}, {"strategy": "reject"}, {"strategy": "interrupt"}, {"asked_by": "key:1"}):
        again = submission.submit(
            customer_id=owner.pk, thread_id="t-1", content="Hello", client_message_id="m-1", **how
        )
        assert (again.turn_id, again.seq, again.repeated) == (first.turn_id, first.seq, True)
        assert again.position == (first.position if state in ("queued", "merged", "held") else 0)

    assert everything() == before
    assert (first.turn_id is None) == (state == "held")


def test_a_repeat_is_known_even_where_a_new_message_would_be_refused() -> None:
    owner = rows.customer()
    first = send(owner, "Hello", "m-0")
    for number in range(1, 10):
        submission.submit(customer_id=owner.pk, thread_id="t-1", content="x", client_message_id=f"m-{number}")
    refused(RateLimited, lambda: submission.submit(
        customer_id=owner.pk, thread_id="t-1", content="x", client_message_id="m-10"
    ))  # fmt: skip

    again = submission.submit(customer_id=owner.pk, thread_id="t-1", content="x", client_message_id="m-0")

    assert (again.seq, again.repeated) == (first.seq, True)


def test_the_same_words_without_an_id_are_another_message() -> None:
    owner = rows.customer()

    sent = [send(owner, "yes") for _ in range(3)]

    assert len({one.seq for one in sent}) == 3
    assert Turn.objects.get().content == "yes\n\nyes\n\nyes"


def test_repeats_from_everywhere_at_once_run_once_while_the_turn_changes() -> None:
    owner = rows.customer()
    for number in range(5):
        thread = f"t-{number}"
        repeat = lambda thread=thread: send(owner, "Hello", "m", thread)  # noqa: E731
        outcomes = at_once([*[repeat] * 5, lambda: turns.claim("one"), lambda thread=thread: _taken(thread)])
        sent = [one for one in outcomes if isinstance(one, Submitted)]
        assert len(sent) == 5, outcomes
        assert len({(one.turn_id, one.seq) for one in sent}) == 1
        assert [one.repeated for one in sent].count(False) == 1
        received = Event.objects.filter(conversation__thread_id=thread, kind="message_received")
        assert received.count() == 1


def _taken(thread_id: str) -> object:
    try:
        return takeover.take_over(thread_id=thread_id, by=SAM)
    except ServiceError as refusal:
        return refusal.code


def test_no_message_falls_between_two_turns() -> None:
    """Customers write while a worker claims and seals as fast as it can: each message is in the content of exactly one
    claim, in its place."""
    threads = [f"t-{number}" for number in range(3)]
    owners = {thread: rows.customer() for thread in threads}
    worked: list[tuple[str, str]] = []
    written = threading.Event()

    def work() -> None:
        while True:
            last = written.is_set()  # looked at before: what was written by then is found now
            held = turns.claim("one")
            if held is not None:
                worked.append((held.thread_id, held.content))
                sealed(held)
            elif last:
                return

    def write(thread: str) -> list[Submitted]:
        return [send(owners[thread], f"{thread}:{number}", thread_id=thread) for number in range(15)]

    def run_worker() -> None:
        try:
            work()
        finally:
            connection.close()

    worker = threading.Thread(target=run_worker)
    worker.start()
    outcomes = at_once([lambda thread=thread: write(thread) for thread in threads])
    written.set()
    worker.join(60)

    assert not worker.is_alive()
    assert all(isinstance(outcome, list) for outcome in outcomes), outcomes
    for thread in threads:
        contents = [content for name, content in worked if name == thread]
        answered = [text for content in contents for text in content.split(BETWEEN_MESSAGES)]
        assert answered == [f"{thread}:{number}" for number in range(15)]
    assert set(Turn.objects.values_list("status", flat=True)) == {"completed"}


@pytest.fixture
def integrator(client: Client) -> Client:
    client.defaults["HTTP_X_API_KEY"] = rows.key("conversations:write")
    return client


def post(client: Client, **body: Any) -> Any:
    return client.post("/api/v1/conversations/t-1/messages", body, content_type="application/json")


def test_the_api_has_the_same_strategies(integrator: Client) -> None:
    owner = rows.customer()
    send(owner)
    held = claim()
    queued = post(integrator, content="And 1043?").json()["data"]
    assert (queued["status"], queued["messages"]) == ("queued", [{"seq": 2, "client_message_id": None}])
    before = everything()

    answer = post(integrator, content="x", multitask_strategy="reject")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "busy")
    assert answer.json()["error"]["message"] == Busy.message
    assert post(integrator, content="x", multitask_strategy="rollback").status_code == 400
    assert everything() == before
    first = post(integrator, content="Now!", multitask_strategy="interrupt").json()["data"]
    assert first["turn_id"] == queued["turn_id"]
    assert turns.renew({held.turn_id: held.fence})[held.turn_id].stop is True


def test_the_api_refuses_the_eleventh(integrator: Client) -> None:
    owner = rows.customer()
    send(owner)
    claim()
    for number in range(10):
        send(owner, asked_by=f"key:{number % 2}")
    Customer.objects.filter(pk=owner.pk).update(accepted_at=[])
    before = everything()

    answer = post(integrator, content="x")

    assert (answer.status_code, answer.json()["error"]["message"]) == (429, "Too many queued messages")
    assert everything() == before


def test_a_turn_report_tells_all_its_messages(integrator: Client) -> None:
    owner = rows.customer()
    send(owner)
    claim()
    ids: list[UUID] = [
        post(integrator, content=text, client_message_id=text).json()["data"]["turn_id"] for text in "abc"
    ]

    report = post(integrator, content="a", client_message_id="a").json()["data"]

    assert set(ids) == {report["turn_id"]}
    assert [(one["seq"], one["client_message_id"]) for one in report["messages"]] == [
        (2, "a"),
        (3, "b"),
        (4, "c"),
    ]
