"""The published tools as a server of the Model Context Protocol (streamable HTTP, revisions 2024-11-05 to 2026-07-28).
See docs/mcp.md."""
