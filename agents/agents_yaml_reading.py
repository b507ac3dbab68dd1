"""From the text of an agents file to checked entries, or every fault with its line. No database here.

The text is composed into nodes and read strictly: each fault knows its line, nothing is constructed from
tags, and anchors (and with them alias bombs) are refused. YAML 1.2: `no` is a word, not false.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from agents.models import Access
from smartsupport.lib.errors import ServiceError

MAX_BYTES = 256 * 1024
MAX_AGENTS = 200
MAX_FAULTS = 100
TEXT_TAG = "tag:yaml.org,2002:str"
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
UNSTORABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
PERSONALITY = {"tone": 300, "greeting": 500, "escalation_message": 500}


class AgentsYamlInvalid(ServiceError):
    """The file was refused whole. `.extra["faults"]`: [{"line": n, "message": "..."}] by line, from 1."""

    code = "agents_yaml_invalid"
    status = 422

    def __init__(self, faults: list["Fault"]) -> None:
        found = sorted(set(faults), key=lambda fault: (fault.line, fault.message))
        count = "one fault" if len(found) == 1 else f"{len(found)} faults"
        shown = "\n".join(f"Line {fault.line}: {fault.message}" for fault in found[:MAX_FAULTS])
        super().__init__(
            f"The agents file has {count}, so nothing was changed.\n{shown}",
            faults=[{"line": fault.line, "message": fault.message} for fault in found[:MAX_FAULTS]],
        )


@dataclass(frozen=True)
class Fault:
    line: int
    message: str


@dataclass(frozen=True)
class AgentEntry:
    """One agent of a file."""

    name: str
    description: str
    permission: str
    tone: str
    greeting: str
    escalation_message: str
    tools: tuple[str, ...]
    keywords: tuple[str, ...] = ()
    model: str = ""


def read_agents(text: str, *, tools: Mapping[str, str]) -> list[AgentEntry]:
    """The agents of a file, in its order. `tools`: {name: access} of all. Raises AgentsYamlInvalid."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise AgentsYamlInvalid([Fault(1, f"The file is larger than {MAX_BYTES // 1024} KiB.")])
    root = _compose(text)
    reader = _Reader(tools)
    entries = reader.agents(root)
    if reader.faults:
        raise AgentsYamlInvalid(reader.faults)
    return entries


def _compose(text: str) -> Node:
    try:
        root: Node | None = YAML(typ="safe", pure=True).compose(text)
    except RecursionError:
        raise AgentsYamlInvalid([Fault(1, "The file is nested too deeply.")]) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = (error.problem or error.context or "it cannot be read").removeprefix("but ")
        raise AgentsYamlInvalid(
            [Fault(mark.line + 1 if mark else 1, f"Not valid YAML: {problem}.")]
        ) from None
    except YAMLError as error:  # a character that YAML does not allow
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise AgentsYamlInvalid([Fault(line, "Not valid YAML: a character is not allowed.")]) from None
    except ValueError:
        raise AgentsYamlInvalid([Fault(1, "Not valid YAML.")]) from None
    if root is None:
        raise AgentsYamlInvalid([Fault(1, "The file is empty. It needs the field agents.")])
    anchored = [
        Fault(_line(node), "Anchors and aliases (& and *) are not supported here.")
        for node in _anchored(root)
    ]
    if anchored:
        raise AgentsYamlInvalid(anchored)
    return root


def _anchored(root: Node) -> Iterator[Node]:
    """Nodes with an anchor. What an anchored node contains is not visited, so a cycle ends here."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.anchor:
            yield node
        elif isinstance(node, MappingNode):
            waiting.extend(part for pair in node.value for part in pair)
        elif isinstance(node, SequenceNode):
            waiting.extend(node.value)


def _line(node: Node) -> int:
    line: int = node.start_mark.line
    return line + 1


class _Reader:
    """Collects faults while it reads; a fault in one place does not hide those in another."""

    def __init__(self, tools: Mapping[str, str]) -> None:
        self.tools = tools
        self.faults: list[Fault] = []

    def fault(self, node: Node, message: str) -> None:
        self.faults.append(Fault(_line(node), message))

    def agents(self, root: Node) -> list[AgentEntry]:
        fields = self.mapping(root, "The file", required=("agents",), optional=())
        nodes = self.sequence(fields["agents"], "agents") if "agents" in fields else []
        if "agents" in fields and isinstance(fields["agents"], SequenceNode) and not nodes:
            self.fault(fields["agents"], "There are no agents. Name at least one.")
        if len(nodes) > MAX_AGENTS:
            self.fault(nodes[MAX_AGENTS], f"There are more than {MAX_AGENTS} agents.")
            return []
        names: dict[str, int] = {}
        return [entry for node in nodes if (entry := self.agent(node, names))]

    def agent(self, node: Node, names: dict[str, int]) -> AgentEntry | None:
        before = len(self.faults)
        fields = self.mapping(
            node,
            "An agent",
            required=("name", "description", "permission", "personality", "tools"),
            optional=("keywords", "model"),
        )
        name = self.text(fields, "name", 64)
        if name and not NAME.fullmatch(name):
            self.fault(
                fields["name"], f"The name {name!r} is not valid. Use 1 to 64 letters, digits, _ or -."
            )
        elif name and name in names:
            self.fault(fields["name"], f"Duplicate agent name {name!r}; it is also on line {names[name]}.")
        elif name:
            names[name] = _line(fields["name"])
        permission = self.text(fields, "permission", 64)
        if permission and permission not in Access.values:
            self.fault(fields["permission"], f"Unknown permission {permission!r}. Use read or write.")
        personality = self.personality(fields)
        entry = AgentEntry(
            name=name,
            description=self.text(fields, "description", 4000),
            permission=permission,
            tools=self.tool_names(fields, name, permission),
            keywords=tuple(value for _, value in self.texts(fields, "keywords", 100)),
            model=self.text(fields, "model", 120),
            **personality,
        )
        return entry if len(self.faults) == before else None

    def personality(self, fields: dict[str, Node]) -> dict[str, str]:
        if "personality" not in fields:
            return dict.fromkeys(PERSONALITY, "")
        parts = self.mapping(fields["personality"], "personality", required=tuple(PERSONALITY), optional=())
        return {key: self.text(parts, key, limit, blank=True) for key, limit in PERSONALITY.items()}

    def tool_names(self, fields: dict[str, Node], agent: str, permission: str) -> tuple[str, ...]:
        found = self.texts(fields, "tools", 64)
        for node, tool in found:
            access = self.tools.get(tool)
            if access is None:
                close = difflib.get_close_matches(tool, self.tools, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                self.fault(node, f"Unknown tool {tool!r}.{hint}")
            elif access == Access.WRITE and permission == Access.READ:
                whose = f"the agent {agent!r}" if agent else "its agent"
                self.fault(node, f"The tool {tool!r} writes, but {whose} has permission read.")
        return tuple(tool for _, tool in found)

    def texts(self, fields: dict[str, Node], key: str, limit: int) -> list[tuple[Node, str]]:
        """The words of a list, without repetition."""
        found: dict[str, Node] = {}
        for node in self.sequence(fields[key], key) if key in fields else []:
            value = self.scalar(node, f"Each of {key}", limit, blank=False)
            if value in found:
                self.fault(node, f"{value!r} is twice in {key}.")
            elif value:
                found[value] = node
        return [(node, value) for value, node in found.items()]

    def text(self, fields: dict[str, Node], key: str, limit: int, *, blank: bool = False) -> str:
        return self.scalar(fields[key], key, limit, blank=blank) if key in fields else ""

    def scalar(self, node: Node, label: str, limit: int, *, blank: bool) -> str:
        """A text; the empty one where there was a fault."""
        if not isinstance(node, ScalarNode) or node.tag != TEXT_TAG:
            self.fault(node, f"{label} must be a text. Put it in quotes if it looks like something else.")
            return ""
        value: str = node.value
        refusals: list[tuple[bool, str]] = [
            (not blank and not value.strip(), f"{label} must not be empty."),
            (len(value) > limit, f"{label} is longer than {limit} characters."),
            (UNSTORABLE.search(value) is not None, f"{label} contains a control character."),
        ]
        reasons = [reason for refused, reason in refusals if refused]
        for reason in reasons:
            self.fault(node, reason)
        return "" if reasons else value

    def sequence(self, node: Node, label: str) -> list[Node]:
        if not isinstance(node, SequenceNode):
            self.fault(node, f"{label} must be a list.")
            return []
        return list(node.value)

    def mapping(
        self, node: Node, label: str, *, required: tuple[str, ...], optional: tuple[str, ...]
    ) -> dict[str, Node]:
        """The fields of a mapping: each known, once, and the required ones there."""
        if not isinstance(node, MappingNode):
            fields_of = "the field" if len(required) == 1 else "the fields"
            self.fault(node, f"{label} must be a mapping with {fields_of} {', '.join(required)}.")
            return {}
        fields: dict[str, Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, ScalarNode) else ""
            if name not in required + optional:
                self.fault(key, f"Unknown field {name[:80]!r}. Known: {', '.join(required + optional)}.")
            elif name in fields:
                self.fault(key, f"The field {name} is given twice.")
            else:
                if isinstance(value, ScalarNode) and not value.value and value.style is None:
                    value.start_mark = key.start_mark  # nothing was written: its mark is at what comes next
                fields[name] = value
        for name in required:
            if name not in fields:
                self.fault(node, f"{label} needs the field {name}.")
        return fields
