"""The configuration for an MCP client, with the tools that the exported Python module offers when it is run."""

import json
from typing import Any

from agents.models import Access, Risk
from openapi_import.exports.chosen import chosen, clean, module_file, module_name
from openapi_import.exports.python_module import variables
from openapi_import.models import Classification, ImportJob


def mcp(job: ImportJob) -> str:
    """JSON: `mcpServers`, as the common clients read it, and `tools` with their schemas and honest annotations.

    The server is the exported Python module, saved beside it; its secrets come from the environment and are empty here.
    """
    name = module_name(job)
    rows = chosen(job)
    packages = [part for package in ("httpx", "fastmcp") for part in ("--with", package)]
    server = {
        "command": "uv",
        "args": ["run", *packages, module_file(job)],
        "env": dict.fromkeys(variables(job, rows), ""),
    }
    whole = {"mcpServers": {name: server}, "tools": [_tool(row) for row in rows]}
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


def _tool(row: Classification) -> dict[str, Any]:
    reads = row.access_type == Access.READ
    return {
        "name": row.name,
        "title": clean(row.title),
        "description": clean(row.tool_description),
        "inputSchema": row.tool.get("input_schema", {"type": "object"}),
        "annotations": {
            "readOnlyHint": reads,
            "destructiveHint": not reads and row.risk in (Risk.DESTRUCTIVE, Risk.MONEY),
            "idempotentHint": row.method in ("GET", "HEAD", "PUT", "DELETE"),
            "openWorldHint": True,
        },
    }
