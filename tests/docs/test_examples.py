"""Examples that are no commands: JSON and YAML are read, Python is run, settings are ours, widgets have their tests."""

import ast
import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from standardwebhooks import WebhookVerificationError

import agents.tool_request
from agents.models import Tool
from chat import identity, webhook_signing
from chat.models import Customer
from openapi_import.reading import build as building
from openapi_import.reading import naming
from smartsupport.lib.safe_http import SafeClient
from tests.docs import pages
from tests.docs.pages import Block
from tests.docs.world import World, answers
from tests.live.stack import until
from tests.openapi_import.documents import one_operation
from tests.scripted_model.fixture import RunningModel

# What tells a browser something is tried in one, by these tests.
BROWSERS = {"docs/widget.md": "tests/chat/test_widget_browser.py"}


def _whole(text: str) -> str:
    """JSON without the dots that stand for more of the same."""
    return re.sub(r",\s*…\s*}", "}", text)


@pytest.mark.parametrize("block", pages.blocks("json"), ids=str)
def test_json_is_json(block: Block) -> None:
    assert answers(_whole(block.text))


@pytest.mark.parametrize("block", pages.blocks("http"), ids=str)
def test_http_has_headers_and_a_body_of_json(block: Block) -> None:
    head, _, body = block.text.partition("\n\n")
    lines = head.splitlines()

    assert all(re.match(r"[\w-]+: \S", line) for line in lines if not line.endswith("HTTP/1.1"))
    assert not body or answers(body)


@pytest.mark.parametrize("block", pages.blocks("yaml"), ids=str)
def test_yaml_is_yaml(block: Block) -> None:
    assert isinstance(yaml.safe_load(block.text), dict)


@pytest.mark.parametrize("block", pages.blocks("env"), ids=str)
def test_settings_are_known(block: Block) -> None:
    composed = [file.read_text() for file in sorted((pages.ROOT / "docker").glob("compose*.yml"))]
    known = "".join([pages.text("docs/configuration.md"), *composed])
    names = re.findall(r"^([A-Z_]+)=", block.text, re.MULTILINE)

    assert names
    assert [name for name in names if name not in known] == []


def test_commands_inside_settings_make_secrets() -> None:
    commands = re.findall(r"# (python3 -c \".*\")$", _text("env", "SECRET_KEY"), re.MULTILINE)

    made = [
        subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout.strip()
        for command in commands
    ]
    assert len(made) == 2
    assert min(map(len, made)) >= 43


@pytest.mark.parametrize("block", pages.blocks("js", "html"), ids=str)
def test_what_a_browser_runs_is_tried_in_one(block: Block) -> None:
    tests = (pages.ROOT / BROWSERS[block.page]).read_text() + (
        pages.ROOT / "tests/chat/widget_site.py"
    ).read_text()
    for word in re.findall(r"data-\w+|tokenneeded|widget\.js", block.text):
        assert word in tests
    node = shutil.which("node")
    if block.language == "js" and node:
        subprocess.run([node, "--check", "-"], input=block.text, text=True, check=True)


def _text(language: str, piece: str) -> str:
    [found] = [block.text for block in pages.blocks(language) if piece in block.text]
    return found


def _run(source: str, **names: Any) -> dict[str, Any]:
    """Run an example of our own pages; the names that it leaves. `_awaited` runs it where it awaits something."""
    code = compile(source, "docs", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names["_awaited"] = eval(code, names)  # noqa: S307 - the repository's own text
    return names


def test_every_python_block_is_run_here() -> None:
    """The tests below find each by a piece of it; the last one is run with the client that it is about."""
    pieces = ("jwt.encode", "whsec_", "chat_model()", "scripted_model.script", "Names(", "SafeClient(")
    pieces += ("def follow(", "streamable_http_client(")
    assert "smart_support_api_client" in (pages.ROOT / "tests/api/test_generated_client.py").read_text()
    pieces += ("smart_support_api_client",)
    assert [str(b) for b in pages.blocks("python") if sum(piece in b.text for piece in pieces) != 1] == []


@pytest.mark.django_db
def test_a_customers_token_is_good(settings: Any) -> None:
    settings.CUSTOMER_JWT_SECRET = "the-secret-of-a-shop-and-of-its-desk"
    names = {"customer_id": "cus_7", "CUSTOMER_JWT_SECRET": settings.CUSTOMER_JWT_SECRET}

    token = _run(_text("python", "jwt.encode"), **names)["token"]

    customer = Customer.objects.get(pk=identity.identify(token=token, cookie=None).customer_id)
    assert (customer.subject, customer.business_id) == ("cus_7", "cus_7")


def test_a_webhook_is_verified() -> None:
    secret, body = webhook_signing.new_secret(), b'{"type": "test.ping"}'
    headers = webhook_signing.headers("1", body, [secret], datetime.now(UTC))
    source = _text("python", "whsec_").replace("whsec_...", secret)

    _run(source, body=body, headers=headers)
    with pytest.raises(WebhookVerificationError):
        _run(source, body=body + b" ", headers=headers)


def test_a_model_is_asked_for() -> None:
    found = _run(_text("python", "chat_model()"), spec=SimpleNamespace(model=""))

    assert found["model"] is not None
    assert callable(found["as_outage"])


async def test_a_test_scripts_its_model(scripted_model: RunningModel, settings: Any) -> None:
    found = _run(_text("python", "scripted_model.script"))
    await found["test_the_answer_is_streamed"](scripted_model, settings)

    assert scripted_model.url == settings.OPENAI_BASE_URL


def test_an_operation_becomes_a_request() -> None:

    operation = one_operation({"operationId": "orders.cancel"}, servers=[{"url": "https://api.example.com"}])
    first, _, second = _text("python", "Names(").partition("\n\n")
    found = _run(first, Names=naming.Names, build=building.build, operation=operation)
    assert {name for name in re.findall(r'"(\w+)"', first.splitlines()[2])} <= set(found["built"].tool)
    tool = Tool(
        name="cancel_order",
        method="POST",
        path="/orders",
        **{k: v for k, v in found["built"].tool.items() if hasattr(Tool, k)},
    )
    made = _run(second, agents=agents, tool=tool, arguments={}, bound={})

    assert made["request"].address == "https://api.example.com/orders"


@pytest.mark.xdist_group("docs")
async def test_a_request_goes_out(world: World) -> None:
    business = f"http://127.0.0.1:{world.stack.demo_port}"
    source = _text("python", "SafeClient(").replace(
        "https://api.example.com/orders/1042/cancel",
        f"{business}/shop/customers/cus_1001/orders/1068/cancellation",
    )
    allowed = SimpleNamespace(SAFE_HTTP_ALLOWED_HOSTS=[business.removeprefix("http://")])

    found = _run(source, SafeClient=SafeClient, settings=allowed, key="docs-1", token="secret")
    await found["_awaited"]

    assert found["response"].status == 200, found["response"].text


@pytest.mark.xdist_group("docs")
def test_a_stream_is_followed_over_connections_that_end(world: World, monkeypatch: Any) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    world.say("What is the status of order 1042?", thread_id="docs-followed")
    follow = _run(_text("python", "def follow("))["follow"]

    frames = follow(world.stack.url, world.key, "docs-followed")
    told = [next(frames)]
    while [frame["type"] for frame in told].count("resumed") < 2:
        told.append(next(frames))
    frames.close()

    numbers = [frame["seq"] for frame in told if "at" in frame]
    assert numbers == sorted(set(numbers))
    assert [frame["type"] for frame in told if frame["type"] != "token"][-3:] == [
        "message_complete",
        "resumed",
        "resumed",
    ]


@pytest.mark.xdist_group("docs")
async def test_another_agent_calls_a_tool(world: World, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    found = _run(_text("python", "streamable_http_client("), url=world.stack.url, key=world.key)
    await found["_awaited"]

    assert capsys.readouterr().out == "succeeded\n"


@pytest.mark.xdist_group("docs")
def test_the_socket_is_spoken_to_from_a_terminal(world: World) -> None:
    lines = _text("console", "-m websockets").splitlines()
    [sent] = [line.removeprefix("> ") for line in lines if line.startswith("> ")]
    [got] = answers(_whole(next(line.removeprefix("< ") for line in lines if line.startswith("< "))))
    command = (
        lines[0].removeprefix("$ python ").replace("localhost:8000", f"127.0.0.1:{world.stack.port}").split()
    )
    out = world.folder / "websockets.txt"
    with out.open("w") as file:
        with subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=file, stderr=file, text=True
        ) as process:
            try:
                assert process.stdin
                until(lambda: "Connected" in out.read_text())
                process.stdin.write(sent + "\n")
                process.stdin.flush()
                until(lambda: '"accepted"' in out.read_text())
                process.communicate()
            finally:
                process.kill()
    [accepted] = [line for line in out.read_text().splitlines() if '"accepted"' in line]

    assert set(json.loads(accepted[accepted.index("{") :])) == set(got)


@pytest.mark.django_db(transaction=True)
def test_the_audit_is_verified_as_shown(capsys: pytest.CaptureFixture[str]) -> None:
    command, *shown = _text("console", "verify_audit").splitlines()

    call_command(*command.removeprefix("$ manage.py ").split())

    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(shown)
    assert said[1].startswith("Anchor: ")
    assert re.sub(r"[\d,]+", "N", said[0]) == re.sub(r"[\d,]+", "N", shown[0]) or said[0].endswith(
        "as it was written."
    )


def test_every_console_block_is_run_here() -> None:
    assert len(pages.blocks("console")) == 2
