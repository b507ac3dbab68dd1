"""What is exported compiles, loads and sends what was meant, whatever the document's names and words contain."""

import ast
import json
import keyword
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.agents_yaml import export_agents, import_agents
from agents.agents_yaml_reading import read_agents
from agents.models import Agent, AgentTool
from openapi_import import review
from openapi_import.exports import agents_yaml, mcp, python
from openapi_import.models import Classification, ImportJob
from openapi_import.publish import publish
from tests.lib.wire import response
from tests.openapi_import.far_side import FarSide
from tests.openapi_import.far_side import far as far  # a fixture
from tests.openapi_import.review_rows import SAM, in_path, operation, ready, schema

pytestmark = pytest.mark.django_db

BREAKING = "\"\"\"'''\\\n\r\t\x0b\x0c\x85\u2028\u202e\ufeff{}%s$(id)`${x}`\\N{BULLET}\\u0041 \\"
INJECTED = '"""\n    __import__("os").system("touch /tmp/owned")\n"""'
NASTY = (
    operation("class", title="def", tool_description=INJECTED),
    operation("1st", title=BREAKING, tool_description=BREAKING, agent_group="1"),
    operation("send", path='/x"+__import__("os").getcwd()+"/{order_id}', agent_group="no"),
    operation("TOOLS", agent_group="null"),
    operation("print-it", "DELETE", tool_description="x" * 5000),
    operation("print_it", "POST", tool_description='Ends with a quote"'),
    operation("__debug__", title="\\"),
    operation("match", "PUT", tool_description="Ends with a backslash\\"),
    operation(
        "arguments",
        "POST",
        tool={
            "parameters": in_path("order_id"),
            "request_body": {
                "content_type": "application/json",
                "required": True,
                "fields": {"from": "from", "a.b": "a.b", "a_b": 'a"b', "send": "send", "None": "None", "_x": "_x"},
            },
            "input_schema": schema(
                "order_id",
                "from",
                **{"a.b": {"type": "integer"}, "a_b": {"description": INJECTED}, "send": {"type": "boolean"},
                   "None": {"type": ["string", "null"]}, "_x": {"type": "object"}, "__debug__": {"type": "array"}},
            ),
            "security": [{'key"': {"kind": "apiKey", "in": "header", "name": 'X-"Key', "scopes": []}}],
        },
    ),
)  # fmt: skip


@pytest.fixture
def job() -> ImportJob:
    return ready(*NASTY, name="my-shop", title=BREAKING, version=INJECTED)


def run(source: str, code: str, folder: Path, **environment: str) -> Any:
    """What `code` prints as JSON after the exported module was loaded, in a process of its own."""
    (folder / "exported.py").write_text(source, encoding="utf-8")
    command = [sys.executable, "-c", f"import json, exported\n{code}"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_module_has_a_function_for_each_operation_and_no_other_code(job: ImportJob) -> None:
    source = python(job)

    tree = ast.parse(source)
    compile(source, "exported.py", "exec")
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    made = [
        "class_",
        "operation_1st",
        "send_2",
        "TOOLS_2",
        "print_it",
        "print_it_2",
        "debug",
        "match_",
        "arguments",
    ]
    assert set(made) <= functions.keys()
    assert not any(keyword.iskeyword(name) for name in functions)
    # Of what a document says, nothing is executed when the module is loaded: it defines, and serves when it is run.
    allowed = (ast.FunctionDef, ast.Import, ast.ImportFrom, ast.Assign, ast.If)
    assert all(isinstance(node, allowed) for node in tree.body[1:])
    for name in made:
        docstring, answer = functions[name].body
        assert isinstance(docstring, ast.Expr)
        assert isinstance(docstring.value, ast.Constant)
        assert isinstance(answer, ast.Return)
        called = [node.func for node in ast.walk(functions[name]) if isinstance(node, ast.Call)]
        assert [ast.unparse(one) for one in called] == ["send"]
    long = ast.get_docstring(functions["print_it"]) or ""
    assert "x" * 2000 in long
    assert "x" * 2001 not in long


def test_the_module_loads_and_builds_what_was_meant(job: ImportJob, tmp_path: Path) -> None:
    code = """
exported.httpx.Client.request = None  # nothing is sent
made = []
exported.send = lambda recipe, values: made.append(exported.build(recipe, values))
exported.TOOLS["arguments"](order_id="a/b", from_="x", a_b=1, a_b_2="é", send_2=False, None_=None, x={"k": [1]})
for climbing in ("..", ".", ""):
    try:
        exported.TOOLS["send"](order_id=climbing)
    except ValueError as refusal:
        made.append({"content": str(refusal).encode()})
print(json.dumps([{**one, "content": (one["content"] or b"").decode()} for one in made]))
"""

    first, *refused = run(
        python(job), code, tmp_path, MY_SHOP_KEY="s3cret", MY_SHOP_BASE_URL="http://127.0.0.1:9/v1/"
    )

    assert first["url"] == "http://127.0.0.1:9/v1/arguments/a%2Fb"
    assert json.loads(first["content"]) == {
        "from": "x",
        "a.b": 1,
        'a"b': "é",
        "send": False,
        "_x": {"k": [1]},
    }
    assert first["headers"]['X-"Key'] == "s3cret"
    assert refused == [{"content": "order_id cannot be empty and cannot be dots alone"}] * 3


def test_the_client_writes_every_style(tmp_path: Path) -> None:
    names = {
        "ids": {"type": "array"},
        "where": {"type": "object"},
        "tags": {"type": "array"},
        "file": {},
        "note": {},
    }
    places = [
        *in_path("order_id"),
        {"argument": "ids", "name": "ids", "in": "query", "style": "pipeDelimited", "explode": False},
        {"argument": "where", "name": "where", "in": "query", "style": "deepObject", "explode": True},
        {"argument": "tags", "name": "tag", "in": "query", "style": "form", "explode": True},
    ]
    body = {"content_type": "multipart/form-data", "required": True, "fields": {"file": "file", "note": "note"},
            "encoding": {"file": {"binary": True, "content_type": "image/png"}}}  # fmt: skip
    made = operation(
        "upload", "POST",
        tool={"parameters": places, "request_body": body, "input_schema": schema("order_id", **names)},
    )  # fmt: skip
    code = """
exported.send = exported.build
one = exported.upload(order_id="1", ids=[1, 2], where={"a": {"gt": 5}}, tags=["x y", "z"], file="AAE=", note="ü")
print(json.dumps({**one, "content": one["content"].decode("latin-1")}))
"""

    sent = run(python(ready(made)), code, tmp_path)

    assert sent["url"] == "https://shop.example/upload/1?ids=1%7C2&where%5Ba%5D%5Bgt%5D=5&tag=x%20y&tag=z"
    assert sent["headers"]["Content-Type"].startswith("multipart/form-data; boundary=")
    assert 'name="file"; filename="file"\r\nContent-Type: image/png\r\n\r\n\x00\x01\r\n' in sent["content"]


TEXT = st.text(max_size=40).map(lambda text: text.replace("\x00", "")).map(
    lambda text: text.encode("utf-8", "ignore").decode()
)  # fmt: skip


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    words=TEXT,
    path=TEXT,
    arguments=st.dictionaries(TEXT.filter(bool), st.sampled_from(["string", "array", "x"]), max_size=4),
)
def test_no_words_and_no_names_break_any_export(words: str, path: str, arguments: dict[str, str]) -> None:
    properties = {name: {"type": kind, "description": words} for name, kind in arguments.items()}
    job = ready(
        operation(
            "one", path=f"/{path}", title=words[:120] or "One", tool_description=words or "One",
            tool={"input_schema": {"type": "object", "properties": properties}, "parameters": []},
        ),
        title=words,
    )  # fmt: skip

    source = python(job)
    entries = read_agents(agents_yaml(job), tools={"one": "read"})
    config = json.loads(mcp(job))

    assert "one" in {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    assert [entry.tools for entry in entries] == [("one",)]
    assert config["tools"][0]["inputSchema"]["properties"] == properties
    for text in (source, agents_yaml(job), mcp(job)):
        text.encode("utf-8")
    Classification.objects.all().delete()
    ImportJob.objects.all().delete()


def test_the_agents_file_can_be_imported_once_the_tools_are_there(job: ImportJob) -> None:
    text = agents_yaml(job)
    publish(job.pk, SAM)
    links = sorted(AgentTool.objects.values_list("agent__name", "tool__name"))

    import_agents(text)

    assert sorted(AgentTool.objects.values_list("agent__name", "tool__name")) == links
    assert sorted(Agent.objects.values_list("name", flat=True)) == ["1", "no", "null", "orders"]
    assert (
        read_agents(export_agents(), tools=dict.fromkeys((tool for _, tool in links), "read"))[0].name
        == "orders"
    )


def test_the_mcp_configuration_says_honestly_what_each_tool_does(job: ImportJob) -> None:
    config = json.loads(mcp(job))

    assert config["mcpServers"] == {
        "my_shop": {
            "command": "uv",
            "args": ["run", "--with", "httpx", "my_shop_tools.py"],
            "env": {"MY_SHOP_BASE_URL": "", "MY_SHOP_KEY": ""},
        }
    }
    by_name = {tool["name"]: tool for tool in config["tools"]}
    assert by_name["class"]["annotations"]["readOnlyHint"] is True
    assert by_name["print-it"]["annotations"] == {
        "readOnlyHint": False, "destructiveHint": True, "idempotentHint": True, "openWorldHint": True,
    }  # fmt: skip
    assert by_name["print_it"]["annotations"]["idempotentHint"] is False
    assert by_name["class"]["inputSchema"] == schema("order_id")


def served(source: str, folder: Path, *asked: Any, **environment: str) -> dict[Any, Any]:
    """{id: answer} of what the exported module says as a server, in a process of its own, until its input ends."""
    module = folder / "my_shop_tools.py"
    module.write_text(source, encoding="utf-8")
    lines = "".join(
        one if isinstance(one, str) else json.dumps({"jsonrpc": "2.0", **one}) + "\n" for one in asked
    )
    done = subprocess.run(
        [sys.executable, str(module)], input=lines, env=environment, capture_output=True, encoding="utf-8",
        timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(one["jsonrpc"] == "2.0" for one in answers)
    return {one["id"]: one for one in answers}


def a_call(number: int, tool: str, **arguments: Any) -> dict[str, Any]:
    return {"id": number, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


def test_the_module_serves_its_tools_to_a_client(job: ImportJob, far: FarSide, tmp_path: Path) -> None:
    business = far.documents(
        {
            "/arguments/7": {"done": True},
            "/class/7": response(
                "422 Unprocessable", b'{"error": "No such order"}', content_type="application/json"
            ),
        }
    )
    greeting = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }

    answers = served(
        python(job), tmp_path,
        {"id": "hello", "method": "initialize", "params": greeting},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "ping"},
        {"id": 3, "method": "tools/list"},
        a_call(4, "arguments", **{"order_id": "7", "from": "a", "a.b": 1, "send": False}),
        a_call(5, "class", order_id="7"),
        a_call(6, "class", order="7"),
        a_call(7, "class", order_id=".."),
        a_call(8, "unheard_of"),
        {"id": 9, "method": "resources/list"},
        "no JSON\n",
        MY_SHOP_BASE_URL=f"http://{business.host}",
    )  # fmt: skip

    assert answers.keys() == {"hello", 2, 3, 4, 5, 6, 7, 8, 9, None}
    assert answers["hello"]["result"]["protocolVersion"] == "2025-06-18"
    assert answers[2]["result"] == {}
    assert answers[3]["result"]["tools"] == json.loads(mcp(job))["tools"]
    assert answers[4]["result"]["structuredContent"] == {"done": True}
    told = {number: answers[number]["result"]["content"][0]["text"] for number in (5, 6, 7)}
    assert told == {
        5: 'HTTP 422: {"error": "No such order"}',
        6: "There is no argument 'order'. The argument 'order_id' is missing.",
        7: "The call could not be made: order_id cannot be empty and cannot be dots alone.",
    }
    assert all(answers[number]["result"]["isError"] for number in (5, 6, 7))
    assert {number: answers[number]["error"]["code"] for number in (8, 9, None)} == {
        8: -32602, 9: -32601, None: -32700,
    }  # fmt: skip
    by_target = {one.target: one for one in business.received}
    assert by_target.keys() == {"/arguments/7", "/class/7"}  # what was refused was not sent
    assert json.loads(by_target["/arguments/7"].body) == {"from": "a", "a.b": 1, "send": False}


def test_a_secret_in_an_address_is_not_told_to_the_client(far: FarSide, tmp_path: Path) -> None:
    key = {"kind": "apiKey", "in": "query", "name": "api_key", "scopes": []}
    job = ready(operation("look", tool={"security": [{"key": key}]}), name="my-shop")
    refusing = far.documents({})
    environment = {"MY_SHOP_KEY": "s3cret"}

    [refused] = served(python(job), tmp_path, a_call(1, "look", order_id="7"),
                       MY_SHOP_BASE_URL=f"http://{refusing.host}", **environment).values()  # fmt: skip
    [gone] = served(python(job), tmp_path, a_call(1, "look", order_id="7"),
                    MY_SHOP_BASE_URL="http://127.0.0.1:1", **environment).values()  # fmt: skip

    assert refusing.received[0].target == "/look/7?api_key=s3cret"
    assert refused["result"]["content"][0]["text"].startswith("HTTP 404")
    assert gone["result"]["content"][0]["text"].startswith("The call was not sent: ConnectError.")
    assert "s3cret" not in json.dumps([refused, gone])


def test_what_is_not_selected_is_not_exported(job: ImportJob) -> None:
    review.edit_many(job.pk, None, {"selected": False}, SAM)
    review.edit_many(job.pk, [0], {"selected": True}, SAM)

    assert list(json.loads(mcp(job))["tools"][0]) == [
        "name",
        "title",
        "description",
        "inputSchema",
        "annotations",
    ]
    assert [tool["name"] for tool in json.loads(mcp(job))["tools"]] == ["class"]
    assert "print_it" not in python(job)
    assert "print_it" not in agents_yaml(job)
