"""What somebody tries on the pages of agents and tools who means no good, or whose data are odd."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from agents.models import Agent, ModelCall, Revision, Tool
from agents.playground import streaming
from tests import rows
from tests.admin.test_agents_history import newest, url
from tests.admin.test_agents_pages import NEEDS, agent_form, drafted, model, root, send
from tests.agents.graph_script import answers, call, routed
from tests.scripted_model.fixture import RunningModel

__all__ = ["model", "root"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("number", ["9" * 30, "9" * 5000])
def test_numbers_that_nothing_has_are_no_error(root: Client, number: str) -> None:
    tool = rows.tool()
    page = reverse("admin:agents_tool_history", args=[tool.pk])

    assert root.get(f"{page}?before={number}").status_code == 200
    assert root.get(url(newest(tool)).replace(f"={newest(tool).pk}", f"={number}")).status_code == 404
    form = {"name": "x", "tool_links-TOTAL_FORMS": number}
    assert root.post(reverse("admin:agents_agent_playground"), form).status_code == 200


def test_a_step_is_shown_whatever_arguments_are_named(root: Client, model: RunningModel) -> None:
    tool = rows.reading_tool()
    tool.input_schema["properties"] |= {"items": {"type": "array", "items": {"type": "string"}}}
    tool.save()
    agent = rows.agent("orders", tool)
    rows.customer(subject="cus_1001")
    asked = call("get_order_status", {"order_id": "7", "items": ["a red one"]})
    model.script(answers(asked), answers(text="It is on its way."))

    page = send(root, **drafted(agent, message="Hi", customer="cus_1001", reads="on")).content.decode()

    assert "items: [&#x27;a red one&#x27;]" in page
    assert "order_id: 7" in page


@pytest.mark.parametrize("field", ["tools", "message", "customer", "agent", "keywords", "tone", "memory"])
def test_what_no_database_stores_is_refused_in_words(root: Client, model: RunningModel, field: str) -> None:
    agent = rows.agent("orders", rows.tool("refund"), permission="write")

    answer = send(root, **{**drafted(agent, message="Hi"), field: "ref\x00und"})

    assert answer.status_code == 422
    assert model.requests() == []


@pytest.mark.parametrize("field", ["requires", "projection", "title", "confirmation"])
def test_a_tool_is_not_saved_with_what_no_database_stores(root: Client, field: str) -> None:
    tool = rows.tool()
    form = {name: getattr(tool, name) for name in ("title", "description", "approval", "confirmation")}

    page = reverse("admin:agents_tool_change", args=[tool.pk])
    answer = root.post(page, {**form, "approvals_needed": "1", "enabled": "on", field: "a\x00b"})

    assert answer.status_code == 200
    assert "Null characters are not allowed." in str(answer.context["errors"])
    assert Tool.objects.get().title == tool.title


def test_half_a_character_from_a_model_or_a_browser_breaks_no_page(root: Client, model: RunningModel) -> None:
    rows.agent("orders", rows.reading_tool())
    odd: Any = '{"order_id": "\\ud83d\\u0000"}'
    model.script(routed("orders"), answers(call("get_order_status", odd)), answers(text="Fine."))

    assert "Fine." in send(root, message="Hi").content.decode()

    model.script(routed("orders"), answers(text="Again."))
    said = '{"said": [{"role": "agent", "text": "Fine \\ud83d"}], "live_agent": "\\u0000"}'
    assert "Again." in send(root, message="Hi", memory=said).content.decode()


@pytest.mark.parametrize("may_look", [False, True])
def test_a_draft_gets_no_tool_that_its_author_may_not_look_at(
    client: Client, model: RunningModel, may_look: bool
) -> None:
    agent = rows.agent("orders", rows.reading_tool(), permission="write")
    rows.tool("wire_money", title="Wire money to Bern")
    client.force_login(rows.staff("mia", *NEEDS, *(["agents.view_tool"] if may_look else [])))
    model.script(answers(text="Hello."))
    draft = drafted(agent, message="Hi")

    answer = send(client, **{**draft, "tools": "get_order_status\nwire_money"})

    page = answer.content.decode()
    assert (answer.status_code, "Wire money to Bern" in page) == ((200, True) if may_look else (422, False))
    assert bool(model.requests()) == may_look
    if not may_look:
        unknown = send(client, **{**draft, "tools": "nothing"}).context["form"].errors["tools"]
        told = str(answer.context["form"].errors["tools"])
        assert told == str(unknown).replace("nothing", "wire_money")
    assert send(client, **draft).status_code == 200


def test_hostile_words_are_shown_and_not_obeyed(root: Client, model: RunningModel) -> None:
    agent = rows.agent("orders", rows.tool("refund"), permission="write")
    rows.customer(subject="cus_1001")
    hostile = '<script>alert(1)</script>{{ secret }}{% now "Y" %}'
    model.script(answers(call("refund", {"order_id": hostile})), answers(text=hostile))

    page = send(root, **drafted(agent, message=hostile, tone=hostile, customer="cus_1001")).content.decode()

    assert "<script>alert(1)" not in page
    assert "{% now &quot;Y&quot; %}" in page


def test_a_trial_without_scripts_counts_among_those_that_run_at_once(
    root: Client, model: RunningModel
) -> None:
    rows.agent("orders", rows.reading_tool())
    taken = [streaming._room.acquire(blocking=False) for _ in range(streaming.AT_ONCE)]
    try:
        page = send(root, message="Hi").content.decode()
    finally:
        for _ in filter(None, taken):
            streaming._room.release()

    assert "4 trials are running here already." in page
    assert model.requests() == []
    assert not ModelCall.objects.exists()


def test_a_draft_changes_no_row(root: Client, model: RunningModel) -> None:
    agent = rows.agent("orders", rows.tool("refund"), permission="write")
    before = (list(Agent.objects.values()), list(Tool.objects.values()), Revision.objects.count())
    model.script(answers(text="Hello."))

    wanted: dict[str, Any] = {"description": "Else", "tone": "Else", "rule-refund-approval": "staff"}
    assert send(root, **drafted(agent, message="Hi", **wanted)).status_code == 200

    assert before == (list(Agent.objects.values()), list(Tool.objects.values()), Revision.objects.count())


@pytest.mark.parametrize("subject", ["agent", "tool"])
def test_a_page_that_was_opened_before_somebody_elses_change_does_not_undo_it(
    root: Client, subject: str
) -> None:
    tool = rows.tool()
    agent = rows.agent("orders", tool, permission="write")
    row: Agent | Tool = agent if subject == "agent" else tool
    page = reverse(f"admin:agents_{subject}_change", args=[row.pk])
    form = agent_form(agent, tool, **{"tool_links-INITIAL_FORMS": 1})
    form |= {"tool_links-0-id": str(agent.tool_links.get().pk), "tool_links-0-agent": str(agent.pk)}
    if subject == "tool":
        form = {name: getattr(tool, name) for name in ("title", "description", "approval", "confirmation")}
        form |= {"approvals_needed": "1", "enabled": "on"}
    form["seen"] = root.get(page).context["adminform"].form["seen"].value()
    type(row)._default_manager.filter(pk=row.pk).update(description="Put back by kim.")

    answer = root.post(page, form)

    assert answer.status_code == 200
    assert "has been changed" in answer.content.decode()
    row.refresh_from_db()
    assert row.description == "Put back by kim."
    form["seen"] = root.get(page).context["adminform"].form["seen"].value()
    assert root.post(page, form).status_code == 302


def test_several_lines_from_a_browser_are_saved_and_are_no_change_by_themselves(root: Client) -> None:
    tool, agent = rows.tool(description="One.\nTwo."), rows.agent("orders", rows.reading_tool())
    Agent.objects.update(description="One.\nTwo.", permission="write")
    changes = Revision.objects.count()
    form = {name: getattr(tool, name) for name in ("title", "approval", "confirmation")}
    form |= {"approvals_needed": "1", "enabled": "on", "description": "One.\r\nTwo."}
    page = reverse("admin:agents_tool_change", args=[tool.pk])

    saved = root.post(page, form)
    assert saved.status_code == 302, saved.context["errors"]
    link = agent.tool_links.get()
    of_agent = agent_form(agent, link.tool, description="One.\r\nTwo.", **{"tool_links-INITIAL_FORMS": 1})
    of_agent |= {"tool_links-0-id": str(link.pk), "tool_links-0-agent": str(agent.pk)}
    changed = root.post(reverse("admin:agents_agent_change", args=[agent.pk]), of_agent)
    assert changed.status_code == 302, changed.context["errors"]
    assert Revision.objects.count() == changes
    root.post(page, {**form, "description": "One.\r\nThree."})
    assert Tool.objects.get(pk=tool.pk).description == "One.\nThree."
