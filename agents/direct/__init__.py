"""Calls of tools that somebody outside asks for by name (`chat.mcp`): a turn of their own, and no model in it."""
