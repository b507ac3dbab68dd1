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
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
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
    assert "x" * 2000 in source
    assert "x" * 2001 not in source


def test_the_module_loads_and_builds_what_was_meant(job: ImportJob, tmp_path: Path) -> None:
    code = """
exported.httpx.Client.request = None  # nothing is sent
made = []
exported.send = lambda recipe, values: made.append(exported.build(recipe, values))
exported.TOOLS["arguments"](order_id="a/b", from_="x", a_b=1, a_b_2="é", send_2=False, None_=None, x={"k": [1]})
exported.TOOLS["send"](order_id="..")
print(json.dumps([{**one, "content": (one["content"] or b"").decode()} for one in made]))
"""

    first, second = run(
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
    assert second["url"] == 'http://127.0.0.1:9/v1/x"+__import__("os").getcwd()+"/..'


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


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
            "args": ["run", "--with", "httpx", "--with", "fastmcp", "my_shop_tools.py"],
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
