"""External servers of the Model Context Protocol as sources of tools. What `tools/list` tells becomes a document in
OpenAPI's form, and from there on it is an import like any other: read in a process of its own, judged, reviewed,
published, compared with what is live. See docs/mcp.md."""
