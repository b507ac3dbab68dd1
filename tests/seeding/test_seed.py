"""`manage.py seed` against the running demo business: everything once, nothing of staff's lost."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import CommandError, call_command
from django.http import HttpRequest
from pytest_django import Settings

from agents import registry
from agents.credentials import terms_of
from agents.models import Agent, Tool
from chat.models import ApiKey
from openapi_import.models import Classification, ImportJob, Publication, SpecSource
from smartsupport.seeding.demo_tools import read_review
from tests.demo.program import Program

pytestmark = pytest.mark.django_db

APPROVALS = {
    "cancel_order": "customer",
    "change_delivery_address": "customer",
    "change_plan": "customer",
    "cancel_subscription": "customer",
    "resume_subscription": "customer",
    "file_dispute": "customer",
    "apply_discount": "staff",
    "generate_coupon": "staff",
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    running = Program(tmp_path_factory.mktemp("books"))
    yield running
    running.stop()


@pytest.fixture
def business(program: Program, settings: Settings) -> Program:
    """The demo business, on the port and among the hosts that the settings name."""
    settings.DEBUG = True
    settings.DEMO_PORT = int(program.url.rpartition(":")[2])
    settings.SAFE_HTTP_ALLOWED_HOSTS = [f"127.0.0.1:{settings.DEMO_PORT}"]
    return program


def seed(**options: Any) -> dict[str, str]:
    """What the command says, by the first words of its lines."""
    out = StringIO()
    call_command("seed", stdout=out, **options)
    return {line[:14].strip(): line[14:] for line in out.getvalue().splitlines()}


@pytest.mark.usefixtures("business")
def test_the_demo_tools_are_what_its_document_and_the_review_say(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    assert seed()["Tools"] == f"{len(read_review())} read from the demo business"
    assert (
        "classification_edited" not in caplog.text
    )  # the first start tells what it does in one line, not in fifty
    assert "import_finished" in caplog.text

    tools = {tool.name: tool for tool in Tool.objects.all()}
    assert set(tools) == set(read_review())
    assert {name: tool.approval for name, tool in tools.items() if tool.access == "write"} == APPROVALS
    for tool in tools.values():
        assert tool.server_url == f"http://127.0.0.1:{settings.DEMO_PORT}"
        assert tool.repeat_safe is True
        assert bool(tool.confirmation) is (tool.access == "write")
        assert terms_of(tool).missing == ()  # it can be called as it is


@pytest.mark.usefixtures("business")
def test_no_tool_lets_a_model_say_who_the_customer_is() -> None:
    seed()

    naming = [tool for tool in Tool.objects.all() if "{customer_id}" in tool.path]
    assert len(naming) == Tool.objects.count() - 1
    for tool in naming:
        assert tool.bound == {"customer_id": "customer.id"}
    for tool in Tool.objects.all():
        assert "customer_id" not in tool.input_schema["properties"]
        assert "Idempotency-Key" not in tool.input_schema["properties"]


@pytest.mark.usefixtures("business")
def test_confirmations_name_arguments_that_are_there() -> None:
    seed()

    for tool in Tool.objects.filter(access="write"):
        required = tool.input_schema.get("required", [])
        assert tool.confirmation.format(**dict.fromkeys(required, "x"))


@pytest.mark.usefixtures("business")
def test_limits_and_their_words_come_from_the_document() -> None:
    seed()

    discount = Tool.objects.get(name="apply_discount").input_schema["properties"]["percent"]
    expiry = Tool.objects.get(name="generate_coupon").input_schema["properties"]["expiry_days"]
    assert (discount["minimum"], discount["maximum"]) == (1, 100)
    assert discount["x-error-message"] == "Invalid discount: {value}%. Must be between 1 and 100."
    assert (expiry["minimum"], expiry["default"]) == (1, 30)
    assert expiry["x-error-message"] == "Invalid expiry: {value} days. Must be at least 1."


@pytest.mark.usefixtures("business")
@pytest.mark.parametrize("template", ["ecommerce", "saas", "fintech"])
def test_the_chosen_template_is_loaded(settings: Settings, template: str) -> None:
    settings.TEMPLATE_NAME = template

    assert seed()["Agents"] == f"template {template} loaded"

    assert [agent.name for agent in registry.current().agents][-1] == "fallback"
    assert all(agent.tools for agent in registry.current().agents)


@pytest.mark.usefixtures("business")
def test_the_first_staff_user_and_key_are_told_once() -> None:
    told = seed()

    password = told["Log in as"].removeprefix("admin, password ").removesuffix(" (shown once)")
    user = authenticate(HttpRequest(), username="admin", password=password)
    assert user is not None
    assert user.is_superuser  # type: ignore[attr-defined]
    secret = told["API key"].removesuffix(" (shown once)")
    key = ApiKey.objects.get()
    assert key.key_hash == hashlib.sha256(secret.encode()).hexdigest()
    assert (key.prefix, key.scopes, key.enabled) == (secret[:8], ["admin"], True)
    assert secret not in str(ApiKey.objects.values())


@pytest.mark.usefixtures("business")
def test_the_password_and_the_key_of_the_settings_are_taken_and_not_printed(settings: Settings) -> None:
    settings.ADMIN_PASSWORD, settings.ADMIN_API_KEY = (
        "correct horse battery",
        "a-key-of-the-deployment-itself",
    )

    told = seed()

    assert authenticate(HttpRequest(), username="admin", password="correct horse battery") is not None
    assert ApiKey.objects.get().key_hash == hashlib.sha256(b"a-key-of-the-deployment-itself").hexdigest()
    assert told["Log in as"] == "admin, the password in ADMIN_PASSWORD"
    assert told["API key"] == "the key in ADMIN_API_KEY"


@pytest.mark.usefixtures("business")
def test_a_short_key_is_not_given_away_by_its_prefix(settings: Settings) -> None:
    settings.ADMIN_API_KEY = "12345678"

    seed()

    assert ApiKey.objects.get().prefix == "12"


@pytest.mark.usefixtures("business")
def test_a_second_run_says_nothing_and_changes_nothing() -> None:
    seed()
    models = (Tool, Agent, ApiKey, SpecSource, ImportJob, Classification, Publication)
    rows = [list(model.objects.order_by("pk").values()) for model in models]
    users = list(get_user_model().objects.values())

    assert seed() == {}

    assert [list(model.objects.order_by("pk").values()) for model in models] == rows
    assert list(get_user_model().objects.values()) == users


@pytest.mark.usefixtures("business")
def test_another_document_refreshes_the_tools_and_keeps_what_staff_decided() -> None:
    seed()
    Publication.objects.update(document_hash="0" * 64)
    Tool.objects.filter(name="cancel_order").update(
        approval="staff", title="Ours", server_url="http://old.example"
    )
    Tool.objects.filter(name="list_orders").update(
        approval="none", title="Ours", input_schema={"type": "object"}
    )

    assert "Tools" in seed()

    cancel, orders = Tool.objects.get(name="cancel_order"), Tool.objects.get(name="list_orders")
    assert (cancel.approval, cancel.title) == ("staff", "Ours")
    assert cancel.server_url == orders.server_url != "http://old.example"
    assert cancel.enabled  # the file has been looked at
    assert orders.title == "Ours"
    assert set(orders.input_schema["properties"]) == {"status", "limit", "page"}


@pytest.mark.usefixtures("business")
def test_an_untouched_template_gives_way_to_the_chosen_one(settings: Settings) -> None:
    seed()
    settings.TEMPLATE_NAME = "fintech"

    assert seed() == {"Agents": "template fintech loaded in place of ecommerce"}

    assert registry.current().agent("dispute_handler") is not None
    assert seed() == {}


@pytest.mark.usefixtures("business")
def test_agents_that_staff_have_changed_stay(settings: Settings) -> None:
    seed()
    Agent.objects.filter(name="discount").update(tone="Ours.")
    settings.TEMPLATE_NAME = "fintech"

    assert seed() == {}

    assert Agent.objects.get(name="discount").tone == "Ours."
    assert registry.current().agent("dispute_handler") is None


def test_without_the_demo_business_the_rest_is_done_and_the_reason_told(settings: Settings) -> None:
    settings.DEBUG = True
    settings.DEMO_PORT = 9
    settings.SAFE_HTTP_ALLOWED_HOSTS = ["127.0.0.1:9"]

    with pytest.raises(
        CommandError, match=r"does not answer at http://127.0.0.1:9/openapi.json: start it with"
    ):
        seed()

    assert get_user_model().objects.filter(username="admin").exists()
    assert not Tool.objects.exists()
    assert not Agent.objects.exists()


def test_in_production_there_is_no_demo(settings: Settings) -> None:
    settings.DEBUG = False

    assert set(seed()) == {"Log in as", "API key", "Model prices"}

    assert not Tool.objects.exists()


def test_staff_who_are_there_are_not_joined_by_another_admin(settings: Settings) -> None:
    settings.DEBUG = False
    get_user_model().objects.create_user("ada", is_staff=True)

    assert set(seed()) == {"API key", "Model prices"}

    assert not get_user_model().objects.filter(username="admin").exists()


def test_two_seeds_at_once_do_everything_once(server_environment: dict[str, str], program: Program) -> None:
    """As two processes, the way two machines of a deployment start."""
    environment = server_environment | {"DEMO_PORT": program.url.rpartition(":")[2], "DEBUG": "true"}
    command = [sys.executable, "manage.py", "seed"]

    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=180) for process in running]

    assert [process.returncode for process in running] == [0, 0], told
    lines = "".join(out for out, _ in told).splitlines()
    told_once = ["API key", "Agents", "Log in as", "Model prices", "Tools", "or as"]
    assert sorted(line[:14].strip() for line in lines) == told_once
    assert ApiKey.objects.count() == SpecSource.objects.count() == 1
    users = get_user_model().objects.order_by("username").values_list("username", "is_superuser")
    assert [name for name, _ in users] == ["admin", "agent", "approver", "manager", "viewer"]
    assert [name for name, all_powerful in users if all_powerful] == ["admin"]
    assert Tool.objects.count() == len(read_review())
    assert Agent.objects.count() == 4
    assert ImportJob.objects.count() == Publication.objects.count() == 1
