"""Agents and tools are edited, previewed and tried out: faults at their fields, prompts as they are sent, and a
playground that changes nothing."""

import json
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import LazySettings
from django.db import connections
from django.test import AsyncClient, Client
from django.urls import reverse

from agents import prompt_preview, registry
from agents.models import Action, Agent, AgentTool, ModelCall, Tool
from chat.models import Conversation
from smartsupport.lib.own_loop import on_own_loop
from tests import rows
from tests.agents.graph_script import answers, call, routed
from tests.agents.spending_rows import budget, spent
from tests.factories import close_threads
from tests.scripted_model.fixture import RunningModel

NEEDS = ("agents.view_agent", "agents.change_agent")


@pytest.fixture
def root(client: Client, db: None) -> Client:
    client.force_login(rows.staff("root", superuser=True))
    return client


@pytest.fixture
def model(scripted_model: RunningModel, settings: LazySettings) -> RunningModel:
    settings.LLM_PROVIDER, settings.OPENAI_BASE_URL = "openai", scripted_model.url
    settings.OPENAI_API_KEY, settings.LLM_MODEL = "", "gpt-5.4-mini"
    return scripted_model


def agent_form(agent: Agent | None = None, *tools: Tool, **fields: Any) -> dict[str, Any]:
    form = {
        "name": "orders",
        "description": "Looks up orders.",
        "permission": "write",
        "enabled": "on",
        "tool_links-TOTAL_FORMS": len(tools),
        "tool_links-INITIAL_FORMS": 0,
    }
    for place, tool in enumerate(tools):
        form |= {f"tool_links-{place}-tool": str(tool.pk), f"tool_links-{place}-position": place}
    return form | fields


def errors_of(answer: Any) -> dict[str, Any]:
    """By field; "tools" those of the whole list, "row" those of its rows."""
    [formset] = [one.formset for one in answer.context["inline_admin_formsets"]]
    found = {name: list(texts) for name, texts in answer.context["adminform"].form.errors.items()}
    listed = [text for form in formset.forms for texts in form.errors.values() for text in texts]
    return found | {"tools": list(formset.non_form_errors()), "row": listed}


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"keywords": "x" * 101}, "keywords", "is longer than 100 characters"),
        ({"keywords": "\n".join(map(str, range(101)))}, "keywords", "There are 101 keywords."),
        ({"model": "gpt 5"}, "model", "A model's name has no blanks"),
        ({"description": "y" * 4001}, "description", "At most 4,000"),
        ({"tone": "Wa\x0brm"}, "tone", "control character"),
        ({"description": ""}, "description", "This field is required."),
        ({"name": "two words"}, "name", "Use 1 to 64 letters"),
    ],
)
def test_a_fault_of_an_agent_stands_at_its_field_and_nothing_is_saved(
    root: Client, fields: dict[str, str], field: str, words: str
) -> None:
    answer = root.post("/admin/agents/agent/add/", agent_form(None, rows.reading_tool(), **fields))

    assert answer.status_code == 200
    assert words in " ".join(errors_of(answer)[field])
    assert not Agent.objects.exists()


def test_tools_that_an_agent_cannot_have_are_named_at_their_rows(root: Client) -> None:
    off = rows.reading_tool("off", enabled=False, paused_because="Paused by sam.")
    url = "/admin/agents/agent/add/"

    errors = errors_of(root.post(url, agent_form(None, rows.reading_tool(), off)))
    assert errors["row"] == [
        "off is switched off (Paused by sam), so the agent could not use it. Switch it on first."
    ]
    errors = errors_of(root.post(url, agent_form(None, rows.tool(), permission="read")))
    assert errors["row"] == [
        "cancel_order writes, and this agent only reads. Remove it, or let the agent write."
    ]
    errors = errors_of(root.post(url, agent_form()))
    assert "needs a tool that is on" in errors["tools"][0]
    assert not Agent.objects.exists()

    assert root.post(url, agent_form(enabled="")).status_code == 302
    assert not Agent.objects.get().enabled


def test_an_agent_keeps_a_tool_that_was_switched_off_under_it(root: Client) -> None:
    status, track = rows.reading_tool(), rows.reading_tool("track")
    agent = rows.agent("orders", status, track)
    Tool.objects.filter(pk=track.pk).update(enabled=False)
    links = {link.tool_id: link.pk for link in AgentTool.objects.all()}
    form = agent_form(agent, status, track, tone="Warm", permission="read") | {
        "tool_links-INITIAL_FORMS": 2,
        "tool_links-0-id": links[status.pk],
        "tool_links-1-id": links[track.pk],
        "tool_links-0-agent": agent.pk,
        "tool_links-1-agent": agent.pk,
    }

    answer = root.post(reverse("admin:agents_agent_change", args=[agent.pk]), form)

    assert answer.status_code == 302, errors_of(answer)
    assert Agent.objects.get().tone == "Warm"


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"requires": "verify_identy"}, "requires", "Did you mean verify_identity?"),
        ({"confirmation": "Cancel {oder_id}?"}, "confirmation", "The tool has no argument oder_id"),
        ({"projection": "items[.id"}, "projection", "is not a path"),
        (
            {"staff_above_argument": "oder", "staff_above_amount": "5"},
            "staff_above_argument",
            "none named oder",
        ),
        ({"staff_above_argument": "customer_id", "staff_above_amount": "5"}, "staff_above_argument", "fills"),
        ({"staff_above_argument": "percent"}, "staff_above_amount", "Give both"),
        ({"staff_above_amount": "lots"}, "staff_above_amount", "Enter a number."),
        ({"description": "x\x00"}, "description", "ull characters"),
    ],
)
def test_a_fault_of_a_tool_stands_at_its_field_and_nothing_is_saved(
    root: Client, fields: dict[str, str], field: str, words: str
) -> None:
    rows.reading_tool("verify_identity")
    tool = rows.tool()
    before = Tool.objects.filter(pk=tool.pk).values().get()
    form = {name: before[name] for name in ("title", "description", "approval", "confirmation")}

    answer = root.post(
        reverse("admin:agents_tool_change", args=[tool.pk]),
        {**form, "enabled": "on", "approvals_needed": "1", **fields},
    )

    assert answer.status_code == 200
    assert words in " ".join(answer.context["adminform"].form.errors[field])
    assert Tool.objects.filter(pk=tool.pk).values().get() == before


def test_how_things_stand_is_looked_up_with_a_tool_that_reads_and_can_be_asked(root: Client) -> None:
    refund, other = rows.tool("refund"), rows.tool("other")
    schema = {"type": "object", "properties": {"invoice": {"type": "string"}}, "required": ["invoice"]}
    invoice = rows.reading_tool("get_invoice", input_schema=schema)
    form = {name: getattr(refund, name) for name in ("title", "description", "approval", "confirmation")}
    form |= {"enabled": "on", "approvals_needed": "1"}
    url = reverse("admin:agents_tool_change", args=[refund.pk])

    for reading, words in ((other, "This tool writes"), (invoice, "get_invoice needs invoice")):
        answer = root.post(url, {**form, "read_back": str(reading.pk)})
        assert words in " ".join(answer.context["adminform"].form.errors["read_back"])
    assert Tool.objects.get(pk=refund.pk).read_back is None


def test_what_the_model_gets_of_a_tool_is_shown_for_each_provider(root: Client) -> None:
    tool = rows.tool("9lives")
    Tool.objects.filter(pk=tool.pk).update(description="z" * 1100)

    answer = root.get(reverse("admin:agents_tool_schema", args=[tool.pk]))

    told = {one.key: one for one in answer.context["told"]}
    assert json.loads(told["openai"].text)["function"]["parameters"] == tool.input_schema
    assert json.loads(told["anthropic"].text)["input_schema"] == tool.input_schema
    assert "has 1,100 characters" in told["openai"].warnings[0]
    assert told["google"].warnings == ["Its name must begin with a letter or _."]
    assert "customer_id" not in told["openai"].text


def test_the_page_of_an_agents_prompt_says_what_is_left_out(root: Client) -> None:
    off = rows.reading_tool("off", enabled=False)
    agent = rows.agent("orders", rows.reading_tool(), rows.tool(), off, tone="Warm")

    answer = root.get(reverse("admin:agents_agent_prompt", args=[agent.pk]))

    preview = answer.context["preview"]
    assert "You are orders," in answer.content.decode()
    assert [one.title for one in preview.tools] == ["get_order_status", "hand_off_to_person"]
    assert answer.context["left_out"] == ["cancel_order", "off"]
    assert preview.total == preview.system.tokens + sum(one.tokens for one in preview.tools)


@pytest.mark.django_db(transaction=True)
def test_the_preview_is_what_is_sent(model: RunningModel, client: Client) -> None:
    agent = rows.agent("orders", rows.reading_tool(), rows.tool(), permission="write", tone="Warm")
    client.force_login(rows.staff("root", superuser=True))
    model.script(routed("orders"), answers(text="Hello."))

    send(client, message="Where is order 7?")

    sent = model.requests()[-1]["body"]
    preview = prompt_preview.of_agent(registry.spec_of(agent)[0])
    assert preview.system.text == sent["messages"][0]["content"]
    assert json.loads(preview.tools_text) == sent["tools"]
    assert preview.card.text in model.requests()[0]["body"]["messages"][0]["content"]


def send(client: Client, **fields: Any) -> Any:
    try:
        return client.post(reverse("admin:agents_agent_playground_run"), {"approver_says": "yes", **fields})
    finally:
        close_threads()


def drafted(agent: Agent, **fields: Any) -> dict[str, Any]:
    return {
        "agent": agent.name,
        "direct": "on",
        "description": agent.description,
        "permission": agent.permission,
        "tools": "\n".join(link.tool.name for link in agent.tool_links.all()),
        **fields,
    }


@pytest.mark.django_db(transaction=True)
def test_a_draft_is_tried_and_the_next_message_knows_the_first(model: RunningModel, client: Client) -> None:
    agent = rows.agent("orders", rows.reading_tool(), rows.tool("refund"), permission="write")
    client.force_login(rows.staff("mia", *NEEDS))
    model.script(answers(call("refund", {"order_id": "7"})), answers(text="Refunded, so to speak."))
    rule = {"rule-refund-approval": "staff", "rule-refund-needed": "2"}
    form = drafted(agent, description="Rhymes.", message="Refund 7", **rule)

    first = send(client, **form)

    page = first.content.decode()
    assert first.status_code == 200, first.context["form"].errors
    assert "they are not signed in" in page  # mia may not view customers, so nobody is bound
    assert "Refunded, so to speak." in page
    memory = first.context["memory"]
    assert json.loads(memory)["live_agent"] == "orders"

    model.script(answers(text="Bye."))
    second = send(client, **{**form, "message": "Thanks", "memory": memory})
    said = [message["content"] for message in model.requests()[-1]["body"]["messages"]]
    assert said[0].startswith("You are orders, an agent in a customer-support chat. Rhymes.")
    assert said[1:] == ["Refund 7", "Refunded, so to speak.", "Thanks"]
    assert "Bye." in second.content.decode()
    assert Agent.objects.get().description == agent.description
    assert not Conversation.objects.exists()
    assert not Action.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_somebody_who_may_view_customers_chooses_one(model: RunningModel, client: Client) -> None:
    agent = rows.agent("orders", rows.tool("refund", approval="staff"), permission="write")
    client.force_login(rows.staff("mia", *NEEDS, "chat.view_customer"))
    rows.customer(subject="cus_1001")
    model.script(answers(call("refund", {"order_id": "7"})), answers(text="Refunded."))

    page = send(client, **drafted(agent, message="Refund 7", customer="cus_1001")).content.decode()

    assert "Staff would be asked" in page
    assert "http://127.0.0.1:8001/shop/orders/7/refund" in page
    unknown = send(client, **drafted(agent, message="Refund 7", customer="cus_9"))
    assert (unknown.status_code, "No customer has this id" in unknown.content.decode()) == (422, True)
    nobody = send(client, **drafted(agent, message="Refund 7", reads="on"))
    assert "Say as which customer" in nobody.content.decode()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"message": ""}, "Write a message."),
        ({"tools": "nothing"}, "There is no tool named nothing."),
        ({"tools": "off"}, "off is switched off"),
        ({"permission": "read"}, "refund writes, and this agent only reads."),
        ({"model": "gpt 5"}, "A model&#x27;s name has no blanks"),
        ({"rule-refund-argument": "note", "rule-refund-amount": "5"}, "This is not a number"),
        ({"description": " "}, "Say what the agent is for."),
    ],
)
def test_a_draft_that_cannot_be_is_refused_before_anybody_is_asked(
    root: Client, model: RunningModel, fields: dict[str, str], words: str
) -> None:
    agent = rows.agent("orders", rows.tool("refund"), permission="write")
    rows.reading_tool("off", enabled=False)

    answer = send(root, **{**drafted(agent, message="Hi"), **fields})

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert model.requests() == []
    assert not ModelCall.objects.exists()


def test_what_is_typed_on_an_agents_page_is_tried_without_saving_it(root: Client) -> None:
    status, cancel = rows.reading_tool(), rows.tool()
    agent = rows.agent("orders", status, permission="write")
    link = AgentTool.objects.get()
    form = agent_form(agent, cancel, status, description="Unsaved words.", tone="Poetic") | {
        "tool_links-1-id": link.pk
    }

    page = root.post(f"{reverse('admin:agents_agent_playground')}?agent={agent.pk}", form)

    initial = page.context["form"].initial
    assert (initial["description"], initial["tone"], initial["tools"]) == (
        "Unsaved words.",
        "Poetic",
        ["cancel_order", "get_order_status"],
    )
    assert [rule.tool for rule in page.context["form"].rules] == [cancel]
    agent.refresh_from_db()
    assert (agent.tone, AgentTool.objects.count()) == ("", 1)


def test_nobody_tries_out_without_the_permission_to_change_agents(
    client: Client, model: RunningModel, db: None
) -> None:
    agent = rows.agent("orders", rows.reading_tool())
    client.force_login(rows.staff("vera", "agents.view_agent", "chat.view_customer"))

    for url in ("playground", "playground_run"):
        assert client.post(reverse(f"admin:agents_agent_{url}"), {"message": "Hi"}).status_code == 403
    assert client.get(reverse("admin:agents_agent_playground")).status_code == 403
    listed = client.get(reverse("admin:agents_agent_changelist")).content.decode()
    assert reverse("admin:agents_agent_playground") not in listed
    page = client.get(reverse("admin:agents_agent_change", args=[agent.pk])).content.decode()
    assert "What the model gets" in page
    assert "Try it" not in page
    assert model.requests() == []


def test_a_minute_has_room_for_ten_messages(root: Client, model: RunningModel, monkeypatch: Any) -> None:
    rows.agent("orders", rows.reading_tool())
    monkeypatch.setattr("agents.playground.limits.MOST_A_MINUTE", 0)

    answer = send(root, message="Hi")

    assert answer.status_code == 429
    assert "You may try 10 messages a minute." in answer.content.decode()
    assert model.requests() == []


def test_a_trial_is_refused_where_the_deployments_budget_is_used_up(
    root: Client, model: RunningModel
) -> None:
    rows.agent("orders", rows.reading_tool())
    budget(1_000, "deployment")
    spent(1_000)
    before = ModelCall.objects.count()
    url = reverse("admin:agents_agent_playground_run")

    for accept in ("text/html", "application/x-ndjson"):
        answer = root.post(url, {"approver_says": "yes", "message": "Hi"}, headers={"accept": accept})
        assert answer.status_code == 429
        assert "The budget of the whole deployment is used up" in answer.content.decode()

    assert model.requests() == []
    assert ModelCall.objects.count() == before


@pytest.mark.django_db(transaction=True)
def test_steps_come_one_by_one_where_a_script_reads_them(model: RunningModel) -> None:
    rows.agent("orders", rows.reading_tool())
    user = rows.staff("root", superuser=True)
    model.script(routed("orders"), answers(text="Hello."))

    async def watch() -> list[dict[str, Any]]:
        client = AsyncClient()
        await client.aforce_login(user)
        url = reverse("admin:agents_agent_playground_run")
        answer = await client.post(url, {"message": "Hi"}, headers={"accept": "application/x-ndjson"})
        assert answer["Content-Type"] == "application/x-ndjson"
        text = b"".join([part async for part in answer.streaming_content])  # type: ignore[attr-defined]
        await sync_to_async(connections.close_all)()
        return [json.loads(line) for line in text.decode().splitlines()]

    try:
        lines = on_own_loop(watch())
    finally:
        close_threads()

    assert "The model chose who answers" in lines[0]["html"]
    assert "Goes to orders" in lines[1]["html"]
    assert "Hello." in lines[-2]["html"]
    assert lines[-1]["memory"]["said"] == [
        {"role": "customer", "text": "Hi"},
        {"role": "agent", "text": "Hello."},
    ]


def test_no_page_asks_the_database_more_than_it_should(
    root: Client, django_assert_max_num_queries: Any
) -> None:
    tools = [rows.reading_tool(f"read_{number}") for number in range(20)]
    writes = [
        rows.tool(f"write_{number}", staff_above_argument="percent", staff_above_amount=Decimal(5))
        for number in range(20)
    ]
    agent = rows.agent("orders", *tools, *writes, permission="write")
    pages = (
        reverse("admin:agents_agent_playground"),
        f"{reverse('admin:agents_agent_playground')}?agent={agent.pk}",
        reverse("admin:agents_agent_prompt", args=[agent.pk]),
        reverse("admin:agents_tool_schema", args=[tools[0].pk]),
        reverse("admin:agents_agent_history", args=[agent.pk]),
        reverse("admin:agents_agent_file"),
        reverse("admin:agents_agent_changelist"),
        reverse("admin:agents_agent_change", args=[agent.pk]),
        reverse("admin:agents_tool_change", args=[writes[0].pk]),
    )
    for page in pages:
        with django_assert_max_num_queries(15):
            answer = root.get(page)
        assert answer.status_code == 200, page
