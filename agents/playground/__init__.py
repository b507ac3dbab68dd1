"""Trying an agent out: one message through the same graph as in a conversation, with the configured model, on agents
as they are or as a draft would make them. Nothing is written but in the ledger of model calls, and nothing with an
effect is sent."""
