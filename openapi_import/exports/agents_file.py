"""The agents of an import as a file in the format of docs/agents-yaml.md. It can be imported once the tools are
published."""

import io
from collections import defaultdict
from typing import Any

from ruamel.yaml import YAML

from agents.models import Access
from openapi_import.exports.chosen import chosen, clean, module_name
from openapi_import.group_agents import ESCALATION, TONE, description
from openapi_import.models import Classification, ImportJob


def agents_yaml(job: ImportJob) -> str:
    """One agent for each group; what has no group is given to an agent with the import's name."""
    groups: dict[str, list[Classification]] = defaultdict(list)
    for row in chosen(job):
        groups[row.agent_group or module_name(job)[:64]].append(row)
    yaml = YAML()
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump({"agents": [_agent(name, rows, job) for name, rows in groups.items()]}, stream)
    return stream.getvalue()


def _agent(name: str, rows: list[Classification], job: ImportJob) -> dict[str, Any]:
    writes = any(row.access_type == Access.WRITE for row in rows)
    return {
        "name": name,
        "description": clean(description(name, [row.title for row in rows], job.title or job.name)),
        "permission": str(Access.WRITE if writes else Access.READ),
        "personality": {"tone": TONE, "greeting": "", "escalation_message": ESCALATION},
        "tools": [row.name for row in rows],
    }
