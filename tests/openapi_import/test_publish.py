"""What was reviewed becomes tools and agents: as reviewed, all or nothing, live at once; staff's own edits are kept."""

import re
import threading
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents import registry
from agents.approvals import Decider, NotAllowed
from agents.models import Agent, AgentTool, Tool
from openapi_import import difference, entries, review, tool_state
from openapi_import.errors import ImportRefused, JobNotFound
from openapi_import.models import Classification, ImportJob, ImportStatus, Publication, SourceKind, SpecSource
from openapi_import.publish import AlreadyPublished, NewerPublished, NothingToPublish, publish
from openapi_import.roll_back import roll_back
from smartsupport.lib.ids import new_id
from tests.agents.tool_rows import make_agent, make_source, make_tool
from tests.openapi_import.review_rows import (
    CANCEL,
    KIM,
    LOOK,
    REFUND,
    SAM,
    SHOP,
    changed,
    operation,
    ready,
    row_of,
    schema,
)

pytestmark = pytest.mark.django_db

MODELS = (Tool, Agent, AgentTool, SpecSource, Publication, Classification)


def everything() -> list[Any]:
    rows = [list(model.objects.order_by("pk").values()) for model in MODELS]
    return [*rows, list(ImportJob.objects.order_by("pk").values("pk", "status", "published_by", "source"))]


def edited(job: ImportJob, operation_id: str, **changes: Any) -> None:
    review.edit(job.pk, row_of(job, operation_id).index, changes, by=SAM)


def test_an_api_of_one_kind_is_never_published_over_one_of_the_other_kind() -> None:
    """Both were read while there was neither, and their documents have the same title."""
    document, server = ready(), ready(kind=SourceKind.MCP)
    publish(document.pk, SAM)
    before = everything()

    for _ in range(2):
        with pytest.raises(ImportRefused, match="already an API of this name, and it is an OpenAPI document"):
            publish(server.pk, SAM)
        assert everything() == before
        difference.compare_again(server.pk)
        before = everything()

    assert SpecSource.objects.get().kind == SourceKind.OPENAPI


def test_an_import_becomes_tools_and_agents_that_are_live_at_once() -> None:
    job = ready(spec_url="https://shop.example/openapi.json", version="7")
    assert registry.current().agents == ()

    made = publish(job.pk, SAM)

    orders, money = registry.current().agents
    assert (orders.name, orders.permission, [tool.name for tool in orders.tools]) == (
        "orders", "write", ["look_order", "cancel_order"],
    )  # fmt: skip
    assert (money.name, money.permission, [tool.name for tool in money.tools]) == (
        "money",
        "write",
        ["refund_order"],
    )
    assert orders.description == "Looks after orders of The shop: Look order; Cancel order."
    source, job = SpecSource.objects.get(), ImportJob.objects.get()
    assert (source.name, source.title, source.version, source.url) == ("shop", "The shop", "7", job.spec_url)
    assert source.document_hash == job.document_hash
    assert (job.status, job.published_by, job.source) == ("approved", "sam", source)
    assert (made.number, made.kind, made.by_name, made.by_id, made.job) == (
        1,
        "publish",
        "sam",
        "user:1",
        job,
    )
    assert [(entry["tool"], entry["change"], entry["before"]) for entry in made.changes] == [
        ("look_order", "added", None), ("cancel_order", "added", None), ("refund_order", "added", None),
    ]  # fmt: skip
    assert made.changes[1]["after"]["approval"] == "staff"
    assert [(entry["agent"], entry["tool"], entry["change"]) for entry in made.agents] == [
        ("orders", "", "created"), ("money", "", "created"), ("orders", "look_order", "linked"),
        ("orders", "cancel_order", "linked"), ("money", "refund_order", "linked"),
    ]  # fmt: skip


def test_the_tool_is_what_the_document_and_the_reviewer_say() -> None:
    pay = operation(
        "pay",
        "POST",
        tool={
            "input_schema": schema("order_id", amount={"type": "number"}),
            "request_body": {
                "content_type": "application/json",
                "required": True,
                "fields": {"amount": "amount"},
            },
            "security": [{"key": {"kind": "apiKey", "in": "header", "name": "X-Key", "scopes": []}}],
            "response": {"content_types": ["application/json"], "binary": False, "paging": None},
        },
    )
    job = ready(LOOK, pay)
    edited(
        job, "pay", name="pay_order", title="Pay", tool_description="Pays.", approval="customer", risk="money",
        customer_params={"order_id": "customer.id"}, projection=["id"], repeat_safe=True, confirmation="Pay now",
        staff_above_argument="amount", staff_above_amount="50", approvals_needed=2, requires=["look_order"],
        read_back="look_order",
    )  # fmt: skip

    publish(job.pk, SAM)

    tool = Tool.objects.get(operation_id="pay")
    assert (tool.name, tool.title, tool.description) == ("pay_order", "Pay", "Pays.")
    assert (tool.access, tool.approval, tool.risk, tool.enabled) == ("write", "customer", "money", True)
    assert (tool.method, tool.path, tool.server_url) == ("POST", "/pay/{order_id}", "https://shop.example")
    assert (tool.request_body, tool.security) == (pay["tool"]["request_body"], pay["tool"]["security"])
    assert (tool.response, tool.parameters) == (pay["tool"]["response"], pay["tool"]["parameters"])
    assert tool.bound == {"order_id": "customer.id"}
    # The model does not see what is bound.
    assert tool.input_schema == schema(amount={"type": "number"})
    assert (tool.projection, tool.repeat_safe, tool.confirmation) == (["id"], True, "Pay now")
    assert (tool.staff_above_argument, tool.staff_above_amount) == ("amount", Decimal(50))
    assert (tool.approvals_needed, tool.requires) == (2, ["look_order"])
    assert tool.read_back == Tool.objects.get(name="look_order")
    tool.full_clean()


def test_only_what_is_selected_and_usable_is_published() -> None:
    job = ready(*SHOP, operation("broken", "POST", unusable="Its path has no end."))
    review.edit_many(job.pk, [1], {"selected": False}, SAM)

    made = publish(job.pk, SAM)

    assert sorted(Tool.objects.values_list("name", flat=True)) == ["look_order", "refund_order"]
    assert len(made.changes) == 2


@pytest.mark.parametrize("status", [s for s in ImportStatus if s not in ("done", "approved")])
def test_an_import_that_has_not_completed_publishes_nothing(status: str) -> None:
    job = ready()
    ImportJob.objects.update(status=status)
    before = everything()

    with pytest.raises(NothingToPublish) as refusal:
        publish(job.pk, SAM)

    assert refusal.value.message == "No classifications to approve. Import must complete first."
    assert refusal.value.status == 400
    assert everything() == before


def test_refusals_publish_nothing() -> None:
    job, twice = ready(), ready(LOOK, changed(CANCEL, tool={"server_url": ""}), name="nowhere")
    review.edit_many(job.pk, None, {"selected": False}, SAM)
    empty = ready(name="empty")
    empty.classifications.all().delete()
    before, nobody = everything(), new_id()

    with pytest.raises(NothingToPublish, match="Nothing is selected"):
        publish(job.pk, SAM)
    with pytest.raises(NothingToPublish, match="No classifications to approve"):
        publish(empty.pk, SAM)
    with pytest.raises(JobNotFound, match=f"Job '{nobody}' not found"):
        publish(nobody, SAM)
    with pytest.raises(NotAllowed):
        publish(job.pk, Decider("customer", "eve"))
    with pytest.raises(ImportRefused, match=r"cancel_order.* has no address"):
        publish(twice.pk, SAM)

    assert everything() == before


def test_a_second_time_says_who_was_first() -> None:
    job = ready()
    made = publish(job.pk, SAM)
    before = everything()

    with pytest.raises(AlreadyPublished, match="sam has published this import already") as refusal:
        publish(job.pk, KIM)

    assert refusal.value.extra == {"publication": str(made.pk), "by": "sam"}
    assert everything() == before


def test_what_was_compared_with_something_older_is_not_published() -> None:
    old, other = ready(), ready(LOOK, changed(CANCEL, tool={"server_url": "https://new.example"}))
    publish(other.pk, KIM)
    before = everything()

    with pytest.raises(NewerPublished, match="kim has changed the tools of this API since"):
        publish(old.pk, SAM)

    assert everything() == before


def test_the_same_document_again_changes_no_tool() -> None:
    publish(ready().pk, SAM)
    before = [list(model.objects.order_by("pk").values()) for model in (Tool, Agent, AgentTool)]

    made = publish(ready().pk, KIM)

    assert [list(model.objects.order_by("pk").values()) for model in (Tool, Agent, AgentTool)] == before
    assert (made.number, made.changes, made.agents) == (2, [], [])


def test_a_newer_document_changes_what_it_says_and_nothing_that_people_decided() -> None:
    first = ready()
    edited(first, "cancel_order", approval="customer", confirmation="Cancel {order_id}", repeat_safe=True)
    publish(first.pk, SAM)
    second = ready(LOOK, changed(CANCEL, title="Stop", tool={"response": {"binary": True}}), REFUND)
    # Staff's edits after the comparison.
    Tool.objects.filter(name="cancel_order").update(approval="staff", confirmation="Really?")
    Tool.objects.filter(name="refund_order").update(enabled=False)
    AgentTool.objects.filter(tool__name="look_order").delete()

    made = publish(second.pk, KIM)

    cancel = Tool.objects.get(name="cancel_order")
    assert (cancel.title, cancel.response) == ("Stop", {"binary": True})
    assert (cancel.approval, cancel.confirmation, cancel.repeat_safe) == ("staff", "Really?", True)
    assert cancel.enabled
    assert not Tool.objects.get(name="refund_order").enabled  # staff switched it off
    assert not AgentTool.objects.filter(tool__name="look_order").exists()  # staff took it away
    assert [(entry["tool"], entry["before"]["title"], entry["after"]["title"]) for entry in made.changes] == [
        ("cancel_order", "Cancel order", "Stop")
    ]


@pytest.mark.parametrize("looked", [False, True])
def test_a_tool_that_means_something_else_waits_until_somebody_has_looked(looked: bool) -> None:
    publish(ready().pk, SAM)
    newer = changed(CANCEL, tool={"server_url": "https://moved.example"})
    job = ready(LOOK, newer, REFUND)
    if looked:
        review.look(job.pk, [1], KIM)

    publish(job.pk, SAM)

    cancel = Tool.objects.get(name="cancel_order")
    assert cancel.server_url == "https://moved.example"
    assert (cancel.enabled, cancel.paused_because) == (looked, "" if looked else tool_state.CHANGED)
    offered = [tool.name for agent in registry.current().agents for tool in agent.tools]
    assert ("cancel_order" in offered) is looked
    # The same document once more is no look either; one is.
    again = ready(LOOK, newer, REFUND)
    assert row_of(again, "cancel_order").uncertain is not looked
    publish(again.pk, SAM)
    assert Tool.objects.get(name="cancel_order").enabled is looked
    last = ready(LOOK, newer, REFUND)
    review.look(last.pk, [1], KIM)
    publish(last.pk, SAM)
    assert Tool.objects.get(name="cancel_order").enabled


def test_another_operation_under_the_old_id_loses_what_was_decided_about_the_old_one() -> None:
    first = ready()
    edited(first, "cancel_order", approval="customer", repeat_safe=True, confirmation="Cancel {order_id}",
           read_back="look_order")  # fmt: skip
    publish(first.pk, SAM)

    publish(ready(LOOK, changed(CANCEL, path="/accounts/{order_id}"), REFUND).pk, SAM)

    tool = Tool.objects.get(name="cancel_order")
    assert (tool.path, tool.approval, tool.repeat_safe, tool.confirmation, tool.read_back) == (
        "/accounts/{order_id}", "staff", False, "", None,
    )  # fmt: skip
    assert (tool.enabled, tool.paused_because) == (False, tool_state.CHANGED)


def test_a_renamed_operation_keeps_its_tool() -> None:
    publish(ready().pk, SAM)
    before = Tool.objects.get(name="cancel_order")

    publish(ready(LOOK, changed(CANCEL, operation_id="stopOrder", name="stopOrder"), REFUND).pk, SAM)

    after = Tool.objects.get(operation_id="stopOrder")
    assert (after.pk, after.name, after.enabled) == (before.pk, "cancel_order", True)
    assert Tool.objects.count() == 3


def test_tools_that_are_gone_or_left_out_or_unusable_are_switched_off_and_come_back() -> None:
    publish(ready().pk, SAM)
    job = ready(LOOK, changed(CANCEL, unusable="Its body is no object."))
    with pytest.raises(ImportRefused):
        edited(job, "refund_order", title="It is gone")
    publish(job.pk, SAM)
    states = dict(Tool.objects.values_list("name", "paused_because"))
    assert states == {"look_order": "", "cancel_order": tool_state.UNUSABLE, "refund_order": tool_state.GONE}
    assert Publication.objects.get(job=job).changes[0]["change"] == "removed"
    assert [agent.name for agent in registry.current().agents if agent.tools] == ["orders"]

    job = ready()
    assert not job.classifications.filter(change="removed").exists()
    review.edit_many(job.pk, [0], {"selected": False}, SAM)
    publish(job.pk, SAM)

    states = dict(Tool.objects.values_list("name", "paused_because"))
    assert states == {"look_order": tool_state.LEFT_OUT, "cancel_order": "", "refund_order": ""}
    assert list(Tool.objects.filter(enabled=False).values_list("name", flat=True)) == ["look_order"]


def test_agents_that_are_there_get_more_tools_and_nothing_else_changes() -> None:
    own = make_tool("own")
    agent = make_agent("orders", own, permission="read", description="Ours.", tone="Dry.")

    made = publish(ready(LOOK, CANCEL, name="second").pk, SAM)

    agent.refresh_from_db()
    assert (agent.description, agent.tone, agent.permission) == ("Ours.", "Dry.", "read")
    names = list(AgentTool.objects.filter(agent=agent).values_list("tool__name", flat=True))
    assert names == ["own", "look_order", "cancel_order"]
    assert (
        made.note == "orders may only read, so what writes is not offered there until somebody lets it write."
    )
    assert [tool.name for tool in registry.current().agents[0].tools] == ["own", "look_order"]


def test_a_tool_moves_to_the_agent_that_a_reviewer_gives_it_to() -> None:
    publish(ready().pk, SAM)
    job = ready()
    edited(job, "cancel_order", agent_group="stopping")

    made = publish(job.pk, SAM)

    links = AgentTool.objects.filter(tool__name="cancel_order")
    assert list(links.values_list("agent__name", flat=True)) == ["stopping"]
    assert [entry["change"] for entry in made.agents] == ["unlinked", "created", "linked"]


def test_what_requires_a_tool_requires_it_under_its_new_name() -> None:
    first = ready()
    edited(first, "refund_order", requires=["look_order"])
    publish(first.pk, SAM)
    elsewhere = make_tool("close_account", requires=["verify", "look_order"])
    elsewhere.source = make_source("bank")
    elsewhere.save()
    job = ready()
    edited(job, "look_order", name="see_order")

    made = publish(job.pk, SAM)

    elsewhere.refresh_from_db()
    assert elsewhere.requires == ["verify", "see_order"]
    assert Tool.objects.get(name="refund_order").requires == ["see_order"]
    told = {entry["tool"]: entry["after"] for entry in made.changes}
    assert told == {"see_order": {"name": "see_order"}, "refund_order": {"requires": ["see_order"]}}
    roll_back(made.pk, SAM)
    assert Tool.objects.get(name="refund_order").requires == ["look_order"]


def test_without_a_group_no_agent_gets_it() -> None:
    job = ready(LOOK)
    edited(job, "look_order", agent_group=None)

    publish(job.pk, SAM)

    assert not Agent.objects.exists()
    assert Tool.objects.get().enabled


def test_a_name_that_was_taken_meanwhile_is_changed_unless_a_person_chose_it() -> None:
    chosen, plain = ready(LOOK, name="chosen"), ready(LOOK, name="plain")
    edited(chosen, "look_order", name="look")
    make_tool("look_order")
    make_tool("look")
    before = everything()

    with pytest.raises(ImportRefused, match="There is already a tool named 'look'"):
        publish(chosen.pk, SAM)
    assert everything() == before

    publish(plain.pk, SAM)
    assert Tool.objects.get(source__name="plain").name.startswith("look_order_")


@pytest.mark.django_db(transaction=True)
def test_publishing_at_once_makes_each_tool_once() -> None:
    jobs = [ready().pk, ready().pk, ready(name="other").pk]
    together, told = threading.Barrier(6), []

    def run(job_id: Any) -> None:
        try:
            together.wait(30)
            publish(job_id, SAM)
            told.append("published")
        except (AlreadyPublished, NewerPublished) as refusal:
            told.append(refusal.code)
        except BaseException as error:
            told.append(repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(job_id,)) for job_id in jobs * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(told)[-2:] == ["published", "published"]
    assert set(told) <= {"published", "already_published", "newer_published"}
    assert Tool.objects.count() == 6
    assert Publication.objects.count() == 2
    assert AgentTool.objects.count() == 6


def test_a_large_api_takes_as_many_queries_as_a_small_one() -> None:
    def queries(job: ImportJob) -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            publish(job.pk, SAM)
        return len(asked)

    few = queries(ready(name="small"))
    large = [operation(f"get_thing_{number}", agent_group=f"group{number % 7}") for number in range(300)]
    many = queries(ready(*large, name="large"))

    assert many <= few
    assert Tool.objects.filter(source__name="large").count() == 300


def test_what_the_database_makes_of_new_operations_is_what_models_would_make() -> None:
    person = {"argument": "X-User-Id", "name": "X-User-Id", "in": "header", "required": True, "style": "simple",
              "explode": False}  # fmt: skip
    pay = operation("pay", "POST", tool={
        "input_schema": schema("order_id", "X-User-Id", amount={"type": "number"}),
        "parameters": [*LOOK["tool"]["parameters"], person],
    })  # fmt: skip
    bare = operation("bare", path="/bare", tool={"parameters": [], "input_schema": schema()})
    job = ready(LOOK, pay, bare)
    edited(
        job, "pay", customer_params={"order_id": "customer.id"}, staff_above_argument="amount",
        staff_above_amount="50", projection=["id"], requires=["look_order"], read_back="look_order", repeat_safe=True,
    )  # fmt: skip

    made = publish(job.pk, SAM)

    tools = {tool.name: tool for tool in Tool.objects.all()}
    assert tools["pay"].input_schema == schema(
        amount={"type": "number"}
    )  # neither the bound one nor nobody's
    assert tools["bare"].input_schema == schema()
    assert tools["bare"].request_body is None
    assert not Tool.objects.exclude(request_body=None).exists()  # no JSON null
    assert made.changes == [
        entries.change(tools[name], None, "added") for name in ("look_order", "pay", "bare")
    ]
    plain = Tool(source=tools["bare"].source)
    decided = {"id", "name", "title", "description", "source_id", "operation_id", "method", "server_url", "path",
               "input_schema", "access", "approval", "created_at", "updated_at"}  # fmt: skip
    for field in Tool._meta.concrete_fields:
        if field.attname not in decided:
            assert getattr(tools["bare"], field.attname) == getattr(plain, field.attname), field.attname


def test_publishing_loads_no_document_that_says_nothing_new() -> None:
    publish(ready().pk, SAM)
    job = ready(
        LOOK, CANCEL, changed(REFUND, tool={"response": {"binary": True}}), operation("ship_order", "POST")
    )

    with CaptureQueriesContext(connection) as asked:
        made = publish(job.pk, SAM)

    loaded = [query["sql"] for query in asked if '"openapi_import_classification"."tool",' in query["sql"]
              or '"openapi_import_classification"."tool" AS "tool" FROM' in query["sql"]]  # fmt: skip
    assert len(loaded) == 1
    assert re.findall(r"unnest\('\{([\d,]*)\}", loaded[0]) == [str(row_of(job, "refund_order").pk)]
    assert {entry["tool"] for entry in made.changes} == {"refund_order", "ship_order"}
