"""The configuration for an MCP client, with the tools that the exported Python module offers when it is run."""

import json
from typing import Any

from openapi_import.exports.chosen import chosen, module_file, module_name
from openapi_import.exports.offered import offered
from openapi_import.exports.python_module import variables
from openapi_import.models import ImportJob, SourceKind


def mcp(job: ImportJob) -> str:
    """JSON: `mcpServers`, as the common clients read it, and `tools` with their schemas and honest annotations.

    The server is the exported Python module, saved beside it; its secrets come from the environment and are empty here.
    Tools of an MCP server are that server's.
    """
    name = module_name(job)
    rows = chosen(job)
    server: dict[str, Any]
    if job.kind == SourceKind.MCP:
        server = {"type": "http", "url": job.spec_url}
    else:
        server = {
            "command": "uv",
            "args": ["run", "--with", "httpx", module_file(job)],
            "env": dict.fromkeys(variables(job, rows), ""),
        }
    whole = {"mcpServers": {name: server}, "tools": [offered(row) for row in rows]}
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"
