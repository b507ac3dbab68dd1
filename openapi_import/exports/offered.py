"""An operation as a tool of the Model Context Protocol, with its schema and honest annotations."""

from typing import Any

from agents.models import Access, Risk
from openapi_import.exports.chosen import clean
from openapi_import.models import Classification


def offered(row: Classification) -> dict[str, Any]:
    """As `tools/list` has it. The arguments that Smart Support would fill in are the client's to give here."""
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
