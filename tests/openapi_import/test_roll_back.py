"""Taking back, pausing, resuming and deleting what is live: each recorded, each for one at a time."""

import threading
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import approvals, registry
from agents.approvals import Decider, NotAllowed
from agents.models import Action, ActionStatus, Agent, AgentTool, Credential, Tool
from chat.models import Event, TurnStatus
from openapi_import import publications, review, tool_state
from openapi_import.models import Publication, SpecSource
from openapi_import.publish import publish
from openapi_import.roll_back import NotTheNewest, PublicationNotFound, newest_to_undo, roll_back
from smartsupport.lib.ids import new_id
from tests import rows
from tests.openapi_import.review_rows import CANCEL, KIM, LOOK, REFUND, SAM, changed, operation, ready

pytestmark = pytest.mark.django_db

EVE = Decider("customer", "eve")
NEWER = (
    LOOK,
    changed(CANCEL, title="Stop", tool={"server_url": "https://new.example"}),
    operation("ship_order"),
)


def live() -> list[Any]:
    """Everything that decides what agents can do, without when it was stored."""
    tools = [tool_state.state(tool) for tool in Tool.objects.order_by("pk")]
    links = AgentTool.objects.order_by("agent__name", "tool__name").values_list("agent__name", "tool__name")
    return [tools, list(links), list(Agent.objects.order_by("name").values("name", "permission", "enabled"))]


def offered() -> list[str]:
    return sorted(tool.name for agent in registry.current().agents for tool in agent.tools)


def source() -> SpecSource:
    return SpecSource.objects.get(name="shop")


def published(*operations: Any, **fields: Any) -> Publication:
    job = ready(*operations, **fields)
    review.look(job.pk, None, SAM)
    return publish(job.pk, SAM)


def test_a_publication_is_taken_back_and_again() -> None:
    first = published(version="1")
    before = live()
    second = published(*NEWER, version="2", document_hash="2" * 64)
    after = live()

    undone = roll_back(second.pk, KIM)

    assert (undone.number, undone.kind, undone.by_name, undone.undoes) == (3, "roll_back", "kim", second)
    ship = Tool.objects.get(name="ship_order")
    assert (ship.enabled, ship.paused_because) == (False, tool_state.TAKEN_BACK)
    now = live()
    assert [tool for tool in now[0] if tool["name"] != "ship_order"] == before[0]
    assert now[1:] == before[1:]
    assert (source().document_hash, source().version) == ("1" * 64, "1")
    assert newest_to_undo(source()) == first

    roll_back(undone.pk, KIM)  # and forward again
    assert live() == after
    assert (source().document_hash, source().version) == ("2" * 64, "2")
    assert newest_to_undo(source()) == second

    roll_back(second.pk, KIM)
    roll_back(first.pk, KIM)  # back to the beginning, one after the other
    assert offered() == []
    assert not Agent.objects.filter(enabled=True).exists()
    assert newest_to_undo(source()) is None


def test_what_was_taken_back_is_new_in_the_next_import() -> None:
    roll_back(published().pk, SAM)

    job = ready()
    assert {row.change for row in job.classifications.all()} == {"added"}
    publish(job.pk, SAM)

    assert offered() == ["cancel_order", "look_order", "refund_order"]
    assert Tool.objects.count() == 3


def test_what_staff_did_since_stays() -> None:
    published()
    second = published(*NEWER)
    Tool.objects.filter(name="cancel_order").update(title="Ours", approval="customer")
    publications.pause(source().pk, KIM, tools=[Tool.objects.get(name="look_order").pk])

    roll_back(second.pk, SAM)

    cancel, look = Tool.objects.get(name="cancel_order"), Tool.objects.get(name="look_order")
    assert (cancel.title, cancel.approval, cancel.server_url) == ("Ours", "customer", "https://shop.example")
    assert (look.enabled, look.paused_because) == (False, "Paused by kim.")


def test_only_the_newest_is_taken_back_and_once() -> None:
    first, second = published(), published(*NEWER)
    pause = publications.pause(source().pk, SAM)
    before = live()

    with pytest.raises(
        NotTheNewest, match=r"newer was published since. Roll that back first \(number 2, by sam\)"
    ) as old:
        roll_back(first.pk, KIM)
    with pytest.raises(NotTheNewest, match="A pause is not rolled back: resume the tools"):
        roll_back(pause.pk, KIM)
    with pytest.raises(PublicationNotFound):
        roll_back(new_id(), KIM)
    with pytest.raises(NotAllowed):
        roll_back(second.pk, EVE)
    assert old.value.extra == {"newest": str(second.pk)}
    assert live() == before

    roll_back(second.pk, KIM)
    with pytest.raises(NotTheNewest, match="kim has rolled this back already"):
        roll_back(second.pk, SAM)
    assert Publication.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_taking_back_at_once_does_it_once() -> None:
    published()
    second = published(*NEWER)
    together, told = threading.Barrier(4), []

    def run() -> None:
        try:
            together.wait(30)
            roll_back(second.pk, KIM)
            told.append("done")
        except NotTheNewest as refusal:
            told.append(refusal.message)
        except BaseException as error:
            told.append(repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(told) == ["done", *["kim has rolled this back already."] * 3]
    assert Publication.objects.count() == 3


def test_a_pause_is_for_all_or_for_some_and_ends_with_resuming() -> None:
    published()
    cancel = Tool.objects.get(name="cancel_order")
    Tool.objects.filter(name="refund_order").update(enabled=False)  # staff's own choice

    made = publications.pause(source().pk, KIM, reason="The shop is closed.")

    assert offered() == []
    assert [(entry["tool"], entry["change"]) for entry in made.changes] == [
        ("look_order", "paused"), ("cancel_order", "paused"),
    ] or len(made.changes) == 2  # fmt: skip
    cancel.refresh_from_db()
    assert cancel.paused_because == "Paused by kim: The shop is closed."
    with pytest.raises(publications.NothingToDo, match="switched off already"):
        publications.pause(source().pk, KIM)

    publications.resume(source().pk, SAM, tools=[cancel.pk])
    assert offered() == ["cancel_order"]
    publications.resume(source().pk, SAM)
    assert offered() == ["cancel_order", "look_order"]  # not what staff had switched off
    publications.resume(source().pk, SAM, tools=[Tool.objects.get(name="refund_order").pk])
    assert len(offered()) == 3
    assert [row.kind for row in Publication.objects.order_by("number")] == [
        "publish",
        "pause",
        *["resume"] * 3,
    ]


def test_a_pause_outlasts_a_publication() -> None:
    published()
    publications.pause(source().pk, KIM)

    published()

    assert offered() == []


def test_what_is_not_there_or_not_allowed_changes_nothing() -> None:
    published()
    other = rows.tool("elsewhere")
    own = Tool.objects.get(name="look_order")
    Tool.objects.filter(pk=other.pk).update(source=SpecSource.objects.create(
        name="other", document_hash="3" * 64, fetched_at=source().fetched_at))  # fmt: skip
    before = live()

    for call in (publications.pause, publications.resume, publications.delete):
        with pytest.raises(publications.SourceNotFound):
            call(new_id(), SAM)
        with pytest.raises(publications.SourceNotFound, match="no such tool of this API"):
            call(source().pk, SAM, tools=[own.pk, other.pk])
        with pytest.raises(NotAllowed):
            call(source().pk, EVE)

    assert live() == before
    assert Publication.objects.count() == 1


def waiting(tool_name: str, approver: str = "customer") -> Action:
    Tool.objects.filter(name=tool_name).update(approval=approver)
    owner = rows.customer()
    return rows.action(rows.turn(owner), Tool.objects.get(name=tool_name), order_id="1042")


@pytest.mark.parametrize("approver", ["customer", "staff"])
def test_deleting_finds_what_is_over_expired_and_asks_nobody_once_more(approver: str) -> None:
    published()
    action = waiting("cancel_order", approver)
    Action.objects.filter(pk=action.pk).update(expires_at=timezone.now())

    publications.delete(source().pk, KIM)

    action.refresh_from_db()
    assert (action.status, action.reopened, action.decided_by) == (ActionStatus.EXPIRED, 0, "")
    assert action.turn.status == TurnStatus.QUEUED
    told = Event.objects.filter(turn=action.turn, kind__startswith="approval_").order_by("seq")
    assert list(told.values_list("kind", flat=True)) == ["approval_opened", "approval_expired"]


@pytest.mark.parametrize("approver", ["customer", "staff"])
def test_deleting_retires_tools_and_declines_what_waits_for_them(approver: str) -> None:
    published()
    action, other = waiting("cancel_order", approver), waiting("refund_order")
    cancel = Tool.objects.get(name="cancel_order")

    made = publications.delete(source().pk, KIM, tools=[cancel.pk])

    cancel.refresh_from_db()
    action.refresh_from_db()
    other.refresh_from_db()
    assert tool_state.retired(cancel)
    assert Tool.objects.filter(tool_state.NOT_RETIRED).count() == 2
    assert offered() == ["look_order", "refund_order"]
    assert [(entry["tool"], entry["change"]) for entry in made.changes] == [("cancel_order", "deleted")]
    assert made.agents == [{"agent": "orders", "tool": "cancel_order", "change": "unlinked"}]
    assert (action.status, action.decided_by, action.decided_by_name) == (
        ActionStatus.REJECTED,
        "staff",
        "kim",
    )
    assert action.reason == "Cancel order is no longer offered."
    assert action.turn.status == TurnStatus.QUEUED  # it goes on and says so
    kinds = list(Event.objects.filter(turn=action.turn).order_by("seq").values_list("kind", flat=True))
    assert kinds[-1] == "approval_decided"
    assert (other.status, other.turn.status) == (ActionStatus.AWAITING, TurnStatus.WAITING)
    with pytest.raises(publications.NothingToDo):
        publications.delete(source().pk, KIM, tools=[cancel.pk])
    with pytest.raises(publications.NothingToDo):
        publications.resume(source().pk, KIM, tools=[cancel.pk])


def test_deleting_an_api_takes_its_secrets_and_can_be_taken_back_without_them() -> None:
    published()
    Credential.objects.create(source=source(), scheme="key", kind="api_key", secret="sealed")
    before = live()

    made = publications.delete(source().pk, KIM)

    assert offered() == []
    assert not AgentTool.objects.exists()
    assert not Credential.objects.exists()
    roll_back(made.pk, SAM)
    assert live() == before
    assert not Credential.objects.exists()


def test_an_agent_that_came_with_an_api_goes_with_its_tools_and_comes_back_with_them() -> None:
    published()
    rows.agent("by_hand", Tool.objects.get(name="look_order"))  # made by staff, and left without a tool

    def on() -> list[str]:
        return list(Agent.objects.filter(enabled=True).order_by("name").values_list("name", flat=True))

    publications.delete(source().pk, KIM, tools=[Tool.objects.get(name="cancel_order").pk])
    assert on() == ["by_hand", "money", "orders"]
    made = publications.delete(source().pk, KIM)
    assert on() == ["by_hand"]
    assert [entry["agent"] for entry in made.agents if entry["change"] == "switched_off"] == [
        "money",
        "orders",
    ]
    back = roll_back(made.pk, SAM)
    assert on() == ["by_hand", "money", "orders"]
    roll_back(back.pk, SAM)
    assert on() == ["by_hand"]
    published(version="3", document_hash="3" * 64)
    assert on() == ["by_hand", "money", "orders"]
    assert offered()

    AgentTool.objects.filter(agent__name="orders").delete()
    rows.agent("kept", *Tool.objects.filter(enabled=True))
    Agent.objects.filter(name="orders").update(enabled=True)
    publications.delete(source().pk, KIM)
    assert on() == ["by_hand", "kept", "orders"]  # staff had emptied it before


def test_what_waits_on_a_paused_tool_is_not_carried_out_and_not_lost() -> None:
    published()
    action = waiting("cancel_order")

    publications.pause(source().pk, KIM)
    customer = Decider("customer", "", customer_id=action.customer_id)
    with pytest.raises(approvals.ToolChanged):
        approvals.decide(action_id=action.pk, approved=True, by=customer)
    action.refresh_from_db()
    assert (action.status, action.approver) == (ActionStatus.AWAITING, "staff")
    with pytest.raises(approvals.ToolSwitchedOff):
        approvals.decide(action_id=action.pk, approved=True, by=SAM, seen=action.arguments_hash)

    publications.resume(source().pk, KIM)
    approvals.decide(action_id=action.pk, approved=True, by=SAM, seen=action.arguments_hash)
    action.refresh_from_db()
    assert action.status == ActionStatus.APPROVED


def test_what_waits_on_a_tool_that_changes_comes_back_to_staff_with_the_difference() -> None:
    published()
    action = waiting("cancel_order")

    published(*NEWER)
    customer = Decider("customer", "", customer_id=action.customer_id)
    with pytest.raises(approvals.ToolChanged):
        approvals.decide(action_id=action.pk, approved=True, by=customer)

    action.refresh_from_db()
    assert (action.status, action.approver) == (ActionStatus.AWAITING, "staff")
    assert {
        "field": "server_url",
        "was": "https://shop.example",
        "now": "https://new.example",
    } in action.difference
    assert REFUND["operation_id"] not in offered()


def test_taking_a_large_api_back_takes_as_many_queries_as_a_small_one() -> None:
    def queries(*operations: dict[str, Any], name: str) -> tuple[int, int]:
        first = publish(ready(*operations, name=name).pk, SAM)
        counts = []
        for publication in (first, None):  # its tools go, and come back
            wanted = publication or Publication.objects.filter(source__name=name).latest("number")
            with CaptureQueriesContext(connection) as asked:
                roll_back(wanted.pk, SAM)
            counts.append(len(asked))
        return counts[0], counts[1]

    few = queries(LOOK, CANCEL, name="small")
    large = [operation(f"get_thing_{number}", agent_group=f"group{number % 7}") for number in range(300)]
    many = queries(*large, name="large")

    assert many[0] <= few[0]
    assert many[1] <= few[1]
    assert AgentTool.objects.filter(tool__source__name="large", agent__enabled=True).count() == 300
