"""Agents, tools, API keys and customers in the console."""

import re
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from agents.admin.tools import ToolForm
from agents.models import Agent, AgentTool, Tool
from agents.retired import DELETED, TAKEN_BACK
from chat import api_keys
from chat.models import ApiKey
from tests import rows

pytestmark = pytest.mark.django_db
PAUSED = "Paused by ada."


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(rows.staff("root", superuser=True))
    return client


def told(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def agent_form(*tools: Tool, **fields: Any) -> dict[str, Any]:
    form = {
        "name": "order_lookup",
        "description": "Looks up orders.",
        "permission": "read",
        "enabled": "on",
        "keywords": "order\n tracking \n\n",
        "tool_links-TOTAL_FORMS": len(tools),
        "tool_links-INITIAL_FORMS": 0,
        **fields,
    }
    for place, tool in enumerate(tools):
        form |= {f"tool_links-{place}-tool": str(tool.pk), f"tool_links-{place}-position": len(tools) - place}
    return form


def test_an_agent_is_made_with_its_tools_in_order(root: Client) -> None:
    status, track = rows.reading_tool(), rows.reading_tool("get_tracking_info")

    answer = root.post("/admin/agents/agent/add/", agent_form(status, track))

    assert answer.status_code == 302, answer.context["errors"]
    agent = Agent.objects.get()
    assert agent.keywords == ["order", "tracking"]
    assert [link.tool for link in agent.tool_links.all()] == [track, status]


def test_a_tool_that_writes_is_refused_under_an_agent_that_reads(root: Client) -> None:
    answer = root.post("/admin/agents/agent/add/", agent_form(rows.reading_tool(), rows.tool("cancel_order")))

    assert answer.status_code == 200
    assert (
        "This agent only reads, so it cannot have tools that write: cancel_order." in answer.content.decode()
    )
    assert not Agent.objects.exists()


def test_an_agent_cannot_be_made_to_read_while_it_has_tools_that_write(root: Client) -> None:
    cancel = rows.tool("cancel_order")
    agent = rows.agent("order_actions", cancel, permission="write")
    link = AgentTool.objects.get()
    form = agent_form(cancel) | {
        "tool_links-INITIAL_FORMS": 1,
        "tool_links-0-id": link.pk,
        "tool_links-0-agent": agent.pk,
    }

    answer = root.post(reverse("admin:agents_agent_change", args=[agent.pk]), form)

    agent.refresh_from_db()
    assert (answer.status_code, agent.permission) == (200, "write")


def test_an_agent_keeps_its_name(root: Client) -> None:
    agent = rows.agent("order_lookup")
    form = agent_form(rows.reading_tool(), name="renamed", tone="Warm")

    root.post(reverse("admin:agents_agent_change", args=[agent.pk]), form)

    agent.refresh_from_db()
    assert (agent.name, agent.tone) == ("order_lookup", "Warm")


def tool_form(tool: Tool, **fields: Any) -> dict[str, Any]:
    form = {name: getattr(tool, name) for name in ("title", "description", "approval", "confirmation")}
    empty = {"staff_above_argument": "", "staff_above_amount": "", "requires": "", "read_back": ""}
    return form | {"enabled": "on", "approvals_needed": "1"} | empty | fields


def change(client: Client, tool: Tool, **fields: Any) -> Any:
    return client.post(reverse("admin:agents_tool_change", args=[tool.pk]), tool_form(tool, **fields))


def test_a_tools_words_and_approval_are_edited(root: Client) -> None:
    tool = rows.tool("apply_discount")

    answer = change(
        root,
        tool,
        title="Discount",
        approval="staff",
        staff_above_argument="percent",
        staff_above_amount="20",
    )

    tool.refresh_from_db()
    assert answer.status_code == 302, answer.context["errors"]
    assert (tool.title, tool.approval, tool.staff_above_argument, tool.staff_above_amount) == (
        "Discount",
        "staff",
        "percent",
        20,
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"approval": "none"}, "This tool writes: the customer or staff must approve each call."),
        ({"staff_above_argument": "percent"}, "Give both the argument and the amount"),
        ({"staff_above_amount": "5"}, "Give both the argument and the amount"),
        ({"staff_above_argument": "order_id", "staff_above_amount": "5"}, "They are: percent."),
        ({"staff_above_argument": "nothing", "staff_above_amount": "5"}, "They are: percent."),
        ({"title": ""}, "This field is required."),
        ({"requires": "nothing_like_it"}, "There is no tool named nothing_like_it."),
        ({"requires": "cancel_order"}, "A tool cannot require itself"),
        ({"approvals_needed": "3"}, "Select a valid choice."),
    ],
)
def test_a_tool_that_cannot_be_is_refused(root: Client, fields: dict[str, str], message: str) -> None:
    tool = rows.tool()

    answer = change(root, tool, **fields)

    assert answer.status_code == 200
    assert message in answer.content.decode()
    assert (
        Tool.objects.values().get()
        == Tool.objects.filter(pk=tool.pk, approval="customer", title=tool.title).values().get()
    )


def test_what_a_tool_needs_before_who_agrees_and_how_it_is_looked_up_are_edited(root: Client) -> None:
    check, status = rows.reading_tool("verify_identity"), rows.reading_tool()
    tool = rows.tool("refund", approval="staff")

    answer = change(
        root,
        tool,
        approvals_needed="2",
        requires="verify_identity\r\n\r\nget_order_status\r\nverify_identity",
        read_back=str(status.pk),
        repeat_safe="on",
    )

    tool.refresh_from_db()
    assert answer.status_code == 302, answer.context["errors"]
    assert (tool.approvals_needed, tool.requires) == (2, [check.name, status.name])
    assert (tool.read_back, tool.repeat_safe) == (status, True)


def test_tools_that_would_wait_for_each_other_are_refused(root: Client) -> None:
    first = rows.tool("first", requires=["second"])
    second = rows.tool("second", requires=["third"])
    third = rows.tool("third")

    answer = change(root, third, requires="first")

    third.refresh_from_db()
    assert "third needs first needs second needs third" in answer.content.decode()
    assert third.requires == []
    assert change(root, first, requires="second\nthird").status_code == 302
    assert change(root, second, requires="second").status_code == 200


def test_only_a_tool_that_reads_shows_how_it_stands(root: Client) -> None:
    tool, other = rows.tool(), rows.tool("other")

    answer = change(root, tool, read_back=str(other.pk))

    tool.refresh_from_db()
    assert (answer.status_code, tool.read_back) == (200, None)


def test_nobody_has_to_agree_twice_to_a_tool_that_reads(root: Client) -> None:
    tool = rows.reading_tool()

    answer = change(root, tool, approvals_needed="2")

    tool.refresh_from_db()
    assert (answer.status_code, tool.approvals_needed) == (200, 1)


def test_a_tool_that_reads_needs_nobody(root: Client) -> None:
    tool = rows.reading_tool()

    answer = change(root, tool, approval="staff")

    tool.refresh_from_db()
    assert (answer.status_code, tool.approval) == (200, "none")


def test_what_a_tool_sends_is_shown_and_not_edited(root: Client) -> None:
    tool = rows.tool()

    change(
        root,
        tool,
        path="/evil",
        server_url="http://evil.example",
        method="DELETE",
        access="read",
        name="other",
    )
    page = root.get(reverse("admin:agents_tool_change", args=[tool.pk])).content.decode()

    again = Tool.objects.get()
    assert (again.path, again.server_url, again.method, again.access, again.name) == (
        tool.path, tool.server_url, tool.method, tool.access, tool.name,
    )  # fmt: skip
    assert "POST http://127.0.0.1:8001/shop/orders/{order_id}/cancel_order" in page
    assert "Idempotency-Key" in page


def listed(client: Client, **query: str) -> set[str]:
    page = client.get(reverse("admin:agents_tool_changelist"), query)
    return {tool.name for tool in page.context["cl"].result_list}


def test_a_tool_that_was_deleted_is_listed_and_offered_only_where_it_is_asked_for(root: Client) -> None:
    rows.reading_tool("live"), rows.reading_tool("off", enabled=False, paused_because="Paused by ada.")
    gone = rows.reading_tool("gone", enabled=False, paused_because=DELETED)
    rows.reading_tool("back", enabled=False, paused_because=TAKEN_BACK)
    rows.reading_tool("again", enabled=True, paused_because=DELETED)  # in spite of its old reason it is live

    assert listed(root) == {"live", "off", "again"}
    assert listed(root, q="gone") == set()
    assert listed(root, state="on") == {"live", "again"}
    assert listed(root, state="off") == {"off"}
    assert listed(root, state="deleted") == {"gone", "back"}
    assert listed(root, state="deleted", q="gone") == {"gone"}

    asked = {"app_label": "agents", "model_name": "agenttool", "field_name": "tool", "term": ""}
    offered = root.get(reverse("admin:autocomplete"), asked).json()["results"]
    assert {one["text"] for one in offered} == {"live", "off", "again"}
    writing = rows.tool()
    assert change(root, writing, read_back=str(gone.pk)).status_code == 200
    writing.refresh_from_db()
    assert writing.read_back is None


def test_switching_a_tool_on_ends_the_reason_that_it_was_off_for(root: Client) -> None:
    tool = rows.tool(enabled=False, paused_because=PAUSED)
    page = root.get(reverse("admin:agents_tool_change", args=[tool.pk])).content.decode()
    assert "Why it is off" in page
    assert PAUSED in page

    change(root, tool, enabled="", title="Off still")
    tool.refresh_from_db()
    assert (tool.title, tool.enabled, tool.paused_because) == ("Off still", False, PAUSED)

    change(root, tool)
    tool.refresh_from_db()
    assert (tool.enabled, tool.paused_because) == (True, "")
    page = root.get(reverse("admin:agents_tool_change", args=[tool.pk])).content.decode()
    assert "Why it is off" not in page


@pytest.mark.parametrize("why", [DELETED, TAKEN_BACK])
def test_a_tool_that_was_deleted_is_not_switched_on_by_hand(root: Client, why: str) -> None:
    tool = rows.tool(enabled=False, paused_because=why)
    page = root.get(reverse("admin:agents_tool_change", args=[tool.pk])).content.decode()
    assert "publish it (Set-up, Imports)" in page
    assert "switches it on again" not in page

    refused = change(root, tool)

    assert "To have it again, import its document once more" in refused.content.decode()
    tool.refresh_from_db()
    assert (tool.enabled, tool.paused_because) == (False, why)


def test_editing_a_tool_leaves_what_was_published_meanwhile(root: Client, monkeypatch: Any) -> None:
    tool = rows.tool()
    cleaned = ToolForm.clean

    def clean(form: ToolForm) -> dict[str, Any]:
        Tool.objects.filter(pk=tool.pk).update(server_url="https://new.example", enabled=True)
        return cleaned(form)

    monkeypatch.setattr(ToolForm, "clean", clean)
    change(root, tool, title="Call it off")

    tool.refresh_from_db()
    assert (tool.title, tool.server_url) == ("Call it off", "https://new.example")


def test_tools_are_not_added_or_deleted_by_hand(root: Client) -> None:
    tool = rows.tool()

    assert root.get("/admin/agents/tool/add/").status_code == 403
    assert root.post(f"/admin/agents/tool/{tool.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Tool.objects.exists()


def test_a_new_key_is_shown_once_and_works(root: Client) -> None:
    answer = root.post("/admin/chat/apikey/add/", {"name": "Billing", "scopes": ["agents:read"]}, follow=True)

    shown = re.search(r"<code>(sk_[\w-]+)</code>", answer.content.decode())
    assert shown is not None
    row = ApiKey.objects.get()
    assert (row.name, row.scopes, row.key_hash) == ("Billing", ["agents:read"], api_keys.hash_of(shown[1]))
    again = root.get(reverse("admin:chat_apikey_change", args=[row.pk])).content.decode()
    assert shown[1] not in again
    assert row.key_hash not in again
    assert Client().get("/api/v1/agents", headers={"X-API-Key": shown[1]}).status_code == 200


@pytest.mark.parametrize(
    "form", [{"name": "x"}, {"name": "x", "scopes": ["everything"]}, {"scopes": ["admin"]}]
)
def test_a_key_that_cannot_be_is_not_made(root: Client, form: dict[str, Any]) -> None:
    assert root.post("/admin/chat/apikey/add/", form).status_code == 200
    assert not ApiKey.objects.exists()


def test_a_key_is_disabled_for_good_and_never_edited_or_deleted(root: Client) -> None:
    key = rows.key("admin")
    row = ApiKey.objects.get()
    page = reverse("admin:chat_apikey_change", args=[row.pk])

    root.post(page, {"name": "renamed", "scopes": ["admin"], "enabled": ""})
    row.refresh_from_db()
    assert (row.name, row.enabled) == ("billing", True)

    root.post(reverse("admin:chat_apikey_disable", args=[row.pk]), {"_form_submitted": "True"})
    assert Client().get("/api/v1/agents", headers={"X-API-Key": key}).status_code == 403
    assert reverse("admin:chat_apikey_disable", args=[row.pk]) not in root.get(page).content.decode()
    assert root.post(f"/admin/chat/apikey/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert ApiKey.objects.exists()


def test_a_customer_is_shown_with_the_newest_conversations(root: Client) -> None:
    owner = rows.customer(name="Ada Stone", email="ada@example.com")
    turn = rows.turn(owner, "t-1", "Where is order 1042?")

    page = root.get(reverse("admin:chat_customer_change", args=[owner.pk])).content.decode()

    assert "Where is order 1042?" in page
    assert reverse("admin:chat_conversation_change", args=[turn.conversation_id]) in page
    assert root.post(reverse("admin:chat_customer_change", args=[owner.pk]), {"name": "x"}).status_code == 403


def test_a_page_that_was_opened_before_a_publication_switches_nothing_on_again(root: Client) -> None:
    tool = rows.tool("apply_discount")
    url = reverse("admin:agents_tool_change", args=[tool.pk])
    seen = re.search(r'name="seen" value="(\w+)"', root.get(url).content.decode())
    assert seen is not None
    moved = {"server_url": "https://moved.example", "enabled": False, "paused_because": "It has changed."}
    Tool.objects.filter(pk=tool.pk).update(**moved)

    answer = change(root, tool, title="Discount", seen=seen[1])

    assert "has been changed or switched off since you opened this page" in answer.content.decode()
    tool.refresh_from_db()
    assert (tool.title == "Discount", tool.enabled, tool.paused_because) == (False, False, "It has changed.")
    seen = re.search(r'name="seen" value="(\w+)"', root.get(url).content.decode())
    assert seen is not None
    assert change(root, tool, title="Discount", seen=seen[1]).status_code == 302
    tool.refresh_from_db()
    assert (tool.title, tool.enabled, tool.server_url) == ("Discount", True, "https://moved.example")


def shown_form(page: str, agent: Agent, **fields: Any) -> dict[str, Any]:
    """The form of an agent's page as it was opened: the links on it as they are."""
    shown = re.findall(r'name="(tool_links-\d+)-id" value="(\d+)"', page)
    links = {link.pk: link for link in AgentTool.objects.filter(agent=agent)}
    form = agent_form(permission="write") | {
        "tool_links-TOTAL_FORMS": len(shown), "tool_links-INITIAL_FORMS": len(shown), **fields,
    }  # fmt: skip
    for prefix, pk in shown:
        link = links[int(pk)]
        one = {"id": pk, "agent": agent.pk, "tool": link.tool_id, "position": link.position}
        form |= {f"{prefix}-{name}": str(value) for name, value in one.items()}
    return form


def test_an_agent_with_hundreds_of_tools_has_a_page_that_can_be_saved(root: Client) -> None:
    tools = [rows.reading_tool(f"get_{number:03}") for number in range(299)]
    agent = rows.agent("order_lookup", *tools, rows.tool("zz_cancel"), permission="write")
    url = reverse("admin:agents_agent_change", args=[agent.pk])

    form = shown_form(root.get(url).content.decode(), agent, tone="Warm", **{"tool_links-3-DELETE": "on"})
    assert form["tool_links-TOTAL_FORMS"] == 50
    answer = root.post(url, form)

    assert answer.status_code == 302, answer.context["errors"]
    agent.refresh_from_db()
    assert (agent.tone, AgentTool.objects.count()) == ("Warm", 299)
    # What is on another page counts, too.
    answer = root.post(url, shown_form(root.get(url).content.decode(), agent, permission="read"))
    assert "it cannot have tools that write: zz_cancel." in answer.content.decode()
    agent.refresh_from_db()
    assert (agent.permission, AgentTool.objects.count()) == ("write", 299)
