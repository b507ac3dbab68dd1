"""A file with a fault is refused whole: every fault with its line, and nothing is changed."""

from textwrap import dedent

import pytest

from agents.agents_yaml import AgentsYamlInvalid, export_agents, import_agents
from tests.agents.tool_rows import WRITING, make_agent, make_tool

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def known() -> None:
    make_agent("mine", make_tool("get_order_status"), make_tool("cancel_order", **WRITING))


def faults(text: str) -> list[tuple[int, str]]:
    """The faults of a file, after checking that it changed nothing."""
    before = export_agents()
    with pytest.raises(AgentsYamlInvalid) as refusal:
        import_agents(text)
    assert export_agents() == before
    found = [(fault["line"], fault["message"]) for fault in refusal.value.extra["faults"]]
    for line, message in found:
        assert f"Line {line}: {message}" in refusal.value.message
    return found


def agent(**changes: str) -> str:
    """A good file of one agent, one field a line from line 2 on, with some fields replaced."""
    fields = {
        "name": "name: one",
        "description": "description: Does it.",
        "permission": "permission: read",
        "personality": "personality: {tone: a, greeting: b, escalation_message: c}",
        "tools": "tools: [get_order_status]",
    } | changes
    return "agents:\n  - " + "\n    ".join(line for line in fields.values() if line) + "\n"


def test_the_good_file_of_these_tests_is_good() -> None:
    assert [made.name for made in import_agents(agent())] == ["one"]


LINE = {"name": 2, "description": 3, "permission": 4, "personality": 5, "tools": 6, "more": 7}
UNKNOWN_FIELD = "Known: name, description, permission, personality, tools, keywords, model."
TEXT_RULE = "must be a text. Put it in quotes if it looks like something else."
PARTS = "the fields tone, greeting, escalation_message"
AGENT_RULE = "An agent must be a mapping with the fields name, description, permission, personality, tools."
NAME_RULE = "Use 1 to 64 letters, digits, _ or -."


@pytest.mark.parametrize(
    ("field", "line", "message"),
    [
        ("name", "name: two words", f"The name 'two words' is not valid. {NAME_RULE}"),
        ("name", 'name: "one\\n"', f"The name 'one\\n' is not valid. {NAME_RULE}"),
        ("name", "name: ''", "name must not be empty."),
        ("name", "name: 5", f"name {TEXT_RULE}"),
        ("name", "name: [one]", f"name {TEXT_RULE}"),
        ("name", f"name: {'a' * 65}", "name is longer than 64 characters."),
        ("description", "description: '  '", "description must not be empty."),
        ("description", "description:", f"description {TEXT_RULE}"),
        ("description", 'description: "a\\0b"', "description contains a control character."),
        ("permission", "permission: admin", "Unknown permission 'admin'. Use read or write."),
        ("permission", "permission: Read", "Unknown permission 'Read'. Use read or write."),
        ("permission", "permission: true", f"permission {TEXT_RULE}"),
        ("personality", "personality: nice", f"personality must be a mapping with {PARTS}."),
        ("personality", "personality: {tone: a, greeting: b}",
         "personality needs the field escalation_message."),
        ("personality", "personality: {tone: a, greeting: b, escalation_message: c, mood: d}",
         "Unknown field 'mood'. Known: tone, greeting, escalation_message."),
        ("tools", "tools: get_order_status", "tools must be a list."),
        ("tools", "tools: [get_order_staus]",
         "Unknown tool 'get_order_staus'. Did you mean 'get_order_status'?"),
        ("tools", "tools: [zzz]", "Unknown tool 'zzz'."),
        ("tools", "tools: [1]", f"Each of tools {TEXT_RULE}"),
        ("tools", "tools: [get_order_status, get_order_status]", "'get_order_status' is twice in tools."),
        ("tools", "tools: [cancel_order]",
         "The tool 'cancel_order' writes, but the agent 'one' has permission read."),
        ("more", "keywords: order", "keywords must be a list."),
        ("more", "keywords: ['']", "Each of keywords must not be empty."),
        ("more", "keywords: [2026-11-20]", f"Each of keywords {TEXT_RULE}"),
        ("more", "model: null", f"model {TEXT_RULE}"),
        ("more", "color: red", f"Unknown field 'color'. {UNKNOWN_FIELD}"),
        ("more", "name: again", "The field name is given twice."),
        ("more", "? [a]\n    : b", f"Unknown field ''. {UNKNOWN_FIELD}"),
    ],
)  # fmt: skip
def test_each_fault_is_told_with_its_line(field: str, line: str, message: str) -> None:
    assert faults(agent(**{field: line})) == [(LINE[field], message)]


@pytest.mark.parametrize("field", ["name", "description", "permission", "personality", "tools"])
def test_a_missing_field_is_told_at_the_agent(field: str) -> None:
    assert (2, f"An agent needs the field {field}.") in faults(agent(**{field: ""}))


def test_all_faults_are_told_at_once() -> None:
    text = dedent("""\
        agents:
          - name: one
            description: First.
            permission: read
            personality: {tone: a, greeting: b, escalation_message: c}
            tools:
              - get_order_status
              - cancel_order
              - nothing_like_it
          - name: one
            description: 12
            permission: sometimes
            personality: {tone: a, greeting: b, escalation_message: c}
            tools: []
        colour: red
        """)

    assert faults(text) == [
        (8, "The tool 'cancel_order' writes, but the agent 'one' has permission read."),
        (9, "Unknown tool 'nothing_like_it'."),
        (10, "Duplicate agent name 'one'; it is also on line 2."),
        (11, f"description {TEXT_RULE}"),
        (12, "Unknown permission 'sometimes'. Use read or write."),
        (15, "Unknown field 'colour'. Known: agents."),
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "The file is empty. It needs the field agents."),
        ("# nothing\n", 1, "The file is empty. It needs the field agents."),
        ("agents: []", 1, "There are no agents. Name at least one."),
        ("agents:", 1, "agents must be a list."),
        ("agents: {}", 1, "agents must be a list."),
        ("- one", 1, "The file must be a mapping with the field agents."),
        ("{}", 1, "The file needs the field agents."),
        ("agents:\n  - just words", 2, AGENT_RULE),
        ("agents: [", 1, "Not valid YAML: expected the node content, but found '<stream end>'."),
        ("a: 1\n---\nb: 2", 2, "Not valid YAML: found another document."),
        ("agents:\n  - \x07", 2, "Not valid YAML: a character is not allowed."),
        ("a: &a [x]\nagents: [*a, *a]", 1, "Anchors and aliases (& and *) are not supported here."),
        ("agents: &a\n  - *a", 1, "Anchors and aliases (& and *) are not supported here."),
        ("agents: *gone", 1, "Not valid YAML: found undefined alias 'gone'."),
        pytest.param("[" * 100_000, 1, "The file is nested too deeply.", id="nested"),
        ("{a: " * 50_000, 1, "The file is nested too deeply."),
        ("agents: !!python/object/apply:os.system [ls]", 1, AGENT_RULE),
        ("#" * 262_145, 1, "The file is larger than 256 KiB."),
    ],
)  # fmt: skip
def test_what_is_no_agents_file_is_told(text: str, line: int, message: str) -> None:
    assert faults(text) == [(line, message)]


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]

    found = faults("\n".join([*lines, "agents: *a29"]))

    assert len(found) == 30
    assert {message for _, message in found} == {"Anchors and aliases (& and *) are not supported here."}


def test_one_bad_agent_keeps_the_good_ones_out() -> None:
    good, bad = agent(), agent(name="name: two", tools="tools: [zzz]")

    assert faults(good + bad.removeprefix("agents:\n")) == [(11, "Unknown tool 'zzz'.")]
