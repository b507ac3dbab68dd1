"""Lists: cursors beside pages, and filters."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import signing
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Action, Agent
from agents.spending.models import ModelCall
from chat import tagging
from chat.models import Conversation
from openapi_import.models import ImportJob, Publication, SpecSource
from tests import rows
from tests.openapi_import.import_jobs import carried_out

pytestmark = pytest.mark.django_db
API = "/api/v1"


@pytest.fixture
def client(db: None) -> Client:
    return Client(headers={"X-API-Key": rows.key("admin")})


def conversations() -> None:
    now = timezone.now()
    for number in range(7):
        turn = rows.turn(rows.customer(), f"t-{number}")
        same = now - timedelta(seconds=number // 3)  # several at the same moment
        Conversation.objects.filter(pk=turn.conversation_id).update(last_activity_at=same, created_at=same)


def interrupts() -> None:
    for _ in range(7):
        rows.waiting_for_staff()
    Action.objects.update(created_at=timezone.now())


def steps() -> None:
    turn = rows.turn(rows.customer(), "t-1")
    rows.happened(turn, *(rows.facts.Fact("replied", {"content": str(n)}) for n in range(6)))


def jobs() -> None:
    for number in range(7):
        ImportJob.objects.create(name=f"n{number}")


def publications() -> None:
    source = rows.source()
    for number in range(1, 8):
        Publication.objects.create(source=source, number=number, kind="import", by_name="sam")


def sources() -> None:
    for number in range(7):
        SpecSource.objects.create(
            name=f"s{number}", url="https://x.example.com", title="X", document_hash="0" * 64,
            fetched_at=timezone.now(),
        )  # fmt: skip


def usage() -> None:
    for number in range(7):
        ModelCall.objects.create(
            customer_id=rows.customer().pk, at=timezone.now(), provider="offline", model="m",
            cost_micros=1_000 * (number // 2), purpose="answer",
        )  # fmt: skip


Making = Callable[[], None]
LISTS: dict[str, tuple[Making, str, str]] = {
    "conversations": (conversations, "conversations", "thread_id"),
    "interrupts": (interrupts, "interrupts", "interrupt_id"),
    "interrupts?status=awaiting": (interrupts, "interrupts", "interrupt_id"),
    "replay/t-1": (steps, "steps", "step"),
    "replay/t-1?type=agent_response": (steps, "steps", "step"),
    "openapi/jobs": (jobs, "jobs", "job_id"),
    "openapi/sources": (sources, "sources", "name"),
    "openapi/sources/shop/publications": (publications, "publications", "number"),
    "usage": (usage, "customers", "id"),
}


@pytest.fixture(params=list(LISTS))
def a_list(request: pytest.FixtureRequest, client: Client) -> "List":
    make, rows_in, key = LISTS[request.param]
    make()
    return List(client, request.param, rows_in, key)


class List:
    """One list as a caller reads it."""

    def __init__(self, client: Client, path: str, rows_in: str, key: str) -> None:
        self.client, self.path, self.rows_in, self.key = client, path, rows_in, key

    def get(self, **query: Any) -> Any:
        return self.client.get(f"{API}/{self.path}", query) if "?" not in self.path else self._joined(query)

    def _joined(self, query: dict[str, Any]) -> Any:
        path, _, own = self.path.partition("?")
        name, _, value = own.partition("=")
        return self.client.get(f"{API}/{path}", {name: value, **query})

    def data(self, **query: Any) -> dict[str, Any]:
        answer = self.get(**query)
        assert answer.status_code == 200, answer.content
        found: dict[str, Any] = answer.json()["data"]
        return found

    def keys(self, data: dict[str, Any]) -> list[Any]:
        return [row[self.key] for row in data[self.rows_in]]

    def walk(self, cursor: str, way: str) -> Iterator[list[Any]]:
        while True:
            data = self.data(cursor=cursor, per_page=3)
            yield self.keys(data)
            if data[way] is None:
                return
            cursor = data[way]


def test_cursors_lead_through_all_of_it_and_back(a_list: List) -> None:
    everything = a_list.keys(a_list.data(per_page=100))
    assert len(everything) >= 6

    forward = list(a_list.walk("", "next"))
    last = forward[-1]
    back_from = a_list.data(cursor=a_list.data(cursor="", per_page=len(everything) - 1)["next"], per_page=3)
    backward = list(a_list.walk(back_from["previous"], "previous"))

    assert [key for page in forward for key in page] == everything
    assert all(len(page) == 3 for page in forward[:-1])
    assert 1 <= len(last) <= 3
    assert [key for page in reversed(backward) for key in page] == everything[:-1]


def test_a_numbered_page_leads_to_its_neighbours(a_list: List) -> None:
    everything = a_list.keys(a_list.data(per_page=100))
    second = a_list.data(page=2, per_page=2)

    following = a_list.data(cursor=second["next"], per_page=2)
    before = a_list.data(cursor=second["previous"], per_page=2)

    assert a_list.keys(following) == everything[4:6]
    assert a_list.keys(before) == everything[:2]
    assert (following["page"], before["previous"], before["next"] is not None) == (None, None, True)
    assert a_list.data(page=1, per_page=2)["previous"] is None
    assert a_list.data(page=50, per_page=2)["next"] is None


def test_what_is_no_cursor_of_this_list_is_refused(a_list: List) -> None:
    mine = a_list.data(cursor="", per_page=2)["next"]
    foreign = signing.dumps([["a"], 0], salt="cursor of another list")

    for wrong in ("x", mine[:-1], mine + "A", "0", "../..", foreign):
        answer = a_list.get(cursor=wrong)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_cursor"), wrong
    assert a_list.get(cursor="x" * 501).json()["error"]["code"] == "invalid"


def test_a_cursor_of_one_order_is_none_of_another(client: Client) -> None:
    interrupts()
    newest_first = client.get(f"{API}/interrupts?cursor=&per_page=2").json()["data"]["next"]

    answer = client.get(f"{API}/interrupts", {"status": "awaiting", "cursor": newest_first})

    assert answer.json()["error"]["code"] == "invalid_cursor"


def test_nothing_is_counted_behind_a_cursor(client: Client) -> None:
    conversations()
    for _ in range(2):  # the second time without what is done once
        with CaptureQueriesContext(connection) as asked:
            data = client.get(f"{API}/conversations?cursor=&per_page=2").json()["data"]

    assert data["total"] is None
    assert not [query for query in asked.captured_queries if "COUNT" in query["sql"].upper()]


def test_new_rows_neither_repeat_nor_hide_others(client: Client) -> None:
    conversations()
    first = client.get(f"{API}/conversations?cursor=&per_page=3").json()["data"]
    everything = client.get(f"{API}/conversations?per_page=100").json()["data"]["conversations"]
    rows.turn(rows.customer(), "new")
    Conversation.objects.filter(thread_id=first["conversations"][-1]["thread_id"]).update(
        last_activity_at=timezone.now()
    )

    second = client.get(f"{API}/conversations", {"cursor": first["next"], "per_page": 4}).json()["data"]

    found = [row["thread_id"] for row in second["conversations"]]
    assert found == [row["thread_id"] for row in everything[3:7]]


def test_operations_of_an_import_have_cursors_too(client: Client) -> None:
    job = carried_out()
    url = f"{API}/openapi/jobs/{job.pk}/classifications"

    first = client.get(f"{url}?cursor=&per_page=2").json()["data"]
    rest = client.get(url, {"cursor": first["next"], "per_page": 2}).json()["data"]

    assert [row["index"] for row in first["classifications"] + rest["classifications"]] == [0, 1, 2]
    assert (rest["next"], rest["previous"] is None) == (None, False)


def threads(client: Client, **query: Any) -> set[str]:
    answer = client.get(f"{API}/conversations", query)
    assert answer.status_code == 200, answer.content
    return {row["thread_id"] for row in answer.json()["data"]["conversations"]}


def test_conversations_by_tag_agent_and_time(client: Client) -> None:
    for name in ("a", "b", "c"):
        rows.turn(rows.customer(), name)
    by = rows.approvals.Decider("staff", "Sam", id="user:1")
    tagging.put(thread_id="a", names=["vip", "refund"], by=by)
    Conversation.objects.filter(thread_id="b").update(live_agent="order_lookup")
    old = timezone.now() - timedelta(days=3)
    Conversation.objects.filter(thread_id="c").update(created_at=old, last_activity_at=old)
    middle = (timezone.now() - timedelta(days=1)).isoformat()

    assert threads(client, tag="VIP") == {"a"}
    assert threads(client, tag="nobody") == set()
    assert threads(client, agent="order_lookup") == {"b"}
    assert threads(client, since=middle) == {"a", "b"}
    assert threads(client, until=middle) == {"c"}
    assert threads(client, created_since=middle, tag="refund") == {"a"}
    assert threads(client, created_until=middle) == {"c"}
    assert threads(client, since=middle.split("T")[0] + "T00:00:00Z", cursor="") == {"a", "b"}
    refused = client.get(f"{API}/conversations?since=yesterday")
    assert list(refused.json()["error"]["fields"]) == ["since"]


def test_approvals_by_tool_thread_customer_and_time(client: Client) -> None:
    one, two = rows.waiting_for_staff(), rows.action(rows.turn(rows.customer(), "t-2"), rows.tool())
    Action.objects.filter(pk=two.pk).update(created_at=timezone.now() - timedelta(days=2))
    middle = (timezone.now() - timedelta(days=1)).isoformat()

    def found(**query: Any) -> list[str]:
        data = client.get(f"{API}/interrupts", query).json()["data"]
        return [row["interrupt_id"] for row in data["interrupts"]]

    assert found(tool="apply_discount") == [str(one.pk)]
    assert found(conversation="t-2") == [str(two.pk)]
    assert found(customer=two.customer.subject) == found(customer=str(two.customer_id)) == [str(two.pk)]
    assert found(since=middle) == [str(one.pk)]
    assert found(until=middle) == [str(two.pk)]
    assert found(tool="apply_discount", conversation="t-2") == []


def test_approvals_by_who_decides_and_what_became_of_them(client: Client) -> None:
    staffs, customers = rows.waiting_for_staff(), rows.action(rows.turn(rows.customer()), rows.tool())
    nobody_knows = rows.outcome_unknown()

    def found(**query: Any) -> list[str]:
        data = client.get(f"{API}/interrupts", query).json()["data"]
        return [row["interrupt_id"] for row in data["interrupts"]]

    assert found(status="awaiting", approver="staff") == [str(staffs.pk)]
    assert found(status="awaiting", approver="customer") == [str(customers.pk)]
    assert found(outcome="unknown") == found(status="approved", outcome="unknown") == [str(nobody_knows.pk)]
    assert found(outcome="succeeded") == found(status="awaiting", outcome="unknown") == []
    assert client.get(f"{API}/interrupts?outcome=lost").status_code == 400


def test_an_empty_text_is_no_filter(client: Client) -> None:
    rows.agent("order_lookup", rows.reading_tool())
    client.post(f"{API}/agents/import", {"yaml": "agents: []"}, content_type="application/json")

    for path, names in {
        "conversations": ["customer", "q", "tag", "agent"],
        "interrupts": ["tool", "conversation", "customer"],
        "agents": ["tool", "q"],
        "openapi/jobs": ["name", "q"],
        "audit": ["q", "who", "what", "object", "object_id"],
    }.items():
        whole = client.get(f"{API}/{path}").json()["data"]
        assert client.get(f"{API}/{path}", dict.fromkeys(names, "")).json()["data"] == whole, path
    assert client.get(f"{API}/audit").json()["data"]["entries"]


def test_steps_that_are_read_on_come_to_an_end(client: Client) -> None:
    steps()
    [first, *_] = everything = client.get(f"{API}/replay/t-1?per_page=100").json()["data"]["steps"]
    total = len(everything)

    def after(step: int, **query: Any) -> dict[str, Any]:
        found: dict[str, Any] = client.get(f"{API}/replay/t-1", {"after": step, **query}).json()["data"]
        return found

    assert first["step"] == 1
    assert [after(total - 2)[name] for name in ("next", "total_steps")] == [None, total]
    assert len(after(total - 2)["steps"]) == 2
    following = after(total - 3, per_page=2)
    assert [row["step"] for row in following["steps"]] == [total - 2, total - 1]
    rest = client.get(f"{API}/replay/t-1", {"cursor": following["next"]}).json()["data"]
    assert ([row["step"] for row in rest["steps"]], rest["next"]) == ([total], None)
    assert after(total)["next"] is None


def test_what_was_approved_and_is_not_sent_is_read_from_its_index(client: Client) -> None:
    """There are few of them among all that was ever approved: no list of the newest would find them soon."""
    waits = rows.waiting_for_staff()
    Action.objects.filter(pk=waits.pk).update(status="approved")
    with CaptureQueriesContext(connection) as asked:
        told = client.get(f"{API}/interrupts?outcome=pending&cursor=").json()["data"]["interrupts"]
    listed = [one["sql"] for one in asked if "ORDER BY" in one["sql"] and '"agents_action"' in one["sql"]]

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {listed[0]}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert [row["interrupt_id"] for row in told] == [str(waits.pk)]
    assert len(listed) == 1
    assert "action_approved" in plan, plan
    assert "Sort" not in plan


def test_agents_imports_and_steps_are_filtered(client: Client) -> None:
    rows.agent("order_lookup", rows.reading_tool())
    rows.agent("order_actions", rows.tool(), permission="write")
    Agent.objects.filter(name="order_actions").update(enabled=False)
    jobs()
    ImportJob.objects.filter(name="n1").update(title="Billing API")
    steps()

    def names(**query: Any) -> list[str]:
        return [row["name"] for row in client.get(f"{API}/agents", query).json()["data"]["agents"]]

    assert (
        names(permission="write") == names(enabled="false") == names(tool="cancel_order") == ["order_actions"]
    )
    assert names(q="lookup") == ["order_lookup"]
    found = client.get(f"{API}/openapi/jobs?q=billing").json()["data"]["jobs"]
    assert [row["name"] for row in found] == ["n1"]
    told = client.get(f"{API}/replay/t-1?type=user_message").json()["data"]
    assert ([row["type"] for row in told["steps"]], told["total_steps"]) == (["user_message"], 1)
